"""Events with their times in microseconds, for sockets that ask. Journals keep what was published."""

import json
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from listenkey.core.records import Event
from listenkey.dialect.events import Node, Parts, table_of
from listenkey.dialect.model import Dialect, Field
from listenkey.wire.frames import Variant
from listenkey.wire.messages import Fault, Request

_MICROSECOND: Final = "MICROSECOND"
_UNITS: Final = frozenset(("", "MILLISECOND", _MICROSECOND))
_NOBODY: Final[frozenset[str]] = frozenset()
_ANY_EVENT: Final[Parts] = {"E": Node(Field("E", "time_ms", "When the event was made"), {})}
"""What is known of an event that the catalogue has not, such as a notice."""


def wants_micros(dialects: Iterable[Dialect], query: bytes) -> frozenset[str]:
    """The names of the dialects for which a handshake asks for microseconds, in capitals or not. Unasked,
    venues send milliseconds."""
    if not query:
        return _NOBODY
    units = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    return frozenset(each.name for each in dialects if _unit_for(each, units) == _MICROSECOND)


def without_unit(dialects: Iterable[Dialect], query: bytes) -> Dialect | None:
    """The dialect that a handshake asks for a unit that there is not, which is its `time_unit_wrong`; those
    without units are never asked."""
    if not query:
        return None
    units = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    return next((each for each in dialects if _unit_for(each, units) not in _UNITS), None)


def _unit_for(dialect: Dialect, units: Mapping[str, str]) -> str:
    name = dialect.frames.time_unit_parameter
    return units.get(name, "").upper() if name else ""


def read_time_unit(dialect: Dialect, request: Request) -> bool | Fault:
    """Whether a call asks for its times in microseconds, in capitals or not, or `time_unit_wrong`."""
    name = dialect.time_unit_header.lower().encode()
    unit = request.headers.get(name, b"").decode("latin-1").upper() if name else ""
    return unit == _MICROSECOND if unit in _UNITS else Fault("time_unit_wrong")


def values_in_micros(values: Mapping[str, object]) -> dict[str, object]:
    """What fills the places of an answer, times (`…_ms`) in microseconds."""
    return {name: _thousandfold(value) if name.endswith("_ms") else value for name, value in values.items()}


def _thousandfold(value: object) -> object:
    if isinstance(value, bytes):  # JSON: a number or null
        return value + b"000" if value.isdigit() else value
    return value * 1000 if isinstance(value, int) else value


class InMicros:
    """A variant whose events and notices have all their times in microseconds."""

    __slots__ = ("_inner", "_tables", "key")

    def __init__(self, inner: Variant, dialects: Iterable[Dialect], stream: str) -> None:
        """`stream`: the name, without a symbol, of a stream that one of the dialects has."""
        self.key: Hashable = ("micros", stream, inner.key)
        self._inner = inner
        self._tables = {
            event.type: table_of(event)
            for dialect in dialects
            for event in dialect.events
            if stream in event.streams
        }

    def encode(self, epoch: str, event: Event) -> bytes | None:
        """As `Variant.encode`."""
        return None if event.gap else self.wrap(event.payload)

    def wrap(self, payload: bytes) -> bytes:
        """As `Variant.wrap`. What cannot be read goes out as it is."""
        try:
            event = msgspec.json.decode(payload)
        except (msgspec.DecodeError, RecursionError):
            return self._inner.wrap(payload)
        if isinstance(event, dict):
            kind = event.get("e")
            _scale(self._tables.get(kind if isinstance(kind, str) else "", _ANY_EVENT), event)
        return self._inner.wrap(_write(event))


def _scale(parts: Parts, value: dict[str, Any]) -> None:
    for name, node in parts.items():
        inner = value.get(name)
        if node.field.kind == "time_ms" and isinstance(inner, int) and not isinstance(inner, bool):
            value[name] = inner * 1000
        elif isinstance(inner, dict):
            _scale(node.parts, inner)
        elif isinstance(inner, list):
            for each in inner:
                if isinstance(each, dict):
                    _scale(node.parts, each)


def _write(event: object) -> bytes:
    try:
        return msgspec.json.encode(event)
    except OverflowError:  # a number beyond 64 bits
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
