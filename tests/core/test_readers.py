"""What a consumer has: its readers, its places, and what is settled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import SECOND
from listenkey.core.consumer import (
    SHARED,
    Consumer,
    ConsumerId,
    Cursor,
    Opening,
    Reach,
    filter_place,
    is_filter,
    lowest,
)
from listenkey.core.position import Position

WHO = ConsumerId(7, "binance-usdm", "api-key")
OVERLAP = Reach().overlap
EPOCH, LATER = "k3f9", "q7d2"


# Readers -----------------------------------------------------------------------------------------------


def consumer(confirmed=0, begin=0):
    return Consumer(WHO, Cursor(EPOCH, begin, confirmed, confirmed), OVERLAP)


def opened(consumer, after=None):
    return consumer.open([Opening(EPOCH, consumer.cursor.confirmed if after is None else after)])


def at(offset, epoch=EPOCH):
    return Position(epoch, offset)


def test_a_cursor_follows_its_reader():
    """What the socket surely has is where the next one goes on."""
    one = consumer()
    reader = opened(one)
    assert one.confirm(reader, at(5), 0, 0)
    assert (one.cursor.confirmed, reader.confirmed) == (5, 5)


@pytest.mark.parametrize("offset", [0, 4, 5])
def test_what_is_confirmed_stays_so(offset):
    """A receipt for less, or for the same again, takes nothing back and moves nothing."""
    one = consumer()
    reader = opened(one)
    one.confirm(reader, at(5), 0, 0)
    assert not one.confirm(reader, at(offset), 0, 0)
    assert one.cursor.confirmed == 5


def test_the_slowest_of_open_readers_counts():
    """A bot that opens its next socket before it drops the last loses nothing by either."""
    one = consumer(10)
    slow, fast = opened(one), opened(one)
    assert not one.confirm(fast, at(20), 0, 0), "the cursor has not moved"
    assert one.cursor.confirmed == 10
    assert one.confirm(slow, at(15), 0, 0)
    assert one.cursor.confirmed == 15
    assert one.confirm(slow, at(30), 0, 0)
    assert one.cursor.confirmed == 20


def test_a_reader_that_ended_counts_until_a_successor_opens():
    """Its process may be the one that reconnects; once it has, what it had is with the new socket."""
    one = consumer(10)
    gone, open_ = opened(one), opened(one)
    one.confirm(open_, at(40), 0, 0)
    one.end(gone, 0)
    assert one.cursor.confirmed == 10
    successor = opened(one, after=5)
    assert successor.confirmed == 10, "what is told again is not unconfirmed by it"
    one.confirm(successor, at(40), 0, 0)
    assert one.cursor.confirmed == 40


def test_what_ended_longer_ago_than_the_last_opening_does_not_count():
    """Otherwise one socket that broke early would hold the place back for good."""
    one = consumer(10)
    first = opened(one)
    one.end(first, 0)
    second = opened(one)
    one.confirm(second, at(30), 0, 0)
    one.end(second, 0)
    assert one.cursor.confirmed == 30


def test_the_last_cursor_stays_when_nobody_reads():
    """A consumer outlives its sockets."""
    one = consumer(3)
    assert one.is_idle
    reader = opened(one)
    assert not one.is_idle
    one.confirm(reader, at(8), 0, 0)
    one.end(reader, 0)
    assert one.is_idle
    assert one.cursor.confirmed == 8


def test_a_reader_that_ended_confirms_nothing_more():
    """A Pong that comes late, or twice, finds nobody."""
    one = consumer()
    reader = opened(one)
    one.end(reader, 0)
    one.end(reader, 0)
    assert not one.confirm(reader, at(9), 0, 0)
    assert one.cursor.confirmed == 0


def test_what_was_passed_over_is_not_passed_over_again():
    """The log names a lost range once, not at each reconnection."""
    one = consumer(10)
    opened(one, after=500)
    assert one.cursor == Cursor(EPOCH, 0, 500, 500)


def test_a_new_history_begins_at_its_start():
    """Nothing of the old places means anything, and a reader that is still in them does not count."""
    one = consumer(100, begin=50)
    old = opened(one)
    new = one.open([Opening(LATER, 0)])
    assert one.cursor == Cursor(LATER, 0, 0, 0)
    assert not one.confirm(old, at(120), 0, 0)
    one.confirm(new, at(3, LATER), 0, 0)
    assert one.cursor.confirmed == 3


def crossing():
    """A consumer with a reader that is told the end of an older epoch first."""
    one = consumer(10)
    return one, one.open([Opening(EPOCH, 5), Opening(LATER, 0)])


def test_the_place_stays_in_the_older_epoch_until_some_of_the_new_one_is_settled():
    """Should the program die soon, it is told the end of the older one again."""
    one, reader = crossing()
    one.confirm(reader, at(50), 0, 0)
    assert one.cursor == Cursor(EPOCH, 0, 10, 10), "by an offset of the older epoch nothing is confirmed"
    one.confirm(reader, at(3, LATER), 0, 0)
    assert one.cursor == Cursor(EPOCH, 0, 10, 10)
    one.confirm(reader, at(4, LATER), OVERLAP, OVERLAP)
    assert one.cursor == Cursor(LATER, 0, 4, 3)


def test_a_reader_that_ended_in_between_is_told_the_older_epoch_again():
    """Nothing of what it was told twice is lost by its end, and nothing is passed over twice."""
    one, reader = crossing()
    one.confirm(reader, at(3, LATER), 0, 0)
    one.end(reader, 0)
    assert one.cursor == Cursor(EPOCH, 0, 10, 10)
    one.open([Opening(EPOCH, 30), Opening(LATER, 0)])
    assert one.cursor == Cursor(EPOCH, 0, 30, 30)


def test_an_epoch_that_was_told_to_its_end_is_left_behind():
    """The cursor's epoch has nothing more: the place is in the one after it."""
    one = consumer(10)
    one.open([Opening("next", 7), Opening(LATER, 0)])
    assert one.cursor == Cursor("next", 0, 7, 7)


