"""Control requests that arrive on a venue socket, and their answers.

Three manners of control: `method` (SUBSCRIBE and kin, keys as names), `topics` and `acks` (`reqType` frames).
An answer that the dialect has no row for is silence: the request is `Junk`.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, Literal

import msgspec

from listenkey.base.clock import MILLISECOND, SECOND, Micros, to_millis
from listenkey.dialect.model import Control, ControlErrorKind, Dialect, Heartbeat, SocketPath, Stream
from listenkey.dialect.template import fill_json

_ZONE: Final = timezone(timedelta(hours=8))
_LONGEST_ID: Final = 36
_LONGEST_ECHO: Final = 200
"""Of a name that an answer repeats, no more characters than this."""
_LONGEST_NAME: Final = 512
"""A socket remembers every name that it was asked for; a longer one is none."""
_METHODS: Final = frozenset(
    {"SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"}
)
_VERBS: Final[tuple[Literal["sub", "unsub"], ...]] = ("sub", "unsub")
_METHOD_TEXT: Final = re.compile(r'"method"\s*:\s*"(?:[^"\\]|\\.)*"')
_BYTE: Final = re.compile(r"\(byte ([0-9]+)\)")
_read = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Subscribe(msgspec.Struct, frozen=True):
    """SUBSCRIBE. `id` is JSON, here and in all requests."""

    id: bytes
    names: tuple[str, ...]


class Unsubscribe(msgspec.Struct, frozen=True):
    """UNSUBSCRIBE."""

    id: bytes
    names: tuple[str, ...]


class ListSubscriptions(msgspec.Struct, frozen=True):
    """LIST_SUBSCRIPTIONS."""

    id: bytes


class GetProperty(msgspec.Struct, frozen=True):
    """GET_PROPERTY `combined`, the one property there is."""

    id: bytes


class SetProperty(msgspec.Struct, frozen=True):
    """SET_PROPERTY `combined`."""

    id: bytes
    value: bool


class TopicRequest(msgspec.Struct, frozen=True):
    """A `reqType` frame: subscribe to a topic (`sub`) or stop (`unsub`)."""

    id: bytes
    verb: Literal["sub", "unsub"]
    topic: str


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """An answer to the server's heartbeat; `id` is empty where the answer names none."""

    id: str


class ControlFault(msgspec.Struct, frozen=True):
    """A request that cannot be honoured; `values` fill the places of its answer."""

    kind: ControlErrorKind
    values: dict[str, object] = {}


class Junk(msgspec.Struct, frozen=True):
    """A message that gets no answer."""


ControlRequest = (
    Subscribe
    | Unsubscribe
    | ListSubscriptions
    | GetProperty
    | SetProperty
    | TopicRequest
    | HeartbeatAnswer
    | ControlFault
    | Junk
)


# Requests -------------------------------------------------------------------------------------------


def control_of(dialect: Dialect, stream: str) -> Control:
    """How control requests are answered on a socket of this stream."""
    rows = [row for row in dialect.controls if row.stream in {stream, ""}]
    return max(rows, key=lambda row: row.stream)


def parse_control(dialect: Dialect, path: SocketPath, message: str | bytes) -> ControlRequest:
    """What a message on a socket of this path says. Some clients send text as binary frames; that is
    understood."""
    text = message if isinstance(message, str) else message.decode("utf-8", "replace")
    if text in dialect.heartbeats[path.heartbeat].answers:
        return HeartbeatAnswer("")
    if path.control == "none":
        return Junk()
    request = _parse_method(text) if path.control == "method" else _parse_topic(text)
    if (
        isinstance(request, ControlFault)
        and _error_row(control_of(dialect, path.stream), request.kind) is None
    ):
        return Junk()
    return request


def _read_frame(text: str) -> object | ControlFault:
    try:
        frame: object = _read(text)
    except RecursionError:
        return ControlFault("not_json", {"line": 1, "column": len(text)})
    except (msgspec.DecodeError, UnicodeError) as error:
        found = _BYTE.search(str(error))
        before = text.encode("utf-8", "replace")[: int(found[1]) if found else None]
        lines = before.split(b"\n")
        return ControlFault("not_json", {"line": len(lines), "column": len(lines[-1]) + (1 if found else 0)})
    return frame


def _parse_method(text: str) -> ControlRequest:
    frame = _read_frame(text)
    if isinstance(frame, ControlFault):
        return frame
    if not isinstance(frame, dict):
        return _wrong("invalid type, expected a map", text)
    request_id = _read_id(frame.get("id"))
    if request_id is None:
        return ControlFault("id_wrong")
    if "method" not in frame:
        return ControlFault("method_missing", {"column": len(text.rstrip())})
    method = frame["method"]
    if not isinstance(method, str):
        return _wrong("invalid type, expected a string for `method`", text)
    if method not in _METHODS:
        found = _METHOD_TEXT.search(text)
        column = found.end() if found else len(text.rstrip())
        return ControlFault("method_unknown", {"name": method, "column": column})
    if method == "LIST_SUBSCRIPTIONS":
        return ListSubscriptions(request_id)
    params = frame.get("params")
    if not isinstance(params, list):
        return _wrong("invalid type, expected a sequence for `params`", text)
    if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
        return _parse_names(method, request_id, params, text)
    return _parse_property(method, request_id, params)


