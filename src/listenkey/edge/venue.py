"""The venue listener: REST calls to `service`, handshakes to sockets, `/lk/v1/` to the native edge."""

import asyncio
from functools import partial
from typing import Final, TypeGuard

import structlog

from listenkey.base.errors import StoreError
from listenkey.core.access import client_address
from listenkey.core.session import Action, Close, Session
from listenkey.dialect.model import Dialect
from listenkey.edge.admission import when_settled
from listenkey.edge.api_socket import ApiSocket
from listenkey.edge.asgi import (
    BodyTooLarge,
    BodyTooSlow,
    ClientGone,
    Receive,
    Scope,
    Send,
    header_map,
    read_body,
    send_reply,
)
from listenkey.edge.beyond import Beyond, Onward, without_prefix
from listenkey.edge.handshake import Refusal, switching_protocols
from listenkey.edge.http import Upgrade
from listenkey.edge.native import Native
from listenkey.edge.venue_socket import VenueSocket, VenueSockets
from listenkey.service.gateway import Gateway
from listenkey.wire.api import read_flag
from listenkey.wire.messages import Fault, Request
from listenkey.wire.parameters import read_form
from listenkey.wire.rest import render_fault
from listenkey.wire.routes import ApiRoute, PublicRoute, Route, RouteTable, SocketRoute, UnknownRoute
from listenkey.wire.times import wants_micros, without_unit

_NATIVE: Final = "/lk/"
_log = structlog.get_logger(__name__)


