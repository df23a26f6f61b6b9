"""Every setting, declared once: name, type, default, meaning, and whether it is secret.

The names are the TOML keys; a name ends in its unit. The reference, the environment variables and the checks
are made from these declarations, so nothing about a setting may be said anywhere else.
"""

from typing import Annotated, Any, Literal

import msgspec

from listenkey.config.listener import Listener, parse_listener


def says(meaning: str, *, secret: bool = False, **bounds: Any) -> msgspec.Meta:
    """What a setting means."""
    return msgspec.Meta(description=meaning, extra={"secret": secret}, **bounds)


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, keyword-only, strict about unknown keys."""


class Admin(_Section, frozen=True):
    """The listener for operators and publishers."""

    listen: Annotated[str, says("Address of the admin listener, `HOST:PORT`; port 0 picks a free one.")] = (
        "127.0.0.1:8081"
    )
    allow_remote: Annotated[
        bool, says("Let the admin listener accept plain HTTP beyond loopback. With TLS it is not needed.")
    ] = False


class Tls(_Section, frozen=True):
    """Certificate of all listeners. SIGHUP reads both files again."""

    cert: Annotated[str, says("PEM file of the certificate chain; empty for plain HTTP.")] = ""
    key: Annotated[str, says("PEM file of the certificate's private key.")] = ""


class Journal(_Section, frozen=True):
    """What is kept of each stream."""

    retention_days: Annotated[int, says("Events older than this are forgotten.", ge=1, le=36_500)] = 7
    max_events: Annotated[int, says("Most events kept of one stream; the oldest go first.", ge=1)] = 1_000_000


class Streams(_Section, frozen=True):
    """How sockets are served."""

    resume: Annotated[
        Literal["replay", "live"],
        says(
            "Where a reopened venue socket begins: `replay` a little before what its client surely had, "
            "`live` at the tail, as at the venue. The native stream resumes by `since`."
        ),
    ] = "replay"
    overlap_seconds: Annotated[
        int, says("Journal time before the last confirmed event that a replay sends again.", ge=0, le=3600)
    ] = 10
    overlap_events: Annotated[int, says("Events that a replay sends again at least.", ge=0, le=100_000)] = 20
    replay_seconds: Annotated[int, says("A replay leaves out what is older than this.", ge=1, le=604_800)] = (
        120
    )
    replay_events: Annotated[int, says("A replay has no more events than this.", ge=1)] = 2000
    consumer_by: Annotated[
        Literal["api_key", "address"],
        says("Who is told apart as a reader of a stream: API keys, or each address of an API key too."),
    ] = "api_key"
    close: Annotated[
        Literal["holder", "venue"],
        says(
            "What closing a listen key does where the venue has one for an account: `holder` gives every "
            "API key a string of its own and ends only that; `venue` ends the key for everyone."
        ),
    ] = "holder"
    bad_key: Annotated[
        Literal["reject", "silent"],
        says(
            "A listen key that does not exist, on a socket: `reject` refuses it, `silent` accepts it and "
            "sends nothing, as the venues do."
        ),
    ] = "reject"
    ended_key: Annotated[
        Literal["silence", "close"],
        says(
            "A socket whose last listen key expired or was closed: `silence` leaves it open and quiet, as "
            "the venues do; `close` ends it after the notice, for clients that reconnect on nothing else."
        ),
    ] = "silence"
    snapshot: Annotated[
        Literal["off", "config-only", "all"],
        says(
            "What a BingX socket is told of how things are, from the newest published events. "
            "`config-only`: what the venue tells (leverage and margin mode of each symbol on opening and "
            "every 5 s, spot balances on subscribing). `all`: balances and positions of perpetuals too."
        ),
    ] = "config-only"
    deflate: Annotated[
        bool,
        says(
            "Compress events for clients that offer permessage-deflate, where the venue does. Off, nobody "
            "spends time on it."
        ),
    ] = True
    queue_bytes: Annotated[
        int, says("Bytes that may wait for one socket; a reader slower than that is closed.", ge=4096)
    ] = 1_048_576
    position_seconds: Annotated[
        int, says("How often the native stream says how far it is complete.", ge=1, le=3600)
    ] = 5
    no_key_seconds: Annotated[
        int, says("A socket on a user-data path that has bound no key by then is closed.", ge=1, le=86_400)
    ] = 60
    no_key_sockets_per_address: Annotated[
        int,
        says(
            "Most sockets without a listen key that one address may hold open. As many, counted apart, of "
            "those to WebSocket APIs that have shown no API key.",
            ge=1,
        ),
    ] = 64
    market_sockets_per_address: Annotated[
        int,
        says(
            "Most sockets on paths of market data, where nothing is ever sent, that one address may hold "
            "open. Clients of USD-M futures open such sockets beside the one for their stream.",
            ge=1,
        ),
    ] = 256
    market_sockets: Annotated[
        int,
        says(
            "Most sockets on paths of market data in all, and of those to WebSocket APIs without a key.", ge=1
        ),
    ] = 4096


class StreamSettings(_Section, frozen=True):
    """What is different for one stream; what is unset is as `[streams]` says. `close` may be set for the
    stream that is named as its dialect."""

    resume: Annotated[Literal["replay", "live"] | None, says("As `streams.resume`.")] = None
    overlap_seconds: Annotated[int | None, says("As `streams.overlap_seconds`.")] = None
    overlap_events: Annotated[int | None, says("As `streams.overlap_events`.")] = None
    replay_seconds: Annotated[int | None, says("As `streams.replay_seconds`.")] = None
    replay_events: Annotated[int | None, says("As `streams.replay_events`.")] = None
    consumer_by: Annotated[Literal["api_key", "address"] | None, says("As `streams.consumer_by`.")] = None
    close: Annotated[Literal["holder", "venue"] | None, says("As `streams.close`.")] = None
    snapshot: Annotated[Literal["off", "config-only", "all"] | None, says("As `streams.snapshot`.")] = None


class Heartbeat(_Section, frozen=True):
    """Whether silence ends a socket."""

    enforce: Annotated[
        bool | None,
        says("Close sockets that leave heartbeats unanswered. Unset, each dialect's own default holds."),
    ] = None


class Http(_Section, frozen=True):
    """Bounds on what a peer may send, and how long it may take."""

    head_seconds: Annotated[int, says("Time for a request's head to arrive.", ge=1, le=3600)] = 10
    head_bytes: Annotated[int, says("Longest request head.", ge=1024, le=1_048_576)] = 32_768
    body_seconds: Annotated[int, says("Time for a request's body to arrive.", ge=1, le=3600)] = 30
    body_bytes: Annotated[int, says("Longest body of a venue call.", ge=1024)] = 65_536
    publish_body_bytes: Annotated[int, says("Longest body of one publish request.", ge=1024)] = 67_108_864
    event_bytes: Annotated[int, says("Longest event that can be published.", ge=64)] = 1_048_576
    message_bytes: Annotated[int, says("Longest incoming WebSocket message; 1009 after that.", ge=64)] = (
        1_048_576
    )
    keep_alive_seconds: Annotated[int, says("An idle HTTP connection is closed after this.", ge=1)] = 75


class Publish(_Section, frozen=True):
    """What is asked of published events."""

    check: Annotated[
        Literal["off", "warn", "strict"],
        says(
            "Hold events against the catalogue of their stream. `off` does not look. `warn` logs each kind "
            "of fault once, counts all, and takes the event. `strict` refuses it as `bad_line`, also for a "
            "type or a field that the catalogue does not know. A stream without a catalogue takes everything."
        ),
    ] = "off"


class Dialects(_Section, frozen=True):
    """Venues beyond the built-in ones."""

    files: Annotated[
        tuple[str, ...], says("Dialect files of your own, mounted beside the built-in ones.")
    ] = ()


class DialectSettings(_Section, frozen=True):
    """What is different for one dialect. NAME is as `listenkey dialect list` shows it; for one stream of a
    dialect (`bingx-coinm`), `hosts` and `root` can be set."""

    require_signature: Annotated[
        bool | None, says("Demand a signature on every call. Unset, the dialect's own rule holds.")
    ] = None
    symbols: Annotated[
        tuple[str, ...], says("The symbols that exist. Empty: every well-formed one does.")
    ] = ()
    hosts: Annotated[
        tuple[str, ...], says("Values of the `Host` header, without port, that mean this dialect or stream.")
    ] = ()
    root: Annotated[
        bool | None,
        says("Whether its paths stand at the root too, without `/NAME`. Unset, the dialect says."),
    ] = None
    limits: Annotated[
        dict[str, Annotated[int, msgspec.Meta(ge=1)]],
        says("Size of rate buckets by name, as `listenkey dialect show NAME` lists them."),
    ] = {}
    lifetime_seconds: Annotated[
        int | None, says("Life of a listen key from its last extension. Unset, the dialect says.")
    ] = None
    era: Annotated[str | None, says("As `era`, for this dialect.")] = None


class UpstreamSettings(_Section, frozen=True):
    """A venue's stream that is read and journaled here, so that any number of bots can have it. NAME is
    yours; `[[upstream]]` without a name will do."""

    stream: Annotated[str, says("Stream to read, and to journal under the same name.")] = ""
    account: Annotated[str, says("Account to journal for; made where there is none.")] = ""
    api_key: Annotated[str, says("API key at the venue.", secret=True)] = ""
    api_key_file: Annotated[str, says("File that holds the API key instead.")] = ""
    api_secret: Annotated[
        str,
        says(
            "API secret at the venue, or a private key in PEM: where it asks for one, and to fetch from its "
            "history what a break made miss.",
            secret=True,
        ),
    ] = ""
    api_secret_file: Annotated[str, says("File that holds the API secret instead.")] = ""
    gateway: Annotated[
        str, says("Address of a gateway: its native stream is read, with positions, and not a venue.")
    ] = ""
    base_url: Annotated[str, says("Address of the venue's REST API; empty for the venue's own.")] = ""
    ws_url: Annotated[str, says("Address of its WebSockets; empty to follow from `base_url`.")] = ""
    by: Annotated[
        Literal["listen_key", "subscription"] | None,
        says(
            "How the venue is asked: by listen key, or over its WebSocket API. Unset, as the venue wants it "
            "today; with `base_url` by listen key."
        ),
    ] = None
    symbols: Annotated[
        tuple[str, ...],
        says(
            "Symbols that the account trades, beside those of the events so far. Where the venue tells of "
            "fills symbol by symbol (spot, margin), what happened in others during a break is a gap."
        ),
    ] = ()
    recover_seconds: Annotated[
        int,
        says(
            "How long after a break live events may wait for what it made miss; then they go on, behind a "
            "gap.",
            ge=1,
            le=3600,
        ),
    ] = 60


class ReplaySettings(_Section, frozen=True):
    """A record of `listenkey tail --record` that is played into a journal once the gateway is ready, its gaps
    too. NAME is yours; `[[replay]]` without a name will do. What is journaled already is not journaled again:
    a gateway that was started anew goes on where it was."""

    file: Annotated[str, says("The record.")] = ""
    account: Annotated[str, says("Account to journal for; made where there is none.")] = ""
    stream: Annotated[str, says("Stream to journal under; empty for the record's own.")] = ""
    speed: Annotated[
        float, says("How fast: 1 as it came, 10 ten times as fast, 0 all at once.", ge=0, le=1_000_000)
    ] = 1.0
    loop: Annotated[bool, says("Begin again at the end, as if all of it were new.")] = False


class AcceptedKeys(_Section, frozen=True):
    """API keys of the venue's own that an account's bots have already, and that are good here too. NAME is
    yours; `[[accept_api_keys]]` without a name will do. The gateway knows no secret of theirs and checks no
    signature: whoever has the key can make listen keys of the account, and read its streams. A key that is
    taken out of the configuration is revoked at the next start."""

    account: Annotated[str, says("Whose the keys are; made where there is none.")] = ""
    keys: Annotated[tuple[str, ...], says("The API keys.", secret=True)] = ()
    keys_file: Annotated[str, says("File with more of them, a key a line.")] = ""


class PassageSettings(_Section, frozen=True):
    """A venue that what the gateway does not serve is passed to: NAME is a dialect. The table alone, with
    nothing in it, passes to the venue's own addresses. Calls of listen keys and sockets that carry one stay
    here; all else of the dialect goes to the venue and comes back as it is."""

    rest: Annotated[
        str,
        says("Address of the venue's REST API; `venue` for the venue's own, empty to pass no calls."),
    ] = "venue"
    sockets: Annotated[
        str,
        says("Address of its streams; `venue` for the venue's own, empty to pass no sockets of streams."),
    ] = "venue"
    api: Annotated[
        str,
        says(
            "Address of its WebSocket API; `venue` for the venue's own, empty to pass none. A connection "
            "whose first request is about listen keys stays here."
        ),
    ] = "venue"
    ca_file: Annotated[str, says("PEM file of the authorities to trust, in place of the system's.")] = ""
    connect_seconds: Annotated[int, says("Time for a connection to the venue, with TLS.", ge=1, le=300)] = 5
    answer_seconds: Annotated[
        int,
        says("Time for the head of an answer, and for each further piece of its body.", ge=1, le=3600),
    ] = 30
    connections: Annotated[
        int, says("Most calls, and most sockets, that are passed at one time.", ge=1, le=100_000)
    ] = 1024
    idle_seconds: Annotated[
        int,
        says(
            "How long an unused connection to the venue is kept for the next call; 0 keeps none.",
            ge=0,
            le=600,
        ),
    ] = 15
    allow_remote: Annotated[
        bool,
        says(
            "Pass what comes to a listener that other machines reach without TLS. API keys and orders then "
            "travel in clear."
        ),
    ] = False


class Settings(_Section, frozen=True):
    """The gateway itself."""

    listen: Annotated[
        tuple[str, ...],
        says(
            "Addresses of the venue listeners, `HOST:PORT`, or `HOST:PORT=NAME` to serve one dialect or "
            "stream alone there; port 0 picks a free one.",
            min_length=1,
        ),
    ] = ("127.0.0.1:8080",)
    data: Annotated[
        str, says("Data folder: store, admin token and master secret. Made at first start.", min_length=1)
    ] = "listenkey-data"
    store: Annotated[str, says("Where everything is kept: `sqlite:` is a file in the data folder.")] = (
        "sqlite:"
    )
    durability: Annotated[
        Literal["full", "relaxed"],
        says("`full`: what was acknowledged survives a power cut. `relaxed`: a crash of the process."),
    ] = "full"
    limits: Annotated[
        Literal["account", "venue", "off"],
        says("Rate limits: per account and API key, exactly as the venue's, or none."),
    ] = "account"
    era: Annotated[
        str,
        says(
            "`all`: every call and WebSocket path that the venues ever had works. A day (`2026-02-20`): what "
            "a venue had removed by then answers as the venue does since."
        ),
    ] = "all"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], says("Least grave log line.")] = "info"
    trusted_proxies: Annotated[
        tuple[str, ...],
        says("Addresses or networks (CIDR) of proxies whose `X-Forwarded-For` is believed."),
    ] = ()
    master_secret: Annotated[
        str,
        says(
            "Secret that listen keys are derived from and API secrets are sealed with. Without it and "
            "without a file, one is made in the data folder.",
            secret=True,
        ),
    ] = ""
    master_secret_file: Annotated[str, says("File that holds the master secret instead.")] = ""
    admin: Admin = Admin()
    tls: Tls = Tls()
    journal: Journal = Journal()
    streams: Streams = Streams()
    heartbeat: Heartbeat = Heartbeat()
    http: Http = Http()
    publish: Publish = Publish()
    dialects: Dialects = Dialects()
    dialect: dict[str, DialectSettings] = {}
    stream: dict[str, StreamSettings] = {}
    upstream: dict[str, UpstreamSettings] = {}
    replay: dict[str, ReplaySettings] = {}
    accept_api_keys: dict[str, AcceptedKeys] = {}
    passage: dict[str, PassageSettings] = {}

    def __repr__(self) -> str:
        """Without what is secret; `listenkey config show` prints the rest."""
        return f"Settings(data={self.data!r}, listen={self.listen!r})"

    def listeners(self) -> tuple[Listener, ...]:
        """The venue listeners, in order."""
        return tuple(parse_listener(text) for text in self.listen)

    def admin_listener(self) -> Listener:
        """The admin listener."""
        return parse_listener(self.admin.listen)

    def hosts(self) -> dict[str, str]:
        """The dialect or stream that each configured `Host` (lower case) means."""
        return {host.lower(): name for name, own in self.dialect.items() for host in own.hosts}
