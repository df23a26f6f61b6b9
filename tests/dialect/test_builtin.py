"""What the shipped dialects say, against what is known of the venues."""

from typing import get_args

import pytest

from listenkey.dialect.model import CloseKind, Limit
from listenkey.dialect.registry import load_dialects

DIALECTS = load_dialects()
BINANCE = [name for name in DIALECTS if name.startswith("binance")]


def bucket(name: str, limit: str) -> Limit:
    return next(row for row in DIALECTS[name].limits.buckets if row.name == limit)


@pytest.mark.parametrize(
    "name, alphabet, length, issue, scope",
    [
        ("binance-spot", 62, 64, "same_extended", "none"),
        ("binance-margin", 62, 60, "same_extended", "none"),
        ("binance-margin-isolated", 62, 60, "same_extended", "symbol"),
        ("binance-usdm", 62, 64, "same_extended", "none"),
        ("binance-coinm", 62, 64, "same_extended", "none"),
        ("binance-options", 62, 40, "same_extended", "none"),
        ("binance-pm", 62, 64, "same_extended", "none"),
        ("binance-margin-risk", 62, 44, "same_extended", "none"),
        ("binance-us", 62, 64, "same_extended", "none"),
        ("bingx", 16, 64, "new_coexists", "none"),
    ],
)
def test_key_spaces(name: str, alphabet: int, length: int, issue: str, scope: str) -> None:
    """Keys look like the venue's, live 60 minutes, and are issued by its policy."""
    space = DIALECTS[name].key_space
    seen = (len(space.alphabet), space.length, space.issue, space.scope, space.lifetime_s)
    assert seen == (alphabet, length, issue, scope, 3600)


@pytest.mark.parametrize(
    "name, limit, dimension, per, size, window_ms",
    [
        ("binance-spot", "weight", "ip", "pool", 6000, 60_000),
        ("binance-margin", "sapi-uid", "uid", "operation", 180_000, 60_000),
        ("binance-margin-isolated", "sapi-uid", "uid", "operation", 180_000, 60_000),
        ("binance-margin", "sapi-ip", "ip", "operation", 12_000, 60_000),
        ("binance-usdm", "weight", "ip", "pool", 2400, 60_000),
        ("binance-coinm", "weight", "ip", "pool", 2400, 60_000),
        ("binance-options", "weight", "ip", "pool", 2400, 60_000),
        ("binance-pm", "weight", "ip", "pool", 6000, 60_000),
        ("binance-us", "weight", "ip", "pool", 1200, 60_000),
        ("binance-margin-risk", "sapi-uid", "uid", "operation", 180_000, 60_000),
        ("bingx", "uid", "uid", "operation", 2, 1000),
        ("bingx", "ip", "ip", "pool", 2000, 10_000),
        ("bingx", "ip-call", "ip", "operation", 300, 10_000),
    ],
)
def test_limits(name: str, limit: str, dimension: str, per: str, size: int, window_ms: int) -> None:
    """Each bucket has the venue's size, window and dimension."""
    row = bucket(name, limit)
    assert (row.dimension, row.per, row.limit, row.window_ms) == (dimension, per, size, window_ms)


