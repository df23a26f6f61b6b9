"""Where a reader goes on, against a model that looks at every single event."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import SECOND
from listenkey.core.consumer import Consumer, ConsumerId, Cursor, Opening, Reach, start_after, start_through
from listenkey.core.position import JournalView

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
