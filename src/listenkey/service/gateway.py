"""The whole service, put together over a store: what the edge talks to."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
import structlog

from listenkey.base.clock import DAY, SECOND, Clock, Micros
from listenkey.base.errors import ListenKeyError, StoreError
from listenkey.core.records import Event, StreamId
from listenkey.dialect.model import Dialect
from listenkey.service.accounts import Accounts, Tokens
from listenkey.service.api_methods import ApiParts
from listenkey.service.calls import VenueCalls
from listenkey.service.catalogue import Catalogue, CheckMode
from listenkey.service.clock import ServiceClock
from listenkey.service.connections import Connections
from listenkey.service.consumers import Consumers, DeliveryRules
from listenkey.service.credentials import Credentials
from listenkey.service.keys import ClosePolicy, Keys
from listenkey.service.limits import Limiter, Mode
from listenkey.service.listen_tokens import ListenTokens
from listenkey.service.metrics import Metrics, MetricsPage
from listenkey.service.names import StreamNames
from listenkey.service.publish import Publisher
from listenkey.service.snapshots import Snapshots
from listenkey.service.source import SourceJournal
from listenkey.service.streams import Streams
from listenkey.service.upstreams import UpstreamFigures
from listenkey.service.vault import Vault
from listenkey.store.base import EndedKey, Store

MASTER_CHECK = "master_check"
_ALWAYS_OURS = frozenset({"listenKeyExpired", "eventStreamTerminated", "serverShutdown"})
_SWEEP_EVERY: Micros = 5 * SECOND
_TRIM_EVERY: Micros = 60 * SECOND
_log = structlog.get_logger(__name__)


class GatewayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What of the configuration the service needs."""

    limits: Mode = "account"
    demo: bool = False
    symbols: dict[str, frozenset[str]] = {}
    max_event_bytes: int = 1 << 20
    check: CheckMode = "off"
    retention: Micros = 7 * DAY
    max_events: int = 1_000_000
    delivery: DeliveryRules = DeliveryRules()
    close: dict[str, ClosePolicy] = {}
    """By dialect, what closing a shared key does; `holder` where it is not said."""


class _Relay:
    """The store's observer: hands what is committed to the hub, which is made after the store."""

    streams: Streams

    def appended(self, stream: StreamId, epoch: str, events: Sequence[Event]) -> None:
        """Committed events go to the hub."""
        self.streams.appended(stream, epoch, events)

    def keys_ended(self, ended: Sequence[EndedKey]) -> None:
        """Ended keys go to the hub."""
        self.streams.keys_ended(ended)


