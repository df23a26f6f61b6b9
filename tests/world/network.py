"""Connections between bots and a gateway: latency, small buffers, and breaks at any byte, of both kinds."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from listenkey.base.clock import Micros
from tests.world.timeloop import TimeLoop

HIGH, LOW = 4096, 1024
"""What a transport of the gateway holds before it asks for a pause, and when it asks for more."""


class Wire:
    """One connection. The bot's end is a `client` with `received`, `lost`; the gateway's is a transport."""

    def __init__(self, loop: TimeLoop, latency: Micros, window: int) -> None:
        """`window`: bytes on their way, or arrived and not read, beyond which the sender has to wait."""
        self.loop = loop
        self.client: Any = None
        self.server = ServerEnd(self)
        self.cut_after: int | None = None
        """Of the bytes towards the bot, so many get through; then the connection breaks."""
        self.notices: Micros | None = 0
        """How long after a break the gateway hears of it; None for never."""
        self.broken = False
        self._latency = latency
        self._window = window
        self._flying = 0
        self._arrived = bytearray()
        # Timers of one moment go off in any order; bytes do not.
        self._down: deque[bytes] = deque()
        self._up: deque[bytes] = deque()

    # Towards the bot --------------------------------------------------------------------------------

    def room(self) -> int:
        """How many bytes may be sent now."""
        return self._window - self._flying - len(self._arrived)

    def carry(self, data: bytes) -> None:
        """Bytes leave the gateway."""
        self._flying += len(data)
        self._down.append(data)
        self.loop.after(self._latency, self._arrive)

    def _arrive(self) -> None:
        data = self._down.popleft()
        if self.broken:
            return
        if self.cut_after is not None and len(data) >= self.cut_after:
            data = data[: self.cut_after]
            self._take_in(data)
            self.break_off()
            return
        if self.cut_after is not None:
            self.cut_after -= len(data)
        self._flying -= len(data)
        self._take_in(data)

    def _take_in(self, data: bytes) -> None:
        self._arrived += data
        if self.client is not None:
            self.client.readable()

    def read(self) -> bytes:
        """What has arrived, which makes room for more."""
        data = bytes(self._arrived)
        self._arrived.clear()
        if data and not self.broken:
            self.loop.call_soon(self.server.pump)
        return data

    def finish(self, *, orderly: bool) -> None:
        """The gateway ended the connection: after all that it sent, or at once."""
        self.loop.after(self._latency, self._end_reached, orderly)

    def _end_reached(self, orderly: bool) -> None:
        if not self.broken:
            self.broken = True
            self.client.lost(orderly)

    # Towards the gateway ----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """The bot sends bytes."""
        if not self.broken:
            self._up.append(data)
            self.loop.after(self._latency, self._reach_server)

    def _reach_server(self) -> None:
        data = self._up.popleft()
        if not self.broken:
            self.server.received(data)

    # Breaks ------------------------------------------------------------------------------------------

    def break_off(self) -> None:
        """The connection breaks: the bot hears of it now, the gateway later or never."""
        if self.broken:
            return
        self.broken = True
        self.client.lost(False)
        if self.notices is not None:
            self.loop.after(self.notices, self.server.reset)

    def hang_up(self) -> None:
        """The bot's end is closed, and what it sent before still arrives."""
        if not self.broken:
            self.broken = True
            if self.notices is not None:
                self.loop.after(self._latency + self.notices, self.server.reset)


class ServerEnd(asyncio.Transport):
    """The gateway's end of a wire."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self.protocol: Any = None
        self.is_alive: Callable[[str], bool] = lambda _: True
        """Asked before anything leaves: whether the process is still there."""
        self._waiting = bytearray()
        self._paused = False
        self._closing = False
        self._gone = False

    def write(self, data: bytes) -> None:
        if self._closing or self._gone or not self.is_alive("write"):
            return
        self._waiting += data
        self.pump()
        if len(self._waiting) > HIGH and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def pump(self) -> None:
        """Send on what there is room for."""
        if self._gone or not self.is_alive(""):
            return
        room = self.wire.room()
        if room > 0 and self._waiting:
            self.wire.carry(bytes(self._waiting[:room]))
            del self._waiting[:room]
        if self._closing and not self._waiting:
            self._end(orderly=True)
        elif self._paused and len(self._waiting) <= LOW:
            self._paused = False
            self.protocol.resume_writing()

    def received(self, data: bytes) -> None:
        """Bytes from the bot."""
        if not self._gone and self.is_alive(""):
            self.protocol.data_received(data)

    def reset(self) -> None:
        """The connection is found broken."""
        self._drop()

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def is_closing(self) -> bool:
        return self._closing or self._gone

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        if not self._closing and not self._gone:
            self._closing = True
            self.pump()

    def abort(self) -> None:
        if not self._gone:
            self._waiting.clear()
            self._end(orderly=False)

    def _end(self, *, orderly: bool) -> None:
        self.wire.finish(orderly=orderly)
        self._drop()

    def _drop(self) -> None:
        if not self._gone:
            self._gone = True
            self.wire.loop.call_soon(self._lost)

    def _lost(self) -> None:
        if self.is_alive(""):
            self.protocol.connection_lost(None)
