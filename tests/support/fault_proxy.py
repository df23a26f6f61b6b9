"""A network that fails on order: a TCP relay in front of a listener, which cuts connections at a chosen byte.

    with FaultProxy(gateway.venue) as proxy:
        cut = proxy.cut("reset", "down", after=700)

It understands nothing of what it carries; a connection may be cut from where the client sent certain bytes on
it, by which streams are told from calls. Everything that was passed on is kept with its time, so that a test
can say afterwards what each end can have known.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Literal, Self, cast
from urllib.parse import urlsplit

Direction = Literal["up", "down"]
"""`up` is from the client to the listener."""
Kind = Literal["reset", "finish", "half_open", "silent"]
"""`reset`: both ends get an RST. `finish`: both get an end of file, as if the other had gone. `half_open`:
the client gets an RST, and the listener hears nothing. `silent`: neither hears anything; the client gets its
RST after a while."""
KINDS: tuple[Kind, ...] = ("reset", "finish", "half_open", "silent")
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
UPGRADE = b"pgrade: websocket"

_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Cut:
    """One connection was cut: `passed` bytes had gone through in that direction, and no more did."""

    wire: int
    kind: Kind
    direction: Direction
    passed: int
    at: float


@dataclass
class _Order:
    """What is to be done to the next marked connection."""

    kind: Kind
    direction: Direction
    left: int
    patience: float
    done: Future[Cut]


@dataclass(frozen=True)
class Chunk:
    """Bytes that were passed on, and when."""

    at: float
    direction: Direction
    data: bytes


@dataclass(eq=False)
class Wire:
    """One connection through the proxy. Times are `time.monotonic()`."""

    number: int
    opened: float
    marked: int | None = None
    """The chunk with which it began to be one that may be cut."""
    ended: float | None = None
    """When the listener's side of it ended."""
    chunks: list[Chunk] = field(default_factory=list)

    def carried(self, direction: Direction) -> bytes:
        """All that was passed on in one direction, since the mark if there was one."""
        return b"".join(chunk.data for chunk in self.chunks[self.marked :] if chunk.direction == direction)


class FaultProxy:
    """Relay `url` to the listener at `upstream`, on a thread of its own, while in the context.

    `hush` is how many seconds the listener's side of a half-open connection lives on, and how long a client
    hears nothing after a silent cut.
    """

    def __init__(
        self, upstream: str, *, marked: bytes = UPGRADE, hush: float = 1.0, seed: int | None = None
    ) -> None:
        self.wires: list[Wire] = []
        self.cuts: list[Cut] = []
        self.url = ""
        self._upstream = urlsplit(upstream)
        self._marked = marked.lower()
        self._hush = hush
        self._dice = random.Random(seed)
        self._numbers = count()
        self._orders: list[_Order] = []
        self._relays: set[_Relay] = set()
        self._empty = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def cut(self, kind: Kind, direction: Direction, after: int, patience: float = 1.0) -> Future[Cut]:
        """Cut the marked connection that is open, or else the next one, when `after` more bytes have passed
        in that direction; after `patience` seconds at whatever byte it has come to. Orders queue."""
        order = _Order(kind, direction, after, patience, Future())
        self._loop.call_soon_threadsafe(self._take, order)
        return order.done

    def cut_somewhere(
        self, directions: Sequence[Direction] = DIRECTIONS, patience: float = 1.0
    ) -> Future[Cut]:
        """Cut in a way, in one of the directions, and at a byte that the dice say."""
        kind, direction = self._dice.choice(KINDS), self._dice.choice(directions)
        # Towards the listener go some hundred bytes of a handshake, and then a few now and again.
        after = self._dice.randrange(400 if direction == "up" else 12_000)
        return self.cut(kind, direction, after, patience)

    @property
    def marked(self) -> list[Wire]:
        """The connections that could be cut, in the order in which they were opened."""
        return [wire for wire in self.wires if wire.marked is not None]

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()
        self.url = f"{self._upstream.scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> asyncio.Server:
        return await self._loop.create_server(self._accept, "127.0.0.1", 0)

    def _accept(self) -> asyncio.Protocol:
        wire = Wire(next(self._numbers), time.monotonic())
        self.wires.append(wire)
        relay = _Relay(self, wire)
        self._relays.add(relay)
        self._empty.clear()
        return relay.near

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for order in self._orders:
            order.done.cancel()
        for relay in tuple(self._relays):
            relay.reset()
        if self._relays:
            await self._empty.wait()

    # What relays ask for ----------------------------------------------------------------------------

    async def dial(self, protocol: asyncio.Protocol) -> None:
        """Connect to the listener."""
        host, port = self._upstream.hostname, self._upstream.port
        await self._loop.create_connection(lambda: protocol, host, port)

    def has_mark(self, data: bytes) -> bool:
        """Whether these bytes say that the connection may be cut from here on."""
        return self._marked in data.lower()

    def next_order(self) -> _Order | None:
        """The order that waits for a connection."""
        return self._orders.pop(0) if self._orders else None

    def give_back(self, order: _Order) -> None:
        """The connection ended before its order could be carried out; it is for the next one."""
        self._orders.insert(0, order)

    def has_cut(self, order: _Order, cut: Cut) -> None:
        """An order was carried out."""
        self.cuts.append(cut)
        order.done.set_result(cut)

    def gone(self, relay: _Relay) -> None:
        """Both sides of a connection are gone."""
        self._relays.discard(relay)
        if not self._relays:
            self._empty.set()

    def later(self, seconds: float, what: _Relay) -> None:
        """End a connection after a while."""
        self._loop.call_later(seconds, what.reset)

    def later_fire(self, seconds: float, what: _Relay) -> asyncio.TimerHandle:
        """Carry out a connection's order at the latest then."""
        return self._loop.call_later(seconds, what.fire)

    @property
    def hush(self) -> float:
        """How long silence lasts."""
        return self._hush

    def _take(self, order: _Order) -> None:
        self._orders.append(order)
        for relay in sorted(self._relays, key=lambda each: each.wire.number, reverse=True):
            if relay.can_be_cut:
                relay.obey()
                return


