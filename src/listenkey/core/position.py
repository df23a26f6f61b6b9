"""Where a reader stands in a journal, and what it gets when it comes back.

An offset says where, an epoch says whether this is still the same history.
"""

import re
from typing import Final, Literal

import msgspec

_POSITION: Final = re.compile(r"([0-9a-z]{1,32}):(0|[1-9][0-9]{0,18})\Z")
LARGEST_OFFSET: Final = 2**63 - 1


class Position(msgspec.Struct, frozen=True):
    """`epoch:offset`; everything up to and including the offset has been had."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"


def parse_position(text: str) -> Position | None:
    """The position that `EPOCH:OFFSET` names, or None when it is malformed."""
    match = _POSITION.match(text)
    if match is None or int(match[2]) > LARGEST_OFFSET:
        return None
    return Position(match[1], int(match[2]))


class Stretch(msgspec.Struct, frozen=True):
    """Events of some types, None for all, that were sent: those after `after`, up to and including `upto`."""

    epoch: str
    after: int
    upto: int
    events: frozenset[str] | None = None

    def has(self, epoch: str, offset: int, kind: str) -> bool:
        """Whether an event is among them."""
        if epoch != self.epoch or not self.after < offset <= self.upto:
            return False
        return self.events is None or kind in self.events

    def touches(self, other: "Stretch") -> bool:
        """Whether nothing lies between the two."""
        if (self.epoch, self.events) != (other.epoch, other.events):
            return False
        return self.after <= other.upto and other.after <= self.upto


GapReason = Literal["retention", "epoch", "ahead", "upstream"]


class Gap(msgspec.Struct, frozen=True):
    """A stretch that is not delivered, said aloud. `to` is None where its end is unknown; then `next`
    follows."""

    epoch: str
    first: int
    last: int | None
    reason: GapReason
    next: Position | None = None


class Missing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a source knows of events that it could not get. It is journaled in their place, under an offset of
    its own."""

    cause: str
    """Why they are missing, in a word."""
    since: int = 0
    """The last moment at which nothing was missing, in ms; 0 where that is not known."""
    until: int = 0
    """And the first at which nothing is again."""
    symbols: tuple[str, ...] = ()
    """Of which symbols the venue's history was fetched nevertheless; it is journaled around here."""
    differs: tuple[str, ...] = ()
    """Assets and positions of which the venue says other than the events do."""
    why: str = ""
    """Why it could not be filled, for people."""


class JournalView(msgspec.Struct, frozen=True):
    """One epoch of a journal as committed: what it still holds, and its head (0 when empty)."""

    epoch: str
    oldest: int
    """The lowest offset still kept; head + 1 when none is."""
    head: int


class Resumption(msgspec.Struct, frozen=True):
    """How to serve a reader: gaps to tell first, then events after `after` of `epoch`."""

    epoch: str
    after: int
    gaps: tuple[Gap, ...] = ()
    then: "Resumption | None" = None
    """What follows once this epoch, an older one, has been read to its end."""


def resume(since: Position, current: JournalView, older: JournalView | None) -> Resumption:
    """What a reader at `since` gets. `older` is the view of its epoch where that is a past one that is
    kept."""
    if since.epoch == current.epoch:
        return _resume_within(since, current)
    start = Position(current.epoch, 1)
    rest = _from_the_start(current)
    if older is None:
        return _after_gap(Gap(since.epoch, since.offset + 1, None, "epoch", start), rest)
    served = max(since.offset, older.head)
    onward = _after_gap(Gap(since.epoch, served + 1, None, "epoch", start), rest)
    if since.offset >= older.head:
        return onward
    within = _resume_within(since, older)
    return Resumption(within.epoch, within.after, within.gaps, onward)


def _resume_within(since: Position, view: JournalView) -> Resumption:
    if since.offset > view.head:
        following = Position(view.epoch, view.head + 1)
        return Resumption(view.epoch, view.head, (Gap(view.epoch, view.head + 1, None, "ahead", following),))
    if since.offset + 1 < view.oldest:
        return Resumption(
            view.epoch, view.oldest - 1, (Gap(view.epoch, since.offset + 1, view.oldest - 1, "retention"),)
        )
    return Resumption(view.epoch, since.offset)


def _from_the_start(view: JournalView) -> Resumption:
    return _resume_within(Position(view.epoch, 0), view)


def _after_gap(gap: Gap, rest: Resumption) -> Resumption:
    return Resumption(rest.epoch, rest.after, (gap, *rest.gaps), rest.then)
