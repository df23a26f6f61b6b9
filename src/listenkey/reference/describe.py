"""A dialect as its users look it up: products, calls, streams, each with all that a page or a program needs.

Everything is read from the dialect; what is written here are the words for its closed vocabulary. No page,
language or file format is known here.
"""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from listenkey.dialect.era import call_removed_by, path_removed_by
from listenkey.dialect.model import (
    Close,
    Control,
    Dialect,
    Era,
    Event,
    Failure,
    FailureKind,
    Heartbeat,
    Host,
    Limit,
    Notice,
    Operation,
    OperationKind,
    PublicCall,
    Snapshot,
    SocketPath,
    Stream,
    Topic,
)
from listenkey.reference.words import CLOSES, FAILURES
from listenkey.wire.client import topic_requests

SAMPLE_SYMBOL: Final = "BTCUSDT"
_TITLES: Final[dict[OperationKind, str]] = {
    "create": "Create a listen key",
    "extend": "Extend a listen key",
    "close": "Close a listen key",
}
_ANY_CALL: Final = frozenset[FailureKind](
    (
        "api_key_missing", "api_key_malformed", "api_key_unknown", "ip_not_allowed", "permission_denied",
        "rate_limited", "endpoint_disabled", "error_breaker", "banned", "method_unknown", "body_too_large",
        "request_malformed", "internal",
    )
)  # fmt: skip
_SIGNED: Final = frozenset[FailureKind](
    (
        "signature_missing", "signature_wrong", "timestamp_missing", "timestamp_malformed", "timestamp_late",
        "timestamp_early", "recv_window_wrong",
    )
)  # fmt: skip
_KEYED: Final = frozenset[FailureKind](("listen_key_missing", "parameter_empty", "parameter_illegal"))
_SCOPED: Final = frozenset[FailureKind](
    ("symbol_missing", "symbol_unknown", "parameter_empty", "parameter_illegal")
)


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a call, sent in the query or as a form; both are understood."""

    name: str
    required: bool
    meaning: str
    sample: str
    role: Literal["listen_key", "scope", "timestamp", "window", "signature", "other"] = "other"
    aliases: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """One answer that is no failure."""

    status: int
    body: str
    content_type: str
    when: str


class FailureRow(msgspec.Struct, frozen=True):
    """One failure that a call can meet."""

    kind: FailureKind
    status: int
    code: int | None
    body: str
    """As sent, with `$places` that an answer fills in; empty where there is no body."""
    content_type: str
    meaning: str
    remedy: str


class Call(msgspec.Struct, frozen=True):
    """One REST call of a product."""

    kind: OperationKind
    title: str
    method: str
    path: str
    header: str
    """The header that carries the API key."""
    signature: Literal["ignored", "if_sent", "required"]
    permission: str
    parameters: tuple[Parameter, ...]
    weight: int
    limits: tuple[Limit, ...]
    answers: tuple[Answer, ...]
    failures: tuple[FailureRow, ...]
    era: Era | None
    """The change that removed it at the venue; None while it lives there."""
    others: tuple[str, ...] = ()
    """Other spellings, `METHOD /path`, that are answered alike."""

    @property
    def gives_key(self) -> bool:
        """Whether the answer carries the listen key."""
        return "$listen_key" in self.answers[0].body


class Socket(msgspec.Struct, frozen=True):
    """One form of address of a stream's WebSocket."""

    path: str
    """With `$listen_key` where the key goes, query included."""
    combined: bool
    """Events arrive as `{"stream":KEY,"data":EVENT}`."""
    control: Literal["method", "topics", "acks", "none"]
    binds: Literal["address", "subscribe"]
    """Whether the key goes into the address, or into a SUBSCRIBE request afterwards."""
    era: Era | None
    parameters: tuple[str, ...] = ()
    """Names of the query parameters that may carry keys, the usual one first."""
    events_parameter: str = ""
    """The query parameter that narrows the events, where there is one."""
    prefixed: bool = False
    """Found under the stream's own prefix, host or listener only."""
    event_items: bool = False
    """`KEY@TYPE` is a name in SUBSCRIBE."""


class CloseRow(msgspec.Struct, frozen=True):
    """One way in which the server ends a socket."""

    kind: str
    code: int
    """1006 stands for an end without a close frame."""
    reason: str
    meaning: str
    remedy: str


