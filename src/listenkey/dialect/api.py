"""The part of a dialect that is asked over a WebSocket: methods, their answers, and listen tokens.

As in `dialect.model`, every variant named here is implemented once and open to every dialect, and templates
are text with `$name` places.
"""

from typing import Literal

import msgspec

ApiMethodKind = Literal[
    "ping",
    "time",
    "logon",
    "status",
    "logout",
    "subscriptions",
    "create",
    "extend",
    "close",
    "subscribe",  # by the API key that the socket is logged on with
    "subscribe_signature",
    "subscribe_token",
    "unsubscribe",
]


ApiFailureKind = Literal[
    "not_json",
    "method_missing",
    "method_unknown",
    "parameter_missing",
    "not_logged_on",
    "logon_key_kind",  # an API key whose kind of signature may not log on
    "subscription_active",
    "subscription_inactive",
    "subscription_ids_spent",
    "too_many_subscriptions",
    "listen_token_unknown",
]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, keyword-only, and strict about unknown fields."""


class ApiMethod(_Part, frozen=True, kw_only=True):
    """One method of a WebSocket API."""

    kind: ApiMethodKind
    name: str
    weight: int = 1
    key_in: Literal["nowhere", "parameter"] = "nowhere"
    """For `extend` and `close`, as for a REST operation."""
    result: str = "{}"
    """JSON, with places that depend on the kind."""
    member: str = "result"
    """The member of the answer that the result stands in."""


class ApiFailure(_Part, frozen=True, kw_only=True):
    """How a failure that only a WebSocket API knows looks; all others are as over REST."""

    kind: ApiFailureKind
    status: int = 400
    code: int
    msg: str


class WebSocketApi(_Part, frozen=True, kw_only=True):
    """Requests and answers over a WebSocket, and events to who subscribes there."""

    path: str
    stream: str = ""
    """What its subscriptions deliver; empty where events never come here."""
    heartbeat: str
    echo_demanded: bool = False
    """Only a Pong with the Ping's payload is a sign of life."""
    pools: tuple[str, ...]
    connect_weight: int
    connection_pools: tuple[str, ...] = ()
    """Names of the limits that an attempt to connect counts against."""
    control_frames_per_second: int = 0
    """Pings, and Pongs that nobody asked for, that a client may send in a second; 0 means no bound."""
    longest_s: int = 0
    """A connection is ended when it is this old, where limits are as the venue's; 0 for never."""
    shutdown_lead_s: int = 0
    """How long before that it is told, where there is a `shutdown` to tell it by."""
    version_prefix: str = ""
    """A method may be asked for with this before its name."""
    logon_keys: tuple[Literal["hmac", "rsa", "ed25519"], ...] = ("ed25519",)
    max_subscriptions: int = 1000
    max_subscription_ids: int = 65535
    methods: tuple[ApiMethod, ...]
    failures: tuple[ApiFailure, ...]
    answer: str
    """Template of a success, with `$id`, `$member`, `$result` and `$rate_limits`."""
    error: str
    """Template of a failure, with `$id`, `$status`, `$code`, `$msg`, `$data` and `$rate_limits`."""
    retry_data: str = ""
    """What `$data` is in a refusal by a limit, with `$now_ms` and `$until_ms`."""
    rate_limit: str = ""
    """One bucket in `$rate_limits`, with `$limit` and `$count`."""
    event: str = ""
    """Template around `$event`, with `$subscription`."""
    terminated: str = ""
    """The event that ends a subscription, with `$now_ms`."""
    shutdown: str = ""
    """The event that goes to every socket before the server ends."""

    def failure(self, kind: ApiFailureKind) -> ApiFailure:
        """The row for a failure; the loader has seen to it that there is one."""
        return next(row for row in self.failures if row.kind == kind)


class TokenCall(_Part, frozen=True, kw_only=True):
    """The REST call that makes a listen token: a string that subscribes to a stream on a WebSocket API."""

    method: str
    path: str
    weight: int = 1
    pools: tuple[str, ...]
    stream: str
    """The stream of the account as a whole."""
    isolated_stream: str = ""
    """The stream of one symbol's isolated account; empty where there is none."""
    isolated_parameter: str = ""
    symbol_parameter: str = ""
    symbol_pattern: str = ""
    validity_parameter: str
    longest_ms: int
    success_body: str
    """With `$token` and `$expires_at_ms`."""
