"""What happened in a world of deliveries, and whether all of it was promised.

The history is written by everybody as they go: what the journals held; what each program was given, had dealt
with, and took along when it died; where the gateway let each reader begin, and what it says it passed over.
`problems` looks at nothing else.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from listenkey.base.clock import Micros

Stream = tuple[str, str]
"""Account and stream."""
Place = tuple[int, int]
"""Number of the epoch, and offset."""


@dataclass(frozen=True)
class Event:
    """One event of a journal."""

    number: int
    place: Place
    time: Micros
    kind: str


@dataclass(frozen=True)
class Drop:
    """A program ended, or its library forgot, what it had been given before."""

    number: int
    taken: Micros
    dropped: Micros


@dataclass(frozen=True)
class Start:
    """Where the gateway let a socket begin: after an offset, with the journal as it was then."""

    time: Micros
    place: Place
    head: Place
    wanted: Place
    """Where it should have, by a naive look at the cursor of then."""
    cursor: Place
    kept: Place
    """The cursor that had been committed by then."""
    oldest: dict[int, int]
    """Of each epoch, the first offset that retention had left."""


@dataclass(frozen=True)
class Receipt:
    """The gateway took it that a socket's library had so many events of a start, the last one at `place`."""

    socket: int
    place: Place
    since: Place
    taken: int


@dataclass
class Reading:
    """What one bot reads: a stream, or one topic of it."""

    bot: str
    stream: Stream
    kinds: frozenset[str]
    program: str = ""
    """Whoever deals with what comes: one program may read by several filters in turn."""
    begun: Micros | None = None
    """Events that were handed in later are owed."""
    handled: set[int] = field(default_factory=set)
    drops: list[Drop] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    sockets: "list[Heard]" = field(default_factory=list)
    passed: list[tuple[Place, Place]] = field(default_factory=list)
    """First and last place of what the log says was passed over."""


@dataclass
class Heard:
    """What one socket brought of a reading, in order."""

    socket: int
    keys: list[str]
    taken: list[tuple[Micros, int]]


@dataclass
class Bounds:
    """What the gateway was told to keep to."""

    overlap: Micros
    longest: Micros
    most_events: int


@dataclass
class History:
    """Everything that is needed to judge a world."""

    bounds: Bounds
    journals: dict[Stream, list[Event]] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    handed_in: dict[int, Micros] = field(default_factory=dict)
    """When each event was handed in, acknowledged or not."""
    acknowledged: set[int] = field(default_factory=set)
    ended_keys: dict[str, Micros] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    """Events that reached somebody whose they are not."""


def problems(history: History) -> list[str]:
    """Everything that should not have happened; nothing where all promises were kept."""
    found = [f"foreign: {each}" for each in history.foreign]
    journaled = {event.number for events in history.journals.values() for event in events}
    found += [f"acknowledged and not journaled: {number}" for number in history.acknowledged - journaled]
    programs: dict[str, list[_Judge]] = {}
    for reading in history.readings:
        judge = _Judge(history, reading, history.journals.get(reading.stream, []))
        programs.setdefault(reading.program or reading.bot, []).append(judge)
        found += [f"{reading.bot} {reading.stream[1]}: {each}" for each in judge.problems()]
    for program, judges in programs.items():
        found += [f"{program}: {each}" for each in _losses(judges)]
    return found


def _losses(judges: "list[_Judge]") -> Iterator[str]:
    """What a program dealt with by none of its readings, and none of them has an excuse for."""
    handled = {number for judge in judges for number in judge.reading.handled}
    owed = {number: event for judge in judges for number, event in judge.by_number.items()}
    for number, event in owed.items():
        if number in handled:
            continue
        lost = [judge.loss(event) for judge in judges if number in judge.by_number]
        if all(lost):
            yield " and ".join(each for each in lost if each)


