"""REST calls by dialect: what a request asks for, and the bytes of each answer."""

import re
from functools import lru_cache
from typing import Final, Literal

from listenkey.base.clock import MILLISECOND, Micros, to_millis
from listenkey.dialect.model import Auth, Dialect, FailureKind, Operation, PublicCall
from listenkey.dialect.template import fill_json, fill_text
from listenkey.wire.messages import Arguments, Fault, NoContent, Reply, Request, Signed
from listenkey.wire.parameters import payloads, read_parameters
from listenkey.wire.signature import check_signature

__all__ = [
    "Arguments",
    "Fault",
    "NoContent",
    "Reply",
    "Request",
    "Signed",
    "check_signature",
    "error_code",
    "read_api_key",
    "read_arguments",
    "render_fault",
    "render_no_content",
    "render_public",
    "render_success",
]

SignaturePolicy = Literal["ignored", "if_sent", "required"]

_JSON: Final = (b"Content-Type", b"application/json")
_DIGITS: Final = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
_WINDOW: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?\Z", re.ASCII)
_MICROSECONDS_FROM: Final = 10**14
"""Timestamps from here on are microseconds: as milliseconds they would be in the year 5138."""


# Requests -------------------------------------------------------------------------------------------


def read_api_key(dialect: Dialect, request: Request) -> str | Fault:
    """The API key of the dialect's header, or `api_key_missing`, `api_key_malformed`."""
    auth = dialect.auth
    value = request.headers.get(_header_name(auth.header))
    if not value:
        return Fault("api_key_missing")
    key = value.decode("latin-1")
    return key if _pattern(auth.api_key_pattern).fullmatch(key) else Fault("api_key_malformed")


def read_arguments(
    dialect: Dialect, operation: Operation, request: Request, *, signature: SignaturePolicy, now: Micros
) -> Arguments | Fault | NoContent:
    """What an operation is asked with. Mandatory parameters are looked at first, then the timestamp; the
    signature itself is `check_signature`'s."""
    parameters = read_parameters(request)
    scope = _read_scope(dialect, operation, parameters)
    if isinstance(scope, Fault):
        return scope
    listen_key = _read_listen_key(dialect, operation, parameters)
    if isinstance(listen_key, Fault) and (
        listen_key.kind == "parameter_illegal" or operation.missing_key == "failure"
    ):
        return listen_key
    signed = None
    if signature != "ignored":
        proof = _read_signed(dialect.auth, request, parameters, signature, now)
        if isinstance(proof, Fault):
            return proof
        signed = proof
    if isinstance(listen_key, Fault):
        return NoContent(signed)
    return Arguments(listen_key, scope, signed)


def _read_scope(dialect: Dialect, operation: Operation, parameters: dict[str, str]) -> str | Fault:
    name = operation.scope_parameter
    if not name:
        return ""
    symbol = parameters.get(name)
    if symbol is None:
        return Fault("symbol_missing", {"parameter": name})
    if not symbol:
        return Fault("parameter_empty", {"parameter": name})
    upper = symbol.upper() if symbol.isascii() else ""
    if not _pattern(dialect.key_space.symbol_pattern).fullmatch(upper):
        return Fault("symbol_unknown", {"parameter": name})
    return upper


def _read_listen_key(
    dialect: Dialect, operation: Operation, parameters: dict[str, str]
) -> str | Fault | None:
    if operation.kind == "create" or operation.key_in == "nowhere":
        return None
    name = operation.key_parameter
    key = parameters.get(name)
    for alias in operation.key_aliases:
        key = parameters.get(alias) if key is None else key
    if key is None:
        return Fault("listen_key_missing", {"parameter": name})
    if not key:
        return Fault("parameter_empty", {"parameter": name})
    legal = dialect.key_space.legal_pattern
    if not _pattern(legal).fullmatch(key):
        return Fault("parameter_illegal", {"parameter": name, "legal": legal})
    return key


