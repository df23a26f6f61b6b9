"""A small venue in the test's own process: the gateway, and beside it the REST history that venues have.

    async with TestingVenue() as venue:
        account = await venue.account()
        book = account.book("binance-usdm")
        await book.deposit("USDT", "1000")
        order = await book.place("BTCUSDT", "BUY", "0.5", "64000")
        await venue.cut()                   # all sockets break, new ones are refused
        await book.fill(order, "0.5")       # nobody is told, and history knows
        venue.mend()

What it says on its streams and in its history is folded from one ledger, so that the two agree but for what
`lose` and `faults` take from either. `book.events` is the truth to compare with.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec

from listenkey.app.delivery import configured_close, configured_delivery
from listenkey.app.dialects import configured_dialects
from listenkey.base.clock import Clock, to_millis
from listenkey.base.errors import Refused
from listenkey.config import Admin, Settings, Streams
from listenkey.edge.listeners import Listeners
from listenkey.service.accounts import NewApiKey
from listenkey.service.clock import SystemClock
from listenkey.service.gateway import Gateway, GatewayOptions
from listenkey.service.publish import Problem
from listenkey.service.vault import Vault
from listenkey.store.sqlite import open_sqlite
from listenkey.testing.desk import Desk
from listenkey.testing.faults import Faults
from listenkey.testing.ledger import Amount, Books, Ledger, Told
from listenkey.testing.rest import HistoryCalls
from listenkey.testing.shape import Shape, names, shapes
from listenkey.wire.routes import build_routes

_SECRET: Final = b"the master secret of a venue that is none"
_GOODBYE: Final = 2.0


class TestingVenue:
    """A venue of one's own, on loopback. As at the venues a reopened socket begins at the tail, a key is one
    for all, and a key that does not exist is met with silence; `settings` are as in the configuration."""

    __test__ = False

    def __init__(self, *, clock: Clock | None = None, **settings: Any) -> None:
        """`clock`: where time comes from, the machine's if none is given."""
        self.clock = clock or SystemClock()
        self.faults = Faults()
        self.rest_url = ""
        """Where REST calls go, once it is entered."""
        self.ws_url = ""
        """Where sockets are opened."""
        self._settings = settings
        self._losing = False
        self._accounts: dict[str, Account] = {}
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Accept connections."""
        folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="venue-")))
        settings = Settings(
            **{
                "listen": ("127.0.0.1:0",),
                "admin": Admin(listen="127.0.0.1:0"),
                "data": str(folder),
                # No snapshots: they are made of streamed events, and would contradict what was not streamed.
                "streams": Streams(resume="live", close="venue", bad_key="silent", snapshot="off"),
                **self._settings,
            }
        )
        dialects = configured_dialects(settings)
        options = GatewayOptions(
            limits="off",
            delivery=configured_delivery(settings),
            close=configured_close(settings, dialects),
        )
        store = open_sqlite(folder, durability="relaxed")
        self.gateway = Gateway(store, self.clock, Vault(_SECRET), dialects, options)
        await self.gateway.start()
        self._exit.push_async_callback(self.gateway.stop)
        self.history = HistoryCalls(self.gateway, self._desk, self.faults)
        routes = build_routes(dialects, settings.hosts())
        self._listeners = Listeners(settings, self.gateway, routes, clock=self.clock, beyond=self.history)
        await self._listeners.start()
        self._exit.push_async_callback(self._listeners.drain, _GOODBYE)
        self.rest_url = self._listeners.venue_urls()[0]
        self.ws_url = self.rest_url.replace("http", "ws", 1)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """End all sockets, and leave nothing behind."""
        self.history.cut()
        await self._exit.aclose()

    @property
    def now_ms(self) -> int:
        """The venue's time."""
        return to_millis(self.gateway.clock.now())

    async def account(self, name: str = "alice") -> "Account":
        """An account with an API key, made when it is first asked for."""
        if name not in self._accounts:
            await self.gateway.accounts.add(name)
            made = await self.gateway.accounts.add_api_key(name, NewApiKey())
            self._accounts[name] = Account(self, name, made.key, made.secret or "")
        return self._accounts[name]

    # Breaks -----------------------------------------------------------------------------------------

    def cut(self, *, lose: bool = True) -> None:
        """Break off every socket and refuse new ones, until `mend`. `lose`: what happens meanwhile is never
        streamed, as at the venues; otherwise the journal has it for who resumes."""
        self._losing = lose
        self.history.away = True
        self.history.cut()

    def mute(self) -> None:
        """Leave the sockets open and stream nothing of what happens, until `mend`."""
        self._losing = True

    def mend(self) -> None:
        """What broke is well again. What was not streamed stays lost."""
        self._losing = False
        self.history.away = False

    @contextlib.contextmanager
    def away(self, *, lose: bool = True) -> Iterator[None]:
        """`cut` before and `mend` after."""
        self.cut(lose=lose)
        try:
            yield
        finally:
            self.mend()

    # Inside -----------------------------------------------------------------------------------------

    def _desk(self, account: str, stream: str, part: str) -> Desk:
        return self._accounts[account].book(stream, part).desk

    async def tell(self, account: str, stream: str, payload: bytes) -> bool:
        """Stream an event, unless events are being lost; whether it was."""
        if self._losing:
            return False
        done = await self.gateway.publisher.publish(account, stream, payload)
        if isinstance(done, Problem):
            raise Refused(f"the event was not streamed: {done.message}", "see its code", code=done.code)
        return True


