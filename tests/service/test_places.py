"""The places of a consumer: what one filter left out is not had by another, and nothing is lost between."""

import pytest
from structlog.testing import capture_logs

from listenkey.base.clock import DAY, HOUR, SECOND
from listenkey.core.consumer import FILTERS, SHARED, ConsumerId, Reach, filter_place
from listenkey.core.position import Position
from listenkey.service.consumers import Delivery, DeliveryRules
from tests.service.house import BINGX, USDM

STREAM = "binance-usdm"
FILL, BALANCE = "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"
AWAY = "198.51.100.7"


def events(kind, first, count):
    return [{"e": kind, "n": number} for number in range(first, first + count)]


def numbers(watcher):
    return [payload["n"] for payload in watcher.payloads]


def only(*kinds):
    return {"events": frozenset(kinds)}


def confirm(house, watcher, times=(0,)):
    """The socket has all that it was sent, at these monotonic times."""
    for subscription in watcher.subscriptions:
        for at in times:
            place = Position(subscription.epoch, subscription.next - 1)
            house.gateway.streams.confirm(subscription, place, at, at)


def settle(house, watcher):
    """It has had all of it for long."""
    confirm(house, watcher, [0, HOUR, 2 * HOUR])


def leave(house, *watchers):
    for watcher in watchers:
        for subscription in tuple(watcher.subscriptions):
            house.gateway.streams.cancel(subscription)


async def come(house, string, **wanted):
    """A socket that has caught up."""
    watcher = house.watch(string, **wanted)
    await house.drain()
    return watcher


@pytest.fixture
async def house(make_house):
    """A house whose replays go back twenty events, however old they are."""
    return await make_house(delivery=DeliveryRules(Delivery(reach=Reach(overlap=0))))


@pytest.fixture
async def string(house):
    """A listen key."""
    return await house.create(USDM, await house.account())


# Filters -----------------------------------------------------------------------------------------------


async def test_what_a_filter_left_out_is_not_had(house, string):
    """A socket without a filter gets what the filtered one before it was not sent."""
    filtered = house.watch(string, **only(BALANCE))
    await house.publish("alice", STREAM, *events(FILL, 0, 60), *events(BALANCE, 60, 40))
    settle(house, filtered)
    leave(house, filtered)
    assert numbers(await come(house, string)) == list(range(100))


async def test_each_filter_has_a_place_of_its_own(house, string):
    """Two filters by turns: what one socket confirms takes nothing from the other's successor."""
    first = house.watch(string, **only(BALANCE))
    second = house.watch(string, **only(FILL))
    leave(house, second)
    await house.publish("alice", STREAM, *events(FILL, 0, 60), *events(BALANCE, 60, 40))
    settle(house, first)
    leave(house, first)
    again = await come(house, string, **only(BALANCE))
    settle(house, again)
    assert numbers(await come(house, string, **only(FILL))) == list(range(60))


async def test_a_filter_is_a_set_of_names(house, string):
    """The order of its names makes no other filter of it."""
    one = house.watch(string, **only(FILL, BALANCE))
    await house.publish("alice", STREAM, *events(FILL, 0, 60))
    settle(house, one)
    leave(house, one)
    assert numbers(await come(house, string, **only(BALANCE, FILL))) == list(range(40, 60))
    assert filter_place(frozenset("ba")) == filter_place(frozenset("ab")) == "events=a/b"


async def test_a_filter_that_is_new_begins_at_the_lowest_place(house, string):
    """A bot that asks for one more type is told what it lacked of the others, though a socket without a
    filter has had it."""
    some = house.watch(string, **only(FILL))
    await house.publish("alice", STREAM, *events(FILL, 0, 30))
    settle(house, some)
    leave(house, some)
    await house.publish("alice", STREAM, *events(FILL, 30, 30), *events(BALANCE, 60, 30))
    whole = await come(house, string)
    settle(house, whole)
    leave(house, whole)
    await house.gateway.consumers.keep()
    assert numbers(await come(house, string, **only(FILL, BALANCE))) == list(range(10, 90))


