"""Lint of WebSocket APIs and of the calls that make listen tokens."""

from collections.abc import Iterator
from typing import Final

import msgspec

from listenkey.dialect.api import ApiFailureKind, ApiMethodKind, WebSocketApi
from listenkey.dialect.lint.common import compiles, json_template, own_path, twice
from listenkey.dialect.model import Dialect, FailureKind
from listenkey.dialect.template import fill_json, places

_SESSION: Final = frozenset(
    {"api_key", "authorized_since_ms", "connected_since_ms", "returns_limits", "subscribed", "now_ms"}
)
_PLACES: Final[dict[ApiMethodKind, frozenset[str]]] = {
    "ping": frozenset({"now_ms"}),
    "time": frozenset({"now_ms"}),
    "logon": _SESSION,
    "status": _SESSION,
    "logout": _SESSION,
    "subscriptions": frozenset({"subscriptions"}),
    "create": frozenset({"listen_key"}),
    "extend": frozenset({"listen_key"}),
    "close": frozenset(),
    "subscribe": frozenset({"subscription"}),
    "subscribe_signature": frozenset({"subscription"}),
    "subscribe_token": frozenset({"subscription", "expires_at_us"}),
    "unsubscribe": frozenset(),
}
_SUBSCRIBING: Final = frozenset[ApiMethodKind]({"subscribe", "subscribe_signature", "subscribe_token"})
_ALWAYS: Final = frozenset[ApiFailureKind](
    {"not_json", "method_missing", "method_unknown", "parameter_missing"}
)
_WHEN: Final[dict[ApiMethodKind, frozenset[ApiFailureKind]]] = {
    "logon": frozenset({"logon_key_kind"}),
    "subscribe": frozenset({"not_logged_on"}),
    "subscribe_token": frozenset({"listen_token_unknown"}),
    "unsubscribe": frozenset({"subscription_inactive"}),
}
_CROWDED: Final = frozenset[ApiFailureKind](
    {"subscription_active", "subscription_ids_spent", "too_many_subscriptions"}
)
_FORMS: Final = {
    "answer": {"id", "member", "result", "rate_limits"},
    "error": {"id", "status", "code", "msg", "data", "rate_limits"},
    "rate_limit": {"limit", "count"},
    "event": {"subscription", "event"},
    "terminated": {"now_ms"},
    "shutdown": {"now_ms"},
}
_TRIED: Final[dict[str, object]] = {
    "rate_limits": b"", "data": b"", "member": "result", "msg": "x", "result": b"{}", "event": b"{}",
}  # fmt: skip


def check_apis(dialect: Dialect) -> Iterator[str]:
    """Methods, failures and forms of each WebSocket API."""
    yield from twice("apis", (api.path for api in dialect.apis))
    streams = {"", *(stream.name for stream in dialect.streams)}
    limits = {limit.name for limit in dialect.limits.buckets if limit.counts != "connections"}
    for api in dialect.apis:
        where = f"apis.{api.path}"
        yield from own_path(where, api.path)
        if api.stream not in streams:
            yield f"{where}: there is no stream called {api.stream}"
        if api.heartbeat not in dialect.heartbeats:
            yield f"{where}: there is no heartbeat called {api.heartbeat}"
        for pool in sorted(set(api.pools) - limits):
            yield f"{where}: there is no limit called {pool}"
        if api.shutdown_lead_s and not (api.shutdown and 0 < api.shutdown_lead_s < api.longest_s):
            yield f"{where}.shutdown_lead_s: stands with shutdown, and is less than longest_s"
        yield from _forms(where, api)
        yield from _methods(where, api, {row.kind for row in dialect.failures})
        yield from _failures(where, api)


def _forms(where: str, api: WebSocketApi) -> Iterator[str]:
    for name, known in _FORMS.items():
        template = getattr(api, name)
        for place in sorted(places(template) - known):
            yield f"{where}.{name}: nothing fills ${place}"
        if template:
            yield from _is_json(f"{where}.{name}", template)
    for place in sorted(places(api.retry_data) - {"now_ms", "until_ms"}):
        yield f"{where}.retry_data: nothing fills ${place}"
    delivers = any(method.kind in _SUBSCRIBING for method in api.methods)
    if delivers != bool(api.stream) or (delivers and not (api.event and api.terminated)):
        yield f"{where}: stream, event and terminated stand with methods that subscribe"


def _is_json(where: str, template: str) -> Iterator[str]:
    values = {place: _TRIED.get(place, 1) for place in places(template)}
    try:
        msgspec.json.decode(fill_json(template, values))
    except msgspec.DecodeError as error:
        yield f"{where}: is not JSON once its places are filled: {error}"


def _methods(where: str, api: WebSocketApi, failures: set[FailureKind]) -> Iterator[str]:
    yield from twice(f"{where}.methods", (method.name for method in api.methods))
    for method in api.methods:
        yield from json_template(f"{where}.methods.{method.name}", method.result, _PLACES[method.kind])
        if method.key_in == "parameter" and not {"listen_key_missing", "parameter_empty"} <= failures:
            yield f"{where}.methods.{method.name}: the dialect has no failure for a missing listen key"


def _failures(where: str, api: WebSocketApi) -> Iterator[str]:
    rows = [row.kind for row in api.failures]
    yield from twice(f"{where}.failures", rows)
    kinds = {method.kind for method in api.methods}
    wanted = _ALWAYS.union(*(_WHEN.get(kind, frozenset()) for kind in kinds))
    if kinds & _SUBSCRIBING:
        wanted |= _CROWDED
    for kind in sorted(wanted - set(rows)):
        yield f"{where}.failures: {kind} has no row"
    for kind in sorted(set(rows) - wanted):
        yield f"{where}.failures.{kind}: nothing in this API brings it about"


def check_token_calls(dialect: Dialect) -> Iterator[str]:
    """Calls that make listen tokens. Their streams may be another dialect's, so those are not looked at."""
    yield from twice("token_calls", (f"{call.method} {call.path}" for call in dialect.token_calls))
    limits = {limit.name for limit in dialect.limits.buckets}
    for call in dialect.token_calls:
        where = f"token_calls.{call.path}"
        yield from own_path(where, call.path)
        for pool in sorted(set(call.pools) - limits):
            yield f"{where}: there is no limit called {pool}"
        yield from json_template(where, call.success_body, {"token", "expires_at_ms"})
        if bool(call.isolated_stream) != bool(call.isolated_parameter and call.symbol_parameter):
            yield f"{where}: isolated_stream stands with isolated_parameter and symbol_parameter"
        if not compiles(call.symbol_pattern):
            yield f"{where}.symbol_pattern: is no pattern"
        if call.longest_ms < 1:
            yield f"{where}.longest_ms: is at least 1"
