"""A venue's protocol from the client's side, by dialect: requests to send, and what answers and frames mean.

The other direction of the same tables is in `wire.rest`, `wire.control` and `wire.frames`.
"""

import hmac
import re
import zlib
from typing import Final, Literal
from urllib.parse import quote, urlencode

import msgspec

from listenkey.base.clock import MILLISECOND, SECOND, Micros, to_millis
from listenkey.dialect.model import (
    Dialect,
    FailureKind,
    Heartbeat,
    Operation,
    OperationKind,
    SocketPath,
    Stream,
)
from listenkey.dialect.template import fill_json, places
from listenkey.wire.frames import event_type

CallOutcome = Literal["done", "key_gone", "limited", "clock", "refused", "transient"]
_GONE: Final = frozenset[FailureKind]({"listen_key_unknown", "parameter_illegal"})
_LIMITED: Final = frozenset[FailureKind]({"rate_limited", "endpoint_disabled", "error_breaker", "banned"})
_CLOCK: Final = frozenset[FailureKind]({"timestamp_late", "timestamp_early"})
_FOR_GOOD: Final = frozenset[FailureKind](
    (
        "api_key_missing", "api_key_malformed", "api_key_unknown", "ip_not_allowed", "permission_denied",
        "signature_missing", "signature_wrong", "symbol_missing", "symbol_unknown", "recv_window_wrong",
        "timestamp_missing", "timestamp_malformed", "path_unknown", "method_unknown",
    )
)  # fmt: skip
_STAMP: Final = re.compile(r"(?<!\d)1\d{12}(?!\d)")
"""Milliseconds since 1970, as venues put them into messages."""
_LONGEST_REASON: Final = 300


class Call(msgspec.Struct, frozen=True):
    """An HTTP request to send. `path` carries the query."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]


class CallResult(msgspec.Struct, frozen=True):
    """What an answer means."""

    outcome: CallOutcome
    listen_key: str = ""
    retry_at: Micros = 0
    """Wall-clock time before which another call is of no use; 0 where the answer did not say."""
    reason: str = ""
    """What the venue said, for people."""


class _Body(msgspec.Struct):
    code: int | str | None = None
    msg: str | None = None
    listenKey: str | None = None  # noqa: N815 - the venues' name
    data: msgspec.Raw = msgspec.Raw()


class _Inner(msgspec.Struct):
    listenKey: str | None = None  # noqa: N815 - the venues' name


_read_body = msgspec.json.Decoder(_Body).decode
_read_inner = msgspec.json.Decoder(_Inner).decode


def build_call(
    dialect: Dialect,
    kind: OperationKind,
    *,
    api_key: str,
    secret: str,
    listen_key: str = "",
    symbol: str = "",
    now: Micros,
) -> Call:
    """The request for an operation. It is signed where the dialect looks at signatures and there is a
    secret."""
    operation = operation_of(dialect, kind)
    parameters = {}
    if listen_key and kind != "create" and operation.key_in == "parameter":
        parameters[operation.key_parameter] = listen_key
    if operation.scope_parameter:
        parameters[operation.scope_parameter] = symbol
    auth = dialect.auth
    if auth.signature != "ignored" and secret:
        parameters[auth.timestamp_parameter] = str(to_millis(now))
        signature = hmac.digest(secret.encode(), urlencode(parameters).encode(), "sha256").hex()
        parameters[auth.signature_parameter] = signature
    query = urlencode(parameters)
    return Call(operation.method, f"{operation.path}{'?' if query else ''}{query}", ((auth.header, api_key),))


def operation_of(dialect: Dialect, kind: OperationKind) -> Operation:
    """The call of a kind, in its plain spelling."""
    return next(each for each in dialect.operations if each.kind == kind and not each.alias)


def read_result(
    dialect: Dialect, kind: OperationKind, status: int, headers: dict[str, str], body: bytes, now: Micros
) -> CallResult:
    """What the answer to an operation means, whatever it is: HTML, rubbish and nothing at all included."""
    read = _read(body)
    key = _listen_key(read)
    if 200 <= status < 300 and _is_fine(read, body):
        if kind != "create" or key:
            return CallResult("done", key)
        return CallResult("transient", reason="an answer without a listen key")
    return failure_of(dialect, status, headers, body, now, has_key=kind != "create")


def failure_of(
    dialect: Dialect, status: int, headers: dict[str, str], body: bytes, now: Micros, *, has_key: bool = False
) -> CallResult:
    """What an answer means that is not what was asked for. `has_key`: the call named a listen key, which may
    be gone."""
    read = _read(body)
    reason = f"{status} {read.msg or ''}".strip() if read else f"{status}"
    reason = reason[:_LONGEST_REASON]
    if status == 410:
        return CallResult("refused", reason=f"{reason}: the venue has removed this call; {_era(dialect)}")
    outcome = outcome_of(dialect, status, None if read is None else read.code, has_key=has_key)
    return CallResult(outcome, retry_at=_retry_at(headers, (read and read.msg) or "", now), reason=reason)


def _read(body: bytes) -> _Body | None:
    try:
        return _read_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _listen_key(read: _Body | None) -> str:
    """At the top, or inside `data` where a venue wraps its answers."""
    if read is None:
        return ""
    if read.listenKey:
        return read.listenKey
    try:
        return (_read_inner(read.data).listenKey or "") if read.data else ""
    except msgspec.DecodeError:
        return ""


def _is_fine(read: _Body | None, body: bytes) -> bool:
    """Whether the body is empty or names no error: some venues send theirs with status 200. A page of HTML
    is somebody else's answer."""
    return not body.strip() if read is None else read.code in {None, 0, 200, "0", "200"}