@pytest.mark.parametrize("is_kept", [False, True])
async def test_a_place_that_is_new_outlasts_a_crash(house, string, is_kept):
    """Nothing that others confirm later counts as had there, whatever was written when."""
    consumers = house.gateway.consumers
    whole = house.watch(string)
    filtered = house.watch(string, **only(FILL))
    await house.publish("alice", STREAM, *events(FILL, 0, 60))
    settle(house, whole)
    leave(house, filtered)
    if is_kept:
        await consumers.keep()
    await house.crash()
    again = await come(house, string)
    settle(house, again)
    await house.gateway.consumers.keep()
    assert numbers(await come(house, string, **only(FILL))) == list(range(60))


async def test_filters_without_end_are_bounded_and_lose_nothing(house, string):
    """A client may ask for any filter: beyond sixteen they share a place at which nothing counts as had."""
    kept = [house.watch(string, **only(f"KIND_{number}")) for number in range(FILTERS)]
    await house.gateway.consumers.keep()
    for name in (FILL, "not/a name", "x" * 65):
        other = house.watch(string, **only(name))
        settle(house, other)
        leave(house, other)
    await house.publish("alice", STREAM, *events(FILL, 0, 60))
    for _ in range(2):
        late = await come(house, string, **only(FILL))
        assert numbers(late) == list(range(60))
        settle(house, late)
        await house.gateway.consumers.keep()
    places = house.store.read_places(ConsumerId(1, STREAM, house.resolve(string).key.user))
    assert len(places) == 1 + FILTERS + 1
    assert SHARED in places
    leave(house, *kept)


async def test_a_storm_of_filters_is_bounded_before_it_is_written(house, string):
    """All at once, in one turn of the loop."""
    for number in range(3 * FILTERS):
        leave(house, house.watch(string, **only(f"KIND_{number}")))
    await house.gateway.consumers.keep()
    places = house.store.read_places(ConsumerId(1, STREAM, house.resolve(string).key.user))
    assert len(places) == 1 + FILTERS + 1
    assert not house.gateway.consumers._open
    assert not house.gateway.consumers._new_filters


async def test_where_addresses_are_told_apart_filters_begin_with_their_address(make_house):
    """An address that first asks for a filter, and later for all, is told all since it first came."""
    house = await make_house(delivery=DeliveryRules(Delivery(by_address=True)))
    string = await house.create(USDM, await house.account())
    filtered = house.watch(string, address=AWAY, **only(BALANCE))
    await house.publish("alice", STREAM, *events(FILL, 0, 60), *events(BALANCE, 60, 40))
    settle(house, filtered)
    await house.gateway.consumers.keep()
    assert numbers(await come(house, string, address=AWAY)) == list(range(100))


# Rotation ----------------------------------------------------------------------------------------------


