"""Where a reader goes on, against a model that looks at every single event."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import SECOND
from listenkey.core.consumer import Consumer, ConsumerId, Cursor, Opening, Reach, start_after, start_through
from listenkey.core.position import JournalView, Position

WHO = ConsumerId(7, "binance-usdm", "api-key")
REACH = Reach()
OVERLAP = REACH.overlap
EPOCH, LATER = "k3f9", "q7d2"


# The start ---------------------------------------------------------------------------------------------


@dataclass
class Journal:
    """One epoch: the time of every event, of which those below `oldest` are forgotten."""

    times: list[int]
    oldest: int = 1
    epoch: str = EPOCH
    asked: list[int] = field(default_factory=list)

    @property
    def view(self):
        return JournalView(self.epoch, self.oldest, len(self.times))

    def time_of(self, offset):
        assert self.oldest <= offset <= len(self.times), "only what is kept has a time"
        self.asked.append(offset)
        return self.times[offset - 1]

    def open(self, cursor, reach, now):
        return start_after(cursor, self.view, reach, self.time_of, now)


def steadily(count, every=SECOND, first=0):
    """A journal with an event each second."""
    return Journal([first + number * every for number in range(count)])


def expected(cursor, journal, reach, now):
    """What is sent, and what is passed over, event by event."""
    if cursor.epoch != journal.epoch:
        cursor = Cursor(journal.epoch, 0, 0, 0)
    head = len(journal.times)
    confirmed = min(cursor.confirmed, head)
    kept = range(journal.oldest, head + 1)

    def time(offset):
        return journal.times[offset - 1]

    def is_wanted(offset):
        if offset <= cursor.begin:
            return False
        if offset > min(confirmed, cursor.settled) or offset > confirmed - reach.overlap_events:
            return True
        return confirmed in kept and time(offset) > time(confirmed) - reach.overlap

    def is_within(offset):
        return offset > head - reach.most_events and time(offset) >= now - reach.longest

    sent = [offset for offset in kept if is_wanted(offset) and is_within(offset)]
    news = range(confirmed + 1, head + 1)
    return sent, [offset for offset in news if offset not in sent]


@st.composite
def journals(draw):
    steps = draw(
        st.lists(st.sampled_from([0, 0, 1, SECOND // 2, SECOND, 7 * SECOND, 90 * SECOND]), max_size=60)
    )
    time, times = 0, []
    for step in steps:
        time += step
        times.append(time)
    return Journal(times, draw(st.integers(1, len(times) + 1)))


@st.composite
def cursors(draw, journal):
    head = len(journal.times)
    begin = draw(st.integers(0, head))
    confirmed = draw(st.integers(begin, head + 2))
    settled = draw(st.integers(begin, confirmed))
    return Cursor(draw(st.sampled_from([EPOCH, EPOCH, EPOCH, "gone"])), begin, confirmed, settled)


REACHES = st.builds(
    Reach,
    overlap=st.sampled_from([0, 1, SECOND, 10 * SECOND, 100 * SECOND]),
    overlap_events=st.sampled_from([0, 1, 2, 5, 20]),
    longest=st.sampled_from([0, SECOND, 30 * SECOND, 120 * SECOND]),
    most_events=st.sampled_from([1, 3, 10, 2000]),
)


@given(st.data(), journals(), REACHES, st.sampled_from([0, 1, SECOND, 40 * SECOND, 500 * SECOND]))
def test_a_start_is_where_looking_at_every_event_finds_it(data, journal, reach, passed):
    """Everything wanted and within the bounds is sent, in one piece up to the head, and nothing before it; of
    the news, exactly what is not sent is named as passed over."""
    cursor = data.draw(cursors(journal))
    now = (journal.times[-1] if journal.times else 0) + passed
    sent, passed_over = expected(cursor, journal, reach, now)
    opening = journal.open(cursor, reach, now)
    assert opening.epoch == EPOCH
    assert list(range(opening.after + 1, len(journal.times) + 1)) == sent
    assert list(range(opening.passed_first, opening.passed_last + 1)) == passed_over
    assert opening.passed_over == len(passed_over)


def test_a_consumer_that_has_everything_goes_back_ten_seconds():
    """What was given in the last moments is told again: the program may not have dealt with it."""
    journal = steadily(1000, SECOND // 10)
    opening = journal.open(Cursor(EPOCH, 0, 1000, 1000), REACH, journal.times[-1])
    assert opening.after == 900
    assert journal.times[opening.after] == journal.times[-1] - 10 * SECOND + SECOND // 10


def test_without_overlap_nothing_is_told_twice():
    """Who sets both to nothing has bots that keep a journal of their own."""
    journal = steadily(100)
    reach = Reach(overlap=0, overlap_events=0)
    assert journal.open(Cursor(EPOCH, 0, 50, 50), reach, journal.times[-1]).after == 50


def test_on_a_quiet_stream_it_goes_back_twenty_events():
    """Ten seconds of a stream with an event a minute are none."""
    journal = steadily(100, 60 * SECOND)
    reach = Reach(longest=10_000 * SECOND)
    assert journal.open(Cursor(EPOCH, 0, 100, 100), reach, journal.times[-1]).after == 80


def test_what_was_given_within_the_last_moments_is_told_again_however_old_it_is():
    """A catch-up gives an hour's events in a second; who died in that second had dealt with few of them."""
    journal = steadily(100)
    reach = Reach(longest=10_000 * SECOND)
    assert journal.open(Cursor(EPOCH, 0, 100, 30), reach, journal.times[-1]).after == 30


