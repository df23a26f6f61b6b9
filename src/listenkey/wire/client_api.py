"""A WebSocket API from the client's side: requests that subscribe, and what the answers mean.

The other direction is in `wire.api`.
"""

import hmac
from base64 import b64encode
from typing import Final

import msgspec

from listenkey.base.clock import MILLISECOND, Micros, to_millis
from listenkey.base.errors import Refused
from listenkey.dialect.api import ApiMethodKind, TokenCall, WebSocketApi
from listenkey.dialect.model import Dialect
from listenkey.wire.client import Call, CallResult, outcome_of

_ID: Final = "subscribe"
_PEM: Final = "-----BEGIN"


class _Error(msgspec.Struct):
    code: int | None = None
    msg: str = ""
    data: dict[str, int] | None = None


class _Answer(msgspec.Struct):
    id: str | int | None = None
    status: int = 0
    error: _Error | None = None


class _Token(msgspec.Struct):
    token: str = ""


_read_answer = msgspec.json.Decoder(_Answer).decode
_read_token = msgspec.json.Decoder(_Token).decode
_encode = msgspec.json.Encoder().encode


def method_name(api: WebSocketApi, kind: ApiMethodKind) -> str | None:
    """The name of a method, where the API has one of this kind."""
    return next((method.name for method in api.methods if method.kind == kind), None)


def subscribe_by_signature(
    dialect: Dialect, api: WebSocketApi, api_key: str, secret: str, now: Micros
) -> str:
    """The request, signed with a shared secret, or with a private key in PEM.
    Errors: `Refused` for a PEM that is no key, and where the library for it is missing."""
    auth = dialect.auth
    parameters: dict[str, object] = {"apiKey": api_key, auth.timestamp_parameter: to_millis(now)}
    payload = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters)).encode()
    parameters[auth.signature_parameter] = sign(secret, payload)
    name = method_name(api, "subscribe_signature")
    return _encode({"id": _ID, "method": name, "params": parameters}).decode()


def subscribe_by_token(api: WebSocketApi, token: str) -> str:
    """The request with a listen token."""
    name = method_name(api, "subscribe_token")
    return _encode({"id": _ID, "method": name, "params": {"listenToken": token}}).decode()


def sign(secret: str, payload: bytes) -> str:
    """HMAC-SHA256 in hexadecimal with a shared secret; RSA or Ed25519 in base64 with a private key in PEM."""
    if not secret.lstrip().startswith(_PEM):
        return hmac.digest(secret.encode(), payload, "sha256").hex()
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise Refused("private keys need a library", "run: pip install cryptography") from error
    try:
        key = load_pem_private_key(secret.encode(), None)
    except (ValueError, TypeError) as error:
        raise Refused("the private key cannot be read", "give it as PEM, without a password") from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b64encode(key.sign(payload)).decode()
    if isinstance(key, rsa.RSAPrivateKey):
        return b64encode(key.sign(payload, padding.PKCS1v15(), SHA256())).decode()
    raise Refused("the private key is of another kind", "use Ed25519 or RSA")


def read_subscribed(dialect: Dialect, api: WebSocketApi, frame: str | bytes) -> CallResult | None:
    """What the answer to the request means; None for a frame that is none."""
    try:
        answer = _read_answer(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if answer.id != _ID:
        return None
    if answer.status == 200:
        return CallResult("done")
    error = answer.error or _Error()
    outcome = outcome_of(dialect, answer.status, error.code, has_key=False)
    if error.code is not None and error.code == api.failure("listen_token_unknown").code:
        outcome = "key_gone"
    until = (error.data or {}).get("retryAfter", 0) * MILLISECOND
    return CallResult(outcome, retry_at=until, reason=f"{answer.status} {error.msg}".strip())


def build_token_call(call: TokenCall, header: str, api_key: str, symbol: str) -> Call:
    """The REST call that makes a listen token, of a symbol's isolated account where one is named."""
    query = f"?{call.isolated_parameter}=true&{call.symbol_parameter}={symbol}" if symbol else ""
    return Call(call.method, call.path + query, ((header, api_key),))


def read_token(body: bytes) -> str:
    """The token of an answer; empty where there is none."""
    try:
        return _read_token(body).token
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
