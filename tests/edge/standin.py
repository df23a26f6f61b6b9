"""A venue that answers as it is told, byte for byte, and remembers what it heard."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Self

from tests.edge.gate import WAIT

Script = Callable[["Call"], Awaitable[None]]


class Call:
    """One request that reached the venue: its head is read, its body is not."""

    def __init__(
        self, number: int, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connection, self.head = number, head
        self.reader, self.writer = reader, writer

    @property
    def line(self) -> bytes:
        """The request line."""
        return self.head.split(b"\r\n", 1)[0]

    @property
    def headers(self) -> list[bytes]:
        """The header lines, as they came."""
        return self.head.split(b"\r\n")[1:-2]

    async def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"{}", head: bytes = b"HTTP/1.1 200 OK\r\n") -> None:
        """A whole answer with its length."""
        await self.say(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def reset(self) -> None:
        """Cut the connection."""
        self.writer.transport.abort()


class StandIn:
    """A venue on loopback. `script` is played to each request."""

    def __init__(self, script: Script | None = None, context: ssl.SSLContext | None = None) -> None:
        self.script = script or Call.answer
        self.calls: list[Call] = []
        self.opened = 0
        self._context = context

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        port = self._server.sockets[0].getsockname()[1]
        self.authority = f"127.0.0.1:{port}"
        self.url = f"http{'s' if self._context else ''}://{self.authority}"
        self._tasks: set[asyncio.Task[None] | None] = set()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        for task in self._tasks:
            if task is not None:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        self.opened += 1
        number = self.opened
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                call = Call(number, head, reader, writer)
                self.calls.append(call)
                await self.script(call)
                if writer.transport.is_closing():
                    return
        writer.transport.abort()

    async def heard(self, number: int = 1) -> Call:
        """The call of that number, once it is there."""
        async with asyncio.timeout(WAIT):
            while len(self.calls) < number:
                await asyncio.sleep(0.005)
        return self.calls[number - 1]
