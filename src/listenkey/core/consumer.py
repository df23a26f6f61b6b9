"""Who reads a stream by listen keys, up to where it surely has it, and where it goes on when it comes back.

A consumer outlives its sockets and keys. What is *confirmed* was in the hands of the client's WebSocket
library; what its program did with it nobody can know, so a reopened stream goes back a little further.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeAlias

import msgspec

from listenkey.base.clock import SECOND, Micros
from listenkey.core.position import JournalView, Position

TimeOf: TypeAlias = Callable[[int], Micros]
"""The time of the event at an offset that the journal still holds."""
TimeOfAny: TypeAlias = Callable[[str, int], Micros]
"""The same, by epoch and offset."""

_STEP: Final = 32
"""Events that the search for a moment goes back at first."""


FILTERS: Final = 16
"""So many filters of one consumer have places of their own."""
_FILTER: Final = "events="
SHARED: Final = _FILTER + "*"
"""The place of all other filters, at which nothing counts as had."""
_EVENT_TYPE: Final = re.compile(r"[A-Za-z0-9_]{1,64}\Z", re.ASCII)
_MOST_TYPES: Final = 32


class ConsumerId(msgspec.Struct, frozen=True):
    """Whose reading this is: an API key's of a stream, from one address where that is configured, and which
    of its places."""

    account_id: int
    stream: str
    holder: str
    """Id of the API key that last created or extended the listen key; `ID@ADDRESS` where addresses are told
    apart."""
    place: str = ""
    """A topic, or what `filter_place` makes of a filter; empty for the whole stream."""

    @property
    def whole(self) -> "ConsumerId":
        """The same reader's place in the whole stream, which it has from its beginning."""
        return msgspec.structs.replace(self, place="") if self.place else self

    @property
    def is_passing(self) -> bool:
        """Whether it is forgotten when nobody has used it for long."""
        return is_filter(self.place) or "@" in self.holder


def filter_place(events: frozenset[str] | None) -> str:
    """The place of sockets that are sent only these types of events; None for all."""
    if events is None:
        return ""
    if len(events) > _MOST_TYPES or not all(map(_EVENT_TYPE.match, events)):
        return SHARED
    return _FILTER + "/".join(sorted(events))


def is_filter(place: str) -> bool:
    """Whether a place is a filter's."""
    return place.startswith(_FILTER)


class Cursor(msgspec.Struct, frozen=True):
    """Where a consumer is: it began after offset `begin` of an epoch, and has all up to `confirmed` of it."""

    epoch: str
    begin: int
    confirmed: int
    settled: int
    """What it had for at least the overlap when it last showed life. A catch-up confirms an hour's events in
    a second, and a program that dies in that second has dealt with few of them."""


def lowest(cursors: Collection[Cursor], epochs: Sequence[str]) -> Cursor:
    """Where a place begins that is new: no further than any other place of its consumer. `epochs` are the
    journal's, oldest first; one that is not among them is older."""
    age = {epoch: number for number, epoch in enumerate(epochs)}
    epoch = min((cursor.epoch for cursor in cursors), key=lambda each: age.get(each, -1))
    same = [cursor for cursor in cursors if cursor.epoch == epoch]
    return Cursor(
        epoch,
        min(cursor.begin for cursor in same),
        min(cursor.confirmed for cursor in same),
        min(cursor.settled for cursor in same),
    )


class Reach(msgspec.Struct, frozen=True):
    """How far a reopened stream goes back."""

    overlap: Micros = 10 * SECOND
    """Journal time before the confirmed event that is sent again, and whatever was given within so long …"""
    overlap_events: int = 20
    """… and at least so many events."""
    longest: Micros = 120 * SECOND
    """Nothing older than this is replayed …"""
    most_events: int = 2000
    """… and no more events than this."""


class Opening(msgspec.Struct, frozen=True):
    """A reader begins after `after`. Offsets `passed_first` to `passed_last` were never confirmed and are not
    sent."""

    epoch: str
    after: int
    passed_first: int = 0
    passed_last: int = -1

    @property
    def passed_over(self) -> int:
        """How many events are passed over."""
        return max(0, self.passed_last - self.passed_first + 1)


def start_after(cursor: Cursor, view: JournalView, reach: Reach, time_of: TimeOf, now: Micros) -> Opening:
    """Where a reader of this consumer begins in the journal's current epoch."""
    if cursor.epoch != view.epoch:  # another history: all of the new one is news
        cursor = Cursor(view.epoch, 0, 0, 0)
    confirmed = min(cursor.confirmed, view.head)
    kept = view.oldest - 1
    floor = max(cursor.begin, kept, view.head - reach.most_events)
    start = max(floor, min(cursor.settled, confirmed - reach.overlap_events))
    if start > floor:
        start = _overlapped(start, floor, time_of(confirmed) - reach.overlap + 1, time_of)
    if start < view.head and time_of(start + 1) < now - reach.longest:
        start = _first_at(start + 1, view.head + 1, now - reach.longest, time_of) - 1
    return Opening(view.epoch, start, confirmed + 1, start)


def _overlapped(start: int, floor: int, since: Micros, time_of: TimeOf) -> int:
    """The offset between `floor` and `start` after which all events since a moment come."""
    step = _STEP
    while start > floor and time_of(start) >= since:
        earlier = max(floor, start - step)
        if earlier == floor or time_of(earlier) < since:
            return _first_at(earlier + 1, start, since, time_of) - 1
        start, step = earlier, step * 2
    return start


