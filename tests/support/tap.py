"""A wire tap: a transparent TCP relay in front of a listener that keeps what went through it, both ways.

It understands nothing but request lines, status lines and listen keys, so that a test can say what a client
asked for and how that was answered without taking either end's word for it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"(GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS) (\S+) HTTP/1\.[01]\r\n")
_LISTEN_KEY = re.compile(rb'"(?:listenKey|token)":"([^"]+)"')
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class Tap:
    """Relay `url` to the listener at `upstream`, on a thread of its own, while in the context."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._wires: list[tuple[bytearray, bytearray]] = []
        self.url = ""

    @property
    def exchanges(self) -> list[tuple[str, str, int]]:
        """Method, target and status of every request that was answered, connection by connection."""
        found = []
        for up, down in self._wires:
            asked = [match.groups() for match in _REQUEST.finditer(bytes(up))]
            statuses = [int(match[1]) for match in _STATUS.finditer(bytes(down))]
            found += [
                (method.decode(), target.decode("latin-1"), status)
                for (method, target), status in zip(asked, statuses, strict=False)
            ]
        return found

    @property
    def listen_keys(self) -> set[str]:
        """Every listen key or listen token that an answer gave away."""
        return {match[1].decode() for _, down in self._wires for match in _LISTEN_KEY.finditer(bytes(down))}

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._relay, "127.0.0.1", 0), self._loop
        ).result()
        self.url = f"{self._upstream.scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        relays = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = wire = (bytearray(), bytearray())
        self._wires.append(wire)
        far_reader, far_writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            await asyncio.gather(_pump(reader, far_writer, up), _pump(far_reader, writer, down))
        finally:
            writer.close()
            far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytearray) -> None:
    """Pass on until one side is done; the other side then gets its end of file, as without the tap."""
    try:
        while data := await reader.read(65536):
            record += data
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except (ConnectionError, OSError):
        writer.close()
