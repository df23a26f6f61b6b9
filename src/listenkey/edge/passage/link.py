"""Connections to a venue: HTTP/1.1 by h11, and the bytes of a WebSocket once it is open.

A connection serves one call at a time and is kept for the next one only where both sides ended theirs in good
order. It repeats nothing.
"""

import asyncio
import ssl
from collections import deque
from typing import Final

import h11

from listenkey.edge.passage.base import Base

_HELD: Final = 262_144
"""Bytes of an answer that may wait for the client before the venue is held up."""
_HEAD_BYTES: Final = 65_536


class LinkLost(Exception):
    """The venue ended the connection, or spoke no HTTP, before its answer was whole."""


class Link(asyncio.Protocol):
    """One connection to a venue."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.idle_since = 0.0
        self.spoken = False
        """Whether anything of the call at hand was written."""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        self._held = 0
        self._paused = False
        self._lost = False
        self._over = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # asyncio ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection is there, TLS included."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer. What comes while nothing was asked makes the connection good for nothing."""
        if self._http.our_state is h11.IDLE:
            self.abort()
            return
        self._http.receive_data(data)
        self._held += len(data)
        if self._held > _HELD and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._news.set()

    def eof_received(self) -> None:
        """The venue sends no more."""
        self._over = True
        if self._http.our_state is not h11.IDLE:
            self._http.receive_data(b"")
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._lost = True
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The venue takes no more for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    # A call -----------------------------------------------------------------------------------------

    def is_usable(self) -> bool:
        """Whether a next call may be made here, as far as this side can know."""
        return not (self._lost or self._over or self.transport.is_closing())

    async def send(self, *events: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        """Write a piece of a request, and wait until there is room for the next. Errors: `LinkLost`."""
        try:
            written = b"".join(self._http.send(event) or b"" for event in events)
        except h11.LocalProtocolError as error:
            raise LinkLost from error
        if self._lost:
            raise LinkLost
        if written:
            self.spoken = True
            self.transport.write(written)
        await self._writable.wait()

    async def receive(self) -> h11.Event:
        """The next piece of the answer. Errors: `LinkLost`."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise LinkLost from error
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise LinkLost
            if event is not h11.NEED_DATA:
                assert isinstance(event, h11.Event)
                return event
            if self._lost:
                raise LinkLost
            self._held = 0
            if self._paused:
                self._paused = False
                self.transport.resume_reading()
            self._news.clear()
            await self._news.wait()

    def finish(self) -> bool:
        """The call is over; whether another may follow on this connection."""
        clean = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not (clean and self.is_usable()) or self._http.trailing_data[0]:
            self.abort()
            return False
        self._http.start_next_cycle()
        self._held = 0
        self.spoken = False
        return True

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        """Leave HTTP after a 101: the transport, and what came behind the head."""
        return self.transport, self._http.trailing_data[0]

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()


class Links:
    """The connections to one address. Unused ones are kept a while."""

    def __init__(self, base: Base, context: ssl.SSLContext | None, *, connect: float, idle: float) -> None:
        """`connect`, `idle`: seconds for a connection to open, and for an unused one to be kept."""
        self.base = base
        self._context = context
        self._connect = connect
        self._idle = idle
        self._free: deque[Link] = deque()
        self._sweep: asyncio.TimerHandle | None = None

    async def take(self) -> Link:
        """A connection for one call. Errors: `OSError`, with `TimeoutError` and those of TLS."""
        now = asyncio.get_running_loop().time()
        while self._free:
            link = self._free.pop()
            if link.is_usable() and link.idle_since + self._idle > now:
                return link
            link.abort()
        return await self.open()

    async def open(self) -> Link:
        """A connection that nobody used before. Errors: as `take`."""
        base = self.base
        async with asyncio.timeout(self._connect):
            _, link = await asyncio.get_running_loop().create_connection(
                Link,
                base.host,
                base.port,
                ssl=self._context if base.tls else None,
                server_hostname=base.host if base.tls else None,
            )
        return link

    def give_back(self, link: Link) -> None:
        """The call is over."""
        if not link.finish() or not self._idle:
            link.abort()
            return
        loop = asyncio.get_running_loop()
        link.idle_since = loop.time()
        self._free.append(link)
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle, self._drop_old)

    def _drop_old(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._idle
        while self._free and (self._free[0].idle_since <= oldest or not self._free[0].is_usable()):
            self._free.popleft().abort()
        self._sweep = loop.call_later(self._idle, self._drop_old) if self._free else None

    def close(self) -> None:
        """End those that are unused."""
        if self._sweep is not None:
            self._sweep.cancel()
        while self._free:
            self._free.pop().abort()