class Venue:
    """One venue listener's application and its upgrades."""

    def __init__(
        self,
        gateway: Gateway,
        routes: RouteTable,
        sockets: VenueSockets,
        native: Native,
        *,
        name: str = "",
        trusted_proxies: tuple[str, ...] = (),
        beyond: Beyond | None = None,
    ) -> None:
        """`name`: the dialect or stream that the listener is bound to, if any. `beyond`: who answers what the
        gateway does not serve."""
        self._gateway = gateway
        self._routes = routes
        self._sockets = sockets
        self._native = native
        self._name = name
        self._trusted = trusted_proxies
        self._bounds = sockets.shared.bounds
        self._beyond = beyond

    def _address(self, peer: str, headers: dict[bytes, bytes]) -> str:
        if not self._trusted:
            return peer
        return client_address(peer, headers.get(b"x-forwarded-for", b"").decode("latin-1"), self._trusted)

    # REST -------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        method: str = scope["method"]
        headers = header_map(scope["headers"])
        client = scope["client"]
        address = self._address(client[0] if client else "", headers)
        path: str = scope["path"]
        if path.startswith(_NATIVE):
            await self._native(scope, receive, send, headers, address)
            return
        route = self._routes.rest(self._name, _host(headers), method, path)
        if self._beyond is not None and _is_offered(route):
            target = without_prefix(path, route.path, scope["raw_path"])
            onward = None if target is None else Onward(route.dialect, route.path, target, address)
            if onward is not None and self._beyond.takes(onward, method, route):
                await self._beyond.handle(onward, scope, receive, send)
                return
        close = False
        try:
            body = await read_body(receive, headers, self._bounds.body_bytes, self._bounds.body_seconds)
            request = Request(method, route.path, scope["query_string"], headers, body)
            reply = await self._gateway.calls.handle(route, request, address)
        except ClientGone:
            return
        except (BodyTooLarge, BodyTooSlow) as error:
            close = isinstance(error, BodyTooSlow)
            request = Request(method, route.path, scope["query_string"], headers)
            fault = Fault("body_too_large" if isinstance(error, BodyTooLarge) else "request_malformed")
            reply = render_fault(route.dialect, fault, request=request, now=self._gateway.clock.now())
        await send_reply(send, reply, close=close)

    # Sockets ----------------------------------------------------------------------------------------

    def open_socket(self, upgrade: Upgrade, transport: asyncio.Transport) -> asyncio.Protocol | Refusal:
        """An `Upgrader`."""
        address = self._address(upgrade.peer, upgrade.headers)
        if upgrade.path.startswith(_NATIVE):
            return self._native.open_socket(upgrade, transport, address)
        host = _host(upgrade.headers)
        route: SocketRoute | ApiRoute | None = self._routes.api(self._name, host, upgrade.path)
        route = route or self._routes.socket(self._name, host, upgrade.path)
        if self._beyond is not None:
            unknown = self._routes.rest(self._name, host, "GET", upgrade.path)
            target = without_prefix(upgrade.path, unknown.path, upgrade.raw_path)
            if target is not None:
                own = partial(self._open_own, upgrade, route, transport, address)
                onward = Onward(unknown.dialect, unknown.path, target, address)
                taken = self._beyond.open_socket(onward, route, upgrade, transport, own)
                if taken is not None:
                    return taken
        return self._open_own(upgrade, route, transport, address)

    def _open_own(
        self,
        upgrade: Upgrade,
        route: SocketRoute | ApiRoute | None,
        transport: asyncio.Transport,
        address: str,
        *,
        welcomed: bool = False,
    ) -> asyncio.Protocol | Refusal:
        if isinstance(route, ApiRoute):
            return self._open_api(upgrade, route, transport, address, welcomed)
        if route is None:
            unknown = self._routes.rest(self._name, _host(upgrade.headers), "GET", upgrade.path)
            return self._refuse(upgrade, unknown.dialect, Fault("path_unknown"))
        try:
            session, actions = self._sockets.begin(route, upgrade.query, address)
        except StoreError as error:
            _log.error("handshake_failed", error=error.message)
            return self._refuse(upgrade, route.candidates[0].dialect, Fault("internal"))
        return self._open_stream(upgrade, route, (session, actions), transport, address, welcomed)

    def _open_stream(
        self,
        upgrade: Upgrade,
        route: SocketRoute,
        begun: tuple[Session, list[Action]],
        transport: asyncio.Transport,
        address: str,
        welcomed: bool,
    ) -> asyncio.Protocol | Refusal:
        session, actions = begun
        dialect, verdict = self._sockets.admission.attempt(route, actions, address)
        if verdict.fault is not None:
            return self._refuse(upgrade, dialect, verdict.fault, headers=verdict.headers)
        if actions and isinstance(actions[0], Close):
            if actions[0].kind != "bad_key":  # more names than a socket may have
                return self._refuse(upgrade, dialect, Fault("request_malformed"))
            return self._refuse(upgrade, dialect, Fault("listen_key_unknown"), status=401)
        meant = route.candidates if session.awaits_key else (session.speaks_for,)
        if asked := without_unit([each.dialect for each in meant], upgrade.query):
            return self._refuse(upgrade, asked, Fault("time_unit_wrong"))
        seats = self._sockets.seats(route, session, actions, address)
        if isinstance(seats, Fault):
            return self._refuse(upgrade, dialect, seats)
        if seats is None:
            return Refusal(429, b"too many sockets without a listen key")
        micros = wants_micros([each.dialect for each in route.candidates], upgrade.query)
        offered = b"" if welcomed else upgrade.headers.get(b"sec-websocket-extensions", b"")
        deflate = self._sockets.agree(session, route, offered)

        def open_now() -> VenueSocket:
            if not welcomed:
                extension = b"" if deflate is None else deflate.header
                transport.write(switching_protocols(upgrade.accept, upgrade.date, extension))
            socket = VenueSocket(self._sockets, session, transport, address, seats, micros, deflate)
            socket.start(actions)
            return socket

        return when_settled(transport, verdict, open_now, seats)

    def _open_api(
        self,
        upgrade: Upgrade,
        route: ApiRoute,
        transport: asyncio.Transport,
        address: str,
        welcomed: bool,
    ) -> asyncio.Protocol | Refusal:
        opening = self._sockets.admission.api_attempt(route, address)
        verdict, fault = opening.verdict, opening.verdict.fault
        if fault is None and without_unit([route.dialect], upgrade.query):
            fault = Fault("time_unit_wrong")
        if fault is not None:
            return self._refuse(upgrade, route.dialect, fault, headers=verdict.headers)
        seat = self._sockets.admission.unproven(address)
        if seat is None:
            return Refusal(429, b"too many sockets without an API key")
        told = read_flag(read_form(upgrade.query).get("returnRateLimits"))

        def open_now() -> ApiSocket:
            if not welcomed:
                transport.write(switching_protocols(upgrade.accept, upgrade.date))
            socket = ApiSocket(
                self._gateway,
                self._sockets.shared,
                route,
                transport,
                address,
                opening,
                seat,
                tells_limits=told is not False,
                micros=bool(wants_micros([route.dialect], upgrade.query)),
                policy=self._sockets.policy,
            )
            socket.start()
            return socket

        return when_settled(transport, verdict, open_now, seat)

    def _refuse(
        self,
        upgrade: Upgrade,
        dialect: Dialect,
        fault: Fault,
        status: int = 0,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> Refusal:
        request = Request("GET", upgrade.path, upgrade.query, upgrade.headers)
        reply = render_fault(dialect, fault, request=request, now=self._gateway.clock.now())
        return Refusal(status or reply.status, reply.body, (*reply.headers, *headers))


def _is_offered(route: Route) -> TypeGuard[PublicRoute | UnknownRoute]:
    """A path of listen keys stays here even with a method that it does not have."""
    return isinstance(route, PublicRoute) or (isinstance(route, UnknownRoute) and not route.is_ours)


def _host(headers: dict[bytes, bytes]) -> str:
    return headers.get(b"host", b"").decode("latin-1")
