"""The REST call that makes a listen token: what is asked for, and the answer."""

import re

import msgspec

from listenkey.base.clock import MILLISECOND, Micros, to_millis
from listenkey.dialect.api import TokenCall
from listenkey.dialect.template import fill_json
from listenkey.wire.api import read_flag
from listenkey.wire.messages import Fault, Reply, Request
from listenkey.wire.parameters import read_parameters


class TokenRequest(msgspec.Struct, frozen=True):
    """The stream that a token is to open, and for how long."""

    stream: str
    validity: Micros


def read_token_request(call: TokenCall, request: Request) -> TokenRequest | Fault:
    """What a token is asked for. A symbol counts only for an isolated account, which then needs one; a
    validity beyond the longest is cut to it."""
    parameters = read_parameters(request)
    stream = _read_stream(call, parameters)
    if isinstance(stream, Fault):
        return stream
    text = parameters.get(call.validity_parameter, "")
    if text and not (text.isascii() and text.isdigit() and int(text[:20]) > 0):
        return Fault("parameter_illegal", {"parameter": call.validity_parameter, "legal": "[1-9][0-9]*"})
    validity_ms = min(int(text[:20]) if text else call.longest_ms, call.longest_ms)
    return TokenRequest(stream, validity_ms * MILLISECOND)


def _read_stream(call: TokenCall, parameters: dict[str, str]) -> str | Fault:
    text = parameters.get(call.isolated_parameter)
    isolated = read_flag(text)
    if text and isolated is None:  # guessing would open another account's stream
        return Fault("parameter_illegal", {"parameter": call.isolated_parameter, "legal": "true|false"})
    if not call.isolated_stream or not isolated:
        return call.stream
    symbol = parameters.get(call.symbol_parameter, "").upper()
    missing: dict[str, object] = {"parameter": call.symbol_parameter}
    if not symbol:
        return Fault("symbol_missing", missing)
    if not re.fullmatch(call.symbol_pattern, symbol, re.ASCII):
        return Fault("symbol_unknown", missing)
    return f"{call.isolated_stream}:{symbol}"


def render_token(call: TokenCall, token: str, expires_at: Micros) -> Reply:
    """The answer with the token."""
    values = {"token": token, "expires_at_ms": to_millis(expires_at)}
    body = fill_json(call.success_body, values).encode()
    return Reply(200, [(b"Content-Type", b"application/json")], body)
