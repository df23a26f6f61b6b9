"""What lies beyond the gateway: who answers calls and handshakes that it does not serve itself.

A venue listener may be given a `Beyond`; without one such calls get the venue's own error for a path that it
does not know. Calls of listen keys and of listen tokens are never offered to it, nor is the native stream.
"""

import asyncio
from typing import Protocol

import msgspec

from listenkey.dialect.model import Dialect
from listenkey.edge.asgi import Receive, Scope, Send
from listenkey.edge.handshake import Refusal
from listenkey.edge.http import Upgrade
from listenkey.wire.routes import ApiRoute, PublicRoute, SocketRoute, UnknownRoute

CallRoute = PublicRoute | UnknownRoute
"""What the gateway would answer with a ready text: a public call, or a path that it does not know."""


class Onward(msgspec.Struct, frozen=True):
    """Where a call or a handshake wants to go."""

    dialect: Dialect
    path: str
    """Percent-decoded, without the mount prefix."""
    target: bytes
    """The same as it was sent, not decoded; without the query."""
    address: str
    """Whose it is, behind trusted proxies."""


class OwnSocket(Protocol):
    """Opens the socket as if there were nobody beyond. `welcomed`: the 101 is out already, and a refusal has
    to be told in a Close."""

    def __call__(self, *, welcomed: bool = False) -> asyncio.Protocol | Refusal:
        """The socket that the gateway itself has at this path, or its refusal."""
        ...


class Beyond(Protocol):
    """Answers what the gateway does not. One object for all venue listeners."""

    def takes(self, onward: Onward, method: str, route: CallRoute) -> bool:
        """Whether `handle` is to answer this call. Nothing of its body has been read."""
        ...

    async def handle(self, onward: Onward, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call. ASGI: bodies may stream both ways, and nothing but the listener's own bounds on
        heads and on time has been applied."""
        ...

    def open_socket(
        self,
        onward: Onward,
        route: SocketRoute | ApiRoute | None,
        upgrade: Upgrade,
        transport: asyncio.Transport,
        own: OwnSocket,
    ) -> asyncio.Protocol | Refusal | None:
        """Take a handshake, or None to leave it to the gateway. `route`: whose path it is, None for
        nobody's. `own`: opens the gateway's own socket, for who finds out later whose it is."""
        ...

    async def close(self) -> None:
        """The listeners end."""
        ...


def without_prefix(path: str, inner: str, raw: bytes) -> bytes | None:
    """The part of a raw path that is `inner` once decoded; None where the mount prefix was not spelled out
    plainly, so that nobody can say where it ends."""
    prefix = path[: len(path) - len(inner)].encode()
    return raw[len(prefix) :] if raw.startswith(prefix) else None
