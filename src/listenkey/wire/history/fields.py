"""The fields of an event, filled from rows and written as the venue writes them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from listenkey.dialect.history import History
from listenkey.dialect.model import Dialect, FieldKind
from listenkey.wire.history.identity import at
from listenkey.wire.history.numbers import amount_of, integer_of

_CANCELED: Final = "CANCELED"


class EventMaker:
    """Makes one history's order events."""

    def __init__(self, dialect: Dialect, history: History) -> None:
        self._event = history.order_event
        row = next(
            event
            for event in dialect.events
            if event.type == self._event.type and history.stream in event.streams
        )
        kinds = {field.path: field.kind for field in row.fields}
        sample = msgspec.json.decode(row.sample)
        self._writers = {
            field.path: _writer(kinds[field.path], at(sample, field.path), field.truth)
            for field in self._event.fields
        }
        self._neutral = {
            field.path: msgspec.Raw(field.neutral.encode()) for field in self._event.fields if field.neutral
        }

    def make(self, order: Mapping[str, Any], fill: Mapping[str, Any], walked: Mapping[str, Any]) -> bytes:
        """The event as compact JSON."""
        ended = order if walked["execution"] == _CANCELED else {}
        sources = {"order": order, "fill": fill, "walk": walked, "ended": ended}
        event: dict[str, Any] = {}
        for field in self._event.fields:
            room, _, name = field.source.partition(".")
            value = at(sources[room], name) if room else None
            written = None if value is None else self._writers[field.path](value)
            _put(event, field.path, self._neutral.get(field.path) if written is None else written)
        return msgspec.json.encode(event)


def _put(event: dict[str, Any], path: str, value: Any) -> None:
    if value is None:
        return
    *above, name = path.split(".")
    for step in above:
        event = event.setdefault(step, {})
    event[name] = value


def _writer(kind: FieldKind, sample: Any, truth: str) -> Callable[[Any], Any]:
    """How a value is written, to look like the sample's; None for one that does not fit."""
    if kind == "decimal":
        return _amount_text if sample is None or isinstance(sample, str) else _amount_number
    if kind in {"integer", "time_ms"} or (kind == "any" and isinstance(sample, int)):
        return integer_of
    return partial(_boolean, truth) if kind == "boolean" else _text


def _amount_text(value: Any) -> str | None:
    """Digit by digit as it was read."""
    amount = amount_of(value)
    if amount is None:
        return None
    return value if isinstance(value, str) and "e" not in value.lower() else format(amount, "f")


def _amount_number(value: Any) -> msgspec.Raw | None:
    amount = amount_of(value)
    return None if amount is None else msgspec.Raw(format(amount, "f").encode())


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _boolean(truth: str, value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == truth.lower()
