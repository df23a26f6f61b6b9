"""What the model's types cannot say: rows that are missing, twice there or never met, names that lead
nowhere, templates that cannot be filled, keys that could be guessed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from math import log2
from typing import Final, get_args

import msgspec

from listenkey.dialect.model import (
    CloseKind,
    Control,
    Dialect,
    Failure,
    FailureKind,
    Heartbeat,
    KeySpace,
    Operation,
    PublicCall,
    SocketPath,
)
from listenkey.dialect.template import fill_json, places

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9_-]*\Z")
_BITS: Final = 128
_OURS: Final = "/lk/"
"""Paths that are the gateway's own."""

_ALWAYS: Final[frozenset[FailureKind]] = frozenset({
    "api_key_missing", "api_key_malformed", "api_key_unknown", "ip_not_allowed", "permission_denied",
    "listen_key_unknown", "signature_missing", "signature_wrong", "timestamp_missing", "timestamp_malformed",
    "timestamp_late", "timestamp_early", "recv_window_wrong", "rate_limited", "path_unknown",
    "method_unknown", "body_too_large", "request_malformed", "internal",
})  # fmt: skip

_REQUEST_PLACES: Final = frozenset({"path", "method", "now_ms"})
_PLACES_OF_FAILURE: Final[dict[FailureKind, frozenset[str]]] = {
    "parameter_empty": frozenset({"parameter"}),
    "parameter_illegal": frozenset({"parameter", "legal"}),
    "symbol_missing": frozenset({"parameter"}),
    "symbol_unknown": frozenset({"parameter"}),
    "listen_key_missing": frozenset({"parameter"}),
    "signature_missing": frozenset({"parameter"}),
    "signature_wrong": frozenset({"parameter"}),
    "timestamp_missing": frozenset({"parameter"}),
    "timestamp_malformed": frozenset({"parameter"}),
    "timestamp_late": frozenset({"parameter"}),
    "timestamp_early": frozenset({"parameter"}),
    "recv_window_wrong": frozenset({"parameter", "limit"}),
    "rate_limited": frozenset({"limit", "interval", "until_ms"}),
    "endpoint_disabled": frozenset({"until_ms"}),
    "error_breaker": frozenset({"count", "code", "window_ms", "until_ms"}),
    "banned": frozenset({"until_ms"}),
}
_JSON_PLACES: Final[dict[str, object]] = {
    "result": b"null", "id": b"1", "event": b"{}", "name": "x", "reason": "x", "msg": "x", "listen_key": "x",
    "iso_time": "x", "path": "x", "method": "x",
}  # fmt: skip
"""What stands in for each place while a template is tried; all others are numbers."""
_PLACES_OF_CONTROL: Final = frozenset({"id", "name", "reason", "line", "column", "now_ms"})


def problems(dialect: Dialect) -> list[str]:
    """All that is wrong with a dialect, one line each; empty for a good one."""
    checks = (
        _names,
        _key_space,
        _auth,
        _calls,
        _operations,
        _failures,
        _limits,
        _sockets,
        _controls,
        _heartbeats,
        _endings,
    )
    return [problem for check in checks for problem in check(dialect)]


# Names, keys, credentials ---------------------------------------------------------------------------


def _names(dialect: Dialect) -> Iterator[str]:
    for name in (dialect.name, *(stream.name for stream in dialect.streams)):
        if not _NAME.match(name) or name == "lk":
            yield f"the name {name!r} is not lower-case words joined by '-', or is `lk`"
    yield from _twice("streams", (stream.name for stream in dialect.streams))
    for stream in dialect.streams:
        yield from _twice(f"streams.{stream.name}.topics", (topic.name for topic in stream.topics))
        yield from _twice(f"streams.{stream.name}.topics.event", (topic.event for topic in stream.topics))
        for topic in stream.topics:
            if topic.wrap:
                yield from _json(f"streams.{stream.name}.topics.{topic.name}.wrap", topic.wrap, {"event"})
                if topic.wrap.count("$event") != 1:
                    yield f"streams.{stream.name}.topics.{topic.name}.wrap: $event stands there once"


