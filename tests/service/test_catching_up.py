import asyncio
import json

import pytest

from listenkey.core.position import Gap, Position, Resumption
from listenkey.core.records import Event, StreamId
from listenkey.wire.frames import combined, raw
from tests.service.house import AS_FRAMES, USDM, Watcher

AWAY = "198.51.100.7"


def numbered(first, count=1, kind="ORDER_TRADE_UPDATE"):
    return [{"e": kind, "n": number} for number in range(first, first + count)]


def numbers(watcher):
    return [payload["n"] for payload in watcher.payloads]


# Catching up -------------------------------------------------------------------------------------------


async def test_a_reader_catches_up_while_events_keep_coming(house):
    """I4: from the journal into the live stream without a hole, a repeat or a step back."""
    await house.account()
    await house.publish("alice", "binance-usdm", *numbered(0, 2000))
    watcher = house.read_from("alice", "binance-usdm", None)
    for number in range(2000, 2040, 4):
        await house.publish("alice", "binance-usdm", *numbered(number, 4))
    await house.drain()
    await house.publish("alice", "binance-usdm", *numbered(2040))
    assert numbers(watcher) == list(range(2041))
    assert watcher.gaps == []


async def test_a_reader_goes_on_where_it_stopped(house):
    """Exactly what came after its position, over a restart too."""
    await house.account()
    answers = await house.publish("alice", "binance-usdm", *numbered(0, 10))
    await house.crash()
    since = Position(answers[3]["epoch"], answers[3]["offset"])
    watcher = house.read_from("alice", "binance-usdm", since)
    await house.drain()
    assert numbers(watcher) == list(range(4, 10))
    assert watcher.gaps == []


async def test_a_slow_reader_is_waited_for(house):
    """Back-pressure: while the peer takes nothing, no more than a bounded piece is taken from the journal."""
    await house.account()
    big = [{"e": "x", "n": number, "pad": "x" * 20_000} for number in range(40)]
    await house.publish("alice", "binance-usdm", *big)
    watcher = house.read_from("alice", "binance-usdm", None)
    gates = [asyncio.Event() for _ in range(3)]
    watcher.gates.extend(gate.wait() for gate in gates)
    await asyncio.sleep(0)
    assert watcher.got == []
    gates[0].set()
    await asyncio.sleep(0.01)
    first = len(watcher.got)
    assert 1 <= first <= 10
    gates[1].set()
    await asyncio.sleep(0.01)
    assert first < len(watcher.got) <= 20
    gates[2].set()
    await house.drain()
    assert numbers(watcher) == list(range(40))


async def test_a_wrapping_holds_from_the_next_event_on(house):
    """SET_PROPERTY in the middle of a replay: what follows its answer is wrapped, what went before is not."""
    string = await house.create(USDM, await house.account())
    await house.publish("alice", "binance-usdm", *({"e": "x", "n": n, "pad": "x" * 50_000} for n in range(5)))
    watcher, start, changed = Watcher(), asyncio.Event(), asyncio.Event()
    start.set()
    watcher.gates = [start.wait(), changed.wait()]
    streams = house.gateway.streams
    subscription = streams.subscribe(watcher, house.resolve(string), "binance-usdm", raw("text"))
    await asyncio.sleep(0.01)
    given = len(watcher.got)
    assert 0 < given < 5
    subscription.variant = combined("K", "text")
    changed.set()
    await house.drain()
    assert [b'"stream":"K"' in frame for frame in watcher.got] == [False] * given + [True] * (5 - given)


async def test_a_filter_holds_for_history_too(house):
    """What a subscription does not want it gets neither live nor from the journal."""
    await house.account()
    watcher = Watcher()
    gateway = house.gateway
    stream = StreamId(1, "binance-usdm")
    view = house.store.read_journal(stream)
    for number in range(4):
        await house.publish("alice", "binance-usdm", *numbered(number, kind="xy"[number % 2]))
    gateway.streams.subscribe_from(
        watcher, stream, Resumption(view.epoch, 0), AS_FRAMES, on_gap=watcher.got.append
    )
    watcher.subscriptions[0].events = frozenset("y")
    await house.drain()
    assert numbers(watcher) == [1, 3]


async def test_a_skipped_offset_is_read_from_the_journal(house, monkeypatch):
    """I4: what the store tells of is a hint; where one is lost, the next brings what was missed, in order."""
    watcher = house.watch(await house.create(USDM, await house.account()))
    streams = house.gateway.streams
    real, lost = streams.appended, []

    def lossy(stream, epoch, events):
        if events[0].offset in (3, 4):
            lost.append(events)
        else:
            real(stream, epoch, events)

    monkeypatch.setattr(streams, "appended", lossy)
    for number in range(8):
        await house.publish("alice", "binance-usdm", *numbered(number))
    await house.drain()
    assert len(lost) == 2
    assert numbers(watcher) == list(range(8))
    await house.publish("alice", "binance-usdm", *numbered(8))
    assert numbers(watcher) == list(range(9)), "and it is live again"