def test_a_reader_that_ended_long_ago_does_not_count_while_another_reads():
    """Who rotates its sockets would otherwise start by a cursor of yesterday at the next one."""
    one = consumer(10)
    old, new = opened(one), opened(one)
    one.confirm(new, at(40), 0, 0)
    one.end(old, 100)
    assert one.has_ended
    assert not one.forget_ended(100), "a replay still reaches back to what it lacked"
    assert one.cursor.confirmed == 10
    assert one.forget_ended(101)
    assert not one.has_ended
    assert one.cursor.confirmed == 40


def test_the_last_reader_counts_however_long_ago_it_ended():
    """Where nobody reads, it is all that is known."""
    one = consumer(10)
    old, new = opened(one), opened(one)
    one.confirm(new, at(40), 0, 0)
    one.end(old, 100)
    one.end(new, 200)
    assert not one.forget_ended(1000)
    assert one.cursor.confirmed == 10


# Places ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events, place",
    [
        (None, ""),
        (["ORDER_TRADE_UPDATE"], "events=ORDER_TRADE_UPDATE"),
        (["b", "a", "C_1"], "events=C_1/a/b"),
        ([], "events="),
        (["a b"], SHARED),
        (["*"], SHARED),
        (["a/b"], SHARED),
        (["ä"], SHARED),
        ([""], SHARED),
        (["a\n"], SHARED),
        (["x" * 64], "events=" + "x" * 64),
        (["x" * 65], SHARED),
        ([str(number) for number in range(33)], SHARED),
    ],
)
def test_a_filter_names_its_place(events, place):
    """Filters that let the same through have the same one; of names that no event has, none is made up."""
    assert filter_place(None if events is None else frozenset(events)) == place
    assert is_filter(place) == (events is not None)


@given(*[st.frozensets(st.text(st.sampled_from("ab_/* "), max_size=3), max_size=4)] * 2)
def test_different_filters_have_different_places(one, other):
    """Or the one at which nothing counts as had."""
    assert filter_place(one) != filter_place(other) or one == other or filter_place(one) == SHARED