class StreamPage(msgspec.Struct, frozen=True):
    """One stream: how it is opened, what arrives, and what has to be answered."""

    name: str
    """As mounted, `NAME:SYMBOL` where the key space is by symbol."""
    title: str
    sockets: tuple[Socket, ...]
    """The plainest first: one key in the address, events bare."""
    subscriptions: tuple[str, ...]
    """Text frames to send once the socket is open, before events come."""
    codec: Literal["text", "gzip_binary"]
    heartbeat: Heartbeat
    events: tuple[Event, ...]
    state_events: tuple[str, ...]
    notices: tuple[Notice, ...]
    hosts: Host | None
    prefix: str
    """Where a gateway mounts it: `/NAME`, to which REST and socket paths are added."""
    control: Control
    """How requests on its sockets are answered."""
    topics: tuple[Topic, ...] = ()
    enveloped: tuple[str, ...] = ()
    """Event types that come as `{"stream":KEY,"data":EVENT}` on every socket."""
    snapshots: tuple[Snapshot, ...] = ()
    past_events: tuple[Event, ...] = ()
    """Events as they were before the venue changed them."""


class Product(msgspec.Struct, frozen=True):
    """One dialect: its calls and its streams."""

    name: str
    title: str
    venue: str
    documentation: str
    lifetime_s: int
    sample_key: str
    """A made-up listen key of the right form."""
    calls: tuple[Call, ...]
    streams: tuple[StreamPage, ...]
    dialect: Dialect
    closes: tuple[CloseRow, ...] = ()
    public: tuple[PublicCall, ...] = ()
    """Calls without a key that clients make first; the gateway answers them with the least that suffices."""
    quiet: tuple[Socket, ...] = ()
    """Sockets for market data: they open, and nothing comes."""
    elsewhere: tuple[FailureRow, ...] = ()
    """Failures that no call of these meets: what other paths are answered."""
    when_signed: tuple[FailureRow, ...] = ()
    """Failures that its calls meet where the gateway is told to demand signatures, and not otherwise."""

    def call(self, kind: OperationKind) -> Call:
        """The call of a kind."""
        return next(each for each in self.calls if each.kind == kind)


