import asyncio

import pytest

from listenkey.base.clock import DAY, MINUTE
from listenkey.base.errors import Refused
from listenkey.core.keylife import Changed, Issued, IssueRefused, NotLive
from listenkey.core.records import ApiKey, ListenKey, StreamId
from listenkey.store.base import Store, Submission
from tests.conformance.homes import Home, Recorder
from tests.conformance.making import LIFETIME, START, key_request, listen_key, new_key


async def issue(store: Store, fresh: ListenKey, **how: object) -> ListenKey:
    """Create a key that has to be new."""
    issued = await store.create_key(new_key(fresh, fresh.created_at, **how))  # type: ignore[arg-type]
    assert isinstance(issued, Issued)
    assert issued.is_new
    return issued.key


async def test_a_created_key_is_found_by_its_digest(store: Store, one: ApiKey) -> None:
    """A key is found as it was made, with who may use it; another string is not."""
    fresh = listen_key(1, one, START, scope="BTCUSDT")
    assert await issue(store, fresh) == fresh
    assert store.find_key(fresh.digest) == fresh
    assert store.find_key(b"another digest..") is None
    assert store.read_key_users(1) == [one]
    assert store.read_last_key_id() == 1
    assert store.count_keys() == {"active": 1, "closed": 0, "expired": 0}


async def test_the_same_key_is_handed_out_while_it_lives(store: Store, one: ApiKey, two: ApiKey) -> None:
    """Where the venue has one key an account, a second create extends it, whoever asks, and uses up no id."""
    await issue(store, listen_key(1, one, START))
    again = await store.create_key(new_key(listen_key(2, two, START + 9), START + 9, by=two.id))
    assert isinstance(again, Issued)
    assert not again.is_new
    assert (again.key.id, again.key.expires_at) == (1, START + 9 + LIFETIME)
    assert store.read_key_users(1) == [one, two]
    assert store.read_keys(None, None, None, 0, 10) == [again.key]


async def test_kinds_of_keys_do_not_meet(store: Store, one: ApiKey) -> None:
    """Keys of another space or scope are not handed out, replaced or changed by a request for one."""
    kinds = [("space", ""), ("space", "BTCUSDT"), ("other", "")]
    made = [
        await issue(store, listen_key(number, one, START, key_space=space, scope=scope))
        for number, (space, scope) in enumerate(kinds, 1)
    ]
    for key, other in zip(made, made[1:] + made[:1], strict=True):
        request = key_request(other, START)
        crossed = type(request)(
            *[*[getattr(request, n) for n in request.__struct_fields__[:3]], key.digest, 1, one.id, 1]
        )
        assert await store.extend_key(crossed) == NotLive()
        assert await store.close_key(crossed) == NotLive()
    assert store.read_keys(None, None, None, 0, 10) == made


async def test_new_keys_coexist_replace_or_are_refused(store: Store, recorder: Recorder, one: ApiKey) -> None:
    """Each way of issuing ends exactly the keys that it should, and the observer hears of them."""
    for number in (1, 2):
        await issue(store, listen_key(number, one, START, key_space="coexist"), policy="new_coexists")
    assert recorder.ended() == []
    for number in (3, 4):
        await issue(store, listen_key(number, one, START, key_space="replace"), policy="new_replaces")
    assert recorder.ended() == [(3, "closed")]
    for number in (5, 6, 7):
        fresh = listen_key(number, one, START, key_space="evict")
        await issue(store, fresh, policy="new_evicts_oldest", max_live=2)
    assert recorder.ended() == [(3, "closed"), (5, "closed")]
    await issue(store, listen_key(8, one, START, key_space="refuse"), policy="refuse_over", max_live=1)
    refused = await store.create_key(
        new_key(listen_key(9, one, START, key_space="refuse"), START, "refuse_over", max_live=1)
    )
    assert refused == IssueRefused()
    assert [key.id for key in store.read_keys(None, None, None, 0, 20) if key.state == "active"] == [
        1,
        2,
        4,
        6,
        7,
        8,
    ]
    assert store.count_keys() == {"active": 6, "closed": 2, "expired": 0}


async def test_a_key_is_valid_up_to_its_expiry_and_not_including_it(
    store: Store, recorder: Recorder, one: ApiKey
) -> None:
    """An extension in the last microsecond wins; one at the moment of expiry loses and records it."""
    key = await issue(store, listen_key(1, one, START))
    last = START + LIFETIME - 1
    extended = await store.extend_key(key_request(key, last))
    assert isinstance(extended, Changed)
    assert extended.key.expires_at == last + LIFETIME
    late = await store.extend_key(key_request(key, last + LIFETIME))
    assert isinstance(late, NotLive)
    assert late.ended is not None
    assert (late.ended.state, late.ended.ended_at) == ("expired", last + LIFETIME)
    assert store.find_key(key.digest) == late.ended
    assert recorder.ended() == [(1, "expired")]


