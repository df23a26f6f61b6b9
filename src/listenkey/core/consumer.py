"""Who reads a stream by listen keys, up to where it surely has it, and where it goes on when it comes back.

A consumer outlives its sockets and keys. What is *confirmed* was in the hands of the client's WebSocket
library; what its program did with it nobody can know, so a reopened stream goes back a little further.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from listenkey.base.clock import SECOND, Micros
from listenkey.core.position import JournalView

TimeOf: TypeAlias = Callable[[int], Micros]
"""The time of the event at an offset that the journal still holds."""


class ConsumerId(msgspec.Struct, frozen=True):
    """Whose reading this is: an API key's of a stream, of one topic where the stream has topics, and from one
    address where that is configured."""

    account_id: int
    stream: str
    holder: str
    """Id of the API key that last created or extended the listen key; `ID@ADDRESS` where addresses are told
    apart."""
    topic: str = ""


class Cursor(msgspec.Struct, frozen=True):
    """Where a consumer is: it began after offset `begin` of an epoch, and has all up to `confirmed` of it."""

    epoch: str
    begin: int
    confirmed: int


class Reach(msgspec.Struct, frozen=True):
    """How far a reopened stream goes back."""

    overlap: Micros = 10 * SECOND
    """Journal time before the confirmed event that is sent again …"""
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
        cursor = Cursor(view.epoch, 0, 0)
    confirmed = min(cursor.confirmed, view.head)
    kept = view.oldest - 1
    wanted = max(cursor.begin, _overlapped(cursor.begin, confirmed, kept, reach, time_of))
    bound = max(kept, view.head - reach.most_events)
    start = max(wanted, bound)
    if start < view.head and time_of(start + 1) < now - reach.longest:
        start = _first_at(start + 1, view.head + 1, now - reach.longest, time_of) - 1
    return Opening(view.epoch, start, confirmed + 1, start)


def _overlapped(begin: int, confirmed: int, kept: int, reach: Reach, time_of: TimeOf) -> int:
    """The offset after which an overlapping replay begins: far enough back in events and in journal time."""
    after = max(begin, kept, confirmed - reach.overlap_events)
    if after <= max(begin, kept) or confirmed <= kept:
        return after
    since = time_of(confirmed) - reach.overlap
    step = reach.overlap_events
    while after > max(begin, kept) and time_of(after) >= since:
        earlier = max(begin, kept, after - step)
        if earlier == max(begin, kept) or time_of(earlier) < since:
            return _first_at(earlier + 1, after, since, time_of) - 1
        after, step = earlier, step * 2
    return after


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


class Reader:
    """One socket's reading for a consumer, and up to where the socket surely has it."""

    __slots__ = ("confirmed", "consumer")

    def __init__(self, consumer: "Consumer", confirmed: int) -> None:
        self.consumer = consumer
        self.confirmed = confirmed


class Consumer:
    """A consumer while somebody reads for it."""

    __slots__ = ("_cursor", "_ended", "_readers", "id")

    def __init__(self, consumer_id: ConsumerId, cursor: Cursor) -> None:
        self.id = consumer_id
        self._cursor = cursor
        self._readers: list[Reader] = []
        self._ended: list[int] = []

    @property
    def cursor(self) -> Cursor:
        """Where the next reader goes on: the lowest confirmed offset of the open readers, and of those that
        ended since the last one opened."""
        offsets = [reader.confirmed for reader in self._readers] + self._ended
        return Cursor(self._cursor.epoch, self._cursor.begin, min(offsets)) if offsets else self._cursor

    @property
    def is_idle(self) -> bool:
        """Whether nobody reads."""
        return not self._readers

    def open(self, opening: Opening) -> Reader:
        """A socket begins to read, where `start_after` said for `cursor`. Repeats are not unconfirmed by
        it."""
        same = opening.epoch == self._cursor.epoch
        confirmed = max(opening.after, self.cursor.confirmed) if same else opening.after
        if not same:
            self._readers.clear()
        self._cursor = Cursor(opening.epoch, self._cursor.begin if same else 0, confirmed)
        self._ended.clear()
        reader = Reader(self, confirmed)
        self._readers.append(reader)
        return reader

    def confirm(self, reader: Reader, offset: int) -> bool:
        """The reader surely has all up to `offset`; whether the cursor moved. What is confirmed stays so."""
        if offset <= reader.confirmed or reader not in self._readers:
            return False
        before = self.cursor
        reader.confirmed = offset
        return self.cursor != before

    def end(self, reader: Reader) -> None:
        """The socket is gone; what it confirmed counts until a successor opens."""
        if reader in self._readers:
            self._readers.remove(reader)
            self._ended.append(reader.confirmed)
