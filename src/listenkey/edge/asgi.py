"""The little of ASGI that the applications here share: reading bodies, writing answers."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from listenkey.wire.messages import Reply

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

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


async def read_body(receive: Receive, most: int, seconds: float) -> bytes:
    """The whole body. Errors: `BodyTooLarge`, `BodyTooSlow`, `ClientGone`."""
    message = await _next(receive)
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        body = await _read_rest(receive, body, most, seconds)
    if len(body) > most:
        raise BodyTooLarge
    return body


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


async def _read_rest(receive: Receive, body: bytes, most: int, seconds: float) -> bytes:
    parts, size = [body], len(body)
    try:
        async with asyncio.timeout(seconds):
            more = True
            while more and size <= most:
                message = await _next(receive)
                more = message.get("more_body", False)
                parts.append(message.get("body", b""))
                size += len(parts[-1])
    except TimeoutError:
        raise BodyTooSlow from None
    return b"".join(parts)


async def send_reply(send: Send, reply: Reply, *, close: bool = False) -> None:
    """Write an answer; with `close` the connection ends after it. A body that is too long needs no `close`:
    the rest of it is read past, within its time, so that the client gets to read its answer."""
    headers = reply.headers
    if reply.status != 204:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    if close:
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
