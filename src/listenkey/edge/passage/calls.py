"""Passing a REST call: the request to the venue as it comes, the answer back as it comes.

A call is sent once. Where that fails the client hears whether the venue may have had it: `venue_unreachable`
says that it has not; `venue_timeout` and `venue_garbled` that nobody knows. An answer that breaks off is
broken off: the client's connection is cut, so that half of one never looks whole.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import h11
import structlog

from listenkey.base.clock import Micros
from listenkey.dialect.model import Dialect, FailureKind
from listenkey.edge.asgi import ABORT, RAW_HEADERS, UNDATED, Message, Receive, Scope, Send, send_reply
from listenkey.edge.beyond import Onward
from listenkey.edge.passage.headers import AsSent, Headers, onward_headers, values_of, with_host
from listenkey.edge.passage.link import Link, LinkLost, Links
from listenkey.service.metrics import Metrics
from listenkey.wire.messages import Fault, Reply, Request
from listenkey.wire.rest import render_fault

_GO_AHEAD_SECONDS: Final = 1.0
"""How long a client that asked for a go-ahead waits for the venue's."""
_NO_LENGTH: Final = frozenset({204, 304})
_STATUSES: Final = range(200, 600)
_log = structlog.get_logger(__name__)


class Caller:
    """Passes the calls of one venue."""

    def __init__(
        self,
        links: Links,
        metrics: Metrics,
        now: Callable[[], Micros],
        *,
        patience: float,
        most: int,
    ) -> None:
        """`patience`: seconds for the head of an answer, and for each piece of a body. `most`: calls at one
        time."""
        self.links = links
        self.metrics = metrics
        self.now = now
        self.patience = patience
        self._most = most
        self._running = 0

    async def pass_on(self, onward: Onward, scope: Scope, receive: Receive, send: Send) -> None:
        """One call, from its head to the end of its answer."""
        exchange = _Exchange(self, onward, scope, receive, send)
        if self._running >= self._most:
            await exchange.refuse("venue_unreachable")
            return
        self._running += 1
        try:
            await exchange.run()
        finally:
            self._running -= 1


