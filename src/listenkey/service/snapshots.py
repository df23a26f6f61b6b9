"""Snapshots for sockets: what the newest events of a journal say, read as far as it goes when somebody asks.

Nothing here is on the way of an event. A journal is read once from its oldest event, and after that only what
was committed since; sockets ask again where there was too much to read at once.
"""

from collections.abc import Iterable

from listenkey.base.clock import HOUR, MILLISECOND, Micros
from listenkey.core.records import StreamId
from listenkey.dialect.model import Dialect, Snapshot
from listenkey.service.clock import ServiceClock
from listenkey.service.consumers import DeliveryRules
from listenkey.store.base import Store
from listenkey.wire.snapshots import Told

_BATCH = 512
_BATCH_BYTES = 262_144
_TURN: Micros = 50 * MILLISECOND
_EVENTS = 2048
"""So many events are read in one turn, for all streams together: delivery is not held up by who opens."""
_COST = 16
"""What a read costs before its first event, in events."""
_KEPT: Micros = HOUR


class _Reading:
    """How far a journal was read, and what it said."""

    def __init__(self, snapshots: tuple[Snapshot, ...]) -> None:
        self.told = Told(snapshots)
        self.epoch = ""
        self.after = 0
        self.asked_at: Micros = 0


class Snapshots:
    """All streams whose sockets are told how things are."""

    def __init__(
        self, store: Store, clock: ServiceClock, dialects: dict[str, Dialect], rules: DeliveryRules
    ) -> None:
        self._store = store
        self._clock = clock
        self._by_stream = {
            stream.name: tuple(each for each in stream.snapshots if _is_told(each, rules, stream.name))
            for dialect in dialects.values()
            for stream in dialect.streams
        }
        self._readings: dict[StreamId, _Reading] = {}
        self._look_at: Micros = 0
        self._turn: Micros = 0
        self._left = 0

    def period(self, stream: str, topic: str) -> Micros | None:
        """How often a socket is told of a stream or one of its topics: 0 for once, None for never."""
        periods = [each.period_ms for each in self._of(stream, topic)]
        return min(periods) * MILLISECOND if periods else None

    def read(self, stream: StreamId, topic: str) -> list[bytes] | None:
        """What a socket is told now; None while older events are still to be read: ask again soon. Errors:
        `StoreError`."""
        now = self._clock.now()
        self._forget_unasked(now)
        reading = self._readings.get(stream)
        if reading is None:
            reading = self._readings[stream] = _Reading(self._by_stream[_plain(stream.stream)])
        reading.asked_at = now
        if not self._read_on(stream, reading):
            return None
        return [
            message for each in self._of(stream.stream, topic) for message in reading.told.render(each, now)
        ]

    def _of(self, stream: str, topic: str) -> Iterable[Snapshot]:
        return [each for each in self._by_stream.get(_plain(stream), ()) if each.topic == topic]

    def _read_on(self, stream: StreamId, reading: _Reading) -> bool:
        """Read what was committed since; whether that was all."""
        view = self._store.read_journal(stream)
        if view is None or (view.epoch == reading.epoch and view.head <= reading.after):
            return True
        turn = self._clock.now() // _TURN
        if turn != self._turn:
            self._turn, self._left = turn, _EVENTS
        while self._left > 0:
            events = self._store.read_events(stream, reading.epoch, reading.after, _BATCH, _BATCH_BYTES)
            self._left -= len(events) + _COST
            for event in events:
                reading.told.take(event.payload)
                reading.after = event.offset
            if reading.epoch == view.epoch and reading.after >= view.head:
                return True
            if not events and not self._next_epoch(stream, reading):
                return True
        return False

    def _next_epoch(self, stream: StreamId, reading: _Reading) -> bool:
        epochs = self._store.read_epochs(stream)
        later = epochs[epochs.index(reading.epoch) + 1 :] if reading.epoch in epochs else epochs
        if later:
            reading.epoch, reading.after = later[0], 0
        return bool(later)

    def _forget_unasked(self, now: Micros) -> None:
        if now >= self._look_at:
            self._look_at = now + _KEPT
            kept = {stream: each for stream, each in self._readings.items() if each.asked_at > now - _KEPT}
            self._readings = kept


def _is_told(snapshot: Snapshot, rules: DeliveryRules, stream: str) -> bool:
    level = rules.of(stream).snapshot
    return level == "all" or level == snapshot.level


def _plain(stream: str) -> str:
    return stream.partition(":")[0]
