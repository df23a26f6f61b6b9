"""The same streams for programs without an event loop: `open_stream`, with `with` and `for`."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from listenkey.client.items import Event, Item
from listenkey.client.stream import Stream
from listenkey.client.stream import open_stream as open_asynchronously
from listenkey.core.moment import Moment
from listenkey.core.position import Position

_R = TypeVar("_R")


class BlockingStream:
    """A stream whose sockets and timers live on a thread of their own. Use it from one thread."""

    def __init__(self, stream: str, arguments: dict[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"listenkey {stream}", daemon=True
        )
        self._thread.start()
        try:
            self._stream: Stream = self._run(_make(stream, arguments))
        except BaseException:
            self._end()
            raise

    def _run(self, work: Coroutine[Any, Any, _R]) -> _R:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def __enter__(self) -> Self:
        self._run(self._stream.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream and its thread."""
        if self._loop.is_closed():
            return
        try:
            self._run(self._stream.close())
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __iter__(self) -> Iterator[Item]:
        while (item := self._run(self._stream.next_item())) is not None:
            yield item

    def events(self) -> Iterator[Event]:
        """The events alone."""
        return (item for item in self if isinstance(item, Event))

    @property
    def position(self) -> Position | Moment | None:
        """Up to where everything was read."""
        return self._told(lambda: self._stream.position)

    @property
    def holdings(self) -> bytes:
        """As of the asynchronous stream."""
        return self._told(lambda: self._stream.holdings)

    def _told(self, tell: Callable[[], _R]) -> _R:
        """What is so between two events, which come on the stream's own thread."""
        if self._loop.is_closed():
            return tell()

        async def told() -> _R:
            return tell()

        return self._run(told())


async def _make(stream: str, arguments: dict[str, Any]) -> Stream:
    return open_asynchronously(stream, **arguments)


def open_stream(stream: str, **arguments: Any) -> BlockingStream:
    """As `listenkey.open_stream`, to be entered with `with` and read with `for`."""
    return BlockingStream(stream, arguments)
