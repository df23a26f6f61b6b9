"""What was read and not yet taken. Reading never waits for its user, so the buffer is bounded and says what
it lost."""

import asyncio
from collections import deque
from typing import Literal

from listenkey.base.errors import ListenKeyError
from listenkey.client.items import Event, Gap, Item

Overflow = Literal["gap", "error"]


class BufferFull(ListenKeyError):
    """The user took events more slowly than they came, and wants to be told so by an error."""

    code = "buffer_full"


class Buffer:
    """Items in order, for one reader."""

    def __init__(self, most_bytes: int, overflow: Overflow) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._most = most_bytes
        self._overflow = overflow
        self._news = asyncio.Event()
        self._error: BaseException | None = None
        self._ended = False

    def put(self, item: Item) -> None:
        """Add an item. Where there is no room, the oldest events go and a gap stands in their place, or the
        stream ends with `BufferFull`."""
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
        self._items.append(item)
        self._bytes += size
        self._news.set()

    def _make_room(self, size: int) -> None:
        states: list[Item] = []
        first = last = None
        while self._items and (self._bytes + size > self._most or isinstance(self._items[0], Gap)):
            item = self._items.popleft()
            if isinstance(item, Event):
                self._bytes -= len(item.raw)
                first, last = first or item.position, item.position or last
            elif isinstance(item, Gap):
                first, last = first or item.first, item.last or last
            else:
                states.append(item)
        self._items.extendleft(reversed([*states[-1:], Gap("overflow", first, last)]))

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; what is there is still given out, and then the error."""
        self._ended = True
        self._error = self._error or error
        self._news.set()

    def forget(self) -> None:
        """Drop what is there: the reader wants no more."""
        self._items.clear()
        self._bytes = 0

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
        item = self._items.popleft()
        if isinstance(item, Event):
            self._bytes -= len(item.raw)
        return item
