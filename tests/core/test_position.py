import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.core.position import (
    LARGEST_OFFSET,
    Gap,
    JournalView,
    Position,
    Resumption,
    parse_position,
    resume,
)

# Written positions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("k3f9:0", Position("k3f9", 0)),
        ("k3f9:17", Position("k3f9", 17)),
        ("0:1", Position("0", 1)),
        ("z" * 32 + ":9", Position("z" * 32, 9)),
        (f"a:{LARGEST_OFFSET}", Position("a", LARGEST_OFFSET)),
    ],
)
def test_a_position_is_read(text, wanted):
    """What the gateway wrote is what a reader may send back."""
    assert parse_position(text) == wanted
    assert str(wanted) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "k3f9",
        "k3f9:",
        ":17",
        "k3f9:-1",
        "k3f9:+1",
        "k3f9:01",
        "k3f9: 1",
        " k3f9:1",
        "k3f9:1 ",
        "k3f9:1\n",
        "k3f9:1:2",
        "k3f9:1.0",
        "k3f9:1e3",
        "K3F9:1",
        "k_f9:1",
        "k3f9:١",
        "é:1",
        "z" * 33 + ":1",
        f"a:{LARGEST_OFFSET + 1}",
        "a:99999999999999999999",
    ],
)
def test_a_malformed_position_is_refused(text):
    """A position that was mangled on its way must not be taken for another one."""
    assert parse_position(text) is None


@given(st.text(max_size=30))
def test_whatever_is_read_reads_the_same_again(text):
    """Reading is total, and there is one way to write a position."""
    position = parse_position(text)
    assert position is None or str(position) == text


# Resuming, by table ------------------------------------------------------------------------------------

CURRENT = JournalView("new", oldest=1, head=18)
TRIMMED = JournalView("new", oldest=11, head=18)
FORGOTTEN = JournalView("new", oldest=19, head=18)
EMPTY = JournalView("new", oldest=1, head=0)
PAST = JournalView("old", oldest=1, head=5)
PAST_TRIMMED = JournalView("old", oldest=4, head=5)
PAST_FORGOTTEN = JournalView("old", oldest=6, head=5)
TURN = Position("new", 1)


def at(text):
    position = parse_position(text)
    assert position is not None
    return position


@pytest.mark.parametrize(
    "since, view, wanted",
    [
        pytest.param("new:0", CURRENT, Resumption("new", 0), id="from the start"),
        pytest.param("new:7", CURRENT, Resumption("new", 7), id="in the middle"),
        pytest.param("new:18", CURRENT, Resumption("new", 18), id="at the head"),
        pytest.param("new:0", EMPTY, Resumption("new", 0), id="empty"),
        pytest.param("new:10", TRIMMED, Resumption("new", 10), id="the oldest is the next"),
        pytest.param("new:18", FORGOTTEN, Resumption("new", 18), id="all forgotten, and all had"),
        pytest.param(
            "new:9", TRIMMED, Resumption("new", 10, (Gap("new", 10, 10, "retention"),)), id="one forgotten"
        ),
        pytest.param(
            "new:3", TRIMMED, Resumption("new", 10, (Gap("new", 4, 10, "retention"),)), id="several forgotten"
        ),
        pytest.param(
            "new:3", FORGOTTEN, Resumption("new", 18, (Gap("new", 4, 18, "retention"),)), id="all forgotten"
        ),
        pytest.param(
            "new:23",
            CURRENT,
            Resumption("new", 18, (Gap("new", 19, None, "ahead", Position("new", 19)),)),
            id="ahead",
        ),
        pytest.param(
            "new:1", EMPTY, Resumption("new", 0, (Gap("new", 1, None, "ahead", TURN),)), id="ahead of nothing"
        ),
    ],
)
def test_resuming_within_an_epoch(since, view, wanted):
    """Everything later, or a gap that says which offsets and why."""
    assert resume(at(since), view, None) == wanted