def _key_space(dialect: Dialect) -> Iterator[str]:
    space = dialect.key_space
    alphabet = space.alphabet
    if len(set(alphabet)) != len(alphabet):
        yield "key_space.alphabet: a character is there twice"
    if not _UNRESERVED.match(alphabet):
        yield "key_space.alphabet: only A-Z a-z 0-9 _ - travel safely in paths, queries and forms"
    bits = space.length * log2(len(set(alphabet)) or 1)
    if bits < _BITS:
        yield f"key_space: keys carry {bits:.0f} bits, and {_BITS} is the least that cannot be guessed"
    if not _compiles(space.legal_pattern):
        yield "key_space.legal_pattern: is no pattern"
    elif any(not re.fullmatch(space.legal_pattern, character * space.length) for character in alphabet):
        yield "key_space.legal_pattern: does not match the dialect's own keys"
    if space.lifetime_s <= 0:
        yield "key_space.lifetime_s: is at least 1"
    if (space.issue in {"new_evicts_oldest", "refuse_over"}) != (space.max_live > 0):
        yield "key_space.max_live: stands with new_evicts_oldest and refuse_over, and with these alone"
    yield from _scope(space)


def _scope(space: KeySpace) -> Iterator[str]:
    if (space.scope == "symbol") != bool(space.symbol_pattern):
        yield 'key_space.symbol_pattern: stands with scope = "symbol", and with this alone'
    elif not _compiles(space.symbol_pattern):
        yield "key_space.symbol_pattern: is no pattern"


def _auth(dialect: Dialect) -> Iterator[str]:
    auth = dialect.auth
    if not _compiles(auth.api_key_pattern):
        yield "auth.api_key_pattern: is no pattern"
    if not 0 < auth.recv_window_ms <= auth.recv_window_max_ms:
        yield "auth.recv_window_ms: is above 0 and not above recv_window_max_ms"


# Calls and failures ---------------------------------------------------------------------------------


def _calls(dialect: Dialect) -> Iterator[str]:
    calls: list[Operation | PublicCall] = [*dialect.operations, *dialect.public_calls]
    yield from _twice("operations and public_calls", (_call(call) for call in calls))
    limits = {limit.name for limit in dialect.limits.buckets}
    for call in calls:
        yield from _path(_call(call), call.path)
        if not call.method.isupper():
            yield f"{_call(call)}: a method is upper case"
        for pool in sorted(set(call.pools) - limits):
            yield f"{_call(call)}: there is no limit called {pool}"
    for public in dialect.public_calls:
        yield from _json(_call(public), public.body, {"now_ms"})


def _operations(dialect: Dialect) -> Iterator[str]:
    for kind in ("create", "extend", "close"):
        if all(operation.kind != kind or operation.alias for operation in dialect.operations):
            yield f"operations: none does {kind}"
    for operation in dialect.operations:
        where, body = _call(operation), operation.success_body
        yield from _json(where, body, {"listen_key", "expires_at_ms", "now_ms"})
        if operation.kind == "create" and "listen_key" not in places(body):
            yield f"{where}: a create answers with $listen_key"
        if bool(operation.scope_parameter) != (dialect.key_space.scope == "symbol"):
            yield f"{where}: scope_parameter stands with a scope"


def _call(call: Operation | PublicCall) -> str:
    return f"{call.method} {call.path}"


def _path(where: str, path: str) -> Iterator[str]:
    if not path.startswith("/") or path.startswith(_OURS):
        yield f"{where}: a path begins with / and not with {_OURS}"