async def test_extend_and_expiry_cannot_both_win(store: Store, recorder: Recorder, one: ApiKey) -> None:
    """Whichever is asked for first wins, also within one commit; the other finds what it left."""
    keys = [await issue(store, listen_key(n, one, START, key_space=f"space-{n}")) for n in (1, 2)]
    over = START + LIFETIME
    first = store.extend_key(key_request(keys[0], over - 1))
    expired = store.expire_keys(over, 10)
    second = store.extend_key(key_request(keys[1], over))
    assert isinstance(await first, Changed)
    assert [end.key.id for end in await expired] == [2]
    assert await second == NotLive()
    assert recorder.ended() == [(2, "expired")]


async def test_a_closed_key_stays_closed(store: Store, recorder: Recorder, one: ApiKey) -> None:
    """After a close nothing makes the key live again, and it is never handed out anew."""
    key = await issue(store, listen_key(1, one, START))
    closed = await store.close_key(key_request(key, START + 1))
    assert isinstance(closed, Changed)
    assert (closed.key.state, closed.key.ended_at) == ("closed", START + 1)
    assert await store.close_key(key_request(key, START + 2)) == NotLive()
    assert await store.extend_key(key_request(key, START + 2)) == NotLive()
    assert await store.extend_key(key_request(key, START + 2, named=False)) == NotLive()
    assert await store.close_key_by_id(1, START + 2) == NotLive()
    assert await store.expire_keys(START + DAY, 10) == []
    assert store.find_key(key.digest) == closed.key
    assert recorder.ended() == [(1, "closed")]
    assert (await issue(store, listen_key(2, one, START + 3))).id == 2


async def test_no_event_after_a_close_is_told_before_it(
    store: Store, recorder: Recorder, one: ApiKey
) -> None:
    """Of events and closes that share a commit, the observer hears in the order of their asking."""
    key = await issue(store, listen_key(1, one, START))
    stream = StreamId(one.account_id, "orders")
    asked = [
        store.append([Submission(stream, b"1"), Submission(stream, b"2")], START),
        store.close_key(key_request(key, START)),
        store.append([Submission(stream, b"3")], START),
    ]
    await asyncio.gather(*asked)
    told = [item[2].offset if isinstance(item, tuple) else item.key.id * 100 for item in recorder.told]
    assert told == [1, 2, 100, 3]


async def test_without_a_name_the_newest_live_key_is_meant(store: Store, one: ApiKey) -> None:
    """A request that names no key acts on the newest that lives, not on a newer one whose time is up."""
    await issue(store, listen_key(1, one, START, lifetime=2 * LIFETIME), policy="new_coexists")
    newest = await issue(store, listen_key(2, one, START + 1), policy="new_coexists")
    extended = await store.extend_key(key_request(newest, START + 2, named=False, lifetime=LIFETIME))
    assert isinstance(extended, Changed)
    assert extended.key.id == 2
    other = await store.extend_key(key_request(newest, START + 2 + LIFETIME, named=False))
    assert isinstance(other, Changed)
    assert other.key.id == 1


async def test_expiry_ends_no_more_than_asked_for(store: Store, recorder: Recorder, one: ApiKey) -> None:
    """Keys whose time is up end in portions, each once; others live on until theirs comes."""
    for number in range(1, 6):
        fresh = listen_key(number, one, START, lifetime=number * MINUTE)
        await issue(store, fresh, policy="new_coexists")
    assert await store.expire_keys(START + MINUTE - 1, 10) == []
    assert store.read_next_expiry() == START + MINUTE
    now = START + 4 * MINUTE
    sizes = [len(await store.expire_keys(now, 3)) for _ in range(3)]
    assert sizes == [3, 1, 0]
    assert sorted(recorder.ended()) == [(number, "expired") for number in range(1, 5)]
    assert store.read_next_expiry() == START + 5 * MINUTE
    assert store.count_keys() == {"active": 1, "closed": 0, "expired": 4}
    assert {key.ended_at for key in store.read_keys(None, None, None, 0, 4)} == {now}


async def test_an_extended_key_does_not_hold_up_expiry(store: Store, one: ApiKey) -> None:
    """Looking for overdue keys gets past any number that were extended meanwhile, and then waits for them."""
    for number in range(1, 8):
        fresh = listen_key(number, one, START, key_space=f"space-{number}")
        key = await issue(store, fresh)
        if number > 1:
            await store.extend_key(key_request(key, START + number))
    now = START + LIFETIME
    assert [end.key.id for end in await store.expire_keys(now, 2)] == [1]
    due = store.read_next_expiry()
    assert due is not None
    assert now < due <= now + 2