@pytest.mark.parametrize(
    "since, older, current, wanted",
    [
        pytest.param(
            "old:3",
            None,
            CURRENT,
            Resumption("new", 0, (Gap("old", 4, None, "epoch", TURN),)),
            id="an epoch that is not kept",
        ),
        pytest.param(
            "old:3",
            None,
            TRIMMED,
            Resumption("new", 10, (Gap("old", 4, None, "epoch", TURN), Gap("new", 1, 10, "retention"))),
            id="not kept, and the new one is trimmed",
        ),
        pytest.param(
            "old:3",
            PAST,
            CURRENT,
            Resumption("old", 3, (), Resumption("new", 0, (Gap("old", 6, None, "epoch", TURN),))),
            id="the rest of the old one first",
        ),
        pytest.param(
            "old:5",
            PAST,
            CURRENT,
            Resumption("new", 0, (Gap("old", 6, None, "epoch", TURN),)),
            id="the old one was read to its end",
        ),
        pytest.param(
            "old:9",
            PAST,
            CURRENT,
            Resumption("new", 0, (Gap("old", 10, None, "epoch", TURN),)),
            id="past the end of what is kept of the old one",
        ),
        pytest.param(
            "old:1",
            PAST_TRIMMED,
            CURRENT,
            Resumption(
                "old",
                3,
                (Gap("old", 2, 3, "retention"),),
                Resumption("new", 0, (Gap("old", 6, None, "epoch", TURN),)),
            ),
            id="the old one is trimmed",
        ),
        pytest.param(
            "old:1",
            PAST_FORGOTTEN,
            TRIMMED,
            Resumption(
                "old",
                5,
                (Gap("old", 2, 5, "retention"),),
                Resumption("new", 10, (Gap("old", 6, None, "epoch", TURN), Gap("new", 1, 10, "retention"))),
            ),
            id="both are trimmed",
        ),
        pytest.param(
            "old:3",
            None,
            EMPTY,
            Resumption("new", 0, (Gap("old", 4, None, "epoch", TURN),)),
            id="nothing new yet",
        ),
    ],
)
def test_resuming_from_a_past_epoch(since, older, current, wanted):
    """What is kept of the old history, then a gap that names the new one, then the new one."""
    assert resume(at(since), current, older) == wanted


# Resuming, by property ---------------------------------------------------------------------------------


class Journal(msgspec.Struct):
    """Epochs in their order; each has the offsets 1 to head, of which those below `oldest` are forgotten."""

    epochs: list[JournalView]

    @property
    def current(self) -> JournalView:
        return self.epochs[-1]

    def past(self, epoch: str) -> JournalView | None:
        return next((view for view in self.epochs[:-1] if view.epoch == epoch), None)


def views(epoch):
    return st.integers(0, 12).flatmap(
        lambda head: st.integers(1, head + 1).map(lambda oldest: JournalView(epoch, oldest, head))
    )


JOURNALS = st.integers(1, 3).flatmap(
    lambda count: st.tuples(*(views(f"e{number}") for number in range(count))).map(
        lambda all_: Journal([*all_])
    )
)


def walk(journal, resumption):
    """What a reader gets, in order: ("event", epoch, offset) and gaps."""
    told = []
    part = resumption
    while part is not None:
        told.extend(part.gaps)
        view = journal.current if part.epoch == journal.current.epoch else journal.past(part.epoch)
        told.extend(("event", view.epoch, offset) for offset in range(part.after + 1, view.head + 1))
        kept = range(view.oldest, view.head + 1)
        assert all(offset in kept for offset in range(part.after + 1, view.head + 1)), (
            "reads what is forgotten"
        )
        part = part.then
    return told


def check_told(told, since):
    """Nothing twice and nothing left out: each message goes on where the last one stopped."""
    place = Position(since.epoch, since.offset + 1)
    for item in told:
        if isinstance(item, Gap):
            assert item.epoch == place.epoch
            if item.reason == "ahead":
                assert item.first <= place.offset
                place = item.next
            else:
                assert item.first == place.offset, "a gap names exactly what is missing"
                assert (item.last is None) == (item.next is not None)
                place = item.next or Position(item.epoch, item.last + 1)
        else:
            assert item == ("event", place.epoch, place.offset), "an event twice, or one left out in silence"
            place = Position(place.epoch, place.offset + 1)
    return place


@given(JOURNALS, st.integers(-1, 2), st.integers(0, 15))
def test_every_later_event_once_or_a_gap_that_names_it(journal, choice, offset):
    """I4: from any position, in any journal, the reader ends at the head and can account for every offset."""
    epoch = "gone" if choice < 0 else journal.epochs[min(choice, len(journal.epochs) - 1)].epoch
    since = Position(epoch, offset)
    told = walk(journal, resume(since, journal.current, journal.past(epoch)))
    assert check_told(told, since) == Position(journal.current.epoch, journal.current.head + 1)
    events = [item for item in told if not isinstance(item, Gap)]
    later = [
        ("event", view.epoch, number)
        for view in journal.epochs
        if view.epoch in (epoch, journal.current.epoch)
        for number in range(view.oldest, view.head + 1)
        if view.epoch != epoch or number > offset
    ]
    assert events == later, "every later event of its epoch and of the current one that is still kept"


@given(JOURNALS, st.integers(0, 2), st.integers(0, 15))
def test_a_gap_is_told_only_for_what_cannot_be_had(journal, choice, offset):
    """I4: nobody is told that something is missing which the journal still holds."""
    epoch = journal.epochs[min(choice, len(journal.epochs) - 1)].epoch
    since = Position(epoch, offset)
    told = walk(journal, resume(since, journal.current, journal.past(epoch)))
    for gap in (item for item in told if isinstance(item, Gap)):
        view = next(view for view in journal.epochs if view.epoch == gap.epoch)
        if gap.reason == "retention":
            assert gap.last < view.oldest
        else:
            assert gap.first > view.head
        if gap.reason == "epoch":
            assert gap.epoch != journal.current.epoch
