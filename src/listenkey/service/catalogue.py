"""Published events held against the catalogue: what its tables say passes at the price of one quick look."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Literal

import msgspec
import structlog

from listenkey.dialect.events import Parts, faults, table_of
from listenkey.dialect.model import Dialect, Event
from listenkey.dialect.typed import checker
from listenkey.service.metrics import Metrics
from listenkey.wire.frames import event_type

CheckMode = Literal["off", "warn", "strict"]
_TOLD: Final = 3
"""Faults named of one event."""
_LONGEST: Final = 80
_REMEMBERED: Final = 1000
_log = structlog.get_logger(__name__)


class _Row(msgspec.Struct, frozen=True):
    """One shape of a kind of event of a stream; today's is the first."""

    look: Callable[[bytes], object]
    table: Parts


class Catalogue:
    """The events of all streams, and what is done about one that is not as it should be."""

    def __init__(self, dialects: Iterable[Dialect], mode: CheckMode, metrics: Metrics) -> None:
        """`off` looks at nothing; `warn` logs each kind of fault once and counts all; `strict` refuses, also
        what the catalogue does not know. A stream without a catalogue takes everything."""
        self._strict = mode == "strict"
        self._metrics = metrics
        self._warned: set[tuple[str, str, str]] = set()
        self._streams: dict[str, dict[str, tuple[_Row, ...]]] = {}
        for dialect in dialects if mode != "off" else ():
            for event in (*dialect.events, *dialect.past_events):
                self._add(event)

    def _add(self, event: Event) -> None:
        row = _Row(checker(event, forbid=self._strict), table_of(event))
        for stream in event.streams:
            rows = self._streams.setdefault(stream, {})
            rows[event.type] = (*rows.get(event.type, ()), row)

    def refusal(self, stream: str, payload: bytes) -> str | None:
        """Why an event of a stream is not taken, in words; None for one that is. `payload` is an object."""
        rows = self._streams.get(stream.partition(":")[0]) if self._streams else None
        if rows is None:
            return None
        kind = event_type(payload)
        shapes = rows.get(kind)
        if shapes is None:
            return _unknown(kind, rows) if self._strict else None
        found = self._faults(shapes[0], payload)
        if not found or any(not self._faults(each, payload) for each in shapes[1:]):
            return None
        if self._strict:
            return f"no {kind} as the catalogue has it: {'; '.join(found)}"
        self._warn(stream, kind, found)
        return None

    def _faults(self, row: _Row, payload: bytes) -> Sequence[str]:
        """The first faults of an event."""
        try:
            row.look(payload)
        except (msgspec.DecodeError, RecursionError):
            return [fault[:_LONGEST] for fault in islice(self._read_faults(row, payload), _TOLD)]
        return ()

    def _read_faults(self, row: _Row, payload: bytes) -> Iterator[str]:
        try:
            event = msgspec.json.decode(payload)
        except (msgspec.DecodeError, RecursionError) as error:
            yield f"it cannot be read: {error}"
        else:
            yield from faults(row.table, event, unknown=self._strict)

    def _warn(self, stream: str, kind: str, found: Sequence[str]) -> None:
        self._metrics.events_odd += 1
        told = (stream.partition(":")[0], kind, found[0])
        if told not in self._warned and len(self._warned) < _REMEMBERED:
            self._warned.add(told)
            _log.warning("event_not_as_described", stream=told[0], type=kind, faults=found)


def _unknown(kind: str, rows: Iterable[str]) -> str:
    known = ", ".join(sorted(rows))
    return f"the stream has no event {kind[:_LONGEST] or 'without a type in e'}; it has {known}"
