import asyncio

import pytest

from listenkey.base.clock import HOUR, SECOND
from listenkey.base.errors import StoreError
from listenkey.core.position import Missing, Position
from listenkey.core.records import StreamId
from listenkey.service.consumers import Delivery, DeliveryRules
from listenkey.wire.frames import raw
from tests.service.house import AS_FRAMES, BINGX, HOME, ISOLATED, SPOT, USDM, Watcher

AWAY = "198.51.100.7"


def numbered(first, count=1, kind="ORDER_TRADE_UPDATE"):
    return [{"e": kind, "n": number} for number in range(first, first + count)]


def numbers(watcher):
    return [payload["n"] for payload in watcher.payloads]


# Live --------------------------------------------------------------------------------------------------


async def test_a_socket_hears_what_is_published_from_then_on(make_house):
    """I3: in order, from the moment it opened, every event once."""
    house = await make_house(delivery=DeliveryRules(Delivery(resume="live")))
    api_key = await house.account()
    await house.publish("alice", "binance-usdm", *numbered(0, 3))
    watcher = house.watch(await house.create(USDM, api_key))
    await house.publish("alice", "binance-usdm", *numbered(3, 50))
    for number in range(53, 60):
        await house.publish("alice", "binance-usdm", *numbered(number))
    assert numbers(watcher) == list(range(3, 60))
    assert watcher.offsets == list(range(4, 61))


async def test_nothing_is_sent_before_its_commit(house):
    """I3: what a socket has heard is in the journal already."""
    api_key = await house.account()
    watcher = house.watch(await house.create(USDM, api_key))
    seen = []
    push = watcher.push
    view = lambda: house.store.read_journal(StreamId(1, "binance-usdm"))  # noqa: E731
    watcher.push = lambda frame: (push(frame), seen.append((frame.offset, view().head)))
    await asyncio.gather(*(house.publish("alice", "binance-usdm", *numbered(0, 5)) for _ in range(5)))
    assert len(seen) == 25
    assert all(offset <= head for offset, head in seen)


async def test_everybody_hears_their_own(house):
    """I3: another account's events, another product's and another symbol's reach nobody else."""
    alice, bob = await house.account("alice"), await house.account("bob")
    watchers = {
        ("alice", "binance-usdm"): house.watch(await house.create(USDM, alice)),
        ("bob", "binance-usdm"): house.watch(await house.create(USDM, bob)),
        ("alice", "binance-spot"): house.watch(await house.create(SPOT, alice)),
    }
    for symbol in ("BTCUSDT", "ETHUSDT"):
        string = await house.create(ISOLATED, alice, f"symbol={symbol}")
        watchers["alice", f"binance-margin-isolated:{symbol}"] = house.watch(string)
    for account, stream in watchers:
        await house.publish(account, stream, {"e": "x", "of": f"{account} {stream}"})
    for (account, stream), watcher in watchers.items():
        assert watcher.payloads == [{"e": "x", "of": f"{account} {stream}"}]


async def test_several_sockets_on_a_key_and_several_keys_on_a_socket(house):
    """Each socket gets each event once for each of its keys; encoding is shared, delivery is not."""
    api_key = await house.account()
    usdm, spot = await house.create(USDM, api_key), await house.create(SPOT, api_key)
    watchers = [house.watch(usdm) for _ in range(3)]
    house.gateway.streams.subscribe(watchers[0], house.resolve(spot), "binance-spot", AS_FRAMES)
    await house.publish("alice", "binance-usdm", *numbered(0))
    await house.publish("alice", "binance-spot", *numbered(1))
    assert [numbers(watcher) for watcher in watchers] == [[0, 1], [0], [0]]


async def test_a_key_opens_each_of_its_product_s_streams(house):
    """BingX has three streams for one key, and they are apart."""
    api_key = await house.account()
    string = await house.create(BINGX, api_key)
    watchers = {name: house.watch(string, name) for name in ("bingx-spot", "bingx-swap", "bingx-coinm")}
    for number, name in enumerate(watchers):
        await house.publish("alice", name, *numbered(number))
    assert [numbers(watcher) for watcher in watchers.values()] == [[0], [1], [2]]


