"""A socket that is passed: the handshake as it is, and then every byte, both ways and as fast as the slower
side takes it. Frames, Pings and Closes are between the client and its venue."""

import asyncio
import contextlib
import os
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final

import h11
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from listenkey.dialect.model import FailureKind
from listenkey.edge.passage.headers import Headers, onward_headers, with_host
from listenkey.edge.passage.link import Link, LinkLost, Links
from listenkey.service.metrics import Metrics
from listenkey.wire.frames import ws_frame
from listenkey.wire.messages import Reply

_CLOSE: Final = 0x8
_MOST_EARLY: Final = 65_536
"""Bytes of the client's that may wait for the venue."""
_GOODBYE_SECONDS: Final = 1.0
_MOST_REFUSED: Final = 65_536
"""Bytes of a venue's refusal that are passed."""
_UPGRADE: Final = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")]
_OF_A_HANDSHAKE: Final = frozenset(
    {b"sec-websocket-key", b"sec-websocket-extensions", b"sec-websocket-protocol", b"sec-websocket-version"}
)
_TRY_AGAIN: Final = 1013
_log = structlog.get_logger(__name__)


class Handshake:
    """What a venue is asked for."""

    def __init__(self, links: Links, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """`target`: path and query as the client sent them."""
        self.links = links
        self._target = target
        self._headers = headers

    def request(self, *, ours: bool) -> h11.Request:
        """The request. `ours`: the client has its 101 from us, so the rest is asked for in our own name, and
        without extensions. Errors: `h11.LocalProtocolError`."""
        base = self.links.base
        headers = onward_headers(self._headers)
        if ours:
            headers = [(name, value) for name, value in headers if name.lower() not in _OF_A_HANDSHAKE]
            headers += [
                (b"Sec-WebSocket-Key", b64encode(os.urandom(16))), (b"Sec-WebSocket-Version", b"13"),
            ]  # fmt: skip
        headers = [*with_host(headers, base.authority), *_UPGRADE]
        return h11.Request(method="GET", target=base.prefix + self._target, headers=headers)


class Tunnel(asyncio.Protocol):
    """The client's end; it opens the venue's. What the client says before that is open is kept back."""

    def __init__(
        self,
        handshake: Handshake,
        transport: asyncio.Transport,
        *,
        patience: float,
        welcomed: bool,
        name: str,
        metrics: Metrics,
        refusal: Callable[[FailureKind], Reply],
        over: Callable[["Tunnel"], None],
    ) -> None:
        """`patience`: seconds for the venue's answer. `welcomed`: the client has its 101. `name`: of the
        dialect. `refusal`: says why there is no venue, in the venue's form. `over`: is told when it is."""
        self._handshake = handshake
        self._client = transport
        self._patience = patience
        self._welcomed = welcomed
        self._name = name
        self._metrics = metrics
        self._refusal = refusal
        self._over = over
        self._early = bytearray()
        self._venue: asyncio.Transport | None = None
        self._link: Link | None = None
        self._is_over = False
        self._client_full = False
        self._held_up = False
        """Whether the client's bytes are left where they are for now."""
        metrics.passed_sockets_open += 1
        self._opening = asyncio.ensure_future(self._open())

    # The venue's end --------------------------------------------------------------------------------

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._shake_hands()
        except OSError:
            self._refuse("venue_timeout" if self._link is not None else "venue_unreachable")
        except (LinkLost, h11.LocalProtocolError):
            self._refuse("venue_garbled")
        except Exception:  # noqa: BLE001 - whatever it was, other sockets go on
            _log.exception("socket_not_passed", dialect=self._name)
            self._metrics.internal_errors += 1
            self.abort()

    async def _shake_hands(self) -> None:
        request = self._handshake.request(ours=self._welcomed)
        link = self._link = await self._handshake.links.open()
        await link.send(request, h11.EndOfMessage())
        while True:
            event = await link.receive()
            if isinstance(event, h11.Response):
                await self._pass_refusal(link, event)
                return
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                self._join(link, event)
                return

    def _join(self, link: Link, answer: h11.InformationalResponse) -> None:
        self._venue, rest = link.take_over()
        self._venue.set_protocol(_VenueSide(self))
        if not self._welcomed:
            self._client.write(_head(101, [*onward_headers(answer.headers.raw_items()), *_UPGRADE]))
            self._welcomed = True
        if rest:
            self._client.write(rest)
        if self._early:
            self._venue.write(bytes(self._early))
            self._early.clear()
        if self._client_full:
            self._venue.pause_reading()
        self._metrics.passed_sockets[self._name] += 1
        self._hold_up(False)

    async def _pass_refusal(self, link: Link, response: h11.Response) -> None:
        body = bytearray()
        with contextlib.suppress(LinkLost):  # as much of its reasons as there is
            while len(body) < _MOST_REFUSED and isinstance(event := await link.receive(), h11.Data):
                body += event.data
        headers = [
            (name, value)
            for name, value in onward_headers(response.headers.raw_items())
            if name.lower() != b"content-length"
        ]
        self._say_no(response.status_code, headers, bytes(body[:_MOST_REFUSED]), "venue_refused")

    def _refuse(self, kind: FailureKind) -> None:
        reply = self._refusal(kind)
        self._say_no(reply.status, reply.headers, reply.body, kind)

    def _say_no(self, status: int, headers: Headers, body: bytes, failure: str) -> None:
        """Tell the client that there is no socket: in place of the 101, or after it in a Close."""
        if self._welcomed:
            reason = f"the venue could not be reached: {status}"
            self._client.write(ws_frame(_TRY_AGAIN.to_bytes(2, "big") + reason.encode(), _CLOSE))
        else:
            length = [(b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
            self._client.write(_head(status, [*headers, *length]) + body)
        _log.warning("socket_not_passed", dialect=self._name, failure=failure, status=status)
        self._metrics.passage_failures[self._name, failure] += 1
        self._finish()
        leave(self._client)

    # The client's end -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Frames of the client's."""
        if self._venue is not None:
            if not self._venue.is_closing():
                self._venue.write(data)
        elif not self._is_over:
            self._early += data
            if len(self._early) > _MOST_EARLY:
                self._hold_up(True)

    def _hold_up(self, wanted: bool) -> None:
        if wanted is not self._held_up and not self._client.is_closing():
            self._held_up = wanted
            (self._client.pause_reading if wanted else self._client.resume_reading)()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self._client_full = True
        if self._venue is not None:
            self._venue.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._client_full = False
        if self._venue is not None:
            self._venue.resume_reading()

    def eof_received(self) -> None:
        """The client sends no more; the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, and so is what it had at the venue."""
        if self._venue is not None and exc is None:
            self._venue.close()
        elif self._link is not None:
            self._link.abort()
        self._finish()

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._opening.cancel()
        self._early.clear()
        self._hold_up(False)
        if self._venue is None and self._link is not None:
            self._link.abort()
        self._metrics.passed_sockets_open -= 1
        self._over(self)

    # What the venue's end tells ---------------------------------------------------------------------

    def venue_said(self, data: bytes) -> None:
        """Frames of the venue's."""
        if not self._client.is_closing():
            self._client.write(data)

    def venue_is_full(self, full: bool) -> None:
        """The venue takes no more for now, or does again."""
        self._hold_up(full)

    def venue_left(self, exc: Exception | None) -> None:
        """The venue is gone: in good order, or cut off."""
        if exc is None:
            self._client.close()
        else:
            self._client.abort()
        self._finish()

    def abort(self) -> None:
        """Cut both ends."""
        self._client.abort()
        if self._link is not None:
            self._link.abort()


class _VenueSide(asyncio.Protocol):
    """The venue's end of a tunnel."""

    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel

    def data_received(self, data: bytes) -> None:
        """Frames of the venue's."""
        self._tunnel.venue_said(data)

    def pause_writing(self) -> None:
        """The venue takes no more for now."""
        self._tunnel.venue_is_full(True)

    def resume_writing(self) -> None:
        """It does again."""
        self._tunnel.venue_is_full(False)

    def eof_received(self) -> None:
        """The venue sends no more; the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The venue is gone."""
        self._tunnel.venue_left(exc)


def leave(transport: asyncio.Transport) -> None:
    """End a connection whose peer may be sending still: closing at once would reset it, and swallow what was
    said last."""
    if not transport.can_write_eof():
        transport.close()
        return
    transport.write_eof()
    asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, transport.abort)


def _head(status: int, headers: Headers) -> bytes:
    lines = [STATUS_LINE[status], *(name + b": " + value + b"\r\n" for name, value in headers), b"\r\n"]
    return b"".join(lines)
