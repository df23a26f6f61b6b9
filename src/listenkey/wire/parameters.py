"""Parameters of a request, wherever the client put them, and what a signature is made over.

`Content-Type` means nothing: clients send JSON as a form, forms as octets, and types without a body.
"""

from urllib.parse import unquote_plus

import msgspec

from listenkey.dialect.model import Auth
from listenkey.wire.messages import Request
from listenkey.wire.signed import payload_by_name

_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_value = msgspec.json.Decoder(str | int | float | bool | None).decode


def read_parameters(request: Request) -> dict[str, str]:
    """All parameters: the query before the form before the JSON body, the first of several before the others.
    Bytes that are no UTF-8 become replacement characters, which no legal value has."""
    if not request.body:
        return read_form(request.query) if request.query else {}
    members = read_json(request.body)
    return {**(read_form(request.body) if members is None else members), **read_form(request.query)}


def read_form(data: bytes) -> dict[str, str]:
    """Parameters of a query string or an urlencoded form; a name without `=` has an empty value."""
    parameters: dict[str, str] = {}
    for piece in data.strip().split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            parameters.setdefault(_decode(name), _decode(value))
    return parameters


def read_json(body: bytes) -> dict[str, str] | None:
    """Parameters of a JSON object, or None where the body is not one. Members that are neither text nor
    numbers are left out; numbers and booleans are as JSON writes them."""
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        members = _read_object(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    parameters = {}
    for name, raw in members.items():
        text = _json_text(raw)
        if text is not None:
            parameters[name] = text
    return parameters


def payloads(auth: Auth, request: Request, parameters: dict[str, str]) -> tuple[bytes, ...]:
    """What a signature of this request may be made over, the likeliest first."""
    marker = auth.signature_parameter.encode() + b"="
    body = b"" if read_json(request.body) is not None else request.body.strip()
    as_sent = _without(request.query, marker) + _without(body, marker)
    if auth.signature_payload == "query_then_body":
        return (as_sent,)
    decoded = _decode(as_sent).encode("utf-8", "replace")
    return tuple(dict.fromkeys((as_sent, decoded, payload_by_name(auth, parameters))))


def _decode(piece: bytes) -> str:
    text = piece.decode("utf-8", "replace")
    return unquote_plus(text) if "%" in text or "+" in text else text


def _json_text(raw: msgspec.Raw) -> str | None:
    try:
        value = _read_value(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(value, str):
        return value
    return None if value is None else bytes(raw).decode()


def _without(pieces: bytes, marker: bytes) -> bytes:
    return b"&".join(piece for piece in pieces.split(b"&") if not piece.startswith(marker))
