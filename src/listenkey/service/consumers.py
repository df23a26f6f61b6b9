"""Consumers: where a reopened venue socket goes on, what its receipts confirm, and when that is kept.

Confirmations are kept within a second or so; after a crash the older cursor rules, which means more repeats
and never fewer events.
"""

import asyncio
from asyncio import Future
from functools import partial
from typing import Literal

import msgspec
import structlog

from listenkey.base.clock import SECOND, Micros
from listenkey.base.errors import StoreError
from listenkey.core.consumer import Consumer, ConsumerId, Cursor, Opening, Reach, Reader, start_through
from listenkey.core.position import JournalView, Position
from listenkey.core.records import ListenKey, StreamId
from listenkey.service.clock import ServiceClock
from listenkey.service.metrics import Metrics
from listenkey.store.base import Store

_KEEP_EVERY: Micros = SECOND // 2
_log = structlog.get_logger(__name__)


class Delivery(msgspec.Struct, frozen=True):
    """How one stream is delivered to venue sockets."""

    resume: Literal["live", "replay"] = "replay"
    reach: Reach = Reach()
    by_address: bool = False
    """Each address of an API key is a consumer of its own."""


class DeliveryRules(msgspec.Struct, frozen=True):
    """The rules of all streams, by plain stream name; `default` for those that are not named."""

    default: Delivery = Delivery()
    streams: dict[str, Delivery] = {}

    def of(self, stream: str) -> Delivery:
        """The rules of a stream, whatever its symbol."""
        return self.streams.get(stream.partition(":")[0], self.default)


class Consumers:
    """All consumers with open readers; the others are in the store."""

    def __init__(self, store: Store, clock: ServiceClock, metrics: Metrics, rules: DeliveryRules) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._rules = rules
        self._open: dict[ConsumerId, Consumer] = {}
        self._dirty: dict[Consumer, None] = {}

    def ids_of(
        self, account_id: int, streams: tuple[str, ...], holder: str, address: str
    ) -> tuple[ConsumerId, ...]:
        """The consumers that a create or extension by an API key begins."""
        return tuple(
            ConsumerId(account_id, stream, f"{holder}@{address}" if rules.by_address else holder)
            for stream in streams
            if (rules := self._rules.of(stream)).resume == "replay"
        )

    def open(
        self, key: ListenKey, stream: StreamId, topic: str, address: str
    ) -> tuple[list[Opening], Reader] | None:
        """Where a new reader begins, in each epoch that it is told of, and the reader; None where the stream
        is delivered live."""
        rules = self._rules.of(stream.stream)
        view = self._store.read_journal(stream)
        if rules.resume == "live" or view is None:
            return None
        holder = f"{key.user}@{address}" if rules.by_address else key.user
        consumer_id = ConsumerId(stream.account_id, stream.stream, holder, topic)
        consumer = self._open.get(consumer_id)
        if consumer is None:
            consumer = self._load(consumer_id, view, rules.reach.overlap)
        views = self._views_since(consumer.cursor, stream, view)
        time_of = partial(self._time_of, stream)
        openings = start_through(consumer.cursor, views, rules.reach, time_of, self._clock.now())
        for opening, each in zip(openings, views, strict=True):
            self._report(key, stream, topic, opening)
            self._metrics.events_replayed += each.head - opening.after
        while len(openings) > 1 and openings[0].after == views[-len(openings)].head:
            del openings[0]
        reader = consumer.open(openings)
        self._dirty[consumer] = None
        return openings, reader

    def _views_since(self, cursor: Cursor, stream: StreamId, view: JournalView) -> list[JournalView]:
        """The epochs of a journal from the cursor's to the current one."""
        if cursor.epoch == view.epoch:
            return [view]
        epochs = self._store.read_epochs(stream)
        later = epochs[epochs.index(cursor.epoch) :] if cursor.epoch in epochs else epochs[-1:]
        found = (self._store.read_journal(stream, epoch) for epoch in later)
        return [each for each in found if each is not None]

    def _load(self, consumer_id: ConsumerId, view: JournalView, overlap: Micros) -> Consumer:
        cursor = kept = self._store.find_cursor(consumer_id)
        if cursor is None:
            cursor = Cursor(view.epoch, view.head, view.head, view.head)
            # Not waited for: the store commits in order, so no later event can be there without it.
            self._store.put_cursors([(consumer_id, cursor)], self._clock.now()).add_done_callback(_note)
        consumer = self._open[consumer_id] = Consumer(consumer_id, cursor, overlap, kept)
        return consumer

    def _time_of(self, stream: StreamId, epoch: str, offset: int) -> Micros:
        events = self._store.read_events(stream, epoch, offset - 1, 1)
        return events[0].time if events else 0

    def _report(self, key: ListenKey, stream: StreamId, topic: str, opening: Opening) -> None:
        if not opening.passed_over:
            return
        self._metrics.events_passed_over += opening.passed_over
        _log.warning(
            "events_passed_over",
            account=key.account,
            stream=stream.stream,
            topic=topic,
            api_key=key.user,
            epoch=opening.epoch,
            first=opening.passed_first,
            last=opening.passed_last,
            read_them=f"listenkey journal read {key.account} {stream.stream}"
            f" --since {opening.epoch}:{opening.passed_first - 1}",
        )

    def confirm(self, reader: Reader, place: Position, asked: Micros, now: Micros) -> None:
        """The reader's socket surely has all up to `place`: it was asked at one monotonic time, and answered
        at another."""
        if reader.consumer.confirm(reader, place, asked, now):
            self._dirty[reader.consumer] = None

    def end(self, reader: Reader) -> None:
        """The reader's socket is gone."""
        reader.consumer.end(reader)
        self._dirty[reader.consumer] = None

    # Keeping ---------------------------------------------------------------------------------------

    async def keep_going(self) -> None:
        """Keep cursors as they move, until cancelled."""
        while True:
            await asyncio.sleep(_KEEP_EVERY / SECOND)
            await self.keep()

    async def keep(self) -> None:
        """Keep all cursors that moved, and let go of those that nobody reads for; a store that fails is asked
        again the next time."""
        touched = list(self._dirty)
        self._dirty.clear()
        moved = [(each, cursor) for each in touched if (cursor := each.cursor) != each.kept]
        if moved:
            kept: Future[None] = self._store.put_cursors(
                [(consumer.id, cursor) for consumer, cursor in moved], self._clock.now()
            )
            try:
                await kept
            except StoreError as error:
                self._dirty.update(dict.fromkeys(touched))
                _log.error("cursors_not_kept", error=error.message)
                return
        for consumer, cursor in moved:
            consumer.kept = cursor
        for consumer in touched:
            if consumer.is_idle and consumer not in self._dirty:
                self._open.pop(consumer.id, None)


def _note(kept: "Future[None]") -> None:
    if not kept.cancelled() and (error := kept.exception()) is not None:
        _log.error("cursors_not_kept", error=str(error))