@pytest.mark.parametrize(
    "holder, place, passing",
    [
        ("id", "", False),
        ("id", "spot.executionReport", False),
        ("id", "events=a", True),
        ("id", SHARED, True),
        ("id@192.0.2.1", "", True),
        ("id@192.0.2.1", "spot.executionReport", True),
    ],
)
def test_what_clients_can_make_any_number_of_is_passing(holder, place, passing):
    """Filters and addresses; the place of an API key and its topics stay."""
    one = ConsumerId(7, "binance-usdm", holder, place)
    assert one.is_passing == passing
    assert one.whole == ConsumerId(7, "binance-usdm", holder)


def test_at_the_shared_place_nothing_counts_as_had():
    """Its sockets want different things: what one of them has says nothing of the others. Only what was
    passed over is."""
    one = Consumer(ConsumerId(7, "binance-usdm", "api-key", SHARED), Cursor(EPOCH, 0, 10, 10), OVERLAP)
    reader = opened(one)
    assert not one.confirm(reader, at(40), 0, 0)
    assert one.cursor == Cursor(EPOCH, 0, 10, 10)
    assert reader.confirmed == 40, "nor is the socket asked on and on"
    opened(one, after=25)
    assert one.cursor == Cursor(EPOCH, 0, 25, 25)


def test_a_new_place_is_no_further_than_any_other():
    """Whoever changes from any of them to the new one loses nothing."""
    one, other = Cursor(EPOCH, 5, 30, 10), Cursor(EPOCH, 7, 20, 15)
    assert lowest([one, other], ()) == Cursor(EPOCH, 5, 20, 10)
    assert lowest([one], ()) == one


@pytest.mark.parametrize("oldest", ["gone", "a"])
def test_the_lowest_place_is_in_the_oldest_epoch(oldest):
    """An offset of a later epoch says nothing of an older one; an epoch that nobody knows is oldest."""
    cursors = [Cursor("b", 0, 3, 3), Cursor(oldest, 1, 90, 80), Cursor("b", 0, 1, 1)]
    assert lowest(cursors, ["a", "b"]) == Cursor(oldest, 1, 90, 80)


# When a receipt is of use ------------------------------------------------------------------------------


def test_a_receipt_is_of_use_while_something_is_unconfirmed_or_unsettled():
    """At once for the one; for the other once the overlap has passed; then no more until news come."""
    one = consumer()
    reader = opened(one)
    assert reader.asks_at(0) is None
    assert reader.asks_at(5) == 0
    one.confirm(reader, at(5), 70, 80)
    assert reader.asks_at(5) == 80 + OVERLAP
    assert reader.asks_at(6) == 0
    one.confirm(reader, at(5), 80 + OVERLAP, 90 + OVERLAP)
    assert one.cursor.settled == 5
    assert reader.asks_at(5) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, SECOND)), min_size=1, max_size=30))
def test_on_a_quiet_stream_everything_is_settled_by_a_question_or_two(steps):
    """Whatever came before: once nothing new is sent, few receipts settle all of it."""
    one = consumer()
    reader = opened(one)
    now, sent = 0, 0
    for more, pause in steps:
        now, sent = now + pause, sent + more
        one.confirm(reader, at(sent), now, now)
    asked = 0
    while (due := reader.asks_at(sent)) is not None:
        now, asked = max(now, due), asked + 1
        one.confirm(reader, at(sent), now, now)
        assert asked <= 3
    assert one.cursor.settled == one.cursor.confirmed == sent


def test_repeats_that_nobody_confirmed_are_asked_for():
    """A reopened stream that stays quiet: what was told again settles too, and is not told a third time."""
    one = Consumer(WHO, Cursor(EPOCH, 0, 40, 10), OVERLAP)
    reader = opened(one, after=10)
    assert reader.asks_at(40) == 0


def test_the_end_of_an_older_epoch_is_settled_though_the_new_one_is_empty():
    """Otherwise it would be told again at each opening until something happens."""
    one, reader = crossing()
    assert reader.asks_at(0) == 0
    one.confirm(reader, at(0, LATER), 0, 0)
    one.confirm(reader, at(0, LATER), OVERLAP, OVERLAP)
    assert one.cursor == Cursor(LATER, 0, 0, 0)
    assert reader.asks_at(0) is None


