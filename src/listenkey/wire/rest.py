"""REST calls by dialect: what a request asks for, and the bytes of each answer."""

import re
from functools import lru_cache
from typing import Final

from listenkey.base.clock import Micros, to_millis
from listenkey.dialect.model import Dialect, FailureKind, Operation, PublicCall
from listenkey.dialect.template import fill_json, fill_text
from listenkey.wire.messages import Arguments, Fault, NoContent, Reply, Request, Signed
from listenkey.wire.parameters import payloads, read_parameters
from listenkey.wire.signature import check_signature
from listenkey.wire.signed import SignaturePolicy, read_signed

__all__ = [
    "Arguments",
    "Fault",
    "NoContent",
    "Reply",
    "Request",
    "Signed",
    "check_api_key",
    "check_listen_key",
    "check_signature",
    "error_code",
    "read_api_key",
    "read_arguments",
    "render_fault",
    "render_no_content",
    "render_public",
    "render_success",
]

_JSON: Final = (b"Content-Type", b"application/json")


# Requests -------------------------------------------------------------------------------------------


def read_api_key(dialect: Dialect, request: Request) -> str | Fault:
    """The API key of the dialect's header, or `api_key_missing`, `api_key_malformed`."""
    auth = dialect.auth
    value = request.headers.get(_header_name(auth.header))
    if not value:
        return Fault("api_key_missing")
    key = value.decode("latin-1")
    return check_api_key(dialect, key) or key


def check_api_key(dialect: Dialect, key: str) -> Fault | None:
    """Why a text can be no API key, if it cannot: `api_key_missing`, `api_key_malformed`."""
    if not key:
        return Fault("api_key_missing")
    good = _pattern(dialect.auth.api_key_pattern).fullmatch(key)
    return None if good else Fault("api_key_malformed")


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
        auth = dialect.auth
        proof = read_signed(auth, parameters, lambda: payloads(auth, request, parameters), signature, now)
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
    return check_listen_key(dialect, key, name)


def check_listen_key(dialect: Dialect, key: str | None, name: str) -> str | Fault:
    """The listen key that the parameter of this name gives, or what is wrong with it."""
    if key is None:
        return Fault("listen_key_missing", {"parameter": name})
    if not key:
        return Fault("parameter_empty", {"parameter": name})
    legal = dialect.key_space.legal_pattern
    if not _pattern(legal).fullmatch(key):
        return Fault("parameter_illegal", {"parameter": name, "legal": legal})
    return key


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


def render_public(call: PublicCall, now: Micros, *, micros: bool = False) -> Reply:
    """The answer to a public call; `micros`: times in microseconds."""
    body = fill_json(call.body, {"now_ms": now if micros else to_millis(now)}).encode()
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
