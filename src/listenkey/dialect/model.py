"""What a dialect says, as frozen structures with a closed vocabulary.

A dialect is one venue product family's listen-key protocol. Every variant named here is implemented
once, in `wire` or `core`, and open to every dialect. Templates are text with `$name` places;
`dialect.template` fills them, `dialect.lint` knows which places each field may use.
"""

from typing import Literal

import msgspec

from listenkey.dialect.api import TokenCall, WebSocketApi
from listenkey.dialect.history import History

OperationKind = Literal["create", "extend", "close"]
FailureKind = Literal[
    "api_key_missing",  # no credential header, or an empty one
    "api_key_malformed",  # characters that no API key has
    "api_key_unknown",
    "ip_not_allowed",
    "permission_denied",
    "parameter_empty",
    "parameter_illegal",
    "symbol_missing",
    "symbol_unknown",
    "listen_key_missing",
    "listen_key_unknown",
    "signature_missing",
    "signature_wrong",
    "timestamp_missing",
    "timestamp_malformed",
    "timestamp_late",
    "timestamp_early",
    "recv_window_wrong",
    "time_unit_wrong",
    "rate_limited",  # a bucket is full
    "endpoint_disabled",  # inside the penalty that a full bucket started
    "error_breaker",  # too many equal errors
    "banned",
    "too_many_connections",  # attempts to connect, or sockets that are open
    "path_unknown",
    "method_unknown",
    "body_too_large",
    "request_malformed",
    "internal",
    "venue_unreachable",  # a call that was to be passed on, and surely was not
    "venue_timeout",  # a call that was passed on, and of which nothing came back
    "venue_garbled",  # the same, and what came back broke off or is no answer
]


ControlErrorKind = Literal[
    "not_json",
    "method_missing",
    "method_unknown",
    "id_wrong",
    "too_many_parameters",
    "property_unknown",
    "property_not_text",
    "value_not_boolean",
    "topic_unknown",
    "topic_limit",
    "request_wrong",
]


CloseKind = Literal[
    "bad_key",
    "slow",
    "pong_timeout",
    "too_many_requests",
    "too_big",
    "protocol",
    "shutdown",
    "revoked",
    "no_key",
    "not_text",
    "aged",
]


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, keyword-only, and strict about unknown fields."""


class KeySpace(_Model, frozen=True, kw_only=True):
    """How listen keys are minted and live."""

    alphabet: str
    """Every character a key string may have, spelled out."""
    length: int
    legal_pattern: str
    """Full-match pattern of what a request may offer as a key; anything else is `parameter_illegal`."""
    lifetime_s: int = 3600
    issue: Literal["same_extended", "new_coexists", "new_replaces", "new_evicts_oldest", "refuse_over"]
    max_live: int = 0
    """For `new_evicts_oldest` and `refuse_over`: how many keys may live; 0 means no bound."""
    scope: Literal["none", "symbol"] = "none"
    """`symbol`: a key belongs to one trading symbol, and so does its stream (`NAME:SYMBOL`)."""
    symbol_pattern: str = ""
    """Full-match pattern of a symbol, after upper-casing; for `scope = "symbol"`."""


class Auth(_Model, frozen=True, kw_only=True):
    """Where credentials travel and how a signature is made."""

    header: str
    api_key_pattern: str
    """Full-match pattern of a well-formed API key."""
    signature: Literal["ignored", "if_sent", "required"]
    signature_payload: Literal["query_then_body", "as_sent_or_sorted"] = "query_then_body"
    """`query_then_body`: the raw query string and the raw form body, joined by nothing, without `signature`.
    `as_sent_or_sorted`: the same, or percent-decoded, or all parameters decoded and sorted by name."""
    timestamp_unit: Literal["ms", "ms_or_us"] = "ms"
    """`ms_or_us`: told apart by magnitude."""
    timestamp_parameter: str = "timestamp"
    recv_window_parameter: str = "recvWindow"
    signature_parameter: str = "signature"
    recv_window_ms: int = 5000
    recv_window_max_ms: int = 60000
    early_ms: int = 1000
    """How far ahead of the server a timestamp may be: strictly less than this."""


class Operation(_Model, frozen=True, kw_only=True):
    """One REST call of a key's life."""

    kind: OperationKind
    method: str
    path: str
    key_in: Literal["nowhere", "parameter"] = "parameter"
    """`nowhere`: the API key names the listen key, and a `listenKey` that is sent is ignored."""
    key_parameter: str = "listenKey"
    key_aliases: tuple[str, ...] = ()
    """Other spellings of `key_parameter` that are understood."""
    scope_parameter: str = ""
    weight: int = 1
    success_status: int = 200
    success_body: str = "{}"
    missing_key: Literal["failure", "no_content"] = "failure"
    """What a request without a listen key gets: the `listen_key_missing` row, or 204 and no body."""
    pools: tuple[str, ...]
    """Names of the limits that this call counts against."""
    alias: bool = False
    """Another or older spelling of an operation that is already there; the reference shows the other."""


