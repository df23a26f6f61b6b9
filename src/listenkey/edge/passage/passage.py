"""Everything that is passed: which venue a call or a handshake goes to, and who brings it there."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from listenkey.base.clock import Micros
from listenkey.dialect.model import Dialect, FailureKind
from listenkey.edge.asgi import Receive, Scope, Send
from listenkey.edge.beyond import CallRoute, Onward, OwnSocket
from listenkey.edge.handshake import Refusal, switching_protocols
from listenkey.edge.http import Upgrade
from listenkey.edge.passage.base import Base, Venue, may_pass
from listenkey.edge.passage.calls import Caller, render_passage_fault
from listenkey.edge.passage.link import Links
from listenkey.edge.passage.tunnel import Handshake, Tunnel
from listenkey.edge.passage.undecided import Undecided
from listenkey.edge.passage.whose import Whose, by_address, by_message
from listenkey.edge.places import Places
from listenkey.service.metrics import Metrics
from listenkey.wire.messages import Reply, Request
from listenkey.wire.routes import ApiRoute, PublicRoute, SocketRoute

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REMOVED: Final = 400
"""A public call with this status and above is one that the venue has removed, by the configured era."""


class _Way(msgspec.Struct, frozen=True):
    """Where a socket goes."""

    dialect: Dialect
    venue: Venue
    base: Base


_UNDECIDED_SECONDS: Final = 60.0
"""A socket that has not said by then whose it is stays with the gateway."""


class Passage:
    """A `Beyond` that passes to venues."""

    def __init__(
        self, venues: Mapping[str, Venue], metrics: Metrics, now: Callable[[], Micros], *, an_address: int
    ) -> None:
        """`venues`: by the name of the dialect, those that were named first before those that go along.
        `an_address`: sockets that one address may hold open."""
        self._venues = venues
        self._metrics = metrics
        self._now = now
        self._sockets: set[Tunnel | Undecided] = set()
        self._places = Places(an_address, max((venue.most for venue in venues.values()), default=0))
        self._callers = {
            name: Caller(
                Links(venue.rest, venue.context, connect=venue.connect, idle=venue.idle),
                metrics,
                now,
                patience=venue.patience,
                most=venue.most,
            )
            for name, venue in venues.items()
            if venue.rest is not None
        }

    def takes(self, onward: Onward, method: str, route: CallRoute) -> bool:
        """Whatever has a venue to go to, but for paths that somebody might read otherwise."""
        if isinstance(route, PublicRoute) and route.call.status >= _REMOVED:
            return False
        return onward.dialect.name in self._callers and method in _METHODS and may_pass(onward.target)

    async def handle(self, onward: Onward, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call."""
        await self._callers[onward.dialect.name].pass_on(onward, scope, receive, send)

    # Sockets ----------------------------------------------------------------------------------------

    def open_socket(
        self,
        onward: Onward,
        route: SocketRoute | ApiRoute | None,
        upgrade: Upgrade,
        transport: asyncio.Transport,
        own: OwnSocket,
    ) -> asyncio.Protocol | Refusal | None:
        """Pass a handshake at once, or when the first message says that it is the venue's; or leave it."""
        way = self._way(onward, route) if may_pass(onward.target) else None
        whose = by_address(route, upgrade.query) if way is not None else "gateway"
        if way is None or whose == "gateway":
            return None
        if not self._places.take(onward.address):
            reply = self._refusal(way, onward, "venue_unreachable")
            return Refusal(reply.status, reply.body, tuple(reply.headers))
        if whose == "venue" or route is None:
            return self._tunnel(way, onward, upgrade, transport)
        return self._undecided(way, onward, route, upgrade, transport, own)

    def _way(self, onward: Onward, route: SocketRoute | ApiRoute | None) -> "_Way | None":
        """Where a socket of this path goes. A path of several dialects goes where the one that was configured
        first does."""
        if isinstance(route, SocketRoute):
            streams = {candidate.dialect.name: candidate for candidate in route.candidates}
            for name, venue in self._venues.items():
                if name in streams and streams[name].stream in venue.sockets:
                    return _Way(streams[name].dialect, venue, venue.sockets[streams[name].stream])
            return None
        dialect = onward.dialect if route is None else route.dialect
        there = self._venues.get(dialect.name)
        if there is None:
            return None
        base = there.api if isinstance(route, ApiRoute) else next(iter(there.sockets.values()), None)
        return None if base is None else _Way(dialect, there, base)

    def _tunnel(
        self,
        way: "_Way",
        onward: Onward,
        upgrade: Upgrade,
        transport: asyncio.Transport,
        *,
        welcomed: bool = False,
    ) -> Tunnel:
        venue = way.venue
        links = Links(way.base, venue.context, connect=venue.connect, idle=0)
        target = onward.target + (b"?" + upgrade.query if upgrade.query else b"")
        tunnel = Tunnel(
            Handshake(links, target, upgrade.raw_headers),
            transport,
            patience=venue.patience,
            welcomed=welcomed,
            name=way.dialect.name,
            metrics=self._metrics,
            refusal=lambda kind: self._refusal(way, onward, kind),
            over=partial(self._over, onward.address),
        )
        self._sockets.add(tunnel)
        return tunnel

    def _over(self, address: str, socket: Tunnel | Undecided) -> None:
        if socket in self._sockets:
            self._sockets.discard(socket)
            self._places.give_back(address)

    def _refusal(self, way: "_Way", onward: Onward, kind: FailureKind) -> Reply:
        request = Request("GET", onward.path)
        return render_passage_fault(way.dialect, kind, request, self._now())

    def _undecided(
        self,
        way: "_Way",
        onward: Onward,
        route: SocketRoute | ApiRoute,
        upgrade: Upgrade,
        transport: asyncio.Transport,
        own: OwnSocket,
    ) -> Undecided:
        def take_over(whose: Whose) -> asyncio.Protocol | Refusal:
            if whose == "gateway":
                self._over(onward.address, undecided)
                return own(welcomed=True)
            self._sockets.discard(undecided)  # its place goes on
            return self._tunnel(way, onward, upgrade, transport, welcomed=True)

        transport.write(switching_protocols(upgrade.accept, upgrade.date))
        undecided = Undecided(
            transport,
            partial(by_message, route),
            take_over,
            over=partial(self._over, onward.address),
            seconds=_UNDECIDED_SECONDS,
        )
        self._sockets.add(undecided)
        return undecided

    async def close(self) -> None:
        """Cut all sockets, and end what is unused; calls have ended with their listeners."""
        for socket in tuple(self._sockets):
            socket.abort()
        for caller in self._callers.values():
            caller.links.close()