async def test_an_event_filter_lets_its_types_through(house):
    """`events=`: the types asked for, in order; the others cost the socket nothing."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    watcher = house.watch(string, events=frozenset({"ACCOUNT_UPDATE"}))
    for number in range(6):
        kind = ("ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE", "MARGIN_CALL")[number % 3]
        await house.publish("alice", "binance-usdm", *numbered(number, kind=kind))
    assert numbers(watcher) == [0, 3]
    assert watcher.subscriptions[0].next == 7


async def test_sockets_share_an_encoding_only_where_they_write_alike(house):
    """One encoding a variant: bytes for one kind of socket never end up on another."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    plain, framed = house.watch(string), Watcher()
    house.gateway.streams.subscribe(framed, house.resolve(string), "binance-usdm", raw("text"))
    await house.publish("alice", "binance-usdm", {"e": "x"}, {"e": "y"})
    assert plain.payloads == [{"e": "x"}, {"e": "y"}]
    assert framed.got == [b'\x81\x0a{"e": "x"}', b'\x81\x0a{"e": "y"}']


async def test_what_was_pushed_is_flushed_once_a_turn(house):
    """A batch of events is handed to the transport together."""
    api_key = await house.account()
    watcher = house.watch(await house.create(USDM, api_key))
    flushes = []
    watcher.flush = lambda: flushes.append(len(watcher.got))
    await house.publish("alice", "binance-usdm", *numbered(0, 100))
    await asyncio.sleep(0)
    assert flushes == [100]


async def test_an_outlet_that_ends_while_it_is_written_to_harms_no_other(house):
    """A socket that closes for slowness in the midst of a batch gets nothing more; its neighbours get all."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    slow, others = house.watch(string), [house.watch(string) for _ in range(2)]
    push = slow.push

    def overflow(frame):
        push(frame)
        if frame.offset == 2:
            house.gateway.streams.cancel(slow.subscriptions[0])

    slow.push = overflow
    await house.publish("alice", "binance-usdm", *numbered(0, 5))
    assert numbers(slow) == [0, 1]
    assert [numbers(other) for other in others] == [list(range(5))] * 2


async def test_a_cancelled_subscription_gets_nothing_more(house):
    """UNSUBSCRIBE: from then on silence, also when it is cancelled twice; its neighbours go on."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    watcher, other = house.watch(string), house.watch(string)
    await house.publish("alice", "binance-usdm", *numbered(0))
    (subscription,) = watcher.subscriptions
    house.gateway.streams.cancel(subscription)
    house.gateway.streams.cancel(subscription)
    await house.publish("alice", "binance-usdm", *numbered(1))
    assert (numbers(watcher), numbers(other)) == ([0], [0, 1])
    assert watcher.subscriptions == []
    assert watcher.ended == []


# The end of a key --------------------------------------------------------------------------------------


async def test_no_event_after_the_ack_of_a_close(house):
    """I2: however publishing and closing race, what was committed after the close is never written."""
    api_key = await house.account()
    for _ in range(10):
        string = await house.create(SPOT, api_key)
        watcher = house.watch(string)
        publishing = [
            asyncio.ensure_future(house.publish("alice", "binance-spot", *numbered(0, 3))) for _ in range(20)
        ]
        closing = asyncio.ensure_future(house.call("DELETE", SPOT, api_key, f"listenKey={string}"))
        publishing += [
            asyncio.ensure_future(house.publish("alice", "binance-spot", *numbered(0, 3))) for _ in range(20)
        ]
        assert (await closing).status == 200
        heard = len(watcher.got)
        assert watcher.reasons == ["closed"]
        await asyncio.gather(*publishing)
        await house.publish("alice", "binance-spot", *numbered(0))
        assert len(watcher.got) == heard
        assert (
            watcher.offsets == list(range(watcher.offsets[0], watcher.offsets[0] + heard)) if heard else True
        )


