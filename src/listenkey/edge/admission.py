"""Who may open a socket: attempts against a dialect's limits, and places among the sockets that are open."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from listenkey.core.session import Action, Bind
from listenkey.dialect.model import Dialect
from listenkey.edge.places import Places, Seat, Seats
from listenkey.service.gateway import Gateway
from listenkey.service.limits import Call, Caller, Opening, Verdict, settle
from listenkey.service.streams import LiveKey
from listenkey.wire.messages import Fault
from listenkey.wire.routes import ApiRoute, SocketRoute

_MOST_EARLY: Final = 65_536
_UNCOUNTED: Final = Verdict(None)
_log = structlog.get_logger(__name__)


class Admission:
    """Counts attempts to connect, and sockets where a venue bounds how many an address has."""

    def __init__(self, gateway: Gateway, *, most_unproven: int, most_unproven_in_all: int) -> None:
        """`most_unproven`: how many sockets to WebSocket APIs that have shown no API key one address may hold
        open, and how many there may be in all."""
        self._gateway = gateway
        self._unproven = Places(most_unproven, most_unproven_in_all)
        self._by_stream: dict[str, Places] = {}

    def attempt(self, route: SocketRoute, actions: Sequence[Action], address: str) -> tuple[Dialect, Verdict]:
        """Count an attempt to open a stream's socket, and say for which product. Without a key on a path of
        several, it counts only where each of them counts."""
        live = _key_of(actions)
        dialect = route.candidates[0].dialect if live is None else live.dialect
        pools = dialect.frames.connection_pools
        counts = pools and (
            live is not None or all(each.dialect.frames.connection_pools for each in route.candidates)
        )
        if not counts:
            return dialect, _UNCOUNTED
        call = Call(dialect, "", pools, 1, address, _caller(live), "stream")
        return dialect, self._gateway.limiter.admit(call, self._gateway.clock.now())

    def seat(self, route: SocketRoute, actions: Sequence[Action], address: str) -> Seat | Fault | None:
        """A place among the open sockets of a stream; None where nobody counts them."""
        candidate = route.candidates[0]
        most = candidate.dialect.frames.sockets_per_address
        if not most or not candidate.stream:
            return None
        who = self._gateway.limiter.place_of(address, _caller(_key_of(actions)))
        if who is None:
            return None
        places = self._by_stream.setdefault(candidate.stream, Places(most))
        seat = Seat.take(places, who)
        if seat is None:
            self._gateway.metrics.refused_by_limit["too_many_connections"] += 1
        return seat or Fault("too_many_connections", {"limit": most})

    def api_attempt(self, route: ApiRoute, address: str) -> Opening:
        """Count an attempt to connect to a WebSocket API, with what the connection weighs."""
        limiter, now, api = self._gateway.limiter, self._gateway.clock.now(), route.api
        pools = (*api.connection_pools, *api.pools)
        call = Call(route.dialect, "", pools, api.connect_weight, address, None, "api")
        return Opening(call, limiter.admit(call, now), now)

    def unproven(self, address: str) -> Seat | None:
        """A place among the sockets that have shown no API key, if the address may have another."""
        return Seat.take(self._unproven, address)


def _key_of(actions: Iterable[Action]) -> LiveKey | None:
    for action in actions:
        if isinstance(action, Bind) and isinstance(action.live, LiveKey):
            return action.live
    return None


def _caller(live: LiveKey | None) -> Caller | None:
    return None if live is None else Caller(live.key.user or live.key.holder, live.key.account_id)


def when_settled(
    transport: asyncio.Transport,
    verdict: Verdict,
    opens: Callable[[], asyncio.Protocol],
    seats: Seat | Seats,
) -> asyncio.Protocol:
    """Open a socket once what was counted for it is durable. `opens` says hello and gives the socket, whose
    `seats` then are; a peer that goes before gives them back."""
    return _Settling(transport, verdict.durable, opens, seats) if verdict.durable else opens()


class _Settling(asyncio.Protocol):
    """Stands in for a socket that is not open yet."""

    def __init__(
        self,
        transport: asyncio.Transport,
        durable: "Iterable[asyncio.Future[None]]",
        opens: Callable[[], asyncio.Protocol],
        seats: Seat | Seats,
    ) -> None:
        self._transport = transport
        self._opens = opens
        self._seats = seats
        self._early = bytearray()
        self._waiting = asyncio.ensure_future(self._open_when(durable))

    async def _open_when(self, durable: "Iterable[asyncio.Future[None]]") -> None:
        await settle(durable)
        try:
            socket = self._opens()
        except Exception:  # noqa: BLE001 - whatever it was, nobody is to wait for ever
            _log.exception("upgrade_failed")
            self._seats.give_back()
            self._transport.abort()
            return
        self._transport.set_protocol(socket)
        if self._early:
            socket.data_received(bytes(self._early))

    def data_received(self, data: bytes) -> None:
        """A peer that does not wait for the 101."""
        self._early += data
        if len(self._early) > _MOST_EARLY:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer did not wait."""
        if not self._waiting.done():
            self._waiting.cancel()
            self._seats.give_back()