def test_nothing_before_its_beginning_is_ever_sent():
    """Somebody who began an hour ago does not get what was before that, though it lies within the overlap."""
    journal = steadily(100)
    assert journal.open(Cursor(EPOCH, 95, 97, 97), REACH, journal.times[-1]).after == 95


def test_news_are_sent_from_the_first_one():
    """A long absence within the bounds loses nothing."""
    journal = steadily(100)
    assert journal.open(Cursor(EPOCH, 0, 50, 50), REACH, journal.times[-1]) == Opening(EPOCH, 30, 51, 30)


@pytest.mark.parametrize(
    "reach, after, passed_over",
    [
        pytest.param(Reach(most_events=10), 90, 40, id="by count"),
        pytest.param(Reach(longest=20 * SECOND), 79, 29, id="by age"),
        pytest.param(Reach(longest=20 * SECOND, most_events=10), 90, 40, id="count before age"),
        pytest.param(Reach(longest=5 * SECOND, most_events=10), 94, 44, id="age before count"),
        pytest.param(Reach(longest=0), 99, 49, id="nothing but the newest moment"),
    ],
)
def test_what_lies_beyond_the_bounds_is_passed_over_and_named(reach, after, passed_over):
    """A bot gets no thousand old fills at once; whoever runs it can read which ones it did not get."""
    journal = steadily(100)
    opening = journal.open(Cursor(EPOCH, 0, 50, 50), reach, journal.times[-1])
    assert opening == Opening(EPOCH, after, 51, after)
    assert opening.passed_over == passed_over


def test_after_a_long_quiet_time_nothing_is_replayed():
    """All is older than the bound: the reader begins at the head, and what it never had is named."""
    journal = steadily(100)
    opening = journal.open(Cursor(EPOCH, 0, 90, 90), REACH, journal.times[-1] + 3600 * SECOND)
    assert (opening.after, opening.passed_over) == (100, 10)


def test_what_retention_took_is_passed_over():
    """The journal has forgotten some of the news: the rest is sent, and the missing part is named."""
    journal = steadily(100)
    journal.oldest = 71
    opening = journal.open(Cursor(EPOCH, 0, 50, 50), REACH, journal.times[-1])
    assert opening == Opening(EPOCH, 70, 51, 70)


def test_a_forgotten_journal_is_begun_at_its_head():
    """Nothing is kept: nothing is sent, and nothing that was confirmed is called passed over."""
    journal = steadily(100)
    journal.oldest = 101
    assert journal.open(Cursor(EPOCH, 0, 100, 100), REACH, 0).passed_over == 0
    assert journal.open(Cursor(EPOCH, 0, 98, 98), REACH, 0) == Opening(EPOCH, 100, 99, 100)


def test_of_another_history_everything_is_news():
    """After a restore the offsets mean other events: the new journal is told from its beginning."""
    journal = steadily(10)
    assert journal.open(Cursor("gone", 700, 900, 900), REACH, journal.times[-1]) == Opening(EPOCH, 0, 1, 0)


def test_a_cursor_ahead_of_the_journal_is_at_its_head():
    """Whatever lost the end of the journal, no event is waited for that was there already."""
    journal = steadily(10)
    assert journal.open(Cursor(EPOCH, 0, 12, 12), Reach(overlap=0, overlap_events=2), 0).after == 8