class Account:
    """An account of the venue, and how programs log on to it."""

    def __init__(self, venue: TestingVenue, name: str, api_key: str, api_secret: str) -> None:
        self.name = name
        self.api_key = api_key
        self.api_secret = api_secret
        self._venue = venue
        self._books: dict[tuple[str, str], Book] = {}

    def book(self, stream: str, part: str = "") -> "Book":
        """What it has on one stream; isolated margin's streams end in `:SYMBOL`, and of portfolio margin each
        `part` has a book. Errors: `Refused` for a stream or a part that this venue has no history of."""
        if (stream, part) not in self._books:
            self._books[stream, part] = Book(self._venue, self, stream, part)
        return self._books[stream, part]


class Streamed(msgspec.Struct, frozen=True):
    """An event of the truth, and whether the stream had it."""

    raw: bytes
    told: Told
    was_streamed: bool


class Book:
    """One account on one stream: every verb changes the books first and is streamed then."""

    def __init__(self, venue: TestingVenue, account: Account, stream: str, part: str) -> None:
        base = stream.partition(":")[0]
        found = [
            (dialect, history)
            for dialect in venue.gateway.dialects.values()
            for history in dialect.histories(base)
            if history.part == part and (base, part) in shapes()
        ]
        if not found:
            raise Refused(f"this venue has no history of {stream} {part}".strip(), f"it has {names()}")
        ((dialect, history),) = found
        self._venue = venue
        self._account = account.name
        self._stream = stream
        self._shape: Shape = shapes()[base, part]
        self.ledger = Ledger(self._shape.kind)
        parts = [row.part for row in dialect.histories(base)]
        self.desk = Desk(
            dialect,
            history,
            self._shape,
            self.ledger,
            venue.faults,
            lambda: [account.book(stream, each).desk for each in parts],
        )
        self.events: list[Streamed] = []
        """Everything that happened, as the stream tells it or would have."""

    @property
    def books(self) -> Books:
        """Orders, fills, balances and positions as they are."""
        return self.ledger.books

    async def deposit(self, asset: str, amount: Amount) -> None:
        """Amounts come in, or go out where negative."""
        await self._tell(self.ledger.deposit(asset, amount, self._venue.now_ms))

    async def fund(self, symbol: str, amount: Amount) -> None:
        """A funding fee of a position is paid (negative) or got."""
        await self._tell(self.ledger.fund(symbol, amount, self._venue.now_ms))

    async def place(
        self,
        symbol: str,
        side: Literal["BUY", "SELL"],
        quantity: Amount,
        price: Amount = 0,
        *,
        position_side: str = "BOTH",
        client_id: str = "",
    ) -> int:
        """A new order, at the market where it has no price; its id. Errors: `ValueError` where spot has not
        so much."""
        told = self.ledger.place(
            symbol,
            side,
            quantity,
            price,
            now=self._venue.now_ms,
            position_side=position_side,
            client_id=client_id,
        )
        await self._tell(told)
        return max(self.books.orders)

    async def fill(
        self,
        order: int,
        quantity: Amount | None = None,
        price: Amount | None = None,
        *,
        is_maker: bool = True,
    ) -> int:
        """A part of an order is matched, or all that is open, at its own price or another; the trade's id.
        Errors: `KeyError`, `ValueError` for what is not open."""
        open_order = self.books.orders[order]
        told = self.ledger.fill(
            order,
            open_order.quantity - open_order.filled if quantity is None else quantity,
            open_order.price if price is None else price,
            now=self._venue.now_ms,
            is_maker=is_maker,
        )
        await self._tell(told)
        return self.books.fills[-1].id

    async def cancel(self, order: int) -> None:
        """An order is cancelled. Errors: `KeyError`, `ValueError` for what is not open."""
        await self._tell(self.ledger.end(order, "CANCELED", now=self._venue.now_ms))

    async def expire(self, order: int) -> None:
        """An order expires. Errors: `KeyError`, `ValueError` for what is not open."""
        await self._tell(self.ledger.end(order, "EXPIRED", now=self._venue.now_ms))

    async def _tell(self, told: list[Told]) -> None:
        for each in told:
            raw = self._shape.event(each, len(self.events) + 1)
            if not raw:
                continue
            streamed = await self._venue.tell(self._account, self._stream, raw)
            self.events.append(Streamed(raw, each, streamed))