class PublicCall(_Model, frozen=True, kw_only=True):
    """A public call that clients make before a stream."""

    method: str
    path: str
    body: str
    status: int = 200
    content_type: str = "application/json"
    weight: int = 1
    pools: tuple[str, ...] = ()
    root: bool = True
    """Reachable at the root too, where the dialect is; false where another dialect answers there."""


class Failure(_Model, frozen=True, kw_only=True):
    """How one failure looks on the wire."""

    kind: FailureKind
    status: int
    code: int | None = None
    msg: str = ""
    body: str = ""
    """The whole body where it is not the dialect's error envelope. Without it and a `code`, there is no
    body."""
    content_type: str = "application/json"
    only_if_accept: str = ""
    """A body that is sent only to a request whose `Accept` names this type."""


class UnknownPath(_Model, frozen=True, kw_only=True):
    """A prefix below which this dialect answers for paths that are nobody's; the longest one decides."""

    prefix: str


class Limit(_Model, frozen=True, kw_only=True):
    """One rate bucket."""

    name: str
    dimension: Literal["ip", "uid"]
    per: Literal["pool", "operation"]
    """One bucket for all calls that name this limit, or one for each of them."""
    counts: Literal["weight", "requests", "connections"]
    """`connections`: attempts to open a WebSocket, by the pools of `frames` or of an API; no call counts
    here."""
    limit: int
    window_ms: int
    aligned: bool = True
    """Windows start at multiples of their length (venue time), not at the first request."""
    failure: FailureKind = "rate_limited"
    penalty_ms: int = 0
    """After the bucket overflows, its calls are refused with `endpoint_disabled` this long."""
    used_headers: tuple[str, ...] = ()
    remaining_headers: tuple[str, ...] = ()
    reset_headers: tuple[str, ...] = ()
    retry_after: bool = False
    """Refusals carry `Retry-After`, whole seconds to the end of the window or the ban."""
    interval_name: str = ""
    """How error texts spell the window, such as `1 MINUTE`."""


class Bans(_Model, frozen=True, kw_only=True):
    """Who goes on after a refusal is shut out, longer each time."""

    after_refused: int
    """Further refused calls in one window that bring the ban."""
    first_s: int
    longest_s: int
    factor: int
    forget_s: int
    """Without a ban for this long, the next is a first one again."""


class Breaker(_Model, frozen=True, kw_only=True):
    """Too many answers with one error code shut the call for a while."""

    more_than: int
    window_ms: int
    penalty_ms: int
    never_counts: tuple[int, ...]


class Limits(_Model, frozen=True, kw_only=True):
    """All rate rules of a dialect."""

    buckets: tuple[Limit, ...]
    bans: Bans | None = None
    breaker: Breaker | None = None


class Topic(_Model, frozen=True, kw_only=True):
    """A name that a client subscribes to on a socket that already carries a key."""

    name: str
    event: str
    """The event type (`e`) that it delivers."""
    wrap: str = ""
    """Template around `$event`; empty sends the event bare."""


class Host(_Model, frozen=True, kw_only=True):
    """Where the venue itself answers, without a path."""

    stream: str = ""
    """For one stream only; empty holds for all."""
    rest: str
    """Such as `https://api.example.com`."""
    sockets: str
    """Such as `wss://stream.example.com:9443`."""
    api: str = ""
    """Where its WebSocket API answers, if it has one."""


class Era(_Model, frozen=True, kw_only=True):
    """A change at the venue, since which some of its calls or paths are gone."""

    name: str
    since: str
    """The first day of it, `YYYY-MM-DD`, in UTC."""
    title: str
    removes: tuple[str, ...]
    """Calls as `METHOD /path`, WebSocket paths as they stand in `sockets`, methods of WebSocket APIs by name.
    A removed WebSocket path still opens and carries no user data."""
    streams: tuple[str, ...] = ()
    """Of the WebSocket paths, only those of these streams; empty means all."""
    status: int = 0
    """How the venue answers a removed REST call since; 0 where there is none, or their path is unknown."""
    body: str = ""
    content_type: str = "text/html"
    replaced_by: str
    """What to use instead, in a sentence."""
    documentation: str


