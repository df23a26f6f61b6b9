"""What was read and not taken: bounded, and what it dropped is said."""

import errno
import gc
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.client import spill as spilling
from listenkey.client.buffer import Buffer, BufferFull
from listenkey.client.items import Event, Gap, State
from listenkey.core.moment import Moment
from listenkey.core.position import Position

TWO = 2 * (256 + 10)
"""Bytes that two of the events below take."""


def event(offset, epoch="a", size=10):
    """Ten bytes at a place."""
    return Event("x", b"0123456789"[:1] * size, Position(epoch, offset))


def drained(buffer):
    """Everything that is there."""
    items = []
    while (item := buffer.get_now()) is not None:
        items.append(item)
    return items


def open_files():
    """The files that this process has open, by what they are."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(each.readlink()))
        except OSError:
            continue
    return links


def test_a_gap_that_is_dropped_keeps_its_times():
    """Who fetches what is missing starts from there."""
    buffer = Buffer(TWO, "gap")
    buffer.put(Gap("disconnected", since_ms=5, until_ms=9))
    for _ in range(3):
        buffer.put(Event("x", b"0123456789"))
    gap = buffer.get_now()
    assert (gap.reason, gap.since_ms, gap.until_ms) == ("overflow", 5, 9)


def test_a_gap_of_unknown_length_is_not_shortened():
    """A last offset that is known would say that nothing after it is missing."""
    buffer = Buffer(TWO + 300, "gap")
    buffer.put(event(18))
    buffer.put(Gap("epoch", Position("a", 19), None))
    buffer.put(event(1, "b"))
    buffer.put(event(2, "b"))
    gap = buffer.get_now()
    assert (gap.reason, gap.first, gap.last) == ("overflow", Position("a", 18), None)
    assert buffer.get_now() == event(1, "b")


def test_a_gap_says_how_many_are_lost():
    """A venue's events have no positions; their number is all there is."""
    buffer = Buffer(TWO, "gap")
    for _ in range(100):
        buffer.put(Event("x", b"0123456789"))
    items = drained(buffer)
    kept = sum(isinstance(item, Event) for item in items)
    assert items[0].why.startswith(f"{100 - kept} events")
    assert sum(isinstance(item, Gap) for item in items) == 1


@pytest.mark.parametrize("policy", ["gap", "spill"])
def test_what_a_venue_sent_and_nobody_took_is_named_by_its_times(policy):
    """Such events have no positions: the gap says from when to when, and who stops before it goes on from
    there."""
    buffer = Buffer(TWO, policy, 600)
    sent = [Event("x", b'{"e":"x","E":%d}' % (1_700_000_000_000 + number)) for number in range(100)]
    for each in sent:
        buffer.put(each)
    place = buffer.waiting_from()
    gap, *kept = drained(buffer)
    assert place == Moment(1_699_999_999_999)
    assert (gap.since_ms, gap.until_ms) == (place.at_ms, 1_700_000_000_099 - len(kept))
    assert kept == sent[-len(kept) :]


def test_the_state_that_rules_outlives_what_is_dropped():
    """Who was away still learns how the stream is."""
    buffer = Buffer(TWO, "gap")
    for state in ("connecting", "open", "reconnecting", "open"):
        buffer.put(State(state))
    for number in range(9):
        buffer.put(event(number))
    assert [item.state for item in drained(buffer) if isinstance(item, State)] == ["open"]


def test_the_error_comes_after_what_was_there():
    """Nothing that was read is withheld."""
    buffer = Buffer(TWO, "error")
    for number in range(3):
        buffer.put(event(number))
    assert drained(buffer) == [event(0), event(1)]
    with pytest.raises(BufferFull):
        buffer.get().send(None)


