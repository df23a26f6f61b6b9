"""Where consumers are: begun with their keys, kept as they are put, forgotten when nobody uses them."""

import msgspec
import pytest

from listenkey.base.clock import DAY, HOUR
from listenkey.core.consumer import ConsumerId, Cursor
from listenkey.core.keylife import Changed
from listenkey.core.records import Account, ApiKey, StreamId
from listenkey.store.base import KeyRequest, NewKey, Place, Store, Submission
from tests.conformance.homes import Home, Recorder
from tests.conformance.making import START, key_request, listen_key, new_key

STREAM = "binance-usdm"
FILTER = "events=ORDER_TRADE_UPDATE"


def reader(holder: ApiKey, place: str = "", address: str = "") -> ConsumerId:
    """A place of an API key's consumer."""
    return ConsumerId(holder.account_id, STREAM, holder.id + (f"@{address}" if address else ""), place)


def beginning(holder: ApiKey, number: int, now: int, *consumers: ConsumerId) -> NewKey:
    """A create that begins consumers."""
    fresh = msgspec.structs.replace(listen_key(number, holder, now), user=holder.id)
    request = new_key(fresh, now, "new_coexists")
    return NewKey(request.fresh, request.rules, request.api_key_id, now, consumers)


def extending(holder: ApiKey, number: int, now: int, by: ApiKey, *consumers: ConsumerId) -> KeyRequest:
    """An extension that begins consumers."""
    asked = key_request(listen_key(number, holder, START), now, by=by.id)
    return KeyRequest(
        asked.account_id,
        asked.key_space,
        asked.scope,
        asked.digest,
        asked.lifetime,
        by.id,
        now,
        "",
        consumers,
    )


async def append(store: Store, account: Account, count: int, now: int = START) -> str:
    """Events; the journal's epoch."""
    stream = StreamId(account.id, STREAM)
    await store.append([Submission(stream, b"{}") for _ in range(count)], now)
    view = store.read_journal(stream)
    assert view is not None
    return view.epoch


async def test_a_consumer_begins_with_its_first_key(store: Store, alice: Account, one: ApiKey) -> None:
    """At the head of the journal as it is then; a second key leaves it where it is."""
    epoch = await append(store, alice, 5)
    await store.create_key(beginning(one, 1, START, reader(one)))
    await append(store, alice, 5)
    await store.create_key(beginning(one, 2, START + 1, reader(one)))
    assert store.find_place(reader(one)) == Place(Cursor(epoch, 5, 5, 5), START)
    assert store.read_places(reader(one, FILTER)) == {"": Cursor(epoch, 5, 5, 5)}


async def test_no_other_reader_is_seen(store: Store, alice: Account, one: ApiKey, two: ApiKey) -> None:
    """Neither another API key's, nor another address's, nor another stream's."""
    await store.create_key(beginning(one, 1, START, reader(one, address="192.0.2.1")))
    for other in (reader(one), reader(two), reader(one, address="192.0.2.2")):
        assert store.find_place(other) is None
        assert store.read_places(other) == {}


async def test_cursors_are_kept_as_they_are_put(
    store: Store, home: Home, alice: Account, one: ApiKey
) -> None:
    """All places of one call or none, the latest of each, and the next process finds them."""
    epoch = await append(store, alice, 9)
    await store.create_key(beginning(one, 1, START, reader(one)))
    await store.put_cursors([(reader(one), Cursor(epoch, 0, 7, 3))], START)
    await store.put_cursors(
        [(reader(one), Cursor(epoch, 0, 8, 4)), (reader(one, FILTER), Cursor(epoch, 0, 2, 1))], START + 5
    )
    killed = home.after_kill().open()
    for each in (store, killed):
        assert each.find_place(reader(one)) == Place(Cursor(epoch, 0, 8, 4), START + 5)
        assert each.find_place(reader(one, FILTER)) == Place(Cursor(epoch, 0, 2, 1), START + 5)
        assert sorted(each.read_places(reader(one))) == ["", FILTER]
    await killed.close()