def describe(dialect: Dialect) -> Product:
    """All that there is to look up about one dialect."""
    space = dialect.key_space
    letters = (space.alphabet * space.length)[:: max(1, len(space.alphabet) // 3 * 2 + 1)]
    sample_key = letters[: space.length].ljust(space.length, space.alphabet[0])
    calls = tuple(_call(dialect, each, sample_key) for each in dialect.operations if not each.alias)
    met = {row.kind for call in calls for row in call.failures}
    return Product(
        dialect.name,
        dialect.title,
        dialect.venue,
        dialect.documentation,
        space.lifetime_s,
        sample_key,
        calls,
        tuple(_stream(dialect, each) for each in dialect.streams),
        dialect,
        tuple(_close(each) for each in dialect.closes),
        dialect.public_calls,
        tuple(_socket(dialect, each) for each in dialect.sockets if not each.stream),
        tuple(_failure(dialect, row) for row in dialect.failures if row.kind not in met | _SIGNED),
        tuple(_failure(dialect, row) for row in dialect.failures if row.kind in _SIGNED - met),
    )


def _call(dialect: Dialect, operation: Operation, sample_key: str) -> Call:
    return Call(
        operation.kind,
        _TITLES[operation.kind],
        operation.method,
        operation.path,
        dialect.auth.header,
        dialect.auth.signature,
        "read",
        tuple(_parameters(dialect, operation, sample_key)),
        operation.weight,
        tuple(each for each in dialect.limits.buckets if each.name in operation.pools),
        tuple(_answers(operation)),
        tuple(_failure(dialect, row) for row in dialect.failures if _can_meet(dialect, operation, row.kind)),
        call_removed_by(dialect, operation),
        tuple(
            f"{each.method} {each.path}"
            for each in dialect.operations
            if each.alias and each.kind == operation.kind
        ),
    )


def _parameters(dialect: Dialect, operation: Operation, sample_key: str) -> Iterator[Parameter]:
    if operation.key_in == "parameter" and operation.kind != "create":
        yield Parameter(
            operation.key_parameter,
            operation.missing_key == "failure",
            "The listen key.",
            sample_key,
            "listen_key",
            operation.key_aliases,
        )
    if operation.scope_parameter:
        yield Parameter(
            operation.scope_parameter,
            True,
            "The trading pair of the isolated account.",
            SAMPLE_SYMBOL,
            "scope",
        )
    if dialect.auth.signature == "ignored":
        return
    must, auth = dialect.auth.signature == "required", dialect.auth
    moment = "Now, in milliseconds since 1970 UTC."
    yield Parameter(auth.timestamp_parameter, must, moment, "1700000000000", "timestamp")
    window = (
        f"How old the request may be when it arrives, in milliseconds; {auth.recv_window_ms} if not sent."
    )
    yield Parameter(auth.recv_window_parameter, False, window, str(auth.recv_window_ms), "window")
    how = "HMAC-SHA256 of the parameters as sent, keyed with the API secret, in hexadecimal; the last one."
    yield Parameter(auth.signature_parameter, must, how, "0" * 64, "signature")


def _answers(operation: Operation) -> Iterator[Answer]:
    done = {
        "create": "A listen key lives now.",
        "extend": "It lives its whole lifetime again.",
        "close": "It is gone.",
    }
    yield Answer(operation.success_status, operation.success_body, "application/json", done[operation.kind])
    if operation.missing_key == "no_content" and operation.kind != "create":
        yield Answer(204, "", "", f"The request names no `{operation.key_parameter}`; nothing was done.")


def _can_meet(dialect: Dialect, operation: Operation, kind: FailureKind) -> bool:
    met = set(_ANY_CALL)
    if dialect.auth.signature != "ignored":
        met |= _SIGNED
    if operation.kind != "create":
        met.add("listen_key_unknown")
        if operation.key_in == "parameter":
            met |= _KEYED if operation.missing_key == "failure" else {"parameter_illegal"}
    if operation.scope_parameter:
        met |= _SCOPED
    if dialect.time_unit_header:
        met.add("time_unit_wrong")
    return kind in met


def _failure(dialect: Dialect, row: Failure) -> FailureRow:
    body = row.body
    if not body and row.code is not None:
        body = dialect.error_envelope.replace("$code", str(row.code)).replace("$msg", row.msg)
    meaning, remedy = FAILURES[row.kind]
    return FailureRow(row.kind, row.status, row.code, body, row.content_type if body else "", meaning, remedy)


def _stream(dialect: Dialect, stream: Stream) -> StreamPage:
    paths = [each for each in dialect.sockets if each.stream == stream.name]
    sockets = sorted((_socket(dialect, each) for each in paths), key=lambda each: (each.binds, each.combined))
    symbol = f":{SAMPLE_SYMBOL}" if dialect.key_space.scope == "symbol" else ""
    subscriptions = topic_requests(stream) if sockets[0].control == "topics" else ()
    return StreamPage(
        f"{stream.name}{symbol}",
        stream.title,
        tuple(sockets),
        subscriptions,
        dialect.frames.codec,
        dialect.heartbeats[paths[0].heartbeat],
        tuple(each for each in dialect.events if stream.name in each.streams),
        stream.state_events,
        tuple(each for each in dialect.notices if stream.name in each.streams),
        dialect.host(stream.name),
        f"/{stream.name}",
        max(
            (row for row in dialect.controls if row.stream in {stream.name, ""}),
            key=lambda row: row.stream,
        ),
        stream.topics,
        stream.enveloped,
        stream.snapshots,
        tuple(each for each in dialect.past_events if stream.name in each.streams),
    )


def _socket(dialect: Dialect, socket: SocketPath) -> Socket:
    path, binds = socket.path, "address"
    if socket.names_in == "path":
        path = path.replace("{names}", "$listen_key")
    elif socket.names_in == "query":
        path = f"{path}?{socket.names_parameters[0]}=$listen_key"
    else:
        binds = "subscribe"
    return Socket(
        path,
        socket.combined,
        socket.control,
        "subscribe" if binds == "subscribe" else "address",
        path_removed_by(dialect, socket),
        socket.names_parameters,
        socket.events_parameter,
        not socket.root,
        socket.event_items,
    )


def _close(row: Close) -> CloseRow:
    return CloseRow(row.kind, row.code, row.reason, *CLOSES[row.kind])
