"""HTTP/1.1 by uvicorn, with the bounds that it leaves to a proxy: time and size of a request's head, time of
its body. Upgrades to WebSocket go to whoever the listener names.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import httptools
import msgspec
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import is_ssl
from uvicorn.server import ServerState

from listenkey.edge.asgi import ABORT, RAW_HEADERS, UNDATED, header_map
from listenkey.edge.bounds import Bounds
from listenkey.edge.handshake import Refusal, check_upgrade
from listenkey.service.metrics import Metrics

_NEVER: Final = float("inf")
_APPLICATION_FIRST: Final = 1
"""Seconds that an application has to answer a late body in its own words."""
_log = structlog.get_logger(__name__)
_MOST_PIPELINED: Final = 64
_MOST_DISCARDED: Final = 1_048_576
_BLANKS: Final = b" \t"


class Upgrade(msgspec.Struct):
    """A request for a WebSocket that is well formed. `accept` and `date` go into the 101."""

    path: str
    query: bytes
    headers: dict[bytes, bytes]
    peer: str
    accept: bytes
    date: bytes
    raw_path: bytes = b""
    """As it was sent, not decoded."""
    raw_headers: list[tuple[bytes, bytes]] = []
    """As they were sent: in their order and case, repeated ones too."""


Upgrader: TypeAlias = Callable[[Upgrade, asyncio.Transport], asyncio.Protocol | Refusal]
"""Opens a WebSocket, having written the 101 and what follows it, or says why not."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. A sweep of the listener looks at `deadline` (seconds of the loop's clock)."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
        metrics: Metrics,
        upgrader: Upgrader | None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.deadline = _NEVER
        self._bounds = bounds
        self._metrics = metrics
        self._upgrader = upgrader
        self._in_head = True
        self._midway = False
        self._head_bytes = 0  # of what the parser gave us
        self._raw_bytes = 0  # of what it may be holding back
        self._begun = self._over = 0  # messages that began, that ended, in the bytes at hand
        self._too_long = False
        self._too_many = False
        self._raw_headers: list[tuple[bytes, bytes]] = []
        self._wants_socket: bool | None = None
        self._running: RequestResponseCycle | None = None
        self._ended = False
        """No request is taken any more."""
        self._last_words: bytes | None = None
        """What is said once all that was taken is answered, and then the end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is there; its first request's time runs. What uvicorn looks up here besides, nobody
        asks for."""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        peer = transport.get_extra_info("peername")
        self.client = (str(peer[0]), int(peer[1])) if peer else None
        self.scheme = "https" if is_ssl(transport) else "http"
        self.deadline = self.loop.time() + self._bounds.head_seconds

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer. Unlike uvicorn's own: bounded, silent in the log, and keeps what follows an
        upgrade."""
        if self._ended:
            self._discard(data)
            return
        self._unset_keepalive_if_required()
        between, self._begun, self._over = not self._midway, 0, 0
        rest = self._feed(data)
        while rest and not self._ended:
            rest = self._feed(rest)
        if self._in_head and self._midway and not self._ended:
            self._raw_bytes = self._raw_bytes + len(data) if self._begun == 0 else 0
            if between and self._begun == 1 and self._over == 0:
                self._raw_bytes = len(data)
            if self._raw_bytes > self._bounds.head_bytes:
                self._refuse_long_head()

    def _discard(self, data: bytes) -> None:
        """After a refusal the peer may go on for a moment; what it sends is not kept, and not taken
        forever."""
        if self._is_running():
            self.flow.pause_reading()
            return
        self._raw_bytes += len(data)
        if self._raw_bytes > _MOST_DISCARDED:
            self.transport.abort()

    def _feed(self, data: bytes) -> bytes:
        """Parse; what is left after a head that asked for another protocol."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if not self._should_upgrade():
                return rest  # an offer that nobody takes, such as h2c: the request is answered as it is
            self._switch(rest)
        except httptools.HttpParserError:
            if self._too_many:
                self._end_with(b"")
            elif self._too_long:
                self._refuse_long_head()
            else:
                self.refuse(400, b"not a valid HTTP request")
        return b""

    # Parser callbacks -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._raw_headers = []
        self.scope["extensions"] = {
            ABORT: self.transport.abort,  # type: ignore[dict-item]
            RAW_HEADERS: self._raw_headers,  # type: ignore[dict-item]
            UNDATED: self._leave_date_out,  # type: ignore[dict-item]
        }
        self._in_head = self._midway = True
        self._begun += 1
        self._wants_socket = None
        self._head_bytes = 0
        self.deadline = self.loop.time() + self._bounds.head_seconds

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, whole. The blanks about its value are not part of it (RFC 9110 section 5.5). What
        follows a chunked body in the form of headers is none: it must not pass for one."""
        self._count(len(name) + len(value) + 4)
        if self._in_head:
            value = value.strip(_BLANKS)
            super().on_header(name, value)
            self._raw_headers.append((name, value))

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._bounds.head_bytes:
            self._too_long = True
            raise ValueError

    def on_headers_complete(self) -> None:
        """The head is there; the body's time runs."""
        if len(self.pipeline) >= _MOST_PIPELINED:  # uvicorn would pile them up without end
            self._too_many = True
            raise ValueError
        self._in_head = False
        self.deadline = self.loop.time() + self._bounds.body_seconds + _APPLICATION_FIRST
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there; how long an answer takes is the application's business."""
        self.deadline = _NEVER
        self._midway = False
        self._over += 1
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The peer does not take its answer. A stream of events has bounds of its own; others get the time of
        a body."""
        super().pause_writing()
        if not self._streaming():
            self.deadline = self.loop.time() + self._bounds.body_seconds

    def resume_writing(self) -> None:
        """The peer goes on."""
        super().resume_writing()
        if self._is_running() if self._ended else not self._in_head and not self._receiving():
            self.deadline = _NEVER

    # `cycle`, uvicorn's state of one request and its answer, is None until the first one: its type does not
    # say so.

    def _cycle(self) -> RequestResponseCycle | None:
        return self.cycle

    def _answering(self) -> bool:
        cycle = self._cycle()
        return cycle is not None and not cycle.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _leave_date_out(self) -> None:
        """The answer that is being made has a `Date` of its own."""
        if self._running is not None:
            self._running.default_headers = []

    def _is_running(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def on_response_complete(self) -> None:
        """A request is answered; the next one's turn, or the end."""
        super().on_response_complete()
        if self._ended and not self._is_running():
            self._say_last()

    def _receiving(self) -> bool:
        cycle = self._cycle()
        return cycle is not None and cycle.more_body

    def _streaming(self) -> bool:
        cycle = self._cycle()
        return cycle is not None and bool(cycle.chunked_encoding)

    # Upgrades ---------------------------------------------------------------------------------------

    def _should_upgrade(self) -> bool:
        """Asked several times a request, so answered from what the head said once."""
        if self._wants_socket is None:
            self._wants_socket = self._upgrader is not None and self._get_upgrade() == b"websocket"
        return self._wants_socket

    def _switch(self, rest: bytes) -> None:
        assert self._upgrader is not None
        if self._answering():
            self.refuse(400, b"")
            return
        try:
            answer = self._open(self._upgrader)
        except (httptools.HttpParserError, UnicodeDecodeError):
            answer = Refusal(400, b"not a valid HTTP request")
        except Exception:  # noqa: BLE001 - whatever it was, other connections go on
            _log.exception("upgrade_failed")
            self._metrics.internal_errors += 1
            answer = Refusal(500, b"internal error")
        if isinstance(answer, Refusal):
            self.refuse(answer.status, answer.message, answer.headers)
            return
        self._ended = True
        self.connections.discard(self)
        self.transport.set_protocol(answer)
        if rest:
            answer.data_received(rest)

    def _open(self, upgrader: Upgrader) -> asyncio.Protocol | Refusal:
        headers = header_map(self.headers)
        accept = check_upgrade(self.scope["method"], self.scope["http_version"], headers)
        if isinstance(accept, Refusal):
            return accept
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        peer = self.client[0] if self.client else ""
        date = self.server_state.default_headers[0][1]
        upgrade = Upgrade(
            unquote(path) if "%" in path else path,
            url.query or b"",
            headers,
            peer,
            accept,
            date,
            url.path,
            self._raw_headers,
        )
        return upgrader(upgrade, self.transport)

    # Refusals ---------------------------------------------------------------------------------------

    def refuse(self, status: int, message: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Answer without asking the application, and close. Requests before this one are answered first."""
        lines = [STATUS_LINE[status]]
        given = {name.lower() for name, _ in headers}
        defaults = [(b"content-type", b"text/plain; charset=utf-8")] if b"content-type" not in given else []
        for name, value in (*self.server_state.default_headers, *defaults, *headers):
            lines += [name, b": ", value, b"\r\n"]
        lines.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(message))
        lines.append(message)
        self._end_with(b"".join(lines))

    def _end_with(self, last_words: bytes) -> None:
        if self._ended or self.transport.is_closing():
            return
        self._ended, self._last_words = True, last_words
        self.deadline = _NEVER
        if self._receiving():
            self._drop_unfinished(self.cycle)
        if not self._is_running():
            self._say_last()
        elif self._streaming():  # it would go on for ever
            self.transport.close()

    def _drop_unfinished(self, cycle: RequestResponseCycle) -> None:
        """The request whose body was on its way is not to be acted on."""
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle is not self._running:
            self.pipeline = deque(each for each in self.pipeline if each[0] is not cycle)
            return
        self._running = None
        if cycle.response_started:
            self.transport.close()

    def _say_last(self) -> None:
        """Everything else is said."""
        if self._last_words is None or self.transport.is_closing():
            return
        last_words, self._last_words = self._last_words, None
        self.deadline = self.loop.time() + 1  # the peer may be sending still; closing at once would reset it
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if last_words:
            self.transport.write(last_words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _refuse_long_head(self) -> None:
        self.refuse(431, b"the request's head is too long")

    def overdue(self) -> None:
        """The sweep found the deadline passed."""
        if self._ended or self.flow.write_paused:
            self.transport.abort()
        elif not self._midway:
            self._ended = True
            self.transport.close()  # a connection that was opened and not used
        else:
            self.refuse(408, b"the request took too long to arrive")
