"""Listeners: sockets that accept, the certificates they show, and their end."""

import asyncio
import ssl
from collections.abc import Iterable
from email.utils import formatdate
from typing import Any

import msgspec
import structlog
from uvicorn.config import Config
from uvicorn.server import ServerState

from listenkey.base.errors import ConfigError
from listenkey.edge.asgi import Answering
from listenkey.edge.bounds import Bounds
from listenkey.edge.http import HttpProtocol, Upgrader
from listenkey.service.metrics import Metrics

_log = structlog.get_logger(__name__)
_SWEEP_SECONDS = 0.5
_LAST_WORDS_SECONDS = 0.5
_TLS_GOODBYE_SECONDS = 0.5
_BACKLOG = 2048


class Tls:
    """A certificate and its key, in files that may be replaced while the process runs."""

    def __init__(self, cert: str, key: str) -> None:
        """Errors: `ConfigError` where the files cannot be used."""
        self._files = cert, key
        self.context = self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def reload(self) -> None:
        """Read the files again; new connections get what is in them now. Errors: `ConfigError`, and then what
        was read before stays in force."""
        self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        self._load(self.context)

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        cert, key = self._files
        try:
            context.load_cert_chain(cert, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the certificate {cert} and key {key} cannot be used: {error}", "check tls.cert and tls.key"
            ) from error
        return context


class Address(msgspec.Struct, frozen=True):
    """Where to listen; port 0 picks a free one."""

    host: str
    port: int


class Listener:
    """One address, with the application that answers there."""

    def __init__(
        self,
        address: Address,
        application: Any,
        *,
        bounds: Bounds,
        metrics: Metrics,
        upgrader: Upgrader | None = None,
        tls: Tls | None = None,
    ) -> None:
        """`application`: ASGI 3, for plain requests. `upgrader`: who opens WebSockets; without one there are
        none."""
        self._address = address
        self._bounds = bounds
        self._metrics = metrics
        self._upgrader = upgrader
        self._tls = tls
        self._state = ServerState()
        self._config = Config(
            Answering(application, metrics),
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=bounds.keep_alive_seconds,
        )
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Accept connections; the URL that reaches us. Errors: `ConfigError` where the address cannot be
        had."""
        self._config.load()
        self._set_date()
        loop = asyncio.get_running_loop()
        host, port = self._address.host, self._address.port
        try:
            self._server = await loop.create_server(
                self._make_protocol, host, port, backlog=_BACKLOG, **self._tls_options()
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror or error}", "choose another address"
            ) from error
        self._sweeper = asyncio.ensure_future(self._sweep())
        bound = self._server.sockets[0].getsockname()
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{shown}:{bound[1]}"

    def _tls_options(self) -> dict[str, Any]:
        """Bounds on what TLS adds: a handshake takes no longer than a head, a goodbye no longer than a
        moment."""
        if self._tls is None:
            return {}
        return {
            "ssl": self._tls.context,
            "ssl_handshake_timeout": self._bounds.head_seconds,
            "ssl_shutdown_timeout": _TLS_GOODBYE_SECONDS,
        }

    def _make_protocol(self) -> HttpProtocol:
        return HttpProtocol(
            self._config,
            self._state,
            {},
            bounds=self._bounds,
            metrics=self._metrics,
            upgrader=self._upgrader,
        )

    def reload_tls(self) -> None:
        """Read certificate and key again, where there are any."""
        if self._tls is not None:
            self._tls.reload()

    def _set_date(self) -> None:
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]

    async def _sweep(self) -> None:
        """Keep the `Date` header, and end requests that take too long."""
        loop = asyncio.get_running_loop()
        while True:
            self._set_date()
            now = loop.time()
            for connection in tuple(self._connections()):
                if connection.deadline <= now:
                    self._end_overdue(connection)
            await asyncio.sleep(_SWEEP_SECONDS)

    def _end_overdue(self, connection: HttpProtocol) -> None:
        try:
            connection.overdue()
        except Exception:  # noqa: BLE001 - whatever it was, other deadlines hold
            _log.exception("deadline_failed")
            self._metrics.internal_errors += 1
            connection.transport.abort()

    def _connections(self) -> Iterable[HttpProtocol]:
        return (each for each in self._state.connections if isinstance(each, HttpProtocol))

    def stop_accepting(self) -> None:
        """Take no more connections; those that are there go on."""
        if self._server is not None:
            self._server.close()

    def _is_busy(self) -> bool:
        return bool(self._state.connections or self._state.tasks)

    async def drain(self, deadline: float) -> None:
        """Let requests that are under way finish until `deadline` (seconds of the loop's clock), then cut
        them off."""
        self.stop_accepting()
        loop = asyncio.get_running_loop()
        for connection in tuple(self._connections()):
            connection.shutdown()
        while self._is_busy() and loop.time() < deadline:  # noqa: ASYNC110 - it happens once
            await asyncio.sleep(0.02)
        for connection in tuple(self._connections()):
            connection.transport.abort()
        if self._state.tasks:  # they learn that their client is gone, and end by themselves
            _, stuck = await asyncio.wait(self._state.tasks, timeout=_LAST_WORDS_SECONDS)
            for task in stuck:
                task.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            await self._server.wait_closed()