async def test_a_close_ends_a_socket_that_is_catching_up(house):
    """I2: also what still waits in the journal is never sent, and no gap is told after the end."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    await house.publish("alice", "binance-spot", *numbered(0, 20))
    key = house.resolve(string).key
    watcher = house.read_from("alice", "binance-spot", None, key=key)
    gate = asyncio.Event()
    watcher.gates.append(gate.wait())
    await asyncio.sleep(0)
    await house.call("DELETE", SPOT, api_key, f"listenKey={string}")
    gate.set()
    await house.drain()
    assert watcher.got == []
    assert watcher.reasons == ["closed"]


@pytest.mark.parametrize("cause", ["closed", "expired"])
async def test_only_the_ended_key_s_subscriptions_end(house, cause):
    """A socket with two keys keeps the other one; a socket of another key hears nothing of it."""
    api_key = await house.account()
    spot, usdm = await house.create(SPOT, api_key), await house.create(USDM, api_key)
    watcher, other = house.watch(spot), house.watch(usdm)
    house.gateway.streams.subscribe(watcher, house.resolve(usdm), "binance-usdm", AS_FRAMES)
    if cause == "closed":
        await house.call("DELETE", SPOT, api_key, f"listenKey={spot}")
    else:
        house.clock.advance(HOUR - SECOND)
        await house.call("PUT", USDM, api_key)
        house.clock.advance(SECOND)
        await house.gateway.keys.expire_due()
    await house.publish("alice", "binance-spot", *numbered(1))
    await house.publish("alice", "binance-usdm", *numbered(2))
    assert (numbers(watcher), numbers(other)) == ([2], [2])
    assert (watcher.reasons, other.reasons) == ([cause], [])
    assert [subscription.name for subscription, _ in watcher.ended] == [spot]
    assert house.gateway.metrics.ended_keys == {cause: 1}


async def test_a_removed_account_s_sockets_end(house):
    """Its keys are closed and its native readers gone before the answer; nothing can be resolved any more."""
    alice = await house.account()
    await house.account("bob")
    string = await house.create(USDM, alice)
    venue = house.watch(string)
    native = house.read_from("alice", "binance-usdm", None, api_key_id=alice.id)
    await house.gateway.accounts.remove("alice")
    assert (venue.reasons, native.reasons) == (["revoked"], ["revoked"])
    assert house.resolve(string) is None
    (answer,) = await house.publish("alice", "binance-usdm", *numbered(0))
    assert answer["error"]["code"] == "unknown_account"


async def test_an_account_made_again_starts_with_nothing(house):
    """Under the old name is somebody new: no key, no event and no socket of the old account is theirs."""
    string = await house.create(USDM, await house.account())
    await house.publish("alice", "binance-usdm", *numbered(0, 3))
    old = house.read_from("alice", "binance-usdm", None)
    await house.drain()
    before = Position(old.events[-1].epoch, 3)
    await house.gateway.accounts.remove("alice")
    again = await house.account()
    assert house.resolve(string) is None
    watcher = house.watch(await house.create(USDM, again))
    (answer,) = await house.publish("alice", "binance-usdm", *numbered(9))
    assert (numbers(watcher), answer["offset"]) == ([9], 1)
    assert numbers(old) == [0, 1, 2]
    resumed = house.read_from("alice", "binance-usdm", before)
    await house.drain()
    assert [gap.reason for gap in resumed.gaps] == ["epoch"]
    assert numbers(resumed) == [9]


# Who may open ------------------------------------------------------------------------------------------


async def test_a_socket_s_address_has_to_pass_one_of_the_lists(make_house):
    """A key made from home opens at home; once another API key extended it, also where that one may."""
    house = await make_house(close={"binance-usdm": "venue"})
    await house.gateway.accounts.add("alice")
    home = await house.api_key("alice", ip_allow=(HOME,))
    away = await house.api_key("alice", ip_allow=(AWAY,))
    string = await house.create(USDM, home)
    assert house.resolve(string, HOME)
    assert house.resolve(string, AWAY) is None
    assert (await house.call("PUT", USDM, away, address=AWAY)).status == 200
    assert house.resolve(string, HOME)
    assert house.resolve(string, AWAY)
    assert house.resolve(string, "203.0.113.1") is None


async def test_a_key_opens_only_sockets_of_its_product(house):
    """A futures key is a bad key where spot is spoken."""
    string = await house.create(USDM, await house.account())
    resolve = house.gateway.streams.resolve_key
    assert resolve(string, ["binance-usdm", "binance-spot"], HOME)
    assert resolve(string, ["binance-spot", "bingx"], HOME) is None
    assert resolve(string, [], HOME) is None


@pytest.mark.parametrize("name", ["", "x", "\ud800", "é" * 64, "\x00", "k" * 100_000])
async def test_any_text_is_a_bad_key_and_nothing_worse(house, name):
    """I8: whatever a client puts where a key belongs."""
    assert house.resolve(name) is None


# Revocation --------------------------------------------------------------------------------------------


async def test_revoking_closes_before_the_answer(house):
    """The key that the API key alone used is closed, its sockets are ended, and calls with it refused."""
    alice = await house.account()
    string = await house.create(USDM, alice)
    watcher = house.watch(string)
    await house.gateway.accounts.revoke_api_key(alice.id)
    assert watcher.reasons == ["revoked"]
    assert house.resolve(string) is None
    assert [key.state for key in house.store.read_keys("alice", None, None, 0, 9)] == ["closed"]
    assert (await house.call("POST", USDM, alice)).code == -2015


async def test_a_shared_key_outlives_one_of_its_users(make_house):
    """What another API key also uses stays open for whom that one lets in, and ends for the others."""
    house = await make_house(close={"binance-usdm": "venue"})
    await house.gateway.accounts.add("alice")
    home = await house.api_key("alice", ip_allow=(HOME,))
    away = await house.api_key("alice", ip_allow=(AWAY,))
    string = await house.create(USDM, home)
    await house.call("PUT", USDM, away, address=AWAY)
    at_home, abroad = house.watch(string), house.watch(string, address=AWAY)
    await house.gateway.accounts.revoke_api_key(home.id)
    assert (at_home.reasons, abroad.reasons) == (["revoked"], [])
    await house.publish("alice", "binance-usdm", *numbered(0))
    assert (numbers(at_home), numbers(abroad)) == ([], [0])
    assert house.resolve(string, HOME) is None


async def test_revoking_ends_what_the_api_key_opened_itself(house):
    """A native reader that came with the API key goes with it; one that came with another stays."""
    one = await house.account()
    two = await house.api_key()
    watchers = [house.read_from("alice", "binance-usdm", None, api_key_id=key.id) for key in (one, two)]
    await house.drain()
    await house.gateway.accounts.revoke_api_key(one.id)
    assert [watcher.reasons for watcher in watchers] == [["revoked"], []]


async def test_another_account_s_sockets_do_not_notice(house):
    """A revocation reaches nobody else."""
    alice, bob = await house.account("alice"), await house.account("bob")
    watcher = house.watch(await house.create(USDM, bob))
    await house.create(USDM, alice)
    await house.gateway.accounts.revoke_api_key(alice.id)
    assert watcher.reasons == []


# Positions ---------------------------------------------------------------------------------------------


async def test_a_position_is_what_was_committed_and_queued(house):
    """The reader has all up to there; while it is catching up, nothing can be said."""
    await house.account()
    (first, *_) = await house.publish("alice", "binance-usdm", *numbered(0, 3))
    watcher = house.read_from("alice", "binance-usdm", None)
    (subscription,) = watcher.subscriptions
    position = house.gateway.streams.position
    assert position(subscription) is None
    await house.drain()
    assert position(subscription) == Position(first["epoch"], 3)
    await house.publish("alice", "binance-usdm", *numbered(3))
    assert position(subscription) == Position(first["epoch"], 4)
    subscription.next -= 1
    assert position(subscription) is None, "the head is ahead of what was queued"


async def test_no_position_is_said_when_the_store_cannot_be_read(house, monkeypatch):
    """A position that is not known is not said."""
    await house.account()
    watcher = house.read_from("alice", "binance-usdm", None)
    await house.drain()

    def broken(*_):
        raise StoreError("the disk is gone")

    monkeypatch.setattr(house.store, "read_journal", broken)
    assert house.gateway.streams.position(watcher.subscriptions[0]) is None


@pytest.mark.parametrize(
    "error", [StoreError("the disk is gone"), OSError("the peer is gone"), ValueError("a fault")]
)
async def test_a_reader_whose_feed_fails_is_closed(house, monkeypatch, error):
    """I4: a stream that cannot go on ends aloud; it never stands still as if nothing were published."""
    await house.account()
    await house.publish("alice", "binance-usdm", *numbered(0, 3))

    def broken(*_):
        raise error

    monkeypatch.setattr(house.store, "read_events", broken)
    watcher = house.read_from("alice", "binance-usdm", None)
    await house.drain()
    assert len(watcher.closed) == 1


async def test_stopping_ends_the_feeds(house):
    """Nobody catches up from a store that is about to close."""
    await house.account()
    watcher = house.read_from("alice", "binance-usdm", None)
    watcher.gates.append(asyncio.Event().wait())
    await asyncio.sleep(0)
    await house.gateway.streams.stop()
    assert not house.gateway.streams._feeds
    assert watcher.closed == []


async def test_a_gap_of_the_source_passes_a_venue_s_socket(house):
    """What native readers are told of is nothing to a program that would take it for an event: live, from a
    replay, and by a filter. It counts as had, so that nothing is told again because of it."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    streams, publisher = house.gateway.streams, house.gateway.publisher
    event, missing = (b'{"e":"x"}', None), (Missing("disconnected"), None)
    answers = await publisher.publish_all("alice", "binance-usdm", [event, missing])
    assert [answer.offset for answer in answers] == [1, 2]
    replayed, live, filtered = (Watcher() for _ in range(3))
    for watcher, events in ((replayed, None), (live, None), (filtered, frozenset({"x"}))):
        streams.subscribe(watcher, house.resolve(string), "binance-usdm", raw("text"), events=events)
    await house.drain()
    await publisher.publish_all("alice", "binance-usdm", [missing, event, missing])
    await house.drain()
    for watcher in (replayed, live, filtered):
        assert set(watcher.got) == {raw("text").wrap(b'{"e":"x"}')}
        assert watcher.subscriptions[0].next == 6
    assert house.gateway.metrics.events_published == 2
    assert house.gateway.metrics.events_passed_over == 0
