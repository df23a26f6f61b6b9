"""A server that answers what no venue should, as often as it is told to, and is well after that."""

import asyncio
import base64
import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
EVENT = b'{"e":"ORDER_TRADE_UPDATE","E":1,"T":1,"o":{"s":"BTCUSDT","c":"well"}}'
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answer(body=b"", status="200 OK", *headers):
    """A whole answer to a call."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def frame(payload, first=0x81):
    """A whole frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


class Upgrade:
    """What comes after a good handshake; `then` is done with the connection after that."""

    def __init__(self, data=b"", then=None):
        self.data = data
        self.then = then


class Hostile:
    """Bad answers to the first calls and sockets, one each; good ones from then on."""

    def __init__(self, calls=(), sockets=()):
        self._calls, self._sockets = list(calls), list(sockets)
        self.elsewhere = 0
        """Requests that came by another host's name: somebody followed a redirect."""
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # in which what was cut is closed

    async def _accept(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.elsewhere += "/elsewhere" in head
            key = re.search(r"^sec-websocket-key: (\S+)", head, re.IGNORECASE | re.MULTILINE)
            if key:
                said = self._sockets.pop(0) if self._sockets else Upgrade(frame(EVENT), _stay)
            else:
                said = self._calls.pop(0) if self._calls else answer(b'{"listenKey":"abc"}')
            if isinstance(said, Upgrade):
                token = base64.b64encode(hashlib.sha1(key[1].encode() + _GUID).digest())
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n" + said.data
                )
                await writer.drain()
                if said.then is not None:
                    await said.then(writer)
                return
            if callable(said):
                await said(writer)
                return
            writer.write(said)
            await writer.drain()
            if b"Content-Length" not in said:
                return


async def _stay(writer):
    """Leave the connection open for as long as the client wants it."""
    while not writer.is_closing():
        await asyncio.sleep(0.05)


stay = _stay


def without_end(part, first=b""):
    """Something again and again, until nobody wants it any more."""

    async def play(writer):
        writer.write(first)
        while not writer.is_closing():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    return play


def once(data):
    """Something, and then nothing for ever."""

    async def play(writer):
        writer.write(data)
        await _stay(writer)

    return play
