"""What a program has to do, with all that differs between products decided: templates only spell it."""

import re
from typing import Final, Literal

import msgspec

from listenkey.dialect.model import OperationKind
from listenkey.reference.describe import Call, Product, Socket, StreamPage

GATEWAY: Final = "http://127.0.0.1:8080"
"""Where `listenkey serve --demo` answers."""
_WINDOWS_OF_A_LIFE: Final = 3
"""A key is extended so often in its lifetime: two calls in a row may fail without harm."""
_EXPIRED: Final = "listenKeyExpired"


class Argument(msgspec.Struct, frozen=True):
    """One parameter that a program sends."""

    name: str
    role: Literal["listen_key", "scope"]
    variable: str
    """The environment variable that gives it."""
    sample: str


class Request(msgspec.Struct, frozen=True):
    """One REST call as a program makes it."""

    kind: OperationKind
    title: str
    method: str
    path: str
    arguments: tuple[Argument, ...]


class Credentials(msgspec.Struct, frozen=True):
    """How a program shows who it is."""

    header: str
    signed: bool
    timestamp: str
    signature: str


class Rest(msgspec.Struct, frozen=True):
    """One REST call by itself."""

    product: str
    base: str
    request: Request
    credentials: Credentials
    code_in_success: bool
    """Whether failures travel with status 200 and a `code` in the body."""


class Life(msgspec.Struct, frozen=True):
    """A stream's key from its creation to its end."""

    product: str
    stream: str
    base: str
    create: Request
    extend: Request
    close: Request
    credentials: Credentials
    before: str
    """The socket's path up to the listen key."""
    after: str
    """What follows the key there; mostly nothing."""
    subscriptions: tuple[str, ...]
    gzip: bool
    """Whether messages are binary and have to be unzipped."""
    beat: str
    """How a heartbeat that a program has to answer begins; empty where its library answers Pings."""
    answer: str
    expired: str
    """The type of the notice that the key is over; empty where there is none."""
    expired_begins: str
    """How that notice begins, for languages without a JSON reader at hand."""
    extend_seconds: int

    @property
    def plain(self) -> bool:
        """Whether a program may take every message for an event and never has to send one."""
        return not (self.gzip or self.beat or self.subscriptions)

    @property
    def scope(self) -> Argument | None:
        """The argument beside the key that all calls share."""
        return next((each for each in self.create.arguments if each.role == "scope"), None)


def rest(product: Product, call: Call) -> Rest:
    """The plan of one call."""
    return Rest(
        product.title,
        f"{GATEWAY}/{product.name}",
        _request(call),
        _credentials(product, call),
        any(row.status == call.answers[0].status and row.code is not None for row in call.failures),
    )


def life(product: Product, stream: StreamPage) -> Life | None:
    """The plan of a stream's whole life; None where no address carries its key."""
    socket = _socket(stream)
    if socket is None or {each.kind for each in product.calls} != {"create", "extend", "close"}:
        return None
    before, _, after = socket.path.partition("$listen_key")
    beat = stream.heartbeat
    notices = [each.body for each in stream.notices if f'"{_EXPIRED}"' in each.body]
    return Life(
        product.title,
        stream.title,
        f"{GATEWAY}{stream.prefix}",
        _request(product.call("create")),
        _request(product.call("extend")),
        _request(product.call("close")),
        _credentials(product, product.call("create")),
        before,
        after,
        stream.subscriptions,
        stream.codec == "gzip_binary",
        re.split(r"\$[a-z_]+", beat.send)[0] if beat.kind != "protocol_ping" else "",
        beat.answers[0] if beat.answers else "",
        _EXPIRED if notices else "",
        notices[0].partition(f'"{_EXPIRED}"')[0] + f'"{_EXPIRED}"' if notices else "",
        product.lifetime_s // _WINDOWS_OF_A_LIFE,
    )


def _socket(stream: StreamPage) -> Socket | None:
    """The plainest address, one that the venue still has where there is the choice."""
    fit = [each for each in stream.sockets if each.binds == "address" and not each.combined]
    return min(fit, key=lambda each: each.era is not None, default=None)


def _request(call: Call) -> Request:
    arguments = []
    for each in call.parameters:
        if each.role == "listen_key":
            arguments.append(Argument(each.name, "listen_key", "LISTEN_KEY", each.sample))
        elif each.role == "scope":
            arguments.append(Argument(each.name, "scope", _variable(each.name), each.sample))
    return Request(call.kind, call.title, call.method, call.path, tuple(arguments))


def _variable(name: str) -> str:
    """A parameter's name as an environment variable, and as a constant of every language."""
    return re.sub(r"\W", "_", name.upper(), flags=re.ASCII)


def _credentials(product: Product, call: Call) -> Credentials:
    auth = product.dialect.auth
    signed = call.signature != "ignored"
    return Credentials(call.header, signed, auth.timestamp_parameter, auth.signature_parameter)