def _reachable(dialect: Dialect) -> set[FailureKind]:
    """The failures that this dialect can bring about."""
    kinds = set(_ALWAYS)
    with_key = [row for row in dialect.operations if row.kind != "create" and row.key_in == "parameter"]
    if with_key:
        kinds.add("parameter_illegal")
    if any(row.missing_key == "failure" for row in with_key):
        kinds |= {"listen_key_missing", "parameter_empty"}
    if dialect.key_space.scope == "symbol":
        kinds |= {"symbol_missing", "symbol_unknown", "parameter_empty"}
    if any(limit.penalty_ms for limit in dialect.limits.buckets):
        kinds.add("endpoint_disabled")
    if dialect.limits.breaker is not None:
        kinds.add("error_breaker")
    if dialect.limits.bans is not None:
        kinds.add("banned")
    return kinds


def _failures(dialect: Dialect) -> Iterator[str]:
    rows = [row.kind for row in dialect.failures]
    yield from _twice("failures", rows)
    reachable = _reachable(dialect)
    for kind in sorted(reachable - set(rows)):
        yield f"failures: {kind} has no row"
    for kind in sorted(set(rows) - reachable):
        yield f"failures.{kind}: nothing in this dialect brings it about"
    for row in dialect.failures:
        yield from _failure(row)
    yield from _json("error_envelope", dialect.error_envelope, {"code", "msg", "now_ms"})
    yield from _twice("unknown_paths", (row.prefix for row in dialect.unknown_paths))


def _failure(row: Failure) -> Iterator[str]:
    where = f"failures.{row.kind}"
    if not 200 <= row.status <= 599:
        yield f"{where}.status: is from 200 to 599"
    if row.msg and (row.code is None or row.body):
        yield f"{where}: msg stands with a code and without a body"
    if places(row.body):
        yield f"{where}.body: has no places; msg has"
    known = _REQUEST_PLACES | _PLACES_OF_FAILURE.get(row.kind, frozenset())
    for place in sorted(places(row.msg) - known):
        yield f"{where}.msg: nothing fills ${place}"


def _limits(dialect: Dialect) -> Iterator[str]:
    buckets = dialect.limits.buckets
    yield from _twice("limits.buckets", (limit.name for limit in buckets))
    for limit in buckets:
        if limit.limit < 1 or limit.window_ms < 1 or limit.penalty_ms < 0:
            yield f"limits.buckets.{limit.name}: limit and window_ms are at least 1, penalty_ms at least 0"
    bans = dialect.limits.bans
    if bans is not None and not (
        bans.after_refused >= 0 < bans.first_s <= bans.longest_s and bans.factor >= 1
    ):
        yield "limits.bans: 0 < first_s <= longest_s, and factor is at least 1"
    breaker = dialect.limits.breaker
    if breaker is not None and min(breaker.more_than, breaker.window_ms, breaker.penalty_ms) < 1:
        yield "limits.breaker: more_than, window_ms and penalty_ms are at least 1"


# Sockets --------------------------------------------------------------------------------------------


def _sockets(dialect: Dialect) -> Iterator[str]:
    streams = {stream.name for stream in dialect.streams}
    yield from _twice("sockets", (f"{path.path} {path.stream}" for path in dialect.sockets))
    yield from _twice("sockets", (path.path for path in dialect.sockets if path.root))
    for path in dialect.sockets:
        where = f"sockets {path.path}"
        yield from _socket(where, path)
        if path.stream and path.stream not in streams:
            yield f"{where}: there is no stream called {path.stream}"
        if path.heartbeat not in dialect.heartbeats:
            yield f"{where}: there is no heartbeat called {path.heartbeat}"
        if path.control != "none" and all(row.stream not in {path.stream, ""} for row in dialect.controls):
            yield f"{where}: no row of controls holds for it"
    for stream in sorted(streams - {path.stream for path in dialect.sockets}):
        yield f"streams.{stream}: no socket carries it"