class _Side(asyncio.Protocol):
    """One end of a relay."""

    def __init__(self, relay: _Relay, direction: Direction) -> None:
        self.transport: asyncio.Transport | None = None
        self._relay = relay
        self._direction = direction
        """Where what is read here goes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        sock = cast("socket.socket", transport.get_extra_info("socket"))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._relay.connected(self)

    def data_received(self, data: bytes) -> None:
        self._relay.passes(self._direction, data)

    def eof_received(self) -> bool:
        return self._relay.finishes(self._direction)

    def pause_writing(self) -> None:
        self._relay.other(self).pause()

    def resume_writing(self) -> None:
        self._relay.other(self).resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._relay.lost(self, exc)

    def pause(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def reset(self) -> None:
        """End it with an RST, unless it is ending."""
        if self.transport is not None and not self.transport.is_closing():
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()


class _Relay:
    """Both ends of one connection, and what is to be done to it."""

    def __init__(self, proxy: FaultProxy, wire: Wire) -> None:
        self.wire = wire
        self.near = _Side(self, "up")
        self.far = _Side(self, "down")
        self._proxy = proxy
        self._passed: dict[Direction, int] = {"up": 0, "down": 0}
        self._order: _Order | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_cut = False
        self._finished: set[Direction] = set()
        self._dialling: asyncio.Task[None] | None = None

    @property
    def can_be_cut(self) -> bool:
        """Whether it waits for an order."""
        return (
            self.wire.marked is not None
            and self._order is None
            and not self._is_cut
            and self.near.transport is not None
        )

    def other(self, side: _Side) -> _Side:
        """The opposite end."""
        return self.far if side is self.near else self.near

    def connected(self, side: _Side) -> None:
        """One end is there: for the client's, the other has to be dialled."""
        if side is self.near:
            side.pause()
            self._dialling = asyncio.ensure_future(self._dial())
        elif self.near.transport is None:
            side.reset()
        else:
            self.near.resume()

    async def _dial(self) -> None:
        try:
            await self._proxy.dial(self.far)
        except OSError:
            self.wire.ended = time.monotonic()
            self.near.reset()

    def obey(self) -> None:
        """Take the order that waits, if one does."""
        self._order = self._proxy.next_order()
        if self._order is not None:
            self._timer = self._proxy.later_fire(self._order.patience, self)
            if self._order.left == 0:
                self.fire()

    def passes(self, direction: Direction, data: bytes) -> None:
        """Bytes came at one end; the other gets them, up to the byte of the cut."""
        if direction == "up" and self.wire.marked is None and self._proxy.has_mark(data):
            self.wire.marked = len(self.wire.chunks)
            self.obey()
        if self._is_cut:
            return
        order = self._order
        if order is not None and order.direction == direction:
            data = data[: order.left]
            order.left -= len(data)
        self._send(direction, data)
        if order is not None and order.left == 0:
            self.fire()

    def _send(self, direction: Direction, data: bytes) -> None:
        to = self.far if direction == "up" else self.near
        if to.transport is not None and data:
            self._passed[direction] += len(data)
            self.wire.chunks.append(Chunk(time.monotonic(), direction, data))
            to.transport.write(data)

    def fire(self) -> None:
        """Cut it now."""
        order, self._order = self._order, None
        if self._timer is not None:
            self._timer.cancel()
        if order is None:
            return
        self._is_cut = True
        passed = self._passed[order.direction]
        cut = Cut(self.wire.number, order.kind, order.direction, passed, time.monotonic())
        if order.kind == "reset":
            self.reset()
        elif order.kind == "finish":
            self._finish()
        else:
            for side in (self.near, self.far):  # what was held up must not hold up the silence
                side.resume()
            if order.kind == "half_open":
                self.near.reset()
            self._proxy.later(self._proxy.hush, self)
        self._proxy.has_cut(order, cut)

    def finishes(self, direction: Direction) -> bool:
        """One end sends no more; the other is told, unless nobody is told anything."""
        if self._is_cut:
            return False
        self._finished.add(direction)
        if len(self._finished) > 1:
            self._finish()
            return False
        to = self.far if direction == "up" else self.near
        if to.transport is not None and not to.transport.is_closing():
            to.transport.write_eof()
        return True

    def _finish(self) -> None:
        for side in (self.near, self.far):
            if side.transport is not None:
                side.transport.close()

    def lost(self, side: _Side, exc: Exception | None) -> None:
        """One end is gone. The other goes too, in the same way, unless it is to hear nothing of it."""
        if side is self.far:
            self.wire.ended = time.monotonic()
        other = self.other(side)
        if not self._is_cut or side is self.far:
            if exc is not None or self._is_cut:
                other.reset()
            elif other.transport is not None:
                other.transport.close()
        if self.near.transport is None and self.far.transport is None:
            if self.wire.ended is None:  # it was never connected
                self.wire.ended = time.monotonic()
            if self._order is not None:
                self._proxy.give_back(self._order)
                self._order = None
            self._proxy.gone(self)

    def reset(self) -> None:
        """End both ends with an RST."""
        if self._dialling is not None:
            self._dialling.cancel()
        self.near.reset()
        self.far.reset()