def _read_signed(
    auth: Auth, request: Request, parameters: dict[str, str], policy: SignaturePolicy, now: Micros
) -> Signed | Fault | None:
    offered = parameters.get(auth.signature_parameter, "")
    sent_at = parameters.get(auth.timestamp_parameter, "")
    if policy == "if_sent" and not offered and not sent_at:
        return None
    if not sent_at:
        return Fault("timestamp_missing", {"parameter": auth.timestamp_parameter})
    if not offered and policy == "required":
        return Fault("signature_missing", {"parameter": auth.signature_parameter})
    window = _read_window(auth, parameters.get(auth.recv_window_parameter, ""))
    if isinstance(window, Fault):
        return window
    timestamp = _read_timestamp(auth, sent_at, window, now)
    if isinstance(timestamp, Fault):
        return timestamp
    return Signed(payloads(auth, request, parameters), offered, timestamp, window) if offered else None


def _read_window(auth: Auth, text: str) -> Micros | Fault:
    """The receive window; empty and 0 stand for the default."""
    match = _WINDOW.match(text or "0")
    window = 0 if match is None else int(match[1]) * MILLISECOND + int((match[2] or "0").ljust(3, "0"))
    if match is None or window > auth.recv_window_max_ms * MILLISECOND:
        return Fault(
            "recv_window_wrong", {"parameter": auth.recv_window_parameter, "limit": auth.recv_window_max_ms}
        )
    return window or auth.recv_window_ms * MILLISECOND


def _read_timestamp(auth: Auth, text: str, window: Micros, now: Micros) -> Micros | Fault:
    fields: dict[str, object] = {"parameter": auth.timestamp_parameter}
    if not _DIGITS.match(text):
        return Fault("timestamp_malformed", fields)
    number = int(text)
    in_micros = auth.timestamp_unit == "ms_or_us" and number >= _MICROSECONDS_FROM
    timestamp = number if in_micros else number * MILLISECOND
    if timestamp >= now + auth.early_ms * MILLISECOND:
        return Fault("timestamp_early", fields)
    if now - timestamp > window:
        return Fault("timestamp_late", fields)
    return timestamp


@lru_cache(maxsize=256)
def _header_name(name: str) -> bytes:
    return name.lower().encode()


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


# Answers --------------------------------------------------------------------------------------------


def render_success(operation: Operation, *, listen_key: str, expires_at: Micros, now: Micros) -> Reply:
    """The answer to an operation that was done."""
    values = {"listen_key": listen_key, "expires_at_ms": to_millis(expires_at), "now_ms": to_millis(now)}
    return Reply(operation.success_status, [_JSON], fill_json(operation.success_body, values).encode())


def render_no_content() -> Reply:
    """The answer to a request without a listen key where the venue says just that."""
    return Reply(204, [], b"")


def render_public(call: PublicCall, now: Micros) -> Reply:
    """The answer to a public call."""
    body = fill_json(call.body, {"now_ms": to_millis(now)}).encode()
    return Reply(call.status, [(b"Content-Type", call.content_type.encode())], body)


def render_fault(dialect: Dialect, fault: Fault, *, request: Request, now: Micros) -> Reply:
    """The answer to a request that failed, as the dialect's failure row says."""
    row = dialect.failure(fault.kind)
    if row.only_if_accept and row.only_if_accept.encode() not in request.headers.get(b"accept", b"").lower():
        return Reply(row.status, [], b"")
    values = {"now_ms": to_millis(now), "path": request.path, "method": request.method, **fault.fields}
    if row.body:
        body = row.body
    elif row.code is not None:
        envelope = {**values, "code": row.code, "msg": fill_text(row.msg, values)}
        body = fill_json(dialect.error_envelope, envelope)
    else:
        return Reply(row.status, [], b"")
    return Reply(row.status, [(b"Content-Type", row.content_type.encode())], body.encode())


def error_code(dialect: Dialect, kind: FailureKind) -> int | None:
    """The venue's code for a failure, where it has one."""
    return dialect.failure(kind).code