async def test_what_was_put_before_an_event_is_there_with_it(
    store: Store, home: Home, alice: Account, one: ApiKey
) -> None:
    """A handshake does not wait for its place: no later event may be found without it."""
    epoch = await append(store, alice, 1)
    begun = store.put_cursors([(reader(one, FILTER), Cursor(epoch, 1, 1, 1))], START)
    await append(store, alice, 1)
    killed = home.after_kill().open()
    assert killed.find_place(reader(one, FILTER)) is not None
    await killed.close()
    await begun


async def test_cursors_of_an_api_key_go_with_it(
    store: Store, recorder: Recorder, alice: Account, one: ApiKey, two: ApiKey
) -> None:
    """Also those by address; one that is put later finds nobody. Others stay."""
    cursor = Cursor(await append(store, alice, 1), 0, 1, 1)
    places = [reader(one), reader(one, FILTER), reader(one, address="192.0.2.1")]
    await store.put_cursors([(place, cursor) for place in (*places, reader(two))], START)
    await store.revoke_api_key(one.id, START)
    await store.put_cursors([(places[0], cursor)], START)
    assert [store.find_place(place) for place in places] == [None] * 3
    assert store.find_place(reader(two)) is not None
    await store.remove_account(alice.name, START)
    assert store.find_place(reader(two)) is None


async def test_who_extends_another_ones_key_goes_on_where_it_was(
    store: Store, alice: Account, one: ApiKey, two: ApiKey
) -> None:
    """In every place, if it has none of its own; the head is for those who have nothing to go on with."""
    epoch = await append(store, alice, 5)
    await store.create_key(beginning(one, 1, START, reader(one)))
    await append(store, alice, 20)
    await store.put_cursors(
        [(reader(one), Cursor(epoch, 5, 15, 10)), (reader(one, FILTER), Cursor(epoch, 5, 9, 8))], START
    )
    assert isinstance(await store.extend_key(extending(one, 1, START, two, reader(two))), Changed)
    assert store.read_places(reader(two)) == store.read_places(reader(one))
    await store.put_cursors([(reader(one), Cursor(epoch, 5, 20, 20))], START)
    await store.extend_key(extending(one, 1, START, one, reader(one)))
    await store.extend_key(extending(one, 1, START, two, reader(two)))
    found = store.find_place(reader(two))
    assert found is not None
    assert found.cursor.confirmed == 15


async def test_who_extends_its_own_key_begins_at_the_head(store: Store, alice: Account, one: ApiKey) -> None:
    """As an address does that was not there before."""
    await store.create_key(beginning(one, 1, START, reader(one, address="192.0.2.1")))
    await append(store, alice, 5)
    here = reader(one, address="192.0.2.2")
    await store.extend_key(extending(one, 1, START, one, here))
    found = store.find_place(here)
    assert found is not None
    assert found.cursor.confirmed == 5


@pytest.mark.parametrize("unused", [DAY, 3 * DAY])
async def test_places_that_come_and_go_are_forgotten(
    store: Store, alice: Account, one: ApiKey, unused: int
) -> None:
    """Those of filters and addresses that nobody used for as long as events are kept, and a day at least;
    never that of an API key."""
    cursor = Cursor(await append(store, alice, 1), 0, 1, 1)
    passing = [reader(one, FILTER), reader(one, "events=*"), reader(one, address="192.0.2.1")]
    lasting = [reader(one), reader(one, "spot.executionReport")]
    await store.put_cursors([(place, cursor) for place in (*passing, *lasting)], START)
    for later, is_there in ((unused, True), (unused + 1, False)):
        now = START + later
        await store.trim_journals(now if unused == DAY else now - unused, 10, now)
        assert [store.find_place(place) is not None for place in passing] == [is_there] * 3
        assert all(store.find_place(place) is not None for place in lasting)


async def test_a_create_keeps_an_address_in_mind(store: Store, alice: Account, one: ApiKey) -> None:
    """Its key lives: what it reads by is not forgotten a moment later."""
    here = reader(one, address="192.0.2.1")
    await store.create_key(beginning(one, 1, START, here))
    late = START + 3 * DAY
    await store.create_key(beginning(one, 2, late, here))
    await store.trim_journals(late - DAY - HOUR, 10, late)
    assert store.find_place(here) is not None