async def test_what_is_told_twice_is_sent_once(house):
    """I3: at most once, whatever the store repeats."""
    watcher = house.watch(await house.create(USDM, await house.account()))
    (answer,) = await house.publish("alice", "binance-usdm", *numbered(0))
    again = [Event(1, 0, json.dumps(numbered(0)[0]).encode())]
    house.gateway.streams.appended(StreamId(1, "binance-usdm"), answer["epoch"], again)
    await house.publish("alice", "binance-usdm", *numbered(1))
    assert numbers(watcher) == [0, 1]


# Gaps --------------------------------------------------------------------------------------------------


async def trim(house, keep):
    """Forget all but the newest few."""
    await house.store.trim_journals(0, keep, house.clock.wall())


async def test_what_retention_took_is_told(house):
    """I4: a reader from before the oldest event hears exactly which offsets it cannot have."""
    await house.account()
    (first, *_) = await house.publish("alice", "binance-usdm", *numbered(0, 30))
    await trim(house, 10)
    watcher = house.read_from("alice", "binance-usdm", Position(first["epoch"], 4))
    await house.drain()
    assert watcher.got[0] == Gap(first["epoch"], 5, 20, "retention")
    assert watcher.offsets == list(range(21, 31))


@pytest.mark.parametrize("keep", [0, 10])
async def test_what_retention_takes_while_a_reader_catches_up_is_told(house, keep):
    """I4: between its opening and its first read the journal shrank; also where nothing at all is left."""
    await house.account()
    (first, *_) = await house.publish("alice", "binance-usdm", *numbered(0, 30))
    watcher = house.read_from("alice", "binance-usdm", None)
    gate = asyncio.Event()
    watcher.gates.append(gate.wait())
    await asyncio.sleep(0)
    await trim(house, keep)
    gate.set()
    await house.drain()
    await house.publish("alice", "binance-usdm", *numbered(30))
    assert watcher.gaps == [Gap(first["epoch"], 1, 30 - keep, "retention")]
    assert watcher.offsets == list(range(31 - keep, 32))


async def test_no_gap_is_told_for_what_was_committed_between_two_looks(house, monkeypatch):
    """I4: an event that appears after the journal was found at its end is read, not given up."""
    await house.account()
    (first, *_) = await house.publish("alice", "binance-usdm", *numbered(0, 3))
    real, hidden = house.store.read_events, [True]

    def late(stream, epoch, after, *bounds):
        found = real(stream, epoch, after, *bounds)
        if found and after == 2 and hidden:
            hidden.clear()
            return []
        return found

    monkeypatch.setattr(house.store, "read_events", late)
    watcher = house.read_from("alice", "binance-usdm", Position(first["epoch"], 2))
    await house.drain()
    assert watcher.gaps == []
    assert numbers(watcher) == [2]


async def test_a_reader_of_a_past_epoch_is_led_into_the_new_one(make_house):
    """I4: after an unclean end below full durability: the rest of the old history, the break, the new."""
    house = await make_house(durability="relaxed")
    await house.account()
    (first, *_) = await house.publish("alice", "binance-usdm", *numbered(0, 5))
    await house.crash()
    answers = await house.publish("alice", "binance-usdm", *numbered(5, 2))
    old, new = first["epoch"], answers[0]["epoch"]
    assert old != new
    watcher = house.read_from("alice", "binance-usdm", Position(old, 3))
    await house.drain()
    await house.publish("alice", "binance-usdm", *numbered(7))
    turn = Gap(old, 6, None, "epoch", Position(new, 1))
    assert [item if isinstance(item, Gap) else (item.epoch, item.offset) for item in watcher.got] == [
        (old, 4),
        (old, 5),
        turn,
        (new, 1),
        (new, 2),
        (new, 3),
    ]


async def test_nothing_is_told_to_who_left(make_house):
    """A reader that goes between two epochs gets neither the break nor what comes after it."""
    house = await make_house(durability="relaxed")
    await house.account()
    (first, *_) = await house.publish("alice", "binance-usdm", *numbered(0, 5))
    await house.crash()
    await house.publish("alice", "binance-usdm", *numbered(5))
    watcher = house.read_from("alice", "binance-usdm", Position(first["epoch"], 0))
    gate = asyncio.Event()
    watcher.gates.append(gate.wait())
    await asyncio.sleep(0)
    house.gateway.streams.cancel(watcher.subscriptions[0])
    gate.set()
    await house.drain()
    assert watcher.got == []
