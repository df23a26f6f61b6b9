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

_MICROSECOND: Final = "MICROSECOND"
_ANY_EVENT: Final[Parts] = {"E": Node(Field("E", "time_ms", "When the event was made"), {})}
"""What is known of an event that the catalogue has not, such as a notice."""


def wants_micros(dialects: Iterable[Dialect], query: bytes) -> frozenset[str]:
    """The names of the dialects for which a handshake asks for microseconds, in capitals or not. Any other
    unit is taken for milliseconds, which is what the venues send unasked."""
    given = {
        name
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if value.upper() == _MICROSECOND
    }
    return frozenset(each.name for each in dialects if each.frames.time_unit_parameter in given)


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
        return self.wrap(event.payload)

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
