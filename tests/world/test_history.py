"""The checker of deliveries finds what is planted, and nothing where nothing is wrong."""

from dataclasses import replace

import pytest

from listenkey.base.clock import SECOND
from tests.world.history import Bounds, Drop, Event, Heard, History, Reading, Receipt, Start, problems

STREAM = ("alice", "binance-spot")
BOUNDS = Bounds(overlap=10 * SECOND, longest=120 * SECOND, most_events=8)


def event(offset, *, epoch=0, kind="fill", at=None):
    """Number, offset and second are the same, unless told otherwise."""
    time = (offset if at is None else at) * SECOND
    return Event(100 * epoch + offset, (epoch, offset), time, kind)


def start(after, *, time=0, epoch=0, head=10, cursor=0, kept=0, wanted=None, oldest=1):
    """A socket's beginning, where it should be."""
    place = (epoch, after)
    return Start(
        time * SECOND, place, (epoch, head), wanted or place, (epoch, cursor), (epoch, kept), {0: oldest}
    )


@pytest.fixture
def history():
    """Ten events, which one bot had by two sockets: the second repeats two of the first's."""
    history = History(BOUNDS, journals={STREAM: [event(offset) for offset in range(1, 11)]})
    history.handed_in = {number: number * SECOND for number in range(1, 11)}
    history.acknowledged = set(range(1, 11))
    reading = Reading("bot", STREAM, frozenset(("fill",)), begun=0)
    reading.handled = set(range(1, 11))
    reading.starts = [start(0, head=0), start(4, time=7, head=7, cursor=6, kept=5)]
    reading.receipts = [Receipt(1, (0, 6), (0, 0), 6)]
    first, second = range(1, 8), range(5, 11)
    reading.sockets = [
        Heard(1, ["one"], [(number * SECOND, number) for number in first]),
        Heard(2, ["two"], [(8 * SECOND, number) for number in second]),
    ]
    history.readings = [reading]
    return history


@pytest.fixture
def reading(history):
    return history.readings[0]


def test_a_history_in_which_all_was_kept_has_no_problems(history):
    """Repeats at the beginning of a second connection are what was promised."""
    assert problems(history) == []


# One socket --------------------------------------------------------------------------------------------


def test_a_repeat_on_one_socket(history, reading):
    """None twice: the library cannot tell it from news."""
    reading.sockets[0].taken.append((0, 7))
    assert "was sent (0, 7) after (0, 7)" in problems(history)[0]


def test_a_wrong_order(history, reading):
    """A later event first."""
    reading.sockets[1].taken[:2] = reversed(reading.sockets[1].taken[:2])
    assert any("was sent (0, 5) after (0, 6)" in each for each in problems(history))


def test_a_hole_in_the_midst(history, reading):
    """One left out between two others, though another socket brought it."""
    del reading.sockets[1].taken[1]
    assert "was not sent (0, 6), but (0, 7)" in problems(history)[0]
    reading.passed.append(((0, 6), (0, 6)))
    assert problems(history) == []


def test_an_event_that_nobody_published(history, reading):
    """Something made up."""
    reading.sockets[1].taken.append((0, 77))
    assert "was sent 77" in problems(history)[0]


def test_an_event_that_was_not_asked_for(history, reading):
    """A kind that the bot filters out."""
    history.journals[STREAM].append(event(11, kind="balance"))
    reading.sockets[1].taken.append((0, 11))
    assert "was sent 11" in problems(history)[0]


def test_an_event_of_another_account(history):
    """Whatever else: never somebody else's."""
    history.foreign.append("bot was sent bob's")
    assert problems(history) == ["foreign: bot was sent bob's"]


def test_an_event_after_the_end_of_the_key(history, reading):
    """Nothing follows the acknowledged close."""
    history.ended_keys["two"] = 9 * SECOND
    assert "was sent (0, 10) after the end" in problems(history)[0]
    history.ended_keys["two"] = 10 * SECOND
    assert problems(history) == []


def test_a_socket_with_a_key_that_lives_may_go_on(history, reading):
    """A second key of the same socket keeps its stream open."""
    history.ended_keys["two"] = 9 * SECOND
    reading.sockets[1].keys.append("three")
    assert problems(history) == []
    history.ended_keys["three"] = 9 * SECOND
    assert len(problems(history)) == 1


# What the gateway decided ------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [3, 5])
def test_a_start_at_the_wrong_place(history, reading, after):
    """Further back than the overlap, or not far enough."""
    reading.starts[1] = replace(reading.starts[1], place=(0, after))
    assert f"began after (0, {after}), and should have after (0, 4)" in problems(history)[0]


def test_a_cursor_that_fell_behind_what_was_kept(history, reading):
    """What was confirmed and written down is not unconfirmed by a restart."""
    reading.starts[1] = replace(reading.starts[1], cursor=(0, 4))
    assert "the cursor was (0, 4), and (0, 5) had been kept" in problems(history)[0]


def test_a_false_confirmation(history, reading):
    """More than the library had taken by then."""
    reading.receipts[0] = replace(reading.receipts[0], taken=5)
    assert "had 5 of the 6 events" in problems(history)[0]
    reading.passed.append(((0, 2), (0, 2)))
    assert problems(history) == []


