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

from listenkey.base.clock import HOUR, SECOND, Micros
from listenkey.base.errors import StoreError
from listenkey.core.consumer import (
    FILTERS,
    SHARED,
    Consumer,
    ConsumerId,
    Cursor,
    Opening,
    Reach,
    Reader,
    is_filter,
    lowest,
    start_through,
)
from listenkey.core.position import JournalView, Position
from listenkey.core.records import ListenKey, StreamId
from listenkey.service.clock import ServiceClock
from listenkey.service.metrics import Metrics
from listenkey.service.passed_over import pass_over
from listenkey.store.base import Store

_KEEP_EVERY: Micros = SECOND // 2
_LOOK_EVERY: Micros = HOUR
_TOUCH_EVERY: Micros = 12 * HOUR
"""A place that could be forgotten is put again so often while somebody reads, though it has not moved."""
_log = structlog.get_logger(__name__)


class Delivery(msgspec.Struct, frozen=True):
    """How one stream is delivered to venue sockets."""

    resume: Literal["live", "replay"] = "replay"
    reach: Reach = Reach()
    by_address: bool = False
    """Each address of an API key is a consumer of its own."""
    snapshot: Literal["off", "config-only", "all"] = "config-only"
    """Which of the stream's snapshots its sockets are sent."""


