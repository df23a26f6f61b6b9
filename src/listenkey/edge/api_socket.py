"""A WebSocket API's socket: frames to the service one after the other, answers and events back."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from listenkey.base.clock import SECOND, Micros, to_millis
from listenkey.core.api_session import Age, Liveness
from listenkey.core.penalty import RecentCounter
from listenkey.core.session import Policy
from listenkey.dialect.model import Dialect
from listenkey.edge.places import Seat
from listenkey.edge.receipts import SocketReceipts, is_unconfirmed
from listenkey.edge.venue_socket import close_row, reason_of
from listenkey.edge.websocket import Surroundings, WebSocket
from listenkey.service.api_connection import ApiConnection
from listenkey.service.gateway import Gateway
from listenkey.service.limits import Opening
from listenkey.wire import frames
from listenkey.wire.routes import ApiRoute

if TYPE_CHECKING:
    from listenkey.service.outlet import EndReason, Subscription

_PING: Final = 0x9
_MOST_WAITING: Final = 1024
"""Frames that may wait for their answer."""
_LARGEST_WAITING: Final = 4 << 20
"""Characters that they may have together."""


def end_banned(gateway: Gateway, dialect: Dialect, address: str) -> None:
    """End the connections of an address that is shut out."""
    for outlet in gateway.connections.all():
        if isinstance(outlet, ApiSocket) and outlet.address == address and outlet.dialect is dialect:
            outlet.shut_out()


class ApiSocket(WebSocket):
    """One connection to a WebSocket API."""

    __slots__ = (
        "_age",
        "_answering",
        "_asked",
        "_asked_size",
        "_asking",
        "_connection",
        "_controls",
        "_enforced",
        "_gateway",
        "_liveness",
        "_pings_unanswered",
        "_receipts",
        "_route",
        "_seat",
        "_shut_out",
    )

    def __init__(
        self,
        gateway: Gateway,
        shared: Surroundings,
        route: ApiRoute,
        transport: asyncio.Transport,
        address: str,
        opening: Opening,
        seat: Seat,
        *,
        tells_limits: bool,
        micros: bool,
        policy: Policy,
    ) -> None:
        """`seat`: its place among the sockets that have shown no API key."""
        super().__init__(shared, transport, address, gateway.clock.now())
        self._gateway = gateway
        self._route = route
        api, heartbeat = route.api, route.dialect.heartbeats[route.api.heartbeat]
        self._connection = ApiConnection(
            gateway.api_parts, route.dialect, api, self, opening, tells_limits=tells_limits, micros=micros
        )
        self._seat = seat
        now = shared.pacer.now()
        self._liveness = Liveness(heartbeat, now, echo=api.echo_demanded)
        self._enforced = heartbeat.enforced if policy.enforce is None else policy.enforce
        self._age: Age | None = None
        if policy.limits == "venue" and api.longest_s:
            self._age = Age(now, api.longest_s * SECOND, api.shutdown_lead_s * SECOND)
        counts = policy.limits != "off" and api.control_frames_per_second
        self._controls = RecentCounter(SECOND) if counts else None
        self._pings_unanswered = 0
        self._shut_out = False
        self._asked: deque[str] = deque()
        self._asked_size = 0
        self._answering: asyncio.Task[None] | None = None
        self._receipts = SocketReceipts(route.dialect.frames.receipts, gateway.streams.confirm)
        self._asking = False
        """Whether this socket is to be woken to ask for a receipt of what was sent."""

    def start(self) -> None:
        """The 101 is out; let time run."""
        self._shared.registry.register(self)
        self._gateway.metrics.sockets_opened += 1
        self._rest()

    @property
    def dialect(self) -> Dialect:
        """Whose API this is."""
        return self._route.dialect

    # Inputs -----------------------------------------------------------------------------------------

    def message_received(self, message: str, now: Micros) -> None:
        """A request."""
        self._asked_size += len(message)
        if len(self._asked) >= _MOST_WAITING or self._asked_size > _LARGEST_WAITING:
            self.close("too_many_requests")
            return
        self._asked.append(message)
        if self._answering is None:
            self._answering = asyncio.ensure_future(self._answer_all())

    async def _answer_all(self) -> None:
        try:
            while self._asked and not self._closing:
                message = self._asked.popleft()
                answer = await self._connection.answer(message)
                if self._connection.proven:
                    self._seat.give_back()
                self._asked_size -= len(message)
                for frame in answer.before:
                    self.push(frame)
                self.push(frames.encode_text(answer.text, "text"))
                self.flush()
                if answer.ends or self._shut_out:
                    self.close("too_many_requests")
        finally:
            self._answering = None
            if self._closing:  # what was subscribed to while the socket went has nobody to be sent to
                for subscription in tuple(self.subscriptions):
                    self._shared.cancel(subscription)
        self._rest()

    def ping_received(self, now: Micros) -> None:
        """Counts where the venue counts Pings and Pongs."""
        self._count_control(now)

    def shut_out(self) -> None:
        """End the connection, but not before the answer that is on its way."""
        self._shut_out = True
        if self._answering is None:
            self.close("too_many_requests")

    def pong_received(self, payload: bytes, now: Micros) -> None:
        """A Pong, which has to be the right one where the venue looks at it. One that was not asked for
        counts."""
        self._liveness.ponged(payload)
        if self._receipts.ponged(payload, now):
            self._liveness.alive()
        if self._pings_unanswered:
            self._pings_unanswered -= 1
        else:
            self._count_control(now)
        self._rest()

    def flush(self) -> None:
        """Give the transport what is queued, and see to it that events among it are confirmed."""
        super().flush()
        if not self._asking and any(map(is_unconfirmed, self.subscriptions)):
            self._rest()

    def _count_control(self, now: Micros) -> None:
        most = self._route.api.control_frames_per_second
        if self._controls is not None and self._controls.count(now) > most:
            self.close("too_many_requests")

    def woken(self, now: Micros) -> None:
        """Time for a Ping, for the end of a subscription, or of the connection."""
        for frame in self._connection.expire(self._gateway.clock.now()):
            self.push(frame)
        payload = b"%d" % to_millis(self._gateway.clock.now())
        aged = "wait" if self._age is None else self._age.wake(now)
        if aged == "tell":
            self._say_goodbye()
        due = self._liveness.wake(now, payload)
        if aged == "end" or (due == "dead" and self._enforced):
            self.close("aged" if aged == "end" else "pong_timeout")
            return
        if due == "ping":
            self._ping(payload)
        asked = self._receipts.due_at(self.subscriptions)
        if asked is not None and asked <= now:
            self._ping(self._receipts.ask(self.subscriptions, now))
        self.flush()
        self._rest()

    def _ping(self, payload: bytes) -> None:
        self._pings_unanswered += 1
        self.push(frames.ws_frame(payload, _PING))

    def _rest(self) -> None:
        if self._closing:
            return
        due = self._liveness.wake_at()
        if self._age is not None:
            due = min(due, self._age.wake_at())
        expiry = self._connection.next_expiry()
        if expiry is not None:
            due = min(due, self._shared.pacer.now() + max(0, expiry - self._gateway.clock.now()))
        asked = self._receipts.due_at(self.subscriptions)
        self._asking = asked is not None and any(map(is_unconfirmed, self.subscriptions))
        self._shared.pacer.wake_at(self, due if asked is None else min(due, asked))

    def subscription_ended(self, subscription: "Subscription", reason: "EndReason") -> None:
        """The API key behind a subscription was revoked."""
        frame = self._connection.ended(subscription)
        if frame is not None:
            self.push(frame)
            self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        self._seat.give_back()
        self._asked.clear()

    def _say_goodbye(self) -> None:
        goodbye = self._connection.goodbye(self._gateway.clock.now())
        if goodbye:
            self.push(frames.encode_text(goodbye, "text"))

    def close(self, kind: str) -> None:
        """End the socket by its dialect's close table."""
        if self._closing:
            return
        if kind == "shutdown":
            self._say_goodbye()
        if kind == "pong_timeout":
            self._shared.metrics.sockets_unanswered += 1
        row = close_row(self._route.dialect, kind)
        self.close_with(row.code, row.reason, drop_queue=kind == "slow")

    def words_of(self, code: int) -> str:
        """As the close table has it."""
        return reason_of(self._route.dialect, code)
