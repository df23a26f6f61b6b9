"""A client's WebSocket. `websockets` does the handshake, Pings, closing, and whatever is out of the ordinary;
whole plain data frames, of which there are most, are cut out of what arrives here, many at a time."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import CONNECTING, Event

_OPEN_TIMEOUT: Final = 10.0
_CLOSE_TIMEOUT: Final = 2.0
_LARGEST_FRAME: Final = 16 << 20
_MOST_WAITING: Final = 4 << 20
"""Bytes that wait for the reader before the socket is not read on."""
_PLAIN: Final = (0x81, 0x82)
"""How whole frames of data begin: text and binary, nothing reserved."""
_MASKED: Final = 0x80
_log: Final = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # below it addresses and frames are logged, with keys and tokens


@cache
def tls() -> ssl.SSLContext:
    """The authorities that all connections trust; half a megabyte, and so one for all."""
    return httpx.create_ssl_context()


class Socket(ClientConnection):
    """One open socket, read by `receive`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands; the handshake comes next."""
        super().connection_made(transport)
        self._messages: list[bytes] = []
        self._waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._fragments: list[bytes] = []
        self._parts: list[bytes] = []
        """What arrived and is no whole frame yet."""
        self._had = 0
        self._wanted = 0
        self._given_over = False
        """Whether all that comes is for the library alone: the connection is ending."""
        self._end: asyncio.TimerHandle | None = None

    async def receive(self) -> list[bytes]:
        """Every message that came since, after waiting for the first; none once the other side has closed in
        good order. Errors: `ConnectionClosed`, when it did not."""
        while not self._messages:
            if self.connection_lost_waiter.done():
                error = self.protocol.close_exc
                if isinstance(error, ConnectionClosedOK):
                    return []
                raise error from self.connection_exc
            self._waiter = self.loop.create_future()
            await self._waiter
        messages, self._messages = self._messages, []
        self._taken()
        return messages

    async def receive_one(self) -> bytes:
        """The next message alone. Errors: `ConnectionClosed`, whoever closed."""
        messages = await self.receive()
        if not messages:
            raise self.protocol.close_exc
        self._messages = messages[1:] + self._messages
        return messages[0]

    def _taken(self) -> None:
        if self._waiting_bytes > _MOST_WAITING and not self.transport.is_closing():
            self.transport.resume_reading()
        self._waiting_bytes = 0

    def _put(self, messages: list[bytes], size: int) -> None:
        self._messages += messages
        self._waiting_bytes += size
        was_full = self._waiting_bytes - size > _MOST_WAITING
        if self._waiting_bytes > _MOST_WAITING and not was_full and not self.transport.is_closing():
            self.transport.pause_reading()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # From the transport -----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self.protocol.state is CONNECTING:
            data = self._hand_shake(data)
        if self._given_over or not data:
            if data:
                super().data_received(data)
            return
        self._parts.append(data)
        self._had += len(data)
        if self._had >= self._wanted:
            self._cut(data if len(self._parts) == 1 else b"".join(self._parts))

    def _hand_shake(self, data: bytes) -> bytes:
        """Give the library its answer, line by line, so that what comes after it is left over."""
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines):
            super().data_received(line)
            if self.protocol.state is not CONNECTING:
                return b"".join(lines[number + 1 :])
        return b""

    def _cut(self, data: bytes) -> None:
        """Take the whole frames out of bytes that begin with one; what is left waits for more."""
        messages: list[bytes] = []
        at, size, wanted, passed = 0, len(data), 2, 0
        while size - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if length == 126 or length == 127:
                start = at + (4 if length == 126 else 10)
                if start > size:
                    wanted = start - at
                    break
                length = int.from_bytes(data[at + 2 : start])
            elif length & _MASKED:
                length = _LARGEST_FRAME + 1
            if length > _LARGEST_FRAME:  # the library ends a connection that has such frames
                self._give_over()
                break
            end = start + length
            if end > size:
                wanted = end - at
                break
            if first in _PLAIN and not self._fragments:
                messages.append(data[start:end])
                passed += length
            else:
                self._extraordinary(data[at:end], messages, passed)
                messages, passed = [], 0
            at = end
            if self._given_over:
                break
        if messages:
            self._put(messages, passed)
        self._leave(data[at:], wanted)

    def _extraordinary(self, frame: bytes, before: list[bytes], size: int) -> None:
        """Give a frame to the library, after what came before it."""
        if before:
            self._put(before, size)
        super().data_received(frame)
        if self.protocol.close_rcvd is not None or self.protocol.parser_exc is not None:
            self._give_over()

    def _give_over(self) -> None:
        """The connection ends; one that the other side then leaves open is cut."""
        self._given_over = True
        self._end = self.loop.call_later(_CLOSE_TIMEOUT, self.transport.abort)

    def _leave(self, rest: bytes, wanted: int) -> None:
        self._parts, self._had, self._wanted = ([rest] if rest else []), len(rest), wanted
        if self._given_over and rest:
            self._parts, self._had = [], 0
            super().data_received(rest)

    def process_event(self, event: Event) -> None:
        """What the library made of a frame, or of the handshake's answer."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        self._fragments.append(bytes(event.data))
        if event.fin:
            message = b"".join(self._fragments)
            self._fragments = []
            self._put([message], len(message))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what came before is still given out."""
        super().connection_lost(exc)
        if self._end is not None:
            self._end.cancel()
        self._wake()


class _Connect(connect):
    """Follows no redirect: addresses of streams carry keys."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@asynccontextmanager
async def open_socket(url: str, headers: dict[str, str] | None = None) -> AsyncIterator[Socket]:
    """A socket, closed at the end. Errors: those of `websockets`, `OSError`, `TimeoutError`."""
    async with _Connect(
        url,
        additional_headers=headers,
        create_connection=Socket,
        logger=_log,
        compression=None,
        proxy=None,
        ping_interval=None,
        open_timeout=_OPEN_TIMEOUT,
        close_timeout=_CLOSE_TIMEOUT,
        max_size=_LARGEST_FRAME,
        ssl=tls() if url.startswith("wss:") else None,
    ) as socket:
        assert isinstance(socket, Socket)
        yield socket
