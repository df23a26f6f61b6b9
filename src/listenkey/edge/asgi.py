"""The little of ASGI that the applications here share: reading bodies, writing answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias

import structlog

from listenkey.service.metrics import Metrics
from listenkey.wire.messages import Reply

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

ABORT: Final = "listenkey.abort"
"""Name of the ASGI extension that cuts the connection, whatever is still to be written."""
RAW_HEADERS: Final = "listenkey.raw_headers"
"""Name of the ASGI extension that holds a request's headers in the case that they were sent in."""
UNDATED: Final = "listenkey.undated"
"""Name of the ASGI extension that leaves our `Date` out of an answer which has one; before it starts."""
_log = structlog.get_logger(__name__)
_FORWARDED: Final = b"x-forwarded-for"
_CLOSE: Final = (b"connection", b"close")


def header_map(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by their lower-case names; of a name that is repeated the last counts, but the hops of
    `X-Forwarded-For` are one list over all its lines (RFC 9110 section 5.3)."""
    headers = dict(pairs)
    if len(headers) != len(pairs) and _FORWARDED in headers:
        headers[_FORWARDED] = b",".join(value for name, value in pairs if name == _FORWARDED)
    return headers


class BodyTooLarge(Exception):
    """A body over its bound."""


class BodyTooSlow(Exception):
    """A body over its time."""


class ClientGone(Exception):
    """The client left before its body was over: what came of it is not to be acted on."""


class Answering:
    """An application whose faults are counted, logged once, and answered."""

    def __init__(self, application: Application, metrics: Metrics) -> None:
        self._application = application
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await self._application(scope, receive, send)
        except Exception:  # noqa: BLE001 - whatever it was, other requests go on
            _log.exception("request_failed", path=scope["path"])
            self._metrics.internal_errors += 1
            try:
                await send_reply(send, Reply(500, [], b""), close=True)
            except RuntimeError:  # the answer had begun
                scope["extensions"][ABORT]()


def announces_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request's head says that a body follows."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], most: int, seconds: float) -> bytes:
    """The whole body. Errors: `BodyTooLarge`, `BodyTooSlow`, `ClientGone`."""
    if not announces_body(headers):  # the most frequent case, which needs no timer
        await _next(receive)
        return b""
    try:
        async with asyncio.timeout(seconds):
            return await _read_all(receive, most)
    except TimeoutError:
        raise BodyTooSlow from None


async def _read_all(receive: Receive, most: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await _next(receive)
        more = message.get("more_body", False)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise BodyTooLarge
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


async def send_reply(send: Send, reply: Reply, *, close: bool = False) -> None:
    """Write an answer; with `close` the connection ends after it. A body that is too long needs no `close`:
    the rest of it is read past, within its time, so that the client gets to read its answer."""
    headers = reply.headers
    if reply.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(reply.body)))
    if close:
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