async def test_a_shorter_lifetime_counts_from_the_extension(store: Store, one: ApiKey) -> None:
    """An extension may bring the expiry forward; the key is then over at the earlier time."""
    key = await issue(store, listen_key(1, one, START))
    await store.extend_key(key_request(key, START, lifetime=MINUTE))
    assert store.read_next_expiry() == START + MINUTE
    assert [end.key.id for end in await store.expire_keys(START + MINUTE, 10)] == [1]


async def test_grace_is_for_keys_that_the_leap_would_end(store: Store, one: ApiKey) -> None:
    """Keys that the leap of the clock would expire live on; overdue ones do not, later ones stay."""
    made = [
        await issue(store, listen_key(number, one, START, key_space=f"s{number}", lifetime=number * MINUTE))
        for number in (1, 5, 10, 20)
    ]
    before, after = START + MINUTE, START + 10 * MINUTE
    for moved in (1, 1, 0):
        assert await store.grant_grace(after, after + MINUTE, before, 1) == moved
    times = [key.expires_at for key in store.read_keys(None, None, None, 0, 10)]
    assert times == [made[0].expires_at, after + MINUTE, after + MINUTE, made[3].expires_at]
    assert [end.key.id for end in await store.expire_keys(after, 10)] == [1]
    assert len(await store.expire_keys(after + MINUTE, 10)) == 2


async def test_listings_filter_and_go_on(store: Store, one: ApiKey) -> None:
    """Keys come by account, space and scope, in pages in the order of their ids, ended ones too."""
    bob = await store.add_account("bob", START)
    other = await store.add_api_key(
        ApiKey("id-bob", bob.id, "bob", "key-bob", b"", "", ("read",), (), START), START
    )
    for number in range(1, 9):
        holder, scope = (one, "A") if number % 2 else (other, "B")
        space = f"space-{number % 4}"
        await issue(
            store, listen_key(number, holder, START, key_space=space, scope=scope), policy="new_replaces"
        )

    def ids(
        account: str | None, space: str | None, scope: str | None, after: int = 0, limit: int = 100
    ) -> list[int]:
        return [key.id for key in store.read_keys(account, space, scope, after, limit)]

    assert ids(None, None, None) == list(range(1, 9))
    assert ids(None, None, None, 3, 2) == [4, 5]
    assert ids("alice", None, None) == [1, 3, 5, 7]
    assert ids("bob", "space-2", None) == [2, 6]
    assert ids(None, None, "B", 2) == [4, 6, 8]
    assert ids("alice", "space-1", "A", 1) == [5]
    assert ids("alice", "space-2", None) == []
    assert ids("carol", None, None) == []


async def test_ended_keys_are_forgotten_long_after(store: Store, home: Home, one: ApiKey) -> None:
    """A month after its end a key leaves the lists; ids go on from the highest ever."""
    for number in (1, 2, 3):
        key = await issue(store, listen_key(number, one, START, key_space=f"s{number}"))
        await store.close_key(key_request(key, START))
    await store.trim_journals(0, 10, START + 30 * DAY)
    assert len(store.read_keys(None, None, None, 0, 10)) == 3
    await store.trim_journals(0, 10, START + 30 * DAY + 1)
    assert store.find_key(listen_key(1, one, START).digest) is None
    assert store.read_last_key_id() == 3
    counts = store.count_keys()
    assert counts["closed"] == len(store.read_keys(None, None, None, 0, 10))
    await store.close()
    store = home.open()
    assert store.read_last_key_id() == 3
    assert store.count_keys() == counts
    await store.close()


async def test_a_key_id_is_taken_once(store: Store, one: ApiKey) -> None:
    """A create under an id or digest that is taken fails by itself and harms nobody who shared its commit."""
    await issue(store, listen_key(1, one, START))
    before = store.add_account("before", START)
    clash = store.create_key(new_key(listen_key(1, one, START, key_space="other"), START))
    after = store.add_account("after", START)
    with pytest.raises(Exception, match="store failed"):
        await clash
    assert (await before).name == "before"
    assert (await after).name == "after"
    assert store.count_keys()["active"] == 1


async def test_only_an_api_key_of_the_account_may_act(store: Store, one: ApiKey) -> None:
    """An API key of another account neither creates, extends nor closes for this one."""
    bob = await store.add_account("bob", START)
    other = await store.add_api_key(
        ApiKey("id-bob", bob.id, "bob", "key-bob", b"", "", ("read",), (), START), START
    )
    key = await issue(store, listen_key(1, one, START))
    asked = [
        store.create_key(new_key(listen_key(2, one, START), START, by=other.id)),
        store.extend_key(key_request(key, START, by=other.id)),
        store.close_key(key_request(key, START, by=other.id)),
    ]
    for refused in asked:
        with pytest.raises(Refused) as refusal:
            await refused
        assert refusal.value.code == "unknown_api_key"
    assert store.read_keys(None, None, None, 0, 10) == [key]
