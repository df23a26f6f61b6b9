"""Lint of calls, failures and limits."""

from collections.abc import Iterator
from typing import Final

from listenkey.dialect.lint.common import json_template, own_path, twice
from listenkey.dialect.model import Dialect, Failure, FailureKind, Operation, PublicCall
from listenkey.dialect.template import places

_ALWAYS: Final[frozenset[FailureKind]] = frozenset({
    "api_key_missing", "api_key_malformed", "api_key_unknown", "ip_not_allowed", "permission_denied",
    "listen_key_unknown", "signature_missing", "signature_wrong", "timestamp_missing", "timestamp_malformed",
    "timestamp_late", "timestamp_early", "recv_window_wrong", "rate_limited", "path_unknown",
    "method_unknown", "body_too_large", "request_malformed", "internal", "venue_unreachable", "venue_timeout",
    "venue_garbled",
})  # fmt: skip

_REQUEST_PLACES: Final = frozenset({"path", "method", "now_ms"})
_PLACES_OF_FAILURE: Final[dict[FailureKind, frozenset[str]]] = {
    "parameter_empty": frozenset({"parameter"}),
    "parameter_illegal": frozenset({"parameter", "legal"}),
    "symbol_missing": frozenset({"parameter"}),
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
    "too_many_connections": frozenset({"limit", "interval"}),
}


def check_calls(dialect: Dialect) -> Iterator[str]:
    """Paths, methods and pools of all calls."""
    calls: list[Operation | PublicCall] = [*dialect.operations, *dialect.public_calls]
    yield from twice("operations and public_calls", (_call(call) for call in calls))
    limits = {limit.name for limit in dialect.limits.buckets if limit.counts != "connections"}
    for call in calls:
        yield from own_path(_call(call), call.path)
        if not call.method.isupper():
            yield f"{_call(call)}: a method is upper case"
        for pool in sorted(set(call.pools) - limits):
            yield f"{_call(call)}: there is no limit called {pool}"
    for public in dialect.public_calls:
        yield from json_template(_call(public), public.body, {"now_ms"})


def check_operations(dialect: Dialect) -> Iterator[str]:
    """The calls of a key's life."""
    for kind in ("create", "extend", "close"):
        if all(operation.kind != kind or operation.alias for operation in dialect.operations):
            yield f"operations: none does {kind}"
    for operation in dialect.operations:
        where, body = _call(operation), operation.success_body
        yield from json_template(where, body, {"listen_key", "expires_at_ms", "now_ms"})
        if operation.kind == "create" and "listen_key" not in places(body):
            yield f"{where}: a create answers with $listen_key"
        if bool(operation.scope_parameter) != (dialect.key_space.scope == "symbol"):
            yield f"{where}: scope_parameter stands with a scope"


def _call(call: Operation | PublicCall) -> str:
    return f"{call.method} {call.path}"


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
    if dialect.token_calls:
        kinds.add("parameter_illegal")
    if any(call.isolated_stream for call in dialect.token_calls):
        kinds |= {"symbol_missing", "symbol_unknown"}
    if dialect.time_unit_header or dialect.frames.time_unit_parameter:
        kinds.add("time_unit_wrong")
    return kinds | _limiting(dialect)


def _limiting(dialect: Dialect) -> set[FailureKind]:
    """Those that its limits bring about."""
    limits = dialect.limits
    kinds: set[FailureKind] = {limit.failure for limit in limits.buckets}
    if any(limit.penalty_ms for limit in limits.buckets):
        kinds.add("endpoint_disabled")
    if limits.breaker is not None:
        kinds.add("error_breaker")
    if limits.bans is not None:
        kinds.add("banned")
    if dialect.frames.sockets_per_address:
        kinds.add("too_many_connections")
    return kinds


def check_failures(dialect: Dialect) -> Iterator[str]:
    """A row for each failure that can happen, and for no other."""
    rows = [row.kind for row in dialect.failures]
    yield from twice("failures", rows)
    reachable = _reachable(dialect)
    for kind in sorted(reachable - set(rows)):
        yield f"failures: {kind} has no row"
    for kind in sorted(set(rows) - reachable):
        yield f"failures.{kind}: nothing in this dialect brings it about"
    for row in dialect.failures:
        yield from _failure(row)
    yield from json_template("error_envelope", dialect.error_envelope, {"code", "msg", "now_ms"})
    yield from twice("unknown_paths", (row.prefix for row in dialect.unknown_paths))


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


def check_limits(dialect: Dialect) -> Iterator[str]:
    """Buckets, bans and the breaker."""
    buckets = dialect.limits.buckets
    yield from twice("limits.buckets", (limit.name for limit in buckets))
    pools = [dialect.frames.connection_pools, *(api.connection_pools for api in dialect.apis)]
    used = {name for names in pools for name in names}
    connections = {limit.name for limit in buckets if limit.counts == "connections"}
    for name in sorted(used - connections):
        yield f"connection_pools: there is no limit of connections called {name}"
    for name in sorted(connections - used):
        yield f"limits.buckets.{name}: no connection_pools name it"
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