class Gateway:
    """Every use case, as attributes. Make it on the running event loop; `start` and `stop` frame its life."""

    def __init__(
        self, store: Store, clock: Clock, vault: Vault, dialects: dict[str, Dialect], options: GatewayOptions
    ) -> None:
        self._store = store
        self._options = options
        relay = _Relay()
        store.start(relay)
        self.dialects = dialects
        self.clock = ServiceClock(clock, store.read_latest_time())
        self.metrics = Metrics()
        self.names = StreamNames(dialects)
        self.connections = Connections()
        self.consumers = Consumers(store, self.clock, self.metrics, options.delivery)
        self.streams = relay.streams = Streams(store, self.clock, dialects, self.metrics, self.consumers)
        self.snapshots = Snapshots(store, self.clock, dialects, options.delivery)
        self.credentials = Credentials(store, vault)
        self.keys = Keys(
            store, self.clock, vault, dialects, self.metrics, self.names, self.consumers, options.close
        )
        self.limiter = Limiter(store, self.metrics, options.limits)
        tokens = ListenTokens(vault, self.credentials)
        self.calls = VenueCalls(
            self.clock,
            self.keys,
            self.credentials,
            self.limiter,
            self.metrics,
            options.symbols,
            self.names,
            tokens,
        )
        self.api_parts = ApiParts(
            store,
            self.clock,
            self.keys,
            self.credentials,
            self.limiter,
            self.metrics,
            self.streams,
            tokens,
            dialects,
        )
        self.publisher = Publisher(
            store,
            self.clock,
            self.names,
            self.metrics,
            notices=_notice_types(dialects),
            catalogue=Catalogue(dialects.values(), options.check, self.metrics),
            max_event_bytes=options.max_event_bytes,
        )
        self.accounts = Accounts(
            store, self.clock, vault, self.credentials, self.streams, self.publisher, demo=options.demo
        )
        self.tokens = Tokens(store, self.clock)
        self.store = store
        """For plain reads (`read_…`, `find_…`) by the admin and native edges."""
        self.upstreams: list[UpstreamFigures] = []
        """How the upstreams are; whoever runs them puts them here."""
        self._vault = vault
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Check the master secret, expire what ran out while nobody looked, and begin the upkeep."""
        known = self._store.read_setting(MASTER_CHECK)
        if known is None:
            await self._store.put_setting(MASTER_CHECK, self._vault.check_value, self.clock.now())
        else:
            self._vault.verify(known)
        self.limiter.load(self.clock.now())
        await self.keys.expire_due()
        self._tasks = [
            asyncio.create_task(self.keys.keep_expiring()),
            asyncio.create_task(self.consumers.keep_going()),
            asyncio.create_task(_repeat(_SWEEP_EVERY, self._sweep)),
            asyncio.create_task(_repeat(_TRIM_EVERY, self._trim)),
        ]

    async def _sweep(self) -> None:
        self.limiter.sweep(self.clock.now())

    async def _trim(self) -> None:
        now = self.clock.now()
        await self._store.trim_journals(now - self._options.retention, self._options.max_events, now)

    def metrics_page(self) -> MetricsPage:
        """The page of `/metrics`."""
        return MetricsPage(
            self.metrics,
            {
                "sockets": ("Sockets open", lambda: len(self.connections)),
                "queued_bytes": ("Bytes that sockets' peers have not taken", self._queued_bytes),
                "events_unsent": ("Events that venue sockets are behind", lambda: self.streams.backlog()[0]),
                "events_unconfirmed": (
                    "Events sent to venue sockets that nothing confirms yet",
                    lambda: self.streams.backlog()[1],
                ),
                "upstreams_open": ("Upstreams whose stream is open", self._count_upstreams),
                "keys_active": ("Listen keys that are active", partial(self._count, "active")),
                "keys_closed": ("Listen keys that were closed", partial(self._count, "closed")),
                "keys_expired": ("Listen keys that expired", partial(self._count, "expired")),
            },
            self.upstreams,
        )

    def _count_upstreams(self) -> float:
        return sum(each.state == "open" for each in self.upstreams)

    def source_journal(self, account: str, stream: str) -> SourceJournal:
        """A journal for a source to fill."""
        return SourceJournal(self._store, self.clock, self.publisher, account, stream)

    def _queued_bytes(self) -> float:
        return sum(outlet.queued_bytes() for outlet in self.connections.all())

    def _count(self, state: str) -> float:
        return self._store.count_keys().get(state, 0)

    async def stop(self) -> None:
        """End the upkeep and the store. Sockets have been closed before."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.streams.stop()
        await self.consumers.keep()
        with contextlib.suppress(StoreError):  # keys that are over then are expired at the next start
            await self.keys.expire_due()
        await self._store.close()


def _notice_types(dialects: dict[str, Dialect]) -> frozenset[str]:
    """The types of events that tell of keys and of the gateway itself, in whichever dialect."""
    return _ALWAYS_OURS | {
        msgspec.json.decode(notice.body.replace("$now_ms", "0"))["e"]
        for dialect in dialects.values()
        for notice in dialect.notices
    }


async def _repeat(every: Micros, work: Callable[[], Awaitable[None]]) -> None:
    """Do something now, and again and again; a failure is logged and the next turn awaited."""
    while True:
        try:
            await work()
        except ListenKeyError as error:
            _log.error("upkeep_failed", error=error.message)
        except Exception:  # noqa: BLE001 - whatever it was, the next turn is to come
            _log.exception("upkeep_failed")
        await asyncio.sleep(every / SECOND)
