"""WebSocket APIs by dialect: what a frame asks for, and the text of each answer and event."""

from collections.abc import Hashable, Mapping
from typing import Final

import msgspec

from listenkey.base.clock import Micros, to_millis
from listenkey.core.records import Event
from listenkey.dialect.api import ApiFailureKind, ApiMethod, WebSocketApi
from listenkey.dialect.model import Dialect, Limit
from listenkey.dialect.template import fill_json, fill_text
from listenkey.wire.frames import encode_text
from listenkey.wire.messages import Fault
from listenkey.wire.parameters import read_json

NO_ID: Final = b"null"
_LIMITS_PARAMETER: Final = "returnRateLimits"
_encode = msgspec.json.Encoder().encode
_decode_id = msgspec.json.Decoder(int | str | None).decode


class _Frame(msgspec.Struct):
    method: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw(NO_ID)
    params: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Frame).decode
_decode_text = msgspec.json.Decoder(str).decode


class ApiFault(msgspec.Struct, frozen=True):
    """What is wrong with a request in a way that only a WebSocket API knows."""

    kind: ApiFailureKind
    fields: dict[str, object] = {}
    id: bytes = NO_ID
    """The id to say so with, as far as one was understood."""


class ApiRequest(msgspec.Struct, frozen=True):
    """One request. `id` is JSON, to be echoed as it is; `parameters` are text, numbers as they were
    written."""

    id: bytes
    method: ApiMethod
    parameters: dict[str, str]

    @property
    def wants_limits(self) -> bool | None:
        """Whether this very request says if its answer is to tell the limits."""
        return read_flag(self.parameters.get(_LIMITS_PARAMETER))


class Used(msgspec.Struct, frozen=True):
    """How full a bucket is."""

    limit: Limit
    count: int


def read_flag(text: str | None) -> bool | None:
    """A boolean parameter; None where it is not there or neither."""
    return {"true": True, "false": False}.get((text or "").lower())


def parse_request(api: WebSocketApi, text: str) -> ApiRequest | ApiFault:
    """What a frame asks for, or what is wrong with it."""
    try:
        frame = _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return ApiFault("not_json")
    request_id = _read_id(frame.id)
    if request_id is None:
        return ApiFault("parameter_missing", {"parameter": "id"})
    try:
        name = _decode_text(frame.method)
    except msgspec.DecodeError:
        return ApiFault("method_missing", {"parameter": "method"}, request_id)
    plain = name.removeprefix(api.version_prefix)
    method = next((each for each in api.methods if each.name == plain), None)
    if method is None:
        return ApiFault("method_unknown", {"method": name}, request_id)
    raw = bytes(frame.params)
    parameters: dict[str, str] | None = {} if raw in {b"", b"null"} else read_json(raw)
    if parameters is None:
        return ApiFault("parameter_missing", {"parameter": "params"}, request_id)
    return ApiRequest(request_id, method, parameters)


def _read_id(raw: msgspec.Raw) -> bytes | None:
    try:
        _decode_id(raw)
    except msgspec.DecodeError:
        return None
    return bytes(raw)


# Answers --------------------------------------------------------------------------------------------


def render_result(
    api: WebSocketApi,
    request: ApiRequest,
    values: Mapping[str, object],
    used: tuple[Used, ...] | None,
) -> str:
    """The answer to a request that was done; `used` where it is to tell the limits."""
    values = {
        "id": request.id,
        "member": request.method.member,
        "result": fill_json(request.method.result, values).encode(),
        "rate_limits": _rate_limits(api, used),
    }
    return fill_json(api.answer, values)


def render_api_fault(
    api: WebSocketApi,
    dialect: Dialect,
    request_id: bytes,
    fault: ApiFault | Fault,
    now: Micros,
    used: tuple[Used, ...] | None,
) -> str:
    """The answer to a request that failed. A refusal by a limit tells when to come back."""
    row = dialect.failure(fault.kind) if isinstance(fault, Fault) else api.failure(fault.kind)
    values = {"now_ms": to_millis(now), **fault.fields}
    until = fault.fields.get("until_ms")
    data = fill_json(api.retry_data, values).encode() if until is not None else b""
    return fill_json(
        api.error,
        {
            "id": request_id,
            "status": row.status,
            "code": row.code,
            "msg": fill_text(row.msg, values),
            "data": data,
            "rate_limits": _rate_limits(api, used),
        },
    )


def status_of(dialect: Dialect, api: WebSocketApi, fault: ApiFault | Fault) -> int:
    """The status that a failure is answered with."""
    return (dialect.failure(fault.kind) if isinstance(fault, Fault) else api.failure(fault.kind)).status


def _rate_limits(api: WebSocketApi, used: tuple[Used, ...] | None) -> bytes:
    if used is None or not api.rate_limit:
        return b""
    rows = [fill_json(api.rate_limit, {"limit": each.limit.limit, "count": each.count}) for each in used]
    return f',"rateLimits":[{",".join(rows)}]'.encode()


def quoted(value: object) -> bytes:
    """A value as JSON, for places that hold any."""
    return _encode(value)


# Events ---------------------------------------------------------------------------------------------


class SubscriptionEvents:
    """A `Variant`: an event in the wrapping that names its subscription."""

    __slots__ = ("_api", "_subscription", "key")

    def __init__(self, api: WebSocketApi, subscription: int) -> None:
        self._api = api
        self._subscription = subscription
        self.key: Hashable = ("api", api.path, subscription)

    def encode(self, epoch: str, event: Event) -> bytes | None:
        """A journaled event as a frame."""
        return None if event.gap else self.wrap(event.payload)

    def wrap(self, payload: bytes) -> bytes:
        """Any payload as a frame."""
        values = {"subscription": self._subscription, "event": payload}
        return encode_text(fill_json(self._api.event, values), "text")


def render_terminated(api: WebSocketApi, now: Micros) -> bytes:
    """The event that ends a subscription."""
    return fill_json(api.terminated, {"now_ms": to_millis(now)}).encode()


def render_shutdown(api: WebSocketApi, now: Micros) -> str:
    """What every socket is told before the server ends; empty where the venue says nothing."""
    return fill_json(api.shutdown, {"now_ms": to_millis(now)})
