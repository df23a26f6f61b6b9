"""Sockets of one stream that overlap: every event once, in order, and no hole unsaid."""

import random

import pytest

from listenkey.core.lanes import Lanes


def test_one_socket_gives_everything_as_it_comes():
    """Also what looks like a repeat: the venue said it twice."""
    lanes = Lanes()
    lanes.opened(1, 0)
    assert lanes.is_plain
    assert lanes.event(1, "e", b"a") == lanes.event(1, "e", b"a") == [("e", b"a")]


def test_a_successor_that_shares_an_event_takes_over_without_a_hole():
    """State events have no ids, and came twice in each overlap."""
    lanes = Lanes()
    lanes.opened(1, 0)
    lanes.opened(2, 5)
    assert lanes.event(1, "e", b"a") == [("e", b"a")]
    assert lanes.event(2, "e", b"a") == []
    assert lanes.event(2, "e", b"b") == []
    assert lanes.gone(1) == ([("e", b"b")], False)
    assert lanes.event(2, "e", b"c") == [("e", b"c")]


def test_a_quiet_overlap_is_proven_by_an_answer():
    """The old one has given all that was published before the question."""
    for asked_at, hole in ((4, True), (5, False)):
        lanes = Lanes()
        lanes.opened(1, 0)
        lanes.opened(2, 5)
        lanes.echoed(1, asked_at)
        lanes.event(2, "e", b"b")
        assert lanes.gone(1) == ([("e", b"b")], hole)


def test_what_the_old_one_had_first_is_not_told_again_by_the_new():
    """A slow successor repeats the end of its predecessor."""
    lanes = Lanes()
    lanes.opened(1, 0)
    lanes.opened(2, 1)
    lanes.event(1, "e", b"a")
    assert lanes.gone(1) == ([], True)
    assert lanes.event(2, "e", b"a") == []
    assert lanes.is_plain
    assert lanes.event(2, "e", b"b") == [("e", b"b")]


def test_a_successor_that_goes_first_changes_nothing():
    """What it had is had by the old one too."""
    lanes = Lanes()
    lanes.opened(1, 0)
    lanes.opened(2, 1)
    lanes.event(2, "e", b"a")
    assert lanes.gone(2) == ([], False)
    assert lanes.event(1, "e", b"a") == [("e", b"a")]


@pytest.mark.parametrize("seed", range(200))
def test_over_many_rotations_each_event_comes_once_and_in_order(seed):
    """Whatever the sockets' speeds, unless a hole was said to be possible."""
    dice = random.Random(seed)
    lanes, got, holes = Lanes(), [], 0
    sockets, opened, published = {}, 0, 0
    for now in range(400):
        if len(sockets) < 2 and dice.random() < 0.1:
            opened += 1
            sockets[opened] = published
            lanes.opened(opened, now)
        if dice.random() < 0.5:
            published += 1
        for number in list(sockets):
            while sockets[number] < published and dice.random() < 0.6:
                sockets[number] += 1
                got += lanes.event(number, "e", str(sockets[number]).encode())
            if dice.random() < 0.05 and sockets[number] == published:
                lanes.echoed(number, now)
        if len(sockets) == 2 and dice.random() < 0.1:
            oldest = min(sockets)
            del sockets[oldest]
            given, hole = lanes.gone(oldest)
            got += given
            holes += hole
    numbers = [int(raw) for _, raw in got]
    assert numbers == sorted(set(numbers))
    if not holes:
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True