async def test_who_rotates_sockets_is_not_told_of_yesterday(house, string):
    """The old socket ends after the new one has opened: a day later it does not hold the place back, and
    nothing is called passed over that was had."""
    old = house.watch(string)
    new = house.watch(string)
    leave(house, old)
    await house.publish("alice", STREAM, *events(FILL, 0, 60))
    house.clock.advance(HOUR // 2)
    settle(house, new)
    leave(house, new)
    with capture_logs() as logs:
        assert numbers(await come(house, string)) == []
    assert not [entry for entry in logs if entry["event"] == "events_passed_over"]


async def test_a_socket_that_ended_a_moment_ago_holds_its_place(house, string):
    """Its program may be the one that comes back: what it lacked is told."""
    one, other = house.watch(string), house.watch(string)
    leave(house, one)
    await house.publish("alice", STREAM, *events(FILL, 0, 60))
    house.clock.advance(100 * SECOND)
    settle(house, other)
    assert numbers(await come(house, string)) == list(range(60))


# Who takes over ----------------------------------------------------------------------------------------


async def test_an_extension_by_another_api_key_goes_on_where_the_listen_key_was(house):
    """BingX: one API key creates, another one extends. What the listen key's reader lacks is still told."""
    mine, other = await house.account(), await house.api_key()
    string = await house.create(BINGX, mine)
    watcher = house.watch(string, "bingx-swap")
    await house.publish("alice", "bingx-swap", *events(FILL, 0, 40))
    settle(house, watcher)
    await house.gateway.consumers.keep()
    leave(house, watcher)
    await house.publish("alice", "bingx-swap", *events(FILL, 40, 30))
    assert (await house.call("PUT", BINGX, other, f"listenKey={string}")).status == 200
    await house.publish("alice", "bingx-swap", *events(FILL, 70, 10))
    assert numbers(await come(house, string, stream="bingx-swap")) == list(range(20, 80))


async def test_an_extension_by_another_api_key_takes_topics_over(house):
    """Each topic goes on where it was."""
    mine, other = await house.account(), await house.api_key()
    string = await house.create(BINGX, mine)
    topic = {"stream": "bingx-spot", "topic": "spot.executionReport", **only("executionReport")}
    watcher = house.watch(string, **topic)
    await house.publish("alice", "bingx-spot", *events("executionReport", 0, 60))
    settle(house, watcher)
    await house.gateway.consumers.keep()
    leave(house, watcher)
    assert (await house.call("PUT", BINGX, other, f"listenKey={string}")).status == 200
    assert numbers(await come(house, string, **topic)) == list(range(40, 60))


# What is said and kept ---------------------------------------------------------------------------------


async def test_what_is_passed_over_is_said_once_for_all_topics(house):
    """The topics of a socket pass over the same events: they are counted once."""
    string = await house.create(BINGX, await house.account())
    await house.publish("alice", "bingx-spot", *events("executionReport", 0, 60))
    house.clock.advance(HOUR // 2)
    with capture_logs() as logs:
        for topic in ("spot.executionReport", "ACCOUNT_UPDATE"):
            house.watch(string, "bingx-spot", topic=topic, events=frozenset([topic]))
    assert [entry["event"] for entry in logs].count("events_passed_over") == 1
    assert house.gateway.metrics.events_passed_over == 60


async def test_what_is_passed_over_is_said_of_each_filter(house, string):
    """They let different events through: the log names the place, so that each loss can be looked up."""
    await house.publish("alice", STREAM, *events(FILL, 0, 60))
    house.clock.advance(HOUR // 2)
    with capture_logs() as logs:
        for wanted in (only(FILL), {}, only(BALANCE)):
            house.watch(string, **wanted)
    passed = [entry["place"] for entry in logs if entry["event"] == "events_passed_over"]
    assert passed == [f"events={FILL}", "", f"events={BALANCE}"]


async def test_a_place_in_use_on_a_quiet_stream_is_not_forgotten(house, string):
    """Days without an event: the place of an open socket stays as it is."""
    filtered = house.watch(string, **only(FILL))
    await house.publish("alice", STREAM, *events(FILL, 0, 60))
    settle(house, filtered)
    for _ in range(4 * 24):
        house.clock.advance(HOUR)
        await house.gateway.consumers.keep()
    now = house.clock.wall()
    await house.store.trim_journals(now - 2 * DAY, 1_000_000, now)
    reader = ConsumerId(1, STREAM, filtered.subscriptions[0].key.user, filter_place(frozenset([FILL])))
    assert house.store.find_place(reader).cursor.confirmed == 60
    leave(house, filtered)
    house.clock.advance(3 * DAY)
    await house.gateway.consumers.keep()
    now = house.clock.wall()
    await house.store.trim_journals(now - 2 * DAY, 1_000_000, now)
    assert house.store.find_place(reader) is not None, "it was put as the socket left"
    now += 3 * DAY
    await house.store.trim_journals(now - 2 * DAY, 1_000_000, now)
    assert house.store.find_place(reader) is None
    assert house.store.find_place(reader.whole) is not None