def outcome_of(dialect: Dialect, status: int, code: int | str | None, *, has_key: bool) -> CallOutcome:
    """What a failure means. `has_key`: the call named a listen key, which may be gone."""
    kinds = {
        row.kind
        for row in dialect.failures
        if row.status == status and (row.code is None) == (code is None) and str(row.code) == str(code)
    }
    if status in {418, 429} or kinds & _LIMITED:
        return "limited"
    if kinds & _CLOCK:
        return "clock"
    if has_key and kinds & _GONE:
        return "key_gone"
    return "refused" if kinds and kinds <= _FOR_GOOD else "transient"


def _retry_at(headers: dict[str, str], message: str, now: Micros) -> Micros:
    after = headers.get("retry-after", "")
    if after.isascii() and after.isdigit() and len(after) < 8:
        return now + int(after) * SECOND
    stamps = [int(each) * MILLISECOND for each in _STAMP.findall(message)]
    return max((stamp for stamp in stamps if stamp > now), default=0)


def _era(dialect: Dialect) -> str:
    return next((era.replaced_by for era in dialect.eras if era.status == 410), "see its change log")


# Sockets --------------------------------------------------------------------------------------------


def socket_path(dialect: Dialect, stream: str) -> SocketPath:
    """The plainest path that a key of this stream goes into: events bare, the key in the address."""
    base = stream.partition(":")[0]
    paths = [each for each in dialect.sockets if each.stream == base and each.names_in != "nowhere"]
    return min(paths, key=lambda each: (each.combined, not each.root))


def socket_target(path: SocketPath, listen_key: str) -> str:
    """Path and query of the handshake."""
    key = quote(listen_key, safe="")
    if path.names_in == "path":
        return path.path.replace("{names}", key)
    return f"{path.path}?{path.names_parameters[0]}={key}"


def subscriptions(dialect: Dialect, stream: str, path: SocketPath) -> tuple[str, ...]:
    """What has to be sent on an open socket before events come."""
    if path.control != "topics":
        return ()
    return topic_requests(next(each for each in dialect.streams if each.name == stream))


