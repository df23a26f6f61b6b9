"""What was read and not yet taken. Reading never waits for its user, so the buffer is bounded and says what
it lost."""

import asyncio
from collections import deque
from typing import Final, Literal

from listenkey.base.errors import ListenKeyError
from listenkey.client.items import Event, Gap, Item, State, sent_at_ms
from listenkey.client.spill import Place, Spill, SpillFull
from listenkey.core.moment import Moment

Overflow = Literal["spill", "gap", "error"]
BUFFER_BYTES: Final = 16 << 20
SPILL_BYTES: Final = 256 << 20
_OVERHEAD: Final = 256
"""Bytes that an item takes besides its event's."""


class BufferFull(ListenKeyError):
    """The user took events more slowly than they came, and wants to be told so by an error."""

    code = "buffer_full"


class Buffer:
    """Items in order, for one reader. What spilled is later than what is in memory, which is only empty when
    nothing waits at all."""

    def __init__(
        self, most_bytes: int = BUFFER_BYTES, overflow: Overflow = "spill", spill_bytes: int = SPILL_BYTES
    ) -> None:
        self._items: deque[tuple[Item, Place | None, int]] = deque()
        """Each with the position of the reader who has not taken it yet, and its bytes."""
        self._bytes = 0
        self._most = most_bytes
        self._overflow = overflow
        self._spill = Spill(spill_bytes if overflow == "spill" else 0)
        self._spilled = False
        self._news = asyncio.Event()
        self._awaited = False
        self._error: BaseException | None = None
        self._ended = False
        self._gap: Gap | None = None
        """The last one that was made here, and how many events are lost in it."""
        self._lost = 0

    def put(self, item: Item, before: Place | None = None) -> None:
        """Add an item; `before`: the position up to it. Where there is no room, it goes to the file; where
        that has none, the oldest events go and a gap stands in their place, or the stream ends with
        `BufferFull`."""
        if self._ended:
            return
        size = _OVERHEAD + len(item.raw) if isinstance(item, Event) else _OVERHEAD
        if self._bytes + size > self._most or self._spilled:
            self._put_elsewhere(item, before, size)
            return
        self._items.append((item, before, size))
        self._bytes += size
        if self._awaited:
            self._news.set()

    def _put_elsewhere(self, item: Item, before: Place | None, size: int) -> None:
        if self._overflow == "error" and isinstance(item, Event):
            self.end(
                BufferFull(
                    "events came faster than they were taken",
                    "take them faster, give the buffer more bytes, or set overflow='spill'",
                )
            )
            return
        while self._overflow == "spill" and self._items:
            try:
                self._spill.put(item, before)
            except SpillFull:
                if not self._spill:
                    break
                self._drop(self._most + 1)  # all that is in memory, for the oldest that spilled
                self._refill()
            else:
                self._spilled = True
                return
        self._drop(size)
        self._items.append((item, before, size))
        self._bytes += size
        self._news.set()

    def _drop(self, size: int) -> None:
        """Let the oldest items go until so many bytes have room, and put a gap in their place. Of the states
        among them the last is kept."""
        states: list[Item] = []
        dropped: list[Item] = []
        before = self.waiting_from()
        while self._items and (self._bytes + size > self._most or isinstance(self._items[0][0], Gap)):
            item, _, its_size = self._items.popleft()
            self._bytes -= its_size
            (states if isinstance(item, State) else dropped).append(item)
        gap = [self._gap_of(dropped)] if dropped else []
        for told in (*gap, *states[-1:]):
            self._items.appendleft((told, before, _OVERHEAD))
            self._bytes += _OVERHEAD

    def _gap_of(self, dropped: list[Item]) -> Gap:
        first = last = None
        since = until = lost = 0
        for item in dropped:
            if isinstance(item, Event):
                first, last = first or item.position, item.position or last
                sent = 0 if item.position else sent_at_ms(item.raw)
                since, until = since or max(0, sent - 1), max(until, sent)
                lost += 1
            elif isinstance(item, Gap):
                first, last = first or item.first, item.last
                since, until = since or item.since_ms, item.until_ms or until
                lost += self._lost if item is self._gap else 0
        why = f"{lost} events were not taken in time"
        self._gap, self._lost = Gap("overflow", first, last, since, until, why=why), lost
        return self._gap

    def _refill(self) -> None:
        for item, before in self._spill.take():
            size = _OVERHEAD + len(item.raw) if isinstance(item, Event) else _OVERHEAD
            self._items.append((item, before, size))
            self._bytes += size
        self._spilled = bool(self._spill)

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; what is there is still given out, and then the error."""
        self._ended = True
        self._error = self._error or error
        self._news.set()

    def forget(self) -> None:
        """Drop what is there: the reader wants no more."""
        self._items.clear()
        self._bytes = 0
        self._spill.close()
        self._spilled = False

    def waiting_from(self) -> Place | None:
        """The position of who has taken nothing of what waits; None where nothing waits, or it has none."""
        if not self._items:
            return None
        item, before, _ = self._items[0]
        if before is None and isinstance(item, Event) and item.position is None:
            sent = sent_at_ms(item.raw)  # of a venue, which says when it did
            return Moment(sent - 1) if sent else None
        return before

    @property
    def empty(self) -> bool:
        """Whether everything was taken."""
        return not self._items

    async def get(self) -> Item | None:
        """The next item; None at the end. Errors: the one that ended the stream."""
        while not self._items:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._news.clear()
            self._awaited = True
            await self._news.wait()
            self._awaited = False
        return self.get_now()

    def get_now(self) -> Item | None:
        """The next item, if there is one by now."""
        if not self._items:
            return None
        item, _, size = self._items.popleft()
        self._bytes -= size
        if self._spilled and not self._items:
            self._refill()
        return item