def _socket(where: str, path: SocketPath) -> Iterator[str]:
    yield from _path(where, path.path)
    if path.path.endswith("/{names}") != (path.names_in == "path") or "{" in path.path.removesuffix(
        "{names}"
    ):
        yield f'{where}: /{{names}} ends the path where names_in is "path", and nowhere else'
    if bool(path.names_parameters) != (path.names_in == "query"):
        yield f'{where}: names_parameters stand with names_in = "query"'
    if path.events_parameter and path.names_in != "query":
        yield f'{where}: events_parameter stands with names_in = "query"'


def _controls(dialect: Dialect) -> Iterator[str]:
    streams = {"", *(stream.name for stream in dialect.streams)}
    yield from _twice("controls", (row.stream for row in dialect.controls))
    for row in dialect.controls:
        where = f"controls.{row.stream}" if row.stream else "controls"
        if row.stream not in streams:
            yield f"{where}: there is no stream of this name"
        yield from _control(where, row)


def _control(where: str, row: Control) -> Iterator[str]:
    yield from _json(f"{where}.ack", row.ack, {"id", "result", "now_ms"})
    yield from _twice(f"{where}.errors", (error.kind for error in row.errors))
    for error in row.errors:
        yield from _json(f"{where}.errors.{error.kind}", error.body, _PLACES_OF_CONTROL)
    if not _compiles(row.market_topic_pattern):
        yield f"{where}.market_topic_pattern: is no pattern"


def _heartbeats(dialect: Dialect) -> Iterator[str]:
    for name, heartbeat in dialect.heartbeats.items():
        yield from _heartbeat(f"heartbeats.{name}", heartbeat)


def _heartbeat(where: str, heartbeat: Heartbeat) -> Iterator[str]:
    if heartbeat.period_ms < 1 or heartbeat.grace_ms < 1:
        yield f"{where}: period_ms and grace_ms are at least 1"
    if bool(heartbeat.send) != (heartbeat.kind != "protocol_ping"):
        yield f"{where}.send: a word and a JSON object are sent, a protocol Ping has none"
    if heartbeat.kind == "json":
        yield from _json(f"{where}.send", heartbeat.send, {"id", "iso_time", "now_ms"}, quoted_id=True)


def _endings(dialect: Dialect) -> Iterator[str]:
    streams = {stream.name for stream in dialect.streams}
    for notice in dialect.notices:
        for stream in sorted(set(notice.streams) - streams):
            yield f"notices: there is no stream called {stream}"
        yield from _json("notices", notice.body, {"now_ms", "listen_key"})
    kinds = [row.kind for row in dialect.closes]
    yield from _twice("closes", kinds)
    for kind in sorted(set(get_args(CloseKind)) - set(kinds)):
        yield f"closes: {kind} has no row"
    for row in dialect.closes:
        # 1004, 1005 and 1015 never travel; 1006 stands for an end without a close frame.
        if not (1000 <= row.code <= 1003 or 1006 <= row.code <= 1014 or 3000 <= row.code <= 4999):
            yield f"closes.{row.kind}.code: {row.code} is no close code"
        if len(row.reason.encode()) > 123:
            yield f"closes.{row.kind}.reason: is longer than 123 bytes"


# Helpers --------------------------------------------------------------------------------------------


def _twice(where: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{where}: {name or 'the row for all streams'} is there {count} times"


def _json(where: str, template: str, known: Iterable[str], *, quoted_id: bool = False) -> Iterator[str]:
    """Whether a template has only known places and is JSON once they are filled."""
    unknown = sorted(places(template) - set(known))
    for place in unknown:
        yield f"{where}: nothing fills ${place}"
    values = {place: _JSON_PLACES.get(place, 1) for place in places(template)}
    if quoted_id:
        values["id"] = "x"
    try:
        msgspec.json.decode(fill_json(template, values))
    except msgspec.DecodeError as error:
        yield f"{where}: is not JSON once its places are filled: {error}"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