class _Exchange:
    """One call that is passed."""

    def __init__(self, caller: Caller, onward: Onward, scope: Scope, receive: Receive, send: Send) -> None:
        self._caller = caller
        self._onward = onward
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: Headers = scope["extensions"][RAW_HEADERS]
        self._answering = False
        self._gone = False
        self._go_ahead = asyncio.Event()
        self._waiting = asyncio.timeout(None)

    async def run(self) -> None:
        """Send it and bring its answer back."""
        request = self._request()
        if request is None:
            await self.refuse("request_malformed")
            return
        try:
            link = await self._caller.links.take()
        except OSError as error:
            _log.warning("venue_unreachable", dialect=self._onward.dialect.name, error=str(error))
            await self.refuse("venue_unreachable")
            return
        up = asyncio.ensure_future(self._bring_up(link, request))
        try:
            await self._bring_down(link)
        except (LinkLost, TimeoutError) as error:
            up.cancel()
            await self._fail(link, "venue_timeout" if isinstance(error, TimeoutError) else "venue_garbled")
        finally:
            up.cancel()
            self._caller.links.give_back(link)
            [outcome] = await asyncio.gather(up, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome

    # Up ---------------------------------------------------------------------------------------------

    def _request(self) -> h11.Request | None:
        """The request's head; None where it is one that cannot be passed."""
        codings = values_of(self._headers, b"transfer-encoding")
        if codings and [each.lower() for each in codings] != [b"chunked"]:
            return None
        headers = with_host(onward_headers(self._headers), self._caller.links.base.authority)
        if codings:
            headers.append((b"Transfer-Encoding", b"chunked"))
        query: bytes = self._scope["query_string"]
        target = self._caller.links.base.prefix + self._onward.target + (b"?" + query if query else b"")
        try:
            return h11.Request(method=self._scope["method"], headers=headers, target=target)
        except h11.LocalProtocolError:
            return None

    async def _bring_up(self, link: Link, request: h11.Request) -> None:
        """The request, its body as it comes, and then the news that the client left, should it leave."""
        with contextlib.suppress(LinkLost):  # which is heard on the way down too
            if self._has_body():
                await link.send(request)
                await self._await_go_ahead()
                await self._bring_body(link)
            else:
                await link.send(request, h11.EndOfMessage())
        while not self._gone:
            self._gone = (await self._receive())["type"] == "http.disconnect"
        link.abort()

    def _has_body(self) -> bool:
        lengths = values_of(self._headers, b"content-length")
        return bool(values_of(self._headers, b"transfer-encoding")) or lengths not in ([], [b"0"])

    async def _await_go_ahead(self) -> None:
        if b"100-continue" not in (each.lower() for each in values_of(self._headers, b"expect")):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GO_AHEAD_SECONDS):
                await self._go_ahead.wait()

    async def _bring_body(self, link: Link) -> None:
        more = True
        while more and not self._gone:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone = True
                return
            more = message.get("more_body", False)
            data = message.get("body", b"")
            await link.send(*([h11.Data(data)] if data else []), *([] if more else [h11.EndOfMessage()]))
            if not self._answering:
                self._waiting.reschedule(asyncio.get_running_loop().time() + self._caller.patience)

    # Down -------------------------------------------------------------------------------------------

    async def _bring_down(self, link: Link) -> None:
        response = await self._await_head(link)
        self._answering = True
        self._go_ahead.set()
        await self._write(self._start(response))
        while True:
            async with asyncio.timeout(self._caller.patience):
                event = await link.receive()
            if isinstance(event, h11.EndOfMessage):
                break
            assert isinstance(event, h11.Data)
            await self._write({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        await self._write({"type": "http.response.body", "body": b"", "more_body": False})
        self._caller.metrics.passed_calls[self._onward.dialect.name, response.status_code] += 1

    async def _await_head(self, link: Link) -> h11.Response:
        async with asyncio.timeout(self._caller.patience) as self._waiting:
            while True:
                event = await link.receive()
                if isinstance(event, h11.Response):
                    break
                if isinstance(event, h11.InformationalResponse) and event.status_code == 100:
                    self._go_ahead.set()
        if event.status_code not in _STATUSES:
            raise LinkLost
        return event

    def _start(self, response: h11.Response) -> Message:
        given = response.headers.raw_items()
        headers = onward_headers(given)
        if response.status_code in _NO_LENGTH or values_of(given, b"transfer-encoding"):
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        if values_of(headers, b"date"):
            self._scope["extensions"][UNDATED]()
        shown = [
            (b"content-length" if name.lower() == b"content-length" else AsSent(name), value)
            for name, value in headers
        ]
        return {"type": "http.response.start", "status": response.status_code, "headers": shown}

    async def _write(self, message: Message) -> None:
        """To the client; one that does not take it keeps the venue's connection for so long and no longer."""
        async with asyncio.timeout(self._caller.patience):
            await self._send(message)

    # Failures ---------------------------------------------------------------------------------------

    async def _fail(self, link: Link, kind: FailureKind) -> None:
        if self._gone:
            return
        _log.warning("call_not_passed", dialect=self._onward.dialect.name, failure=kind)
        if not self._answering:
            await self.refuse(kind if link.spoken else "venue_unreachable")
            return
        self._count("venue_cut")
        self._scope["extensions"][ABORT]()
        while not self._gone:
            self._gone = (await self._receive())["type"] == "http.disconnect"

    def _count(self, failure: str) -> None:
        self._caller.metrics.passage_failures[self._onward.dialect.name, failure] += 1

    async def refuse(self, kind: FailureKind) -> None:
        """Say in the venue's form why there is no answer of the venue's."""
        dialect = self._onward.dialect
        self._count(kind)
        query: bytes = self._scope["query_string"]
        headers = {name.lower(): value for name, value in self._headers}
        request = Request(self._scope["method"], self._onward.path, query, headers)
        reply = render_passage_fault(dialect, kind, request, self._caller.now())
        await send_reply(self._send, reply)


def render_passage_fault(dialect: Dialect, kind: FailureKind, request: Request, now: Micros) -> Reply:
    """Why there is no answer of the venue's, in its form; its own fault where it has no words for it."""
    known = any(row.kind == kind for row in dialect.failures)
    return render_fault(dialect, Fault(kind if known else "internal"), request=request, now=now)