def _first_at(low: int, high: int, since: Micros, time_of: TimeOf) -> int:
    """The first offset in `low` … `high` whose event is no older than `since`; `high` where none before it
    is."""
    while low < high:
        middle = (low + high) // 2
        if time_of(middle) < since:
            low = middle + 1
        else:
            high = middle
    return low


def start_through(
    cursor: Cursor, views: Sequence[JournalView], reach: Reach, time_of: TimeOfAny, now: Micros
) -> list[Opening]:
    """Where a reader begins in each epoch since the cursor's; `views` has them, oldest first. The bounds hold
    for all of them together."""
    openings: list[Opening] = []
    left = reach.most_events
    for view in reversed(views):
        bounded = msgspec.structs.replace(reach, most_events=left)
        openings.append(start_after(cursor, view, bounded, partial(time_of, view.epoch), now))
        left -= view.head - openings[-1].after
    return openings[::-1]


class Reader:
    """One socket's reading for a consumer, and up to where the socket surely has it."""

    __slots__ = ("_had", "confirmed", "consumer", "crosses", "ended_at", "epoch", "settled")

    def __init__(
        self, consumer: "Consumer", epoch: str, confirmed: int, settled: int, *, crosses: bool
    ) -> None:
        self.consumer = consumer
        self.epoch = epoch
        """The journal's current one, which `confirmed` and `settled` are of."""
        self.confirmed = confirmed
        self.settled = settled
        self.crosses = crosses
        """It is told the end of an older epoch first, and something of this one has to be settled before that
        counts as had."""
        self.ended_at: Micros = 0
        self._had: list[tuple[Micros, int]] = []

    def asks_at(self, sent: int) -> Micros | None:
        """From when on a receipt is of use, with all up to `sent` sent: at once where something is not
        confirmed, later where something may be settled, None where nothing is."""
        if self.confirmed < sent:
            return 0
        if self.settled == self.confirmed and not self.crosses:
            return None
        return self._had[0][0] + self.consumer.overlap if self._had else 0

    def take(self, offset: int, asked: Micros, now: Micros, overlap: Micros) -> None:
        """A receipt for all up to `offset`."""
        self.confirmed = max(self.confirmed, offset)
        while self._had and self._had[0][0] + overlap <= asked:
            self.settled = max(self.settled, self._had.pop(0)[1])
            self.crosses = False
        # Now and then is enough, and costs little where many readers are.
        if not self._had or self._had[-1][0] + overlap // 2 <= now:
            self._had.append((now, offset))


class Consumer:
    """One place of a consumer while somebody reads for it."""

    __slots__ = ("_cursor", "_ended", "_readers", "id", "kept", "overlap", "used_at")

    def __init__(
        self, consumer_id: ConsumerId, cursor: Cursor, overlap: Micros, kept: Cursor | None = None
    ) -> None:
        self.id = consumer_id
        self.kept = kept
        """What the store has, as far as is known."""
        self.used_at: Micros = 0
        """When that was put there."""
        self.overlap = overlap
        self._cursor = cursor
        self._readers: list[Reader] = []
        self._ended: list[Reader] = []

    @property
    def cursor(self) -> Cursor:
        """Where the next reader goes on: the lowest of what open readers have, and those that ended since the
        last one opened."""
        counting = self._readers + self._ended
        if not counting or self.id.place == SHARED or any(reader.crosses for reader in counting):
            return self._cursor
        epoch = counting[0].epoch
        confirmed = min(reader.confirmed for reader in counting)
        settled = min(reader.settled for reader in counting)
        return Cursor(epoch, self._cursor.begin if epoch == self._cursor.epoch else 0, confirmed, settled)

    @property
    def is_idle(self) -> bool:
        """Whether nobody reads."""
        return not self._readers

    def open(self, openings: Sequence[Opening]) -> Reader:
        """A socket begins to read, where `start_through` said for `cursor`; epochs of which nothing is sent
        may be left out. Repeats are not unconfirmed by it."""
        first, current, before = openings[0], openings[-1], self.cursor
        if first.epoch != before.epoch:
            self._readers.clear()
            before = Cursor(first.epoch, 0, 0, 0)
        confirmed, settled = max(first.after, before.confirmed), max(first.after, before.settled)
        self._cursor = Cursor(first.epoch, before.begin, confirmed, settled)
        self._ended.clear()
        self._readers = [reader for reader in self._readers if reader.epoch == current.epoch]
        if first is current:
            reader = Reader(self, current.epoch, confirmed, settled, crosses=False)
        else:
            reader = Reader(self, current.epoch, current.after, current.after, crosses=True)
        self._readers.append(reader)
        return reader

    def confirm(self, reader: Reader, place: Position, asked: Micros, now: Micros) -> bool:
        """The reader surely has all up to `place`, as it was asked at one time and answered at another;
        whether the cursor moved. What is confirmed stays so."""
        if reader not in self._readers or place.epoch != reader.epoch:
            return False
        before = self.cursor
        reader.take(place.offset, asked, now, self.overlap)
        return self.cursor != before

    def end(self, reader: Reader, now: Micros) -> None:
        """The socket is gone; what it confirmed counts until a successor opens."""
        if reader in self._readers:
            self._readers.remove(reader)
            reader.ended_at = now
            self._ended.append(reader)

    @property
    def has_ended(self) -> bool:
        """Whether readers that ended still count."""
        return bool(self._ended)

    def forget_ended(self, before: Micros) -> bool:
        """While somebody reads, those that ended before then do not count any more; whether the cursor
        moved."""
        if not self._readers or not any(reader.ended_at < before for reader in self._ended):
            return False
        cursor = self.cursor
        self._ended = [reader for reader in self._ended if reader.ended_at >= before]
        return self.cursor != cursor