class Holder(msgspec.Struct, frozen=True):
    """Who reads without a listen key: an API key of an account, by its id."""

    account: str
    user: str


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
        self._new_filters: dict[ConsumerId, frozenset[str]] = {}
        """By reader, the places of filters that the store may not show yet."""
        self.most_filters = FILTERS
        """So many filters of one reader have places of their own."""
        self._looked_at: Micros = 0
        self._last_passed: tuple[ConsumerId, Opening] | None = None

    def ids_of(
        self, account_id: int, streams: tuple[str, ...], holder: str, address: str
    ) -> tuple[ConsumerId, ...]:
        """The consumers that a create or extension by an API key begins."""
        return tuple(
            ConsumerId(account_id, stream, f"{holder}@{address}" if rules.by_address else holder)
            for stream in streams
            if (rules := self._rules.of(stream)).resume == "replay"
        )

    async def begin(self, holder: Holder, stream: StreamId, address: str) -> bool:
        """See to it that the store has a place of this reader before it is told that it reads, as a create
        does for listen keys; whether that took time. Errors: `StoreError`."""
        view = self._store.read_journal(stream)
        wanted = self.ids_of(stream.account_id, (stream.stream,), holder.user, address)
        if view is None or all(each in self._open or self._store.read_places(each) for each in wanted):
            return False
        head = Cursor(view.epoch, view.head, view.head, view.head)
        await self._store.put_cursors([(each, head) for each in wanted], self._clock.now())
        return True

    def open(
        self, key: ListenKey | Holder, stream: StreamId, place: str, address: str
    ) -> tuple[list[Opening], Reader] | None:
        """Where a new reader begins, in each epoch that it is told of, and the reader; None where the stream
        is delivered live. `place`: a topic, or what `filter_place` says."""
        rules = self._rules.of(stream.stream)
        view = self._store.read_journal(stream)
        if rules.resume == "live" or view is None:
            return None
        holder = f"{key.user}@{address}" if rules.by_address else key.user
        consumer = self._find(ConsumerId(stream.account_id, stream.stream, holder, place), view)
        now = self._clock.now()
        consumer.forget_ended(now - rules.reach.longest)
        cursor = consumer.cursor
        views = self._views_since(cursor, stream, view)
        time_of = partial(self._time_of, stream)
        openings = start_through(cursor, views, rules.reach, time_of, now)
        for opening, each in zip(openings, views, strict=True):
            self._report(key, consumer.id, opening)
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

    def _find(self, consumer_id: ConsumerId, view: JournalView) -> Consumer:
        """The consumer's place; begun, if it has no such place yet."""
        consumer = self._open.get(consumer_id)
        if consumer is not None:
            return consumer
        place = self._store.find_place(consumer_id)
        if place is None:
            return self._begin(consumer_id, view)
        consumer = self._keep_open(consumer_id, place.cursor)
        consumer.kept, consumer.used_at = place.cursor, place.used_at
        return consumer

    def _begin(self, consumer_id: ConsumerId, view: JournalView) -> Consumer:
        """A new place: where the lowest of the reader's others is, so that nothing is lost by changing
        places; at the head for who has none."""
        whole = consumer_id.whole
        cursors = self._store.read_places(consumer_id)
        if is_filter(consumer_id.place) and consumer_id.place != SHARED:
            new = self._new_filters.get(whole, frozenset())
            if len(new.union(filter(is_filter, cursors)) - {SHARED}) >= self.most_filters:
                return self._find(msgspec.structs.replace(consumer_id, place=SHARED), view)
            self._new_filters[whole] = new | {consumer_id.place}
        begun = [consumer_id]
        if not cursors:
            first = self._open.get(whole)
            cursors = {
                "": Cursor(view.epoch, view.head, view.head, view.head) if first is None else first.cursor
            }
            begun = [whole, consumer_id] if first is None and whole != consumer_id else begun
        differ = len({cursor.epoch for cursor in cursors.values()}) > 1
        epochs = self._store.read_epochs(StreamId(whole.account_id, whole.stream)) if differ else ()
        cursor = lowest(cursors.values(), epochs)
        # Not waited for: the store commits in order, so no later event can be there without it, nor can what
        # other places move from now on.
        kept = self._store.put_cursors([(each, cursor) for each in begun], self._clock.now())
        kept.add_done_callback(_note)
        for each in begun:
            self._dirty[self._keep_open(each, cursor)] = None
        return self._open[consumer_id]

    def _keep_open(self, consumer_id: ConsumerId, cursor: Cursor) -> Consumer:
        overlap = self._rules.of(consumer_id.stream).reach.overlap
        consumer = self._open[consumer_id] = Consumer(consumer_id, cursor, overlap)
        return consumer

    def _time_of(self, stream: StreamId, epoch: str, offset: int) -> Micros:
        events = self._store.read_events(stream, epoch, offset - 1, 1)
        return events[0].time if events else 0

    def _report(self, key: ListenKey | Holder, consumer_id: ConsumerId, opening: Opening) -> None:
        """Say what is passed over; of a reader's topics, which are asked for one after the other, once."""
        is_topic = consumer_id.place and not is_filter(consumer_id.place)
        told, self._last_passed = self._last_passed, (consumer_id.whole, opening) if is_topic else None
        if not opening.passed_over or (is_topic and told == self._last_passed):
            return
        pass_over(
            self._metrics,
            opening.epoch,
            opening.passed_first,
            opening.passed_last,
            reason="bounds",
            account=key.account,
            stream=consumer_id.stream,
            api_key=key.user,
            place=consumer_id.place,
        )

    def confirm(self, reader: Reader, place: Position, asked: Micros, now: Micros) -> None:
        """The reader's socket surely has all up to `place`: it was asked at one monotonic time, and answered
        at another."""
        consumer = reader.consumer
        moved = consumer.confirm(reader, place, asked, now)
        if consumer.has_ended:
            longest = self._rules.of(consumer.id.stream).reach.longest
            moved = consumer.forget_ended(self._clock.now() - longest) or moved
        if moved:
            self._dirty[consumer] = None

    def end(self, reader: Reader) -> None:
        """The reader's socket is gone."""
        reader.consumer.end(reader, self._clock.now())
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
        now = self._clock.now()
        self._look_for_untouched(now)
        touched = list(self._dirty)
        self._dirty.clear()
        moved = [
            (each, cursor)
            for each in touched
            if (cursor := each.cursor) != each.kept or _is_to_be_touched(each, now)
        ]
        if moved:
            kept = self._store.put_cursors([(each.id, cursor) for each, cursor in moved], now)
            try:
                await kept
            except StoreError as error:
                self._dirty.update(dict.fromkeys(touched))
                _log.error("cursors_not_kept", error=error.message)
                return
        for consumer, cursor in moved:
            consumer.kept, consumer.used_at = cursor, now
            self._is_kept(consumer.id)
        for consumer in touched:
            if consumer.is_idle and consumer not in self._dirty:
                self._open.pop(consumer.id, None)

    def _look_for_untouched(self, now: Micros) -> None:
        """Now and then, see to it that no place in use is forgotten because its stream is quiet."""
        if now >= self._looked_at + _LOOK_EVERY:
            self._looked_at = now
            self._dirty.update((each, None) for each in self._open.values() if _is_to_be_touched(each, now))

    def _is_kept(self, consumer_id: ConsumerId) -> None:
        new = self._new_filters.get(consumer_id.whole) if is_filter(consumer_id.place) else None
        if new is None:
            return
        left = new - {consumer_id.place}
        if left:
            self._new_filters[consumer_id.whole] = left
        else:
            del self._new_filters[consumer_id.whole]


def _is_to_be_touched(consumer: Consumer, now: Micros) -> bool:
    return consumer.id.is_passing and consumer.used_at + _TOUCH_EVERY <= now


def _note(kept: "Future[None]") -> None:
    if not kept.cancelled() and (error := kept.exception()) is not None:
        _log.error("cursors_not_kept", error=str(error))
