"""The two ways out of a native stream: a WebSocket, and a response of server-sent events."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from listenkey.base.clock import Micros
from listenkey.core.position import Gap, Position
from listenkey.edge.asgi import Receive, Send
from listenkey.edge.websocket import Surroundings, WebSocket
from listenkey.service.gateway import Gateway
from listenkey.wire import frames, native

if TYPE_CHECKING:
    from listenkey.service.outlet import EndReason, Subscription

_CLOSES: Final = {
    "expired": (1000, "the listen key expired"),
    "closed": (1000, "the listen key was closed"),
    "operator": (1000, "closed by the operator"),
    "revoked": (1008, "the credential was revoked"),
    "slow": (1013, "too slow; resume from the last offset"),
    "shutdown": (1001, "shutting down"),
    "too_many_requests": (1008, "too many frames"),
}
_ENDS: Final[dict[str, native.EndReason]] = {
    "expired": "expired", "closed": "closed", "operator": "closed", "revoked": "revoked", "slow": "slow",
    "shutdown": "shutdown",
}  # fmt: skip
_FULL: Final = 65_536


class Words:
    """What native outlets say besides events, and how often."""

    def __init__(self, gateway: Gateway, position_every: Micros) -> None:
        self.gateway = gateway
        self.position_every = position_every

    def position(self, subscriptions: "list[Subscription]") -> Position | None:
        """How far the reader is complete, where that can be said now."""
        return self.gateway.streams.position(subscriptions[0]) if subscriptions else None


class NativeSocket(WebSocket):
    """A native stream on a WebSocket. What the reader sends is not listened to."""

    __slots__ = ("_words", "variant")

    def __init__(
        self, words: Words, shared: Surroundings, transport: asyncio.Transport, address: str
    ) -> None:
        super().__init__(shared, transport, address, words.gateway.clock.now())
        self._words = words
        self.variant = _SOCKET_VARIANT

    def tell_position(self, position: Position) -> None:
        """Send a position."""
        self.push(self.variant.wrap(native.position_json(position, self._words.gateway.clock.now())))
        self.flush()

    def tell_gap(self, gap: Gap) -> None:
        """Send a gap."""
        self.push(self.variant.wrap(native.gap_json(gap)))
        self.flush()

    def rest(self) -> None:
        """Wait for the next position's time."""
        if not self._closing:
            pacer = self._shared.pacer
            pacer.wake_at(self, pacer.now() + self._words.position_every)

    def woken(self, now: Micros) -> None:
        """Time for a position."""
        position = self._words.position(self.subscriptions)
        if position is not None:
            self.tell_position(position)
        self.rest()

    def message_received(self, message: str, now: Micros) -> None:
        """There is nothing to ask for here."""

    def pong_received(self, payload: bytes, now: Micros) -> None:
        """Nor is anything asked of the reader."""

    def subscription_ended(self, subscription: "Subscription", reason: "EndReason") -> None:
        """The credential is gone: say so and close."""
        self.close(reason)

    def close(self, kind: str) -> None:
        """Say why it ends, and close."""
        if self._closing:
            return
        if kind == "slow":
            self._pending.clear()
            self._waiting = 0
        if kind in _ENDS:
            self._pending.append(self.variant.wrap(native.end_json(_ENDS[kind])))
        self.close_with(*_CLOSES[kind])


class NativeEvents:
    """A native stream as the response to a plain request."""

    def __init__(self, words: Words, shared: Surroundings, address: str, abort: Callable[[], None]) -> None:
        """`abort` cuts the connection."""
        self.id = shared.new_id()
        self.address = address
        self.opened_at = words.gateway.clock.now()
        self.subscriptions: list[Subscription] = []
        self.tick = 0
        self.variant = _EVENTS_VARIANT
        self._words = words
        self._shared = shared
        self._pending: list[bytes] = []
        self._waiting = 0
        self._ended = False
        self.abort = abort
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    # Words ------------------------------------------------------------------------------------------

    def tell_position(self, position: Position) -> None:
        """Send a position."""
        self.push(native.position_text(position, self._words.gateway.clock.now()))
        self.flush()

    def tell_gap(self, gap: Gap) -> None:
        """Send a gap."""
        self.push(native.gap_text(gap))
        self.flush()

    def rest(self) -> None:
        """Wait for the next position's time."""
        if not self._ended:
            pacer = self._shared.pacer
            pacer.wake_at(self, pacer.now() + self._words.position_every)

    def wake(self, now: Micros) -> None:
        """Time for a position; or the end could not be delivered in time."""
        if self._ended:
            self.abort()
            return
        position = self._words.position(self.subscriptions)
        if position is not None:
            self.tell_position(position)
        self.rest()

    # Outlet -----------------------------------------------------------------------------------------

    def push(self, data: bytes) -> None:
        """Queue text. A reader that lets more than the bound wait is ended as slow."""
        if self._ended:
            return
        self._pending.append(data)
        self._waiting += len(data)
        if not self._room.is_set() and self._waiting > self._shared.bounds.queue_bytes:
            self._shared.note_slow(self)
            self.close("slow")

    def flush(self) -> None:
        """Wake the response's writer."""
        self._something.set()

    def queued_bytes(self) -> int:
        """What waits here; the transport may hold some more."""
        return self._waiting

    async def writable(self) -> None:
        """Wait until what was queued is with the transport."""
        while self._waiting > _FULL and not self._ended:
            self._room.clear()
            self._something.set()
            await self._room.wait()

    def subscription_ended(self, subscription: "Subscription", reason: "EndReason") -> None:
        """The credential is gone: say so and end."""
        self.close(reason)

    def close(self, kind: str) -> None:
        """Say why it ends, and end the response."""
        if self._ended:
            return
        if kind == "slow":
            self._pending.clear()
        self._pending.append(native.end_text(_ENDS[kind]))
        self._end()

    def _end(self) -> None:
        self._ended = True
        pacer = self._shared.pacer
        pacer.wake_at(self, pacer.now() + self._shared.bounds.closing)
        for subscription in tuple(self.subscriptions):
            self._shared.cancel(subscription)
        self._something.set()
        self._room.set()

    # Response ---------------------------------------------------------------------------------------

    async def serve(self, receive: Receive, send: Send) -> None:
        """Write until the stream ends or the reader goes."""
        gone = asyncio.ensure_future(self._until_gone(receive))
        try:
            headers = [
                (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"), (b"connection", b"close"),
            ]  # fmt: skip
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while not self._ended or self._pending:
                await self._something.wait()
                self._something.clear()
                pending, self._pending = self._pending, []
                if pending:
                    self._room.clear()
                    await send({"type": "http.response.body", "body": b"".join(pending), "more_body": True})
                self._waiting = sum(map(len, self._pending))
                self._room.set()
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            if not self._ended:
                self._end()
            self._shared.pacer.forget(self)
            self._shared.registry.unregister(self)

    async def _until_gone(self, receive: Receive) -> None:
        message = await receive()
        while message["type"] != "http.disconnect":
            message = await receive()
        if not self._ended:
            self._end()
        self._pending.clear()


_SOCKET_VARIANT: Final = frames.native_socket()
_EVENTS_VARIANT: Final = frames.native_sse()
