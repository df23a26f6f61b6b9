"""All listeners of a process, made from the settings: venue and admin, their sockets, certificates and
end."""

import asyncio
from functools import partial
from typing import Any

from listenkey.base.clock import SECOND, Clock
from listenkey.config import Listener as Place
from listenkey.config import Settings
from listenkey.core.session import Policy
from listenkey.edge.admin.app import Admin
from listenkey.edge.admin.docs import SiteMaker
from listenkey.edge.api_socket import end_banned
from listenkey.edge.beyond import Beyond
from listenkey.edge.bounds import Bounds
from listenkey.edge.native import Native
from listenkey.edge.native_outlets import NativeEvents
from listenkey.edge.pacer import Pacer
from listenkey.edge.server import Address, Listener, Tls
from listenkey.edge.venue import Venue
from listenkey.edge.venue_socket import VenueSockets
from listenkey.edge.websocket import Surroundings, WebSocket
from listenkey.service.clock import SystemClock
from listenkey.service.gateway import Gateway
from listenkey.wire.routes import RouteTable

_LAST_SECOND = 1.0


def bounds_of(settings: Settings) -> Bounds:
    """The bounds as configured."""
    http = settings.http
    return Bounds(
        head_seconds=http.head_seconds,
        head_bytes=http.head_bytes,
        body_seconds=http.body_seconds,
        body_bytes=http.body_bytes,
        publish_body_bytes=http.publish_body_bytes,
        event_bytes=http.event_bytes,
        message_bytes=http.message_bytes,
        keep_alive_seconds=http.keep_alive_seconds,
        queue_bytes=settings.streams.queue_bytes,
    )


class Listeners:
    """Everything that accepts connections. Made on the running event loop."""

    def __init__(
        self,
        settings: Settings,
        gateway: Gateway,
        routes: RouteTable,
        *,
        clock: Clock | None = None,
        docs: SiteMaker | None = None,
        beyond: Beyond | None = None,
    ) -> None:
        """`clock`: whose monotonic time heartbeats go by, the machine's if none is given. `docs`: makes the
        reference. `beyond`: answers what the gateway does not serve; it is closed with the listeners.
        Errors: `ConfigError` for a certificate that cannot be used."""
        self._gateway = gateway
        self._beyond = beyond
        self._tls = Tls(settings.tls.cert, settings.tls.key) if settings.tls.cert else None
        self._bounds = bounds_of(settings)
        self.pacer = Pacer((clock or SystemClock()).monotonic)
        shared = Surroundings(
            self._bounds, self.pacer, gateway.connections, gateway.metrics, gateway.streams.cancel
        )
        streams = settings.streams
        policy = Policy(
            streams.bad_key,
            streams.no_key_seconds * SECOND,
            settings.heartbeat.enforce,
            streams.ended_key,
            settings.limits,
        )
        sockets = VenueSockets(
            gateway,
            shared,
            policy,
            most_without_key=streams.no_key_sockets_per_address,
            most_market=streams.market_sockets_per_address,
            most_market_in_all=streams.market_sockets,
            deflate=streams.deflate,
        )
        gateway.limiter.when_address_banned = partial(end_banned, gateway)
        native = Native(gateway, shared, position_every=streams.position_seconds * SECOND)
        self._venues = [
            self._venue(place, Venue(
                gateway, routes, sockets, native, name=place.name, trusted_proxies=settings.trusted_proxies,
                beyond=beyond,
            ))
            for place in settings.listeners()
        ]  # fmt: skip
        place = settings.admin_listener()
        self._admin_app = Admin(
            gateway, self._bounds, loopback=place.is_loopback, secure=self._tls is not None, docs=docs
        )
        self._admin = self._listener(place, self._admin_app)
        self._urls: list[str] = []
        self._admin_url = ""

    def _venue(self, place: Place, venue: Venue) -> Listener:
        return self._listener(place, venue, upgrader=venue.open_socket)

    def _listener(self, place: Place, application: Any, **more: Any) -> Listener:
        return Listener(
            Address(place.host, place.port),
            application,
            bounds=self._bounds,
            metrics=self._gateway.metrics,
            tls=self._tls,
            **more,
        )

    async def start(self) -> None:
        """Accept on all of them. Errors: `ConfigError` where an address cannot be had."""
        self._urls = [await listener.start() for listener in self._venues]
        self._admin_url = await self._admin.start()
        self._admin_app.start(self._urls, self._admin_url)

    def venue_urls(self) -> list[str]:
        """Where venues' clients reach us, in the order of the settings."""
        return self._urls

    def admin_url(self) -> str:
        """Where administrators and publishers reach us."""
        return self._admin_url

    def reload_tls(self) -> None:
        """Read certificate and key again. Errors: `ConfigError`, and the old ones stay."""
        if self._tls is not None:
            self._tls.reload()

    async def drain(self, seconds: float) -> None:
        """Accept nothing more, let requests finish, tell every socket goodbye; all within `seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._admin_app.stop()
        for listener in (*self._venues, self._admin):
            listener.stop_accepting()
        connections = self._gateway.connections
        connections.close_all("shutdown")
        while len(connections) and loop.time() < deadline - _LAST_SECOND:  # noqa: ASYNC110 - it happens once
            await asyncio.sleep(0.01)
        for outlet in connections.all():
            if isinstance(outlet, WebSocket | NativeEvents):
                outlet.abort()
        for listener in (*self._venues, self._admin):
            await listener.drain(deadline)
        if self._beyond is not None:
            await self._beyond.close()
        self.pacer.stop()