FieldKind = Literal["text", "integer", "decimal", "boolean", "time_ms", "time_us", "object", "list", "any"]
"""`decimal`: money and quantities, which most venues send as text, some as numbers. Of `object` and
`list` the parts follow."""


class Field(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One field of an event, in data `["o.i", "integer", "Order id"]`, `true` after it where it may lack or
    be null."""

    path: str
    """Names from the outside in, joined by dots; `[]` after the name of a list: `a.B[].wb`."""
    kind: FieldKind
    meaning: str
    optional: bool = False


class Event(_Model, frozen=True, kw_only=True):
    """One kind of event that a stream carries."""

    type: str
    """What its `e` says."""
    streams: tuple[str, ...]
    title: str
    meaning: str
    natural_id: tuple[str, ...] = ()
    """Paths of the fields that together tell one event from every other of its type; for facts."""
    fields: tuple[Field, ...]
    sample: str
    """A whole event as JSON text, made up, in the venue's order and with its oddities."""
    until: str = ""
    """For `past_events`: the era since which it is so no more."""
    documentation: str = ""


class SnapshotRows(_Model, frozen=True, kw_only=True):
    """What a snapshot tells of each asset, symbol or whatever it is by: the newest that was said of it."""

    name: str
    """The place in `body` that they fill."""
    path: str
    """Where events have them, names joined by dots: a list of objects, or one object."""
    by: tuple[str, ...]
    """Members that tell one row from another."""
    zero: tuple[str, ...] = ()
    """Members that say how much something changed, which in a snapshot is by nothing."""


class Snapshot(_Model, frozen=True, kw_only=True):
    """How things are, told to a socket from the newest events that said so. It is not journaled."""

    level: Literal["config-only", "all"]
    """From which value of `streams.snapshot` on it is sent."""
    events: tuple[str, ...]
    """Types of the events that it is made of."""
    rows: tuple[SnapshotRows, ...]
    separate: bool = False
    """A message for each row, else all rows in one."""
    body: str
    """With `$now_ms` and a place for each of `rows`."""
    topic: str = ""
    """Sent once this topic is subscribed to; empty for once the key is bound."""
    period_ms: int = 0
    """How often it is sent again; 0 for never."""


class Stream(_Model, frozen=True, kw_only=True):
    """One journaled stream that a key opens."""

    name: str
    title: str
    topics: tuple[Topic, ...] = ()
    """When given, only events of subscribed topics are delivered."""
    state_events: tuple[str, ...] = ()
    """Event types that say how things are, so that the newest of a kind replaces those before it. All others
    say what happened, and count each."""
    snapshots: tuple[Snapshot, ...] = ()
    enveloped: tuple[str, ...] = ()
    """Event types that come as `{"stream":KEY,"data":EVENT}` on sockets that have all others bare."""


class Heartbeat(_Model, frozen=True, kw_only=True):
    """How the server finds out that a client is gone."""

    kind: Literal["protocol_ping", "word", "json"]
    """A WebSocket Ping, a bare word in a data frame, or a JSON object with an id."""
    period_ms: int
    grace_ms: int
    """Unanswered for this long, the socket is closed where `heartbeat.enforce` holds."""
    send: str = ""
    answers: tuple[str, ...] = ()
    """Text that counts as an answer; for `json` also an object whose `pong` is the id."""
    enforced: bool = True
    """Whether `serve` closes for it; the simulated venue always does."""


class SocketPath(_Model, frozen=True, kw_only=True):
    """One WebSocket path of a dialect."""

    path: str
    """Exact path, or one that ends in `/{names}`."""
    stream: str
    """The stream that keys bind to here; empty where the path carries no user data."""
    names_in: Literal["nowhere", "path", "query"] = "nowhere"
    names_parameters: tuple[str, ...] = ()
    """For `query`: the parameters that name keys; each may come several times."""
    events_parameter: str = ""
    event_items: bool = False
    """A name may be `KEY@TYPE`, for the events of one type."""
    combined: bool = False
    """Events start wrapped as `{"stream":…,"data":…}`."""
    control: Literal["method", "topics", "acks", "none"]
    """`method`: SUBSCRIBE and kin with keys as names; `topics`: `reqType` frames for the stream's topics;
    `acks`: `reqType` frames are acknowledged and nothing hangs on them."""
    heartbeat: str
    """Name of the heartbeat in `heartbeats`."""
    shared: bool = False
    """A path that several dialects have at the root, where the key decides."""
    root: bool = True
    """Reachable at the root and under the dialect's name; without it, only under the stream's own name."""


class Notice(_Model, frozen=True, kw_only=True):
    """What a socket is told when a key of its ends."""

    streams: tuple[str, ...]
    on: tuple[Literal["expired", "closed", "revoked"], ...]
    body: str


class ControlError(_Model, frozen=True, kw_only=True):
    """One answer to a control request that cannot be honoured."""

    kind: ControlErrorKind
    body: str


class Control(_Model, frozen=True, kw_only=True):
    """Answers to control requests, by the `control` of a socket path."""

    stream: str = ""
    """For one stream only; empty holds for all."""
    ack: str
    """With `$id` and, for `method`, `$result`; both are JSON."""
    errors: tuple[ControlError, ...] = ()
    """A fault without a row here is passed over in silence."""
    topic_limit: int = 0
    market_topic_pattern: str = ""
    """Names that are market data: acknowledged and silent."""


class Close(_Model, frozen=True, kw_only=True):
    """A close code and its reason. Code 1006 stands for an end without a close frame."""

    kind: CloseKind
    code: int
    reason: str


class Frames(_Model, frozen=True, kw_only=True):
    """How data frames are written."""

    codec: Literal["text", "gzip_binary"] = "text"
    messages_per_second: int = 0
    """Incoming messages that a socket may send in a second; 0 means no bound."""
    names_per_socket: int = 1024
    connection_pools: tuple[str, ...] = ()
    """Names of the limits that an attempt to open a stream's socket counts against."""
    sockets_per_address: int = 0
    """Open sockets of one stream that an address may have; 0 means no bound."""
    longest_s: int = 0
    """A socket is ended when it is this old, where limits are as the venue's; 0 for never."""
    deflate: bool = False
    """Whether permessage-deflate (RFC 7692) is agreed to."""
    receipts: Literal["echo", "empty"] = "echo"
    """What proves that a client took its frames: the exact echo of a Ping, or any Pong to an empty one, for
    clients that a payload breaks."""
    time_unit_parameter: str = ""
    """Query parameter by which a socket asks for times in microseconds (`MICROSECOND`); empty for none."""
    shutdown: str = ""
    """What every stream socket is told before the server ends; empty where the venue tells nothing. Place:
    `$now_ms`."""
    shutdown_name: str = ""
    """The stream that it says it is of on a socket that has its events wrapped."""


class Dialect(_Model, frozen=True, kw_only=True):
    """One venue product family's listen-key protocol."""

    name: str
    title: str
    venue: str
    documentation: str
    """Address of the venue's own page."""
    key_space: KeySpace
    auth: Auth
    streams: tuple[Stream, ...]
    operations: tuple[Operation, ...]
    public_calls: tuple[PublicCall, ...] = ()
    error_envelope: str
    """Template of an error body, with `$code` and `$msg`."""
    time_unit_header: str = ""
    """Header by which a REST call asks for times in microseconds (`MICROSECOND`); empty for none."""
    failures: tuple[Failure, ...]
    unknown_paths: tuple[UnknownPath, ...] = ()
    limits: Limits
    frames: Frames
    heartbeats: dict[str, Heartbeat]
    sockets: tuple[SocketPath, ...]
    controls: tuple[Control, ...]
    notices: tuple[Notice, ...] = ()
    closes: tuple[Close, ...]
    apis: tuple[WebSocketApi, ...] = ()
    token_calls: tuple[TokenCall, ...] = ()
    hosts: tuple[Host, ...] = ()
    eras: tuple[Era, ...] = ()
    events: tuple[Event, ...] = ()
    past_events: tuple[Event, ...] = ()
    """Events as they were before a change; those of today may have the same types."""
    history: tuple[History, ...] = ()
    root: bool = True
    """REST calls are reachable without prefix, Host or listener of its own."""

    def failure(self, kind: FailureKind) -> Failure:
        """The row for a failure; the loader has seen to it that there is one."""
        return next(row for row in self.failures if row.kind == kind)

    def host(self, stream: str) -> Host | None:
        """Where the venue answers for a stream: its own row, else the one for all; None where neither is."""
        rows = {row.stream: row for row in self.hosts}
        return rows.get(stream) or rows.get("")

    def histories(self, stream: str) -> tuple[History, ...]:
        """How REST calls tell what a stream missed, a row for each account that speaks on it; `stream` may
        name a symbol. Empty where they do not tell."""
        return tuple(row for row in self.history if row.stream == stream.partition(":")[0])

    def close(self, kind: str) -> Close:
        """The close code for a reason; the loader has seen to it that there is one."""
        return next(row for row in self.closes if row.kind == kind)
