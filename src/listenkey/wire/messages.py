"""What passes between the wire and the rooms around it: requests, what they ask for, what is wrong,
replies."""

import msgspec

from listenkey.base.clock import Micros
from listenkey.dialect.model import FailureKind


class Request(msgspec.Struct, frozen=True):
    """An HTTP request. The path is percent-decoded and without its mount prefix; header names are lower
    case."""

    method: str
    path: str
    query: bytes = b""
    headers: dict[bytes, bytes] = {}
    body: bytes = b""


class Reply(msgspec.Struct):
    """An HTTP answer. `Content-Length` and `Date` are written by whoever sends it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a request; `fields` fill the places of the failure's text."""

    kind: FailureKind
    fields: dict[str, object] = {}


class Signed(msgspec.Struct, frozen=True):
    """A signature and what it may be a signature of: any one of `payloads`."""

    payloads: tuple[bytes, ...]
    signature: str
    timestamp: Micros
    recv_window: Micros


class Arguments(msgspec.Struct, frozen=True):
    """What an operation was asked with. `listen_key` is None where the API key names the key."""

    listen_key: str | None = None
    scope: str = ""
    signed: Signed | None = None


class NoContent(msgspec.Struct, frozen=True):
    """A request without a listen key where the venue answers just that, once its signature is found right."""

    signed: Signed | None = None