def test_a_journal_without_events_is_begun_at_its_head():
    """There is nothing to look at, and nothing is looked at."""
    journal = Journal([])
    assert journal.open(Cursor(EPOCH, 0, 0, 0), REACH, 0) == Opening(EPOCH, 0, 1, 0)
    assert journal.asked == []


@pytest.mark.parametrize("every", [0, 1, SECOND // 1000, SECOND])
def test_finding_the_start_looks_at_few_events(every):
    """A handshake reads a handful of a million events, whatever their pace."""
    journal = steadily(1_000_000, every)
    reach = Reach(longest=500 * SECOND, most_events=900_000)
    for confirmed in (0, 10, 500_000, 999_999, 1_000_000):
        journal.asked.clear()
        journal.open(Cursor(EPOCH, 0, confirmed, confirmed), reach, journal.times[-1])
        assert len(journal.asked) < 80


# Over several epochs -------------------------------------------------------------------------------------


@st.composite
def histories(draw):
    """Up to three epochs, their times in one order."""
    epochs, time = [], 0
    for name in ("first", "second", "third")[: draw(st.integers(1, 3))]:
        journal = draw(journals())
        journal.epoch, journal.times = name, [time + each for each in journal.times]
        time = journal.times[-1] if journal.times else time
        epochs.append(journal)
    return epochs


@given(st.data(), histories(), REACHES, st.sampled_from([0, 1, SECOND, 40 * SECOND, 500 * SECOND]))
def test_a_start_in_an_older_epoch_is_where_looking_at_every_event_finds_it(data, epochs, reach, passed):
    """The end of the cursor's epoch, all of those after it, and one pair of bounds for all of them."""
    own = epochs[0]
    begin = data.draw(st.integers(0, len(own.times)))
    confirmed = data.draw(st.integers(begin, len(own.times)))
    cursor = Cursor(own.epoch, begin, confirmed, data.draw(st.integers(begin, confirmed)))
    now = max((time for journal in epochs for time in journal.times), default=0) + passed
    left, sent = reach.most_events, []
    for journal in reversed(epochs):
        bounded = Reach(reach.overlap, reach.overlap_events, reach.longest, left)
        wanted, _ = expected(cursor, journal, bounded, now)
        left -= len(journal.times) - (wanted[0] - 1 if wanted else len(journal.times))
        sent = [(journal.epoch, offset) for offset in wanted] + sent
    times = {journal.epoch: journal for journal in epochs}
    views = [journal.view for journal in epochs]
    openings = start_through(cursor, views, reach, lambda epoch, offset: times[epoch].time_of(offset), now)
    assert [
        (opening.epoch, offset)
        for opening, view in zip(openings, views, strict=True)
        for offset in range(opening.after + 1, view.head + 1)
    ] == sent
    assert sum(view.head - opening.after for opening, view in zip(openings, views, strict=True)) <= max(
        reach.most_events, 0
    )


def test_the_end_of_an_older_epoch_is_told_before_the_new_one():
    """What was committed before an unclean start, and is in the journal, is not lost by the new epoch."""
    old, new = Journal([1, 2, 3], epoch="old"), Journal([4, 5], epoch="new")
    times = {"old": old, "new": new}
    openings = start_through(
        Cursor("old", 0, 2, 2), [old.view, new.view], Reach(overlap=0, overlap_events=0),
        lambda epoch, offset: times[epoch].time_of(offset), 5,
    )  # fmt: skip
    assert openings == [Opening("old", 2, 3, 2), Opening("new", 0, 1, 0)]


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


@given(st.integers(0, 60), st.integers(0, 59), REACHES, st.integers(1, 20))
def test_reconnecting_without_confirming_neither_creeps_back_nor_on(confirmed, begin, reach, times):
    """A client that never confirms is sent the same again each time, from the same place."""
    journal = steadily(60)
    now = journal.times[-1]
    one = Consumer(WHO, Cursor(EPOCH, min(begin, confirmed), confirmed, confirmed), reach.overlap)
    first = journal.open(one.cursor, reach, now)
    for number in range(times):
        opening = journal.open(one.cursor, reach, now)
        assert opening.after == first.after
        assert opening.passed_over == (first.passed_over if number == 0 else 0)
        one.end(one.open([opening]), 0)