class _Judge:
    """One reading."""

    def __init__(self, history: History, reading: Reading, events: list[Event]) -> None:
        self.history, self.reading = history, reading
        self.bounds = history.bounds
        self.events = [event for event in events if event.kind in reading.kinds]
        self.all_places = [event.place for event in events]
        self.by_number = {event.number: event for event in self.events}
        self.places = [event.place for event in self.events]
        self.drops: dict[int, list[Drop]] = {}
        for drop in reading.drops:
            self.drops.setdefault(drop.number, []).append(drop)

    def problems(self) -> Iterator[str]:
        for heard in self.reading.sockets:
            yield from self._socket(heard)
        for start in self.reading.starts:
            yield from self._start(start)
        for receipt in self.reading.receipts:
            yield from self._receipt(receipt)

    # One socket ---------------------------------------------------------------------------------------

    def _socket(self, heard: Heard) -> Iterator[str]:
        """In order, none twice, none left out, and none after the end of its keys."""
        ends = [self.history.ended_keys.get(key) for key in heard.keys]
        end = None if None in ends else max((at for at in ends if at is not None), default=None)
        before: Place | None = None
        for _, number in heard.taken:
            event = self.by_number.get(number)
            if event is None:
                yield f"socket {heard.socket} was sent {number}, which nobody published or it did not ask for"
                continue
            if before is not None and event.place <= before:
                yield f"socket {heard.socket} was sent {event.place} after {before}"
            elif before is not None:
                left_out = self.events[bisect_right(self.places, before) : self._index(event.place)]
                for other in left_out:
                    if not self._was_passed_over(other):
                        yield f"socket {heard.socket} was not sent {other.place}, but {event.place}"
            if end is not None and event.time > end:
                yield f"socket {heard.socket} was sent {event.place} after the end of its keys"
            before = event.place

    def _index(self, place: Place) -> int:
        return bisect_right(self.places, place) - 1

    # Where readers begin ------------------------------------------------------------------------------

    def _start(self, start: Start) -> Iterator[str]:
        """Where it should, and never by a cursor below what was kept."""
        if start.place != start.wanted:
            yield f"at {start.time} a socket began after {start.place}, and should have after {start.wanted}"
        if start.cursor < start.kept:
            yield f"at {start.time} the cursor was {start.cursor}, and {start.kept} had been kept before"

    def _receipt(self, receipt: Receipt) -> Iterator[str]:
        """Nothing is confirmed that the library had not taken."""
        between = slice(bisect_right(self.places, receipt.since), bisect_right(self.places, receipt.place))
        sent = between.stop - between.start
        if receipt.taken < sent:
            sent -= sum(self._was_passed_over(event) for event in self.events[between])
        if receipt.taken < sent:
            yield (
                f"socket {receipt.socket} had {receipt.taken} of the {sent} events after {receipt.since}"
                f" that it is taken to have by {receipt.place}"
            )

    # Losses -------------------------------------------------------------------------------------------

    def loss(self, event: Event) -> str:
        """What is wrong with an event that was not dealt with; empty for one of the announced excuses."""
        if not self._is_owed(event) or self._was_passed_over(event):
            return ""
        drops = self.drops.get(event.number, [])
        if any(drop.dropped - drop.taken >= self.bounds.overlap for drop in drops):
            return ""
        last = max((drop.dropped for drop in drops), default=None)
        if last is not None and self._is_beyond_the_bounds(event, last):
            return ""
        return f"lost: {event.number} at {event.place} of {event.time}, taken and dropped {drops}"

    def _is_owed(self, event: Event) -> bool:
        begun = self.reading.begun
        return begun is not None and self.history.handed_in[event.number] > begun

    def _was_passed_over(self, event: Event) -> bool:
        return any(first <= event.place <= last for first, last in self.reading.passed)

    def _is_beyond_the_bounds(self, event: Event, last: Micros) -> bool:
        """Whether at the first opening that did not go back to it, it was too old, too far back or forgotten.
        The log need not say so: it had been given before."""
        for start in self.reading.starts:
            if start.time >= last and start.place >= event.place:
                newer = slice(
                    bisect_right(self.all_places, event.place), bisect_right(self.all_places, start.head)
                )
                return (
                    event.time < start.time - self.bounds.longest
                    or newer.stop - newer.start >= self.bounds.most_events
                    or event.place[1] < start.oldest.get(event.place[0], 0)
                )
        return False
