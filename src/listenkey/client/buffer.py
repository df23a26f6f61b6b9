"""What was read and not yet taken. Reading never waits for its user, so the buffer is bounded and says what
it lost."""

import asyncio
from collections import deque
from typing import Literal

from listenkey.base.errors import ListenKeyError
from listenkey.client.items import Event, Gap, Item
from listenkey.core.position import Position

Overflow = Literal["gap", "error"]


class BufferFull(ListenKeyError):
    """The user took events more slowly than they came, and wants to be told so by an error."""

    code = "buffer_full"


class Buffer:
    """Items in order, for one reader."""

    def __init__(self, most_bytes: int, overflow: Overflow) -> None:
        self._items: deque[tuple[Item, Position | None]] = deque()
        """Each with the position of the reader who has not taken it yet."""
        self._bytes = 0
        self._most = most_bytes
        self._overflow = overflow
        self._news = asyncio.Event()
        self._error: BaseException | None = None
        self._ended = False

    def put(self, item: Item, before: Position | None = None) -> None:
        """Add an item; `before`: the position up to it. Where there is no room, the oldest events go and a
        gap stands in their place, or the stream ends with `BufferFull`."""
        if self._ended:
            return
        size = len(item.raw) if isinstance(item, Event) else 0
        if size and self._bytes + size > self._most:
            if self._overflow == "error":
                self.end(
                    BufferFull(
                        "events came faster than they were taken",
                        "take them faster, give the buffer more bytes, or set overflow='gap'",
                    )
                )
                return
            self._make_room(size)
        self._items.append((item, before))
        self._bytes += size
        self._news.set()

    def _make_room(self, size: int) -> None:
        states: list[Item] = []
        first = last = None
        since = until = 0
        before = self.waiting_from()
        while self._items and (self._bytes + size > self._most or isinstance(self._items[0][0], Gap)):
            item, _ = self._items.popleft()
            if isinstance(item, Event):
                self._bytes -= len(item.raw)
                first, last = first or item.position, item.position or last
            elif isinstance(item, Gap):
                first, last = first or item.first, item.last
                since, until = since or item.since_ms, item.until_ms or until
            else:
                states.append(item)
        told = [*states[-1:], Gap("overflow", first, last, since, until)]
        self._items.extendleft((item, before) for item in reversed(told))

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; what is there is still given out, and then the error."""
        self._ended = True
        self._error = self._error or error
        self._news.set()

    def forget(self) -> None:
        """Drop what is there: the reader wants no more."""
        self._items.clear()
        self._bytes = 0

    def waiting_from(self) -> Position | None:
        """The position of who has taken nothing of what waits; None where nothing waits, or it has none."""
        return self._items[0][1] if self._items else None

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
            await self._news.wait()
        return self.get_now()

    def get_now(self) -> Item | None:
        """The next item, if there is one by now."""
        if not self._items:
            return None
        item, _ = self._items.popleft()
        if isinstance(item, Event):
            self._bytes -= len(item.raw)
        return item