def _parse_names(method: str, request_id: bytes, params: list[object], text: str) -> ControlRequest:
    names = tuple(name for name in params if isinstance(name, str))
    if len(names) != len(params):
        return _wrong("invalid type, expected a string in `params`", text)
    if any(len(name) > _LONGEST_NAME for name in names):
        return _wrong("invalid value, a name in `params` is too long", text)
    return Subscribe(request_id, names) if method == "SUBSCRIBE" else Unsubscribe(request_id, names)


def _parse_property(method: str, request_id: bytes, params: list[object]) -> ControlRequest:
    if len(params) > (1 if method == "GET_PROPERTY" else 2):
        return ControlFault("too_many_parameters")
    name = params[0] if params else None
    if not isinstance(name, str):
        return ControlFault("property_not_text")
    if name != "combined":
        return ControlFault("property_unknown", {"id": request_id})
    if method == "GET_PROPERTY":
        return GetProperty(request_id)
    value = params[1] if len(params) > 1 else None
    return SetProperty(request_id, value) if isinstance(value, bool) else ControlFault("value_not_boolean")


def _read_id(value: object, longest: int = _LONGEST_ID) -> bytes | None:
    """The id as JSON: a 64-bit integer, a string of at most `longest` characters or null, which a missing
    one is."""
    if isinstance(value, int):
        is_number = not isinstance(value, bool) and -(2**63) <= value < 2**63
        return b"%d" % value if is_number else None
    if value is None or (isinstance(value, str) and len(value) <= longest):
        return _encode(value)
    return None


def _wrong(reason: str, text: str) -> ControlFault:
    return ControlFault("request_wrong", {"reason": reason, "line": 1, "column": len(text.rstrip())})


def _parse_topic(text: str) -> ControlRequest:
    frame = _read_frame(text)
    if isinstance(frame, ControlFault):
        return frame
    if not isinstance(frame, dict) or "ping" in frame:
        return Junk()
    if "pong" in frame:
        answered = frame["pong"]
        return HeartbeatAnswer(answered if isinstance(answered, str) else "")
    topic = frame.get("dataType")
    if topic is not None and not isinstance(topic, str):
        return Junk()
    request_id = _read_id(frame.get("id", ""), _LONGEST_NAME) or b'""'
    verb = frame.get("reqType", "sub")
    if not topic or len(topic) > _LONGEST_NAME or verb not in _VERBS:
        return ControlFault("request_wrong", {"id": request_id})
    return TopicRequest(request_id, verb, topic)


def topic_kind(stream: Stream, control: Control, topic: str) -> Literal["user", "market", "unknown"]:
    """Whether a topic carries the account's events, market data (acknowledged, never sent) or nothing there
    is."""
    if any(known.name == topic for known in stream.topics):
        return "user"
    pattern = control.market_topic_pattern
    return "market" if pattern and _pattern(pattern).fullmatch(topic) else "unknown"


@lru_cache(maxsize=64)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


# Answers --------------------------------------------------------------------------------------------


def render_ack(control: Control, request_id: bytes, now: Micros) -> str:
    """The answer to a request that was done."""
    return _render_result(control, request_id, now, b"null")


def render_names(control: Control, request_id: bytes, names: Iterable[str], now: Micros) -> str:
    """The answer to LIST_SUBSCRIPTIONS."""
    return _render_result(control, request_id, now, _encode(list(names)))


def render_property(control: Control, request_id: bytes, value: bool, now: Micros) -> str:
    """The answer to GET_PROPERTY."""
    return _render_result(control, request_id, now, b"true" if value else b"false")


def _render_result(control: Control, request_id: bytes, now: Micros, result: bytes) -> str:
    return fill_json(control.ack, {"id": request_id, "result": result, "now_ms": to_millis(now)})


def render_control_fault(control: Control, fault: ControlFault, now: Micros) -> str | None:
    """The answer to a request that cannot be honoured; None where the venue says nothing."""
    body = _error_row(control, fault.kind)
    if body is None:
        return None
    name = str(fault.values.get("name", ""))[:_LONGEST_ECHO]
    return fill_json(body, {"now_ms": to_millis(now), "id": b"null", **fault.values, "name": name})


def _error_row(control: Control, kind: ControlErrorKind) -> str | None:
    return next((row.body for row in control.errors if row.kind == kind), None)


# Heartbeats -----------------------------------------------------------------------------------------


def render_heartbeat(heartbeat: Heartbeat, heartbeat_id: str, now: Micros) -> str:
    """The text of a heartbeat that travels in a data frame."""
    return fill_json(
        heartbeat.send, {"id": heartbeat_id, "iso_time": _iso_time(now), "now_ms": to_millis(now)}
    )


def _iso_time(at: Micros) -> str:
    """`2022-06-07T16:27:36.323+0800`: the one venue zone that is known, to the millisecond."""
    moment = datetime.fromtimestamp(at // SECOND, _ZONE)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at // MILLISECOND % 1000:03d}{moment:%z}"