@given(
    moves=st.lists(st.one_of(st.integers(1, 900), st.just(0), st.just(-1)), max_size=120),
    memory=st.integers(1, 2000),
    file=st.integers(0, 6000),
    policy=st.sampled_from(["spill", "gap"]),
    failures=st.sets(st.integers(0, 30), max_size=8),
)
def test_any_turn_of_puts_and_gets_keeps_the_order_or_names_what_is_missing(
    moves, memory, file, policy, failures
):
    """Memory, file, or neither; whatever the disk does. Never an event twice, never one lost in silence."""
    writes = iter(range(10**9))

    def pwrite(*arguments):
        if next(writes) in failures:
            raise OSError(errno.ENOSPC, "no room")
        return real(*arguments)

    real, chunk = os.pwrite, spilling._CHUNK
    os.pwrite, spilling._CHUNK = pwrite, 300
    try:
        buffer = Buffer(memory, policy, file)
        put, got = 0, []
        for move in moves:
            if move > 0:
                buffer.put(event(put, size=move), Position("a", put - 1))
                put += 1
            elif move < 0:
                buffer.put(State("open"))
            elif (item := buffer.get_now()) is not None:
                got.append(item)
            assert buffer.empty or buffer.waiting_from() is None or buffer.waiting_from().offset < put
        got += drained(buffer)
        assert not buffer._spill
        assert buffer._bytes == 0
    finally:
        os.pwrite, spilling._CHUNK = real, chunk
        buffer.forget()
    wanted = 0
    for item in got:
        if isinstance(item, Event):
            assert item.position.offset == wanted
            wanted += 1
        elif isinstance(item, Gap):
            assert (item.reason, item.first.offset) == ("overflow", wanted)
            wanted = item.last.offset + 1
    assert wanted == put


def test_what_spilled_comes_back_in_order_and_the_memory_stays_bounded():
    """A bot that stood still for an hour gets every fill, and has not eaten the machine."""
    buffer, many = Buffer(1 << 20, "spill", 64 << 20), 30_000
    tracemalloc.start()
    try:
        for number in range(many):
            buffer.put(event(number, size=1000), Position("a", number - 1))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4 << 20
    assert buffer.waiting_from() == Position("a", -1)
    offsets = [item.position.offset for item in drained(buffer)]
    assert offsets == list(range(many))


def test_the_file_has_no_name_and_is_gone_when_it_is_read_or_forgotten(tmp_path, monkeypatch):
    """A crash leaves nothing on the disk, and neither does a program that goes on."""
    monkeypatch.setattr(spilling.tempfile, "tempdir", str(tmp_path))
    for end in (drained, Buffer.forget):
        buffer = Buffer(1000, "spill", 8 << 20)
        for number in range(4000):
            buffer.put(event(number, size=1000))
        spilled = [each for each in open_files() if each.startswith(str(tmp_path))]
        assert spilled
        assert list(tmp_path.iterdir()) == []
        end(buffer)
        gc.collect()
        assert not [each for each in open_files() if each.startswith(str(tmp_path))]


def test_a_file_that_is_full_gives_up_the_oldest():
    """Bounded on the disk too; the newest are kept."""
    buffer = Buffer(10_000, "spill", 1 << 20)
    for number in range(5000):
        buffer.put(event(number, size=1000))
    items = drained(buffer)
    assert isinstance(items[0], Gap)
    assert items[0].first.offset == 0
    assert [item.position.offset for item in items[1:]] == list(range(items[0].last.offset + 1, 5000))
    assert len(items) > 500


def test_every_item_survives_the_file_as_it_was():
    """Positions, sources and what a gap knows included."""
    given_items = [
        event(0),
        Event("x", b"{}", Position("b", 7), source="backfill", stream="binance-spot"),
        Gap("disconnected", Position("a", 1), None, 5, 9, symbols=("BTCUSDT",), why="no history"),
        State("reconnecting", "a reason"),
        event(3),
    ]
    buffer = Buffer(1, "spill", 1 << 20)
    for item in given_items:
        buffer.put(item, Position("a", 0))
    assert buffer._spill
    assert drained(buffer) == given_items