# What a program has had for a while ---------------------------------------------------------------------


def test_what_was_had_for_the_overlap_is_settled():
    """Only what a program was given longer ago than `overlap` when it last showed life is not told again."""
    one = consumer()
    reader = opened(one)
    one.confirm(reader, at(100), 0, 1)
    assert one.cursor == Cursor(EPOCH, 0, 100, 0)
    one.confirm(reader, at(101), OVERLAP, OVERLAP + 1)
    assert one.cursor == Cursor(EPOCH, 0, 101, 0)
    assert one.confirm(reader, at(102), OVERLAP + 1, OVERLAP + 2)
    assert one.cursor == Cursor(EPOCH, 0, 102, 100)


def test_what_is_told_again_settles_again():
    """The program that died took the first telling with it: the second one counts from its own time."""
    one = consumer()
    first = opened(one)
    one.confirm(first, at(100), 0, 1)
    one.end(first, 0)
    second = opened(one, after=0)
    assert not one.confirm(second, at(60), OVERLAP * 2, OVERLAP * 2)
    one.confirm(second, at(100), OVERLAP * 3, OVERLAP * 3)
    assert one.cursor == Cursor(EPOCH, 0, 100, 60)


RECEIPTS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 3 * SECOND), st.integers(0, 2 * SECOND)), max_size=60
)


@given(RECEIPTS)
def test_nothing_is_settled_too_early(receipts):
    """However receipts come: what is settled was had at least `overlap` before the last sign of life; under
    steady receipts it lags no more than half an overlap behind that."""
    one = consumer()
    reader = opened(one)
    now, offset = 0, 0
    had, alive_at, longest = [(0, 0)], 0, 0
    for more, pause, flight in receipts:
        asked = now + pause
        longest = max(longest, pause + flight)
        now, offset = asked + flight, offset + more
        one.confirm(reader, at(offset), asked, now)
        had.append((now, offset))
        alive_at = asked
        safe = max((place for at, place in had if at + OVERLAP <= alive_at), default=0)
        steady = max((place for at, place in had if at + OVERLAP * 3 // 2 + longest <= alive_at), default=0)
        assert steady <= one.cursor.settled <= safe
        assert one.cursor.settled <= one.cursor.confirmed


# Any history ------------------------------------------------------------------------------------------


class NaiveConsumer:
    """The sentence that describes the cursor, over a list of sockets."""

    def __init__(self):
        self.sockets = []  # [confirmed, is open, has a successor since it ended]
        self.cursor = 0

    def place(self):
        counting = [socket[0] for socket in self.sockets if socket[1] or not socket[2]]
        return min(counting, default=self.cursor)

    def open(self, after):
        self.cursor = max(self.place(), after)
        for socket in self.sockets:
            socket[2] = socket[2] or not socket[1]
        self.sockets.append([self.cursor, True, False])

    def confirm(self, number, offset):
        socket = self.sockets[number]
        if socket[1]:
            socket[0] = max(socket[0], offset)

    def end(self, number):
        self.sockets[number][1] = False


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "confirm", "confirm", "end"]), st.integers(0, 5), st.integers(0, 100)),
    max_size=40,
)


@given(STEPS)
def test_any_history_of_sockets_ends_as_in_the_naive_model(steps):
    """The lowest of what open sockets and those without a successor have; it never falls; and whether it
    moved is told, so that it is kept."""
    model, one, readers = NaiveConsumer(), consumer(), []
    for action, number, offset in steps:
        before = one.cursor
        if action == "open":
            after = max(0, model.place() - offset % 7) if offset < 90 else model.place() + offset - 90
            readers.append(one.open([Opening(EPOCH, after)]))
            model.open(after)
        elif number < len(readers):
            if action == "end":
                one.end(readers[number], 0)
                model.end(number)
            else:
                assert one.confirm(readers[number], at(offset), 0, 0) == (one.cursor != before)
                model.confirm(number, offset)
        assert one.cursor.confirmed == model.place()
        assert one.cursor.confirmed >= before.confirmed
        assert one.cursor.settled >= before.settled
        assert one.is_idle == (not any(socket[1] for socket in model.sockets))