@pytest.mark.parametrize(
    "name, limit, headers",
    [
        ("binance-spot", "weight", ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M")),
        ("binance-margin", "sapi-uid", ("X-SAPI-USED-UID-WEIGHT-1M",)),
        ("binance-margin", "sapi-ip", ("X-SAPI-USED-IP-WEIGHT-1M",)),
        ("binance-usdm", "weight", ("X-MBX-USED-WEIGHT-1M",)),
        ("bingx", "uid", ("X-RateLimit-Requests-Remain", "X-RateLimit-Requests-Expire")),
    ],
)
def test_limit_headers(name: str, limit: str, headers: tuple[str, ...]) -> None:
    """What is used or left is told in the venue's headers."""
    row = bucket(name, limit)
    assert (*row.used_headers, *row.remaining_headers, *row.reset_headers) == headers


def test_penalties() -> None:
    """Binance bans who goes on for 2 minutes to 3 days; BingX shuts a call after 20 of one code."""
    for name in BINANCE:
        bans = DIALECTS[name].limits.bans
        assert bans is not None
        assert (bans.after_refused, bans.first_s, bans.longest_s) == (20, 120, 259_200)
        assert all(row.retry_after and row.aligned for row in DIALECTS[name].limits.buckets)
    breaker = DIALECTS["bingx"].limits.breaker
    assert breaker is not None
    assert (breaker.more_than, breaker.window_ms, breaker.never_counts) == (20, 480_000, (100410,))
    assert not any(row.retry_after for row in DIALECTS["bingx"].limits.buckets)


@pytest.mark.parametrize(
    "name, heartbeat, kind, period_ms, grace_ms, enforced",
    [
        ("binance-spot", "ping", "protocol_ping", 20_000, 60_000, True),
        ("binance-margin", "ping", "protocol_ping", 20_000, 60_000, True),
        ("binance-usdm", "ping", "protocol_ping", 180_000, 600_000, True),
        ("binance-coinm", "ping", "protocol_ping", 180_000, 600_000, True),
        ("binance-options", "ping", "protocol_ping", 300_000, 900_000, True),
        ("binance-pm", "ping", "protocol_ping", 180_000, 600_000, True),
        ("binance-margin-risk", "ping", "protocol_ping", 20_000, 60_000, True),
        ("binance-us", "ping", "protocol_ping", 180_000, 600_000, True),
        ("bingx", "word", "word", 5000, 25_500, False),
        ("bingx", "json", "json", 5000, 25_500, False),
    ],
)
def test_heartbeats(
    name: str, heartbeat: str, kind: str, period_ms: int, grace_ms: int, enforced: bool
) -> None:
    """Each product pings at its pace and cuts after its grace, BingX's only where that is asked for."""
    row = DIALECTS[name].heartbeats[heartbeat]
    assert (row.kind, row.period_ms, row.grace_ms, row.enforced) == (kind, period_ms, grace_ms, enforced)


@pytest.mark.parametrize(
    "name, codec, messages, names",
    [
        ("binance-spot", "text", 5, 1024),
        ("binance-margin-risk", "text", 5, 1024),
        ("binance-us", "text", 5, 1024),
        ("binance-usdm", "text", 10, 1024),
        ("binance-coinm", "text", 10, 1024),
        ("binance-options", "text", 10, 200),
        ("binance-pm", "text", 10, 1024),
        ("bingx", "gzip_binary", 0, 1024),
    ],
)
def test_frames(name: str, codec: str, messages: int, names: int) -> None:
    """Frames are the venue's, and so are the messages that a socket may send a second, and its names."""
    frames = DIALECTS[name].frames
    assert (frames.codec, frames.messages_per_second, frames.names_per_socket) == (codec, messages, names)


@pytest.mark.parametrize(
    "name, attempts, sockets, longest, deflate",
    [
        ("binance-spot", 300, 0, 86_400, True),
        ("binance-margin", 300, 0, 86_400, True),
        ("binance-us", 300, 0, 86_400, True),
        ("binance-usdm", 0, 0, 86_400, True),
        ("binance-coinm", 0, 0, 86_400, True),
        ("binance-options", 0, 0, 86_400, True),
        ("binance-pm", 0, 0, 86_400, True),
        ("bingx", 0, 60, 0, False),
    ],
)
def test_sockets_limits(name: str, attempts: int, sockets: int, longest: int, deflate: bool) -> None:
    """How often an address may connect in five minutes, how many sockets it may have, how old one gets, and
    whether it is compressed, as the venue's pages say of each product."""
    dialect = DIALECTS[name]
    frames, buckets = dialect.frames, {bucket.name: bucket for bucket in dialect.limits.buckets}
    counted = [buckets[pool] for pool in frames.connection_pools]
    assert [(each.limit, each.window_ms, each.dimension) for each in counted] == (
        [(attempts, 300_000, "ip")] if attempts else []
    )
    assert (frames.sockets_per_address, frames.longest_s, frames.deflate) == (sockets, longest, deflate)


@pytest.mark.parametrize(
    "name, weight, attempts, control, lead",
    [
        ("binance-spot", 2, 300, 0, 600),
        ("binance-usdm", 5, 0, 5, 0),
        ("binance-coinm", 5, 0, 5, 0),
    ],
)
def test_websocket_api_limits(name: str, weight: int, attempts: int, control: int, lead: int) -> None:
    """What a connection costs, how often one may be made, Pings a second, and its 24 hours."""
    dialect = DIALECTS[name]
    api, buckets = dialect.apis[0], {bucket.name: bucket for bucket in dialect.limits.buckets}
    assert (api.connect_weight, api.pools) == (weight, ("weight",))
    counted = [buckets[pool] for pool in api.connection_pools]
    assert [(each.limit, each.window_ms) for each in counted] == ([(attempts, 300_000)] if attempts else [])
    assert set(api.connection_pools).isdisjoint(dialect.frames.connection_pools), "they are counted apart"
    assert (api.control_frames_per_second, api.longest_s, api.shutdown_lead_s) == (control, 86_400, lead)


SESSION = ("session.logon", "session.status", "session.logout")
KEYS = ("userDataStream.start", "userDataStream.ping", "userDataStream.stop")


@pytest.mark.parametrize(
    "name, session, keys, rest",
    [("binance-spot", 2, 2, 2), ("binance-usdm", 2, 1, None), ("binance-coinm", 2, 1, None)],
)
def test_weights_of_methods(name: str, session: int, keys: int, rest: int | None) -> None:
    """A method costs what it costs at the venue, from the weight that REST calls are counted in."""
    weights = {method.name: method.weight for method in DIALECTS[name].apis[0].methods}
    assert (weights.pop("ping"), weights.pop("time")) == (1, 1)
    assert {weights.pop(method) for method in SESSION} == {session}
    assert {weights.pop(method) for method in KEYS} == {keys}
    assert set(weights.values()) == ({rest} if rest else set())


KEY, EMPTY = '{"listenKey":"$listen_key"}', "{}"


@pytest.mark.parametrize(
    "name, create, extend, named",
    [
        ("binance-spot", KEY, EMPTY, {"extend", "close"}),
        ("binance-margin", KEY, EMPTY, {"extend", "close"}),
        ("binance-margin-isolated", KEY, EMPTY, {"extend", "close"}),
        ("binance-margin-risk", KEY, EMPTY, {"extend"}),
        ("binance-us", KEY, EMPTY, {"extend", "close"}),
        ("binance-usdm", KEY, KEY, set()),
        ("binance-coinm", KEY, KEY, set()),
        ("binance-options", '{"listenKey":"$listen_key","expiration":$expires_at_ms}', EMPTY, set()),
        ("binance-pm", KEY, EMPTY, set()),
    ],
)
def test_answers_and_keys(name: str, create: str, extend: str, named: set[str]) -> None:
    """What a client reads from each answer, and on which calls it has to name the key."""
    calls = [call for call in DIALECTS[name].operations if not call.path.startswith("/vapi/")]
    bodies = {(call.kind, call.success_body) for call in calls}
    assert bodies == {("create", create), ("extend", extend), ("close", EMPTY)}
    assert {call.kind for call in calls if call.key_in == "parameter"} - {"create"} == named


@pytest.mark.parametrize(
    "name, path, weights, pool",
    [
        ("binance-spot", "/api/v3/userDataStream", [2, 2, 2], "weight"),
        ("binance-us", "/api/v3/userDataStream", [1, 1, 1], "weight"),
        ("binance-margin", "/sapi/v1/userDataStream", [1, 1, 3000], "sapi-uid"),
        ("binance-margin-risk", "/sapi/v1/margin/listen-key", [1, 1, 3000], "sapi-uid"),
        ("binance-margin-risk", "/sapi/v2/margin/listen-key", [1, 1, 1], "sapi-ip"),
        ("binance-pm", "/papi/v1/listenKey", [1, 1, 1], "weight"),
    ],
)
def test_weights(name: str, path: str, weights: list[int], pool: str) -> None:
    """A call costs what it costs at the venue, in the venue's bucket."""
    calls = [call for call in DIALECTS[name].operations if call.path == path]
    assert [call.weight for call in calls] == weights
    assert {call.pools for call in calls} == {(pool,)}


def test_expiry_notices() -> None:
    """The oddities of `listenKeyExpired`: text for a time on options, no key on portfolio margin."""
    bodies = {notice.streams[0]: notice.body for each in DIALECTS.values() for notice in each.notices}
    usual = '{"e":"listenKeyExpired","E":$now_ms,"listenKey":"$listen_key"}'
    assert bodies.pop("binance-options") == usual.replace("$now_ms", '"$now_ms"')
    assert bodies.pop("binance-pm") == '{"e":"listenKeyExpired","E":$now_ms}'
    assert set(bodies.values()) == {usual}


@pytest.mark.parametrize("name", DIALECTS)
def test_closes(name: str) -> None:
    """Every reason to end a socket has a code; a missing pong has the one that was reported."""
    dialect = DIALECTS[name]
    expected_kinds = [kind for kind in get_args(CloseKind) if kind != "aged" or name != "bingx"]
    assert [dialect.close(kind).kind for kind in expected_kinds] == expected_kinds
    pong_timeout = dialect.close("pong_timeout")
    expected = (1006, "") if name == "bingx" else (1008, "Pong timeout")
    assert (pong_timeout.code, pong_timeout.reason) == expected


@pytest.mark.parametrize("name", BINANCE)
def test_combined_paths(name: str) -> None:
    """On paths that end in /stream events start wrapped, on all others bare."""
    for path in DIALECTS[name].sockets:
        assert path.combined == path.path.endswith("/stream")


def test_private_socket_takes_keys_in_every_way() -> None:
    """USD-M's private route takes `listenKey` with `events`, and `streams` as the official SDK sends it."""
    rows = {path.path: path for path in DIALECTS["binance-usdm"].sockets if path.stream == "binance-usdm"}
    assert rows["/private/stream"].names_parameters == ("listenKey", "streams")
    assert rows["/private/ws"].names_parameters == ("listenKey",)
    assert {rows[path].events_parameter for path in ("/private/ws", "/private/stream")} == {"events"}
