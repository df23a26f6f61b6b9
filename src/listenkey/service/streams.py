"""Streams to sockets: who is subscribed, what is sent to whom, and who catches up from the journal.

An event reaches a subscription only after its commit, in offset order, at most once. What the store tells of
is a hint: a subscription that would skip an offset reads the journal before anything later is sent.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

import msgspec
import structlog

from listenkey.base.clock import Micros
from listenkey.base.errors import StoreError
from listenkey.core.access import any_allows
from listenkey.core.consumer import Opening, Reader, filter_place
from listenkey.core.keylife import is_live
from listenkey.core.position import Gap, Position, Resumption
from listenkey.core.records import ApiKey, Event, ListenKey, StreamId
from listenkey.dialect.model import Dialect
from listenkey.service.clock import ServiceClock
from listenkey.service.consumers import Consumers, Holder
from listenkey.service.left import Left
from listenkey.service.metrics import Metrics
from listenkey.service.outlet import EndReason, Outlet, Subscription
from listenkey.service.passed_over import pass_over
from listenkey.service.vault import digest_of
from listenkey.store.base import EndedKey, Store
from listenkey.wire.frames import Variant, event_type

_K = TypeVar("_K")
_CATCH_UP_BATCH = 512
_CATCH_UP_BYTES = 131_072
_CATCH_UP_READ_BYTES = 1_048_576
_log = structlog.get_logger(__name__)


class LiveKey(msgspec.Struct, frozen=True):
    """A key string that was found good, and what it is good for."""

    key: ListenKey
    dialect: Dialect
    string: str

    def __repr__(self) -> str:
        """Without the string, which is secret."""
        return f"LiveKey(key={self.key!r}, dialect={self.dialect.name!r})"


class Streams:
    """The hub. Everything here runs on the event loop's thread."""

    def __init__(
        self,
        store: Store,
        clock: ServiceClock,
        dialects: dict[str, Dialect],
        metrics: Metrics,
        consumers: Consumers,
    ) -> None:
        self._store = store
        self._consumers = consumers
        self._clock = clock
        self._dialects = dialects
        self._metrics = metrics
        self._live: dict[StreamId, tuple[Subscription, ...]] = {}
        self._by_key: dict[int, set[Subscription]] = {}
        self._by_api_key: dict[str, set[Subscription]] = {}
        self._feeds: set[asyncio.Task[None]] = set()
        self._to_flush: set[Outlet] = set()
        self._flush_scheduled = False

    # Opening ---------------------------------------------------------------------------------------

    def resolve_key(self, name: str, dialects: Collection[str], address: str) -> LiveKey | None:
        """The live key that a string is, if it is of one of the dialects and may be used from this
        address."""
        key = self._store.find_key(digest_of(name))
        if key is None or key.key_space not in dialects or not is_live(key, self._clock.now()):
            return None
        if not any_allows(self._store.read_key_users(key.id), address):
            return None
        return LiveKey(key, self._dialects[key.key_space], name)

    def subscribe(
        self,
        outlet: Outlet,
        live: LiveKey,
        stream: str,
        variant: Variant,
        events: frozenset[str] | None = None,
        topic: str = "",
        left: Left | None = None,
    ) -> Subscription:
        """Send a stream's events to a venue's socket: from where its consumer was, where the stream is
        replayed, then from now on. `topic`: the one that the events are of, where the stream has topics.
        `left`: what was sent on this very socket before, which is told nothing twice."""
        stream_id = StreamId(live.key.account_id, stream)
        place = topic or filter_place(events)
        start, reader = self._place(live.key, stream_id, place, outlet.address, left)
        subscription = Subscription(
            outlet,
            stream_id,
            variant,
            epoch=start.epoch,
            next_offset=start.after + 1,
            name=live.string,
            key=live.key,
            events=events,
            reader=reader,
            topic=topic,
        )
        return self._started(subscription, start, left)

    async def prepare(self, outlet: Outlet, api_key: ApiKey, stream: StreamId) -> bool:
        """See to it that what an API key subscribes to next survives a crash; whether that took time. Errors:
        `StoreError`."""
        return await self._consumers.begin(Holder(api_key.account, api_key.id), stream, outlet.address)

    def subscribe_as(
        self,
        outlet: Outlet,
        api_key: ApiKey,
        stream: StreamId,
        variant: Variant,
        *,
        name: str,
        on_gap: Callable[[Gap], None],
        left: Left | None = None,
    ) -> Subscription:
        """Send a stream's events to a socket that an API key subscribes by, as `subscribe` does for a listen
        key of it. `name`: the socket's own for it."""
        holder = Holder(api_key.account, api_key.id)
        start, reader = self._place(holder, stream, "", outlet.address, left)
        subscription = Subscription(
            outlet,
            stream,
            variant,
            epoch=start.epoch,
            next_offset=start.after + 1,
            name=name,
            account=api_key.account,
            api_key_id=api_key.id,
            reader=reader,
            on_gap=on_gap,
        )
        return self._started(subscription, start, left)

    def _place(
        self, key: ListenKey | Holder, stream: StreamId, place: str, address: str, left: Left | None
    ) -> tuple[Resumption, Reader | None]:
        """Where a reader begins, and what becomes of its place; at the head and without one where the stream
        is delivered live."""
        opened = self._consumers.open(key, stream, place, address)
        if opened is not None:
            return _resumption(*opened, left), opened[1]
        view = self._store.read_journal(stream)
        assert view is not None
        return Resumption(view.epoch, view.head), None

    def _started(self, subscription: Subscription, start: Resumption, left: Left | None) -> Subscription:
        subscription.start = start
        if left is not None and subscription.reader is not None:
            subscription.had = left.had(subscription.reader.consumer.id)
        self._register(subscription)
        view = self._store.read_journal(subscription.stream)
        if view is not None and start == Resumption(view.epoch, view.head):
            self._go_live(subscription)
        else:
            self._start_feed(subscription, start)
        return subscription

    def hold(self, outlet: Outlet, live: LiveKey, stream: str, variant: Variant) -> Subscription:
        """Keep a key on a socket that is given no events for it yet, so that the socket hears of its end."""
        stream_id = StreamId(live.key.account_id, stream)
        view = self._store.read_journal(stream_id)
        assert view is not None
        subscription = Subscription(
            outlet,
            stream_id,
            variant,
            epoch=view.epoch,
            next_offset=view.head + 1,
            name=live.string,
            key=live.key,
            events=frozenset(),
        )
        self._register(subscription)
        return subscription

    def subscribe_from(
        self,
        outlet: Outlet,
        stream: StreamId,
        resumption: Resumption,
        variant: Variant,
        *,
        on_gap: Callable[[Gap], None],
        name: str = "",
        key: ListenKey | None = None,
        account: str = "",
        api_key_id: str = "",
    ) -> Subscription:
        """Send a stream's events from where a reader stopped, then from now on. Gaps go to `on_gap`, in their
        place."""
        subscription = Subscription(
            outlet,
            stream,
            variant,
            epoch=resumption.epoch,
            next_offset=resumption.after + 1,
            name=name,
            key=key,
            account=account,
            api_key_id=api_key_id,
            on_gap=on_gap,
        )
        self._register(subscription)
        self._start_feed(subscription, resumption)
        return subscription

    def _register(self, subscription: Subscription) -> None:
        subscription.outlet.subscriptions.append(subscription)
        if subscription.key is not None:
            self._by_key.setdefault(subscription.key.id, set()).add(subscription)
        if subscription.api_key_id:
            self._by_api_key.setdefault(subscription.api_key_id, set()).add(subscription)

    def cancel(self, subscription: Subscription) -> None:
        """Stop a subscription; nothing more is queued for it."""
        if subscription.cancelled:
            return
        subscription.cancelled = True
        self._go_dark(subscription)
        subscription.outlet.subscriptions.remove(subscription)
        if subscription.reader is not None:
            self._consumers.end(subscription.reader)
        if subscription.key is not None:
            _discard(self._by_key, subscription.key.id, subscription)
        if subscription.api_key_id:
            _discard(self._by_api_key, subscription.api_key_id, subscription)

    def confirm(self, subscription: Subscription, place: Position, asked: Micros, now: Micros) -> None:
        """The socket surely has all of the subscription up to `place`: it was asked at one monotonic time,
        and answered at another."""
        if subscription.reader is not None and not subscription.cancelled:
            self._consumers.confirm(subscription.reader, place, asked, now)

    # Live delivery ---------------------------------------------------------------------------------

    def _go_live(self, subscription: Subscription) -> None:
        subscription.live = True
        self._live[subscription.stream] = (*self._live.get(subscription.stream, ()), subscription)

    def _go_dark(self, subscription: Subscription) -> None:
        if not subscription.live:
            return
        subscription.live = False
        others = tuple(other for other in self._live[subscription.stream] if other is not subscription)
        if others:
            self._live[subscription.stream] = others
        else:
            del self._live[subscription.stream]

    def appended(self, stream: StreamId, epoch: str, events: Sequence[Event]) -> None:
        """Store observer: fan committed events out."""
        subscriptions = self._live.get(stream)
        if subscriptions is None:
            return
        encoded: dict[object, bytes | None] = {}
        sent = 0
        for event in events:
            encoded.clear()
            offset = event.offset
            for subscription in subscriptions:
                if offset != subscription.next or not subscription.live:
                    self._out_of_step(subscription, epoch, offset)
                    continue
                subscription.next = offset + 1
                if subscription.events is not None and event_type(event.payload) not in subscription.events:
                    continue
                variant = subscription.variant
                try:
                    data = encoded[variant.key]
                except KeyError:
                    data = encoded[variant.key] = variant.encode(epoch, event)
                if data is not None:
                    subscription.outlet.push(data)
                    sent += 1
        self._metrics.events_sent += sent
        self._to_flush.update(subscription.outlet for subscription in subscriptions)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        outlets, self._to_flush = self._to_flush, set()
        for outlet in outlets:
            outlet.flush()

    def _out_of_step(self, subscription: Subscription, epoch: str, offset: int) -> None:
        """An event that is not the next one: had already, or one was skipped and the journal has to be
        read."""
        if not subscription.live or (subscription.epoch == epoch and offset < subscription.next):
            return
        self._go_dark(subscription)
        self._start_feed(subscription, Resumption(subscription.epoch, subscription.next - 1))

    # Catching up -----------------------------------------------------------------------------------

    def _start_feed(self, subscription: Subscription, resumption: Resumption) -> None:
        task = asyncio.ensure_future(self._feed(subscription, resumption))
        self._feeds.add(task)
        task.add_done_callback(self._feeds.discard)

    async def _feed(self, subscription: Subscription, resumption: Resumption) -> None:
        try:
            await self._catch_up(subscription, resumption)
        except StoreError as error:
            _log.error("journal_read_failed", error=error.message)
            subscription.outlet.close("slow")
        except Exception:  # noqa: BLE001 - whatever it was, a stream that cannot go on ends aloud
            _log.exception("feed_failed")
            subscription.outlet.close("slow")

    async def _catch_up(self, subscription: Subscription, resumption: Resumption) -> None:
        part: Resumption | None = resumption
        while part is not None and not subscription.cancelled:
            for gap in part.gaps:
                self._tell_gap(subscription, gap)
            subscription.epoch, subscription.next = part.epoch, part.after + 1
            await self._read_to_end(subscription)
            part = part.then
        if not subscription.cancelled:
            self._go_live(subscription)

    async def _read_to_end(self, subscription: Subscription) -> None:
        """Send what the journal holds; returns in the very loop turn that found no more."""
        while True:
            await subscription.outlet.writable()
            if subscription.cancelled:
                return
            events = self._store.read_events(
                subscription.stream,
                subscription.epoch,
                subscription.next - 1,
                _CATCH_UP_BATCH,
                _CATCH_UP_READ_BYTES,
            )
            if events:
                self._skip_to(subscription, events[0].offset)
                await self._send_history(subscription, events)
            elif not self._look_again(subscription):
                return
            await asyncio.sleep(0)

    def _look_again(self, subscription: Subscription) -> bool:
        """Nothing was read: whether there is more all the same, forgotten by now or committed since."""
        view = self._store.read_journal(subscription.stream, subscription.epoch)
        if view is None or view.head < subscription.next:
            return False
        self._skip_to(subscription, view.oldest)
        return True

    def _skip_to(self, subscription: Subscription, oldest: int) -> None:
        """Where the journal has forgotten what would be next, say so."""
        if oldest > subscription.next:
            self._tell_gap(subscription, Gap(subscription.epoch, subscription.next, oldest - 1, "retention"))
            subscription.next = oldest

    async def _send_history(self, subscription: Subscription, events: Sequence[Event]) -> None:
        """Send events as fast as the peer takes them; the bounded queue is for the live tail only."""
        outlet = subscription.outlet
        waiting = 0
        for event in events:
            if waiting > _CATCH_UP_BYTES:
                outlet.flush()
                await outlet.writable()
                waiting = 0
            if subscription.cancelled:
                return
            subscription.next = event.offset + 1
            if _is_due(subscription, event):
                data = subscription.variant.encode(subscription.epoch, event)
                if data is not None:
                    outlet.push(data)
                    self._metrics.events_sent += 1
                    waiting += len(data)
        outlet.flush()

    def _tell_gap(self, subscription: Subscription, gap: Gap) -> None:
        """Native readers are told; for those that know only the venue's protocol, log and metrics are."""
        if subscription.on_gap is not None:
            subscription.on_gap(gap)
        elif gap.last is not None and subscription.key is not None:
            pass_over(
                self._metrics,
                gap.epoch,
                gap.first,
                gap.last,
                reason=gap.reason,
                account=subscription.key.account,
                stream=subscription.stream.stream,
                api_key=subscription.key.user,
                place=subscription.topic or filter_place(subscription.events),
            )

    def backlog(self) -> tuple[int, int]:
        """Events that venue sockets have not been sent yet, and events sent that nothing confirms yet."""
        unsent = unconfirmed = 0
        for subscriptions in (*self._by_key.values(), *self._by_api_key.values()):
            for each in subscriptions:
                if each.reader is not None:
                    behind = self._behind(each, each.reader)
                    unsent, unconfirmed = unsent + behind[0], unconfirmed + behind[1]
        return unsent, unconfirmed

    def _behind(self, subscription: Subscription, reader: Reader) -> tuple[int, int]:
        view = self._store.read_journal(subscription.stream)
        if view is None:
            return 0, 0
        sent = subscription.next - 1
        if subscription.epoch == view.epoch:
            return max(0, view.head - sent), max(0, sent - reader.confirmed)
        # It is told the end of an older epoch first; receipts count in the current one alone.
        older = self._store.read_journal(subscription.stream, subscription.epoch)
        left = 0 if older is None else max(0, older.head - sent)
        return left + max(0, view.head - reader.confirmed), 0

    def position(self, subscription: Subscription) -> Position | None:
        """Up to where the outlet surely has been given everything; None where that cannot be said now."""
        if not subscription.live:
            return None
        try:
            view = self._store.read_journal(subscription.stream)
        except StoreError:
            return None
        if view is None or view.epoch != subscription.epoch or view.head != subscription.next - 1:
            return None
        return Position(view.epoch, view.head)

    # Ending ----------------------------------------------------------------------------------------

    def keys_ended(self, ended: Sequence[EndedKey]) -> None:
        """Store observer: keys are gone, and with them their subscriptions."""
        for end in ended:
            self._metrics.key_ended(end.cause)
            for subscription in tuple(self._by_key.get(end.key.id, ())):
                self._end(subscription, end.cause)

    def api_keys_revoked(self, api_key_ids: Iterable[str], account_id: int) -> None:
        """End what API keys of an account held open themselves, and every socket that only their allow-lists
        let in."""
        for api_key_id in api_key_ids:
            for subscription in tuple(self._by_api_key.get(api_key_id, ())):
                self._end(subscription, "revoked")
        for subscriptions in tuple(self._by_key.values()):
            for subscription in tuple(subscriptions):
                key = subscription.key
                if key is None or key.account_id != account_id:
                    continue
                if not any_allows(self._store.read_key_users(key.id), subscription.outlet.address):
                    self._end(subscription, "revoked")

    def account_removed(self, account_id: int) -> None:
        """End what is left of an account: an API key may have been made while it was being removed."""
        for subscriptions in tuple(self._by_api_key.values()):
            for subscription in tuple(subscriptions):
                if subscription.stream.account_id == account_id:
                    self._end(subscription, "revoked")

    def _end(self, subscription: Subscription, reason: EndReason) -> None:
        self.cancel(subscription)
        try:
            subscription.outlet.subscription_ended(subscription, reason)
        except Exception:  # noqa: BLE001 - whatever it was, the others hear of their end too
            _log.exception("socket_not_told", connection=subscription.outlet.id)
            subscription.outlet.close("revoked")

    async def stop(self) -> None:
        """Stop catching up; live delivery has ended with the store."""
        for task in tuple(self._feeds):
            task.cancel()
        await asyncio.gather(*self._feeds, return_exceptions=True)


def _resumption(openings: Sequence[Opening], reader: Reader, left: Left | None) -> Resumption:
    before = None if left is None else left.place(reader.consumer.id)
    start: Resumption | None = None
    for opening in reversed(openings):
        if before is not None and before.epoch == opening.epoch:
            return Resumption(opening.epoch, max(opening.after, before.offset), then=start)
        start = Resumption(opening.epoch, opening.after, then=start)
    assert start is not None
    return start


def _is_due(subscription: Subscription, event: Event) -> bool:
    """Whether an event of the past passes its filter, and was not sent on the same socket by another."""
    wanted, had = subscription.events, subscription.had
    if wanted is None and not had:
        return True
    kind = event_type(event.payload)
    if wanted is not None and kind not in wanted:
        return False
    return not any(each.has(subscription.epoch, event.offset, kind) for each in had)


def _discard(index: dict[_K, set[Subscription]], key: _K, subscription: Subscription) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(subscription)
        if not members:
            del index[key]