def topic_requests(stream: Stream) -> tuple[str, ...]:
    """The requests for all topics of a stream."""
    return tuple(
        msgspec.json.encode({"id": str(number), "reqType": "sub", "dataType": topic.name}).decode()
        for number, topic in enumerate(stream.topics, 1)
    )


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """What a frame is. `event` is an event's own bytes, out of every wrapping."""

    kind: Literal["event", "key_ended", "going_down", "heartbeat", "other", "rubbish", "not_subscribed"]
    """`rubbish` could not be read, and may have been an event; `not_subscribed`: events will not come."""
    event: bytes = b""
    type: str = ""
    answer: str = ""
    """What has to be sent back, for a heartbeat."""


class _Wrapped(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()
    ping: msgspec.Raw = msgspec.Raw()


class _Type(msgspec.Struct, gc=False):
    e: str = ""


_read_type = msgspec.json.Decoder(_Type).decode
_read_wrapped = msgspec.json.Decoder(_Wrapped).decode
_OTHER: Final = Incoming("other")
_RUBBISH: Final = Incoming("rubbish")
_NOT_SUBSCRIBED: Final = Incoming("not_subscribed")
_GOING_DOWN: Final = "serverShutdown"
_TERMINATED: Final = "eventStreamTerminated"
_LARGEST: Final = 16 << 20
_GZIP: Final = b"\x1f\x8b"
"""How packed frames begin, which is not UTF-8; so a broken one stays unreadable."""


class FrameReader:
    """Reads the frames of one stream's sockets."""

    def __init__(self, dialect: Dialect, stream: str, path: SocketPath) -> None:
        base = stream.partition(":")[0]
        self._heartbeat = dialect.heartbeats[path.heartbeat]
        self._beats = self._heartbeat.kind != "protocol_ping"
        self._kinds: dict[str, Literal["key_ended", "going_down"]] = {
            event_type(fill_json(row.body, dict.fromkeys(places(row.body), 0)).encode()): "key_ended"
            for row in dialect.notices
            if base in row.streams
        }
        self._kinds |= {_TERMINATED: "key_ended", _GOING_DOWN: "going_down"}
        self._subscribes = path.control == "topics"

    def read(self, frame: str | bytes) -> Incoming:
        """What a frame is, whatever it is."""
        payload = frame.encode("utf-8", "replace") if isinstance(frame, str) else frame
        if payload.startswith(_GZIP):
            payload = _unzipped(payload)
        if not payload.isascii() and not _is_utf8(payload):
            return _RUBBISH
        if self._beats and (answer := self._answer(payload)) is not None:
            return Incoming("heartbeat", answer=answer)
        try:
            name = _read_type(payload).e
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            name = ""
        return Incoming(self._kinds.get(name, "event"), payload, name) if name else self._other(payload)

    def _other(self, payload: bytes) -> Incoming:
        """What a frame is that is no bare event."""
        inner = _inside(payload)
        if inner is None:
            return _OTHER if payload.isalnum() else _RUBBISH  # a heartbeat of some kind, or anything
        name = event_type(inner)
        if name:
            return Incoming(self._kinds.get(name, "event"), inner, name)
        return _NOT_SUBSCRIBED if self._subscribes and _refuses(payload) else _OTHER

    def _answer(self, payload: bytes) -> str | None:
        beat: Heartbeat = self._heartbeat
        if beat.kind == "word":
            return beat.answers[0] if payload == beat.send.encode() else None
        if beat.kind != "json" or not payload.startswith(b'{"ping"'):
            return None
        try:
            ping = bytes(_read_wrapped(payload).ping).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return '{"pong":' + ping + "}" if ping else None


def _refuses(payload: bytes) -> bool:
    """Whether an answer to what was sent on a socket names an error."""
    read = _read(payload)
    return read is not None and read.code not in {None, 0, "0"}


def _inside(payload: bytes) -> bytes | None:
    """What a frame wraps, which may be nothing; None where it is no JSON."""
    try:
        wrapped = _read_wrapped(payload)
    except msgspec.ValidationError:  # a list, a number, a word
        return b""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return bytes(wrapped.event) or bytes(wrapped.data)


def _unzipped(frame: bytes) -> bytes:
    """What was packed; what nobody can read where that is broken, or of any size."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        payload = unzip.decompress(frame, _LARGEST)
    except zlib.error:
        return frame
    return payload if unzip.eof else frame


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