def test_a_confirmation_counts_only_what_was_asked_for(history, reading):
    """Events of other kinds are had by not being sent."""
    history.journals[STREAM] = [event(3, kind="balance") if each.number == 3 else each
                                for each in history.journals[STREAM]]  # fmt: skip
    for heard in reading.sockets:
        heard.taken = [each for each in heard.taken if each[1] != 3]
    reading.receipts[0] = replace(reading.receipts[0], taken=5)
    assert problems(history) == []


def test_an_acknowledged_event_that_is_in_no_journal(history):
    """The publisher was told that it is safe."""
    history.acknowledged.add(50)
    assert problems(history) == ["acknowledged and not journaled: 50"]


# Losses ------------------------------------------------------------------------------------------------


def test_an_event_that_never_came(history, reading):
    """The end of the stream, which no later event shows to be missing."""
    reading.handled.discard(10)
    reading.sockets[1].taken.pop()
    assert "lost: 10" in problems(history)[0]


def test_an_event_that_nobody_owes(history, reading):
    """What was handed in before the bot knew that its key was made, and all to a bot that never got one."""
    reading.handled.discard(10)
    reading.begun = 10 * SECOND
    assert problems(history) == []
    reading.begun = None
    assert problems(history) == []


def test_an_event_that_was_passed_over_and_logged(history, reading):
    """The log says where to read it."""
    reading.handled.discard(10)
    reading.passed.append(((0, 9), (0, 10)))
    assert problems(history) == []
    reading.passed = [((0, 8), (0, 9))]
    assert len(problems(history)) == 1


def drop(number, taken, dropped):
    return Drop(number, int(taken * SECOND), int(dropped * SECOND))


def test_an_event_that_died_with_its_program(history, reading):
    """Given a moment before, so it has to be told again; held for longer than the overlap, it need not be."""
    reading.handled.discard(5)
    reading.drops.append(drop(5, 5, 14.9))
    assert "lost: 5" in problems(history)[0]
    reading.drops.append(drop(5, 5, 15))
    assert problems(history) == []


@pytest.mark.parametrize(
    "after, time, excused", [(7, 122, False), (7, 126, True), (1, 126, False), (8, 122, False)]
)
def test_an_event_that_died_and_was_too_old_when_the_bot_came_back(history, reading, after, time, excused):
    """Beyond the age that a replay goes back to, at the first opening that did not tell it again."""
    reading.handled.discard(5)
    reading.drops.append(drop(5, 5, 6))
    reading.starts.append(start(after, time=time))
    assert (problems(history) == []) is excused


def test_an_event_that_died_and_was_too_far_back_when_the_bot_came_back(history, reading):
    """Eight newer ones: the replay has no room for it."""
    reading.handled -= {2, 3}
    reading.drops += [drop(2, 2, 8), drop(3, 3, 8)]
    reading.starts.append(start(5, time=20))
    found = problems(history)
    assert ["lost: 3" in each for each in found] == [True]


def test_an_event_that_died_and_was_forgotten_when_the_bot_came_back(history, reading):
    """Retention took it from the journal."""
    reading.handled.discard(5)
    reading.drops.append(drop(5, 5, 8))
    reading.starts.append(start(5, time=20, oldest=5))
    assert len(problems(history)) == 1
    reading.starts[-1] = start(5, time=20, oldest=6)
    assert problems(history) == []


def test_an_event_of_an_older_epoch_is_looked_for_too(history, reading):
    """A new epoch is no excuse: what is in the journal is owed."""
    history.journals[STREAM].append(event(1, epoch=1, at=11))
    history.handed_in[101] = 11 * SECOND
    reading.sockets[1].taken.append((11 * SECOND, 101))
    reading.handled.add(101)
    assert problems(history) == []
    reading.handled.discard(10)
    reading.sockets[1].taken.remove((8 * SECOND, 10))
    assert any("lost: 10" in each for each in problems(history))


# Programs that read by several filters -----------------------------------------------------------------


@pytest.fixture
def filtered(history, reading):
    """The same program also reads by a filter, which lets all of it through."""
    other = Reading("bot by filter", STREAM, frozenset(("fill",)), "bot", begun=0)
    reading.program = "bot"
    history.readings.append(other)
    return other


def test_what_came_by_either_filter_is_had(history, reading, filtered):
    """A program that changes its filter deals with everything all the same."""
    reading.handled -= {3, 4}
    filtered.handled = {3, 4}
    assert problems(history) == []


def test_what_came_by_no_filter_is_lost(history, reading, filtered):
    """Unless one of them has an excuse for it."""
    reading.handled -= {3, 4}
    assert ["lost: 3" in each for each in problems(history)] == [True, False]
    filtered.passed.append(((0, 3), (0, 4)))
    assert problems(history) == []


def test_what_a_filter_leaves_out_is_not_excused_by_it(history, reading, filtered):
    """Only those readings are asked that would have brought it."""
    filtered.kinds = frozenset(("balance",))
    filtered.passed.append(((0, 3), (0, 4)))
    reading.handled -= {3, 4}
    assert len(problems(history)) == 2


def test_another_program_is_owed_for_itself(history, reading, filtered):
    """Two bots with one API key and different filters: what one had the other one lacks."""
    filtered.program = "twin"
    filtered.handled = set(range(1, 10))
    assert ["lost: 10" in each for each in problems(history)] == [True]
