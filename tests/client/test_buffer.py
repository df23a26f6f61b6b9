"""What was read and not taken: bounded, and what it dropped is said."""

from listenkey.client.buffer import Buffer
from listenkey.client.items import Event, Gap
from listenkey.core.position import Position


def event(offset, epoch="a"):
    """Ten bytes at a place."""
    return Event("x", b"0123456789", Position(epoch, offset))


def test_a_gap_that_is_dropped_keeps_its_times():
    """Who fetches what is missing starts from there."""
    buffer = Buffer(20, "gap")
    buffer.put(Gap("disconnected", since_ms=5, until_ms=9))
    for _ in range(3):
        buffer.put(Event("x", b"0123456789"))
    gap = buffer.get_now()
    assert (gap.reason, gap.since_ms, gap.until_ms) == ("overflow", 5, 9)


def test_a_gap_of_unknown_length_is_not_shortened():
    """A last offset that is known would say that nothing after it is missing."""
    buffer = Buffer(20, "gap")
    buffer.put(event(18))
    buffer.put(Gap("epoch", Position("a", 19), None))
    buffer.put(event(1, "b"))
    buffer.put(event(2, "b"))
    assert buffer.get_now() == Gap("overflow", Position("a", 18), None)
    assert buffer.get_now() == event(1, "b")
