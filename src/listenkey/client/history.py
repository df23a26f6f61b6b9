"""A venue's history and its snapshot, asked for page by page."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Final

from listenkey.base.errors import Refused
from listenkey.client.calls import Calls, headers_of, wall_micros
from listenkey.client.credentials import Credentials
from listenkey.core.recovery import Answer, Ask, Fact, Reading
from listenkey.dialect.history import History, QueryKind
from listenkey.dialect.model import Dialect
from listenkey.wire.client import CallResult
from listenkey.wire.history import (
    Page,
    Query,
    Row,
    build_query,
    events_of,
    missing_orders,
    read_page,
    reading_of,
    resting_among,
    totals_of,
    windows,
)

_SNAPSHOT: Final[tuple[QueryKind, ...]] = ("open_orders", "positions", "balances")
_MOST_PAGES: Final = 1000
_PAUSES: Final = (0.2, 0.6)
"""Between attempts of a call that was not answered."""


class Unanswered(Exception):
    """A call that came to nothing; `result` says why."""

    def __init__(self, result: CallResult) -> None:
        super().__init__(result.reason)
        self.result = result


class EventBooks:
    """What a venue's events mean, by its histories."""

    def __init__(self, histories: Sequence[History]) -> None:
        self._histories = histories

    def read(self, kind: str, raw: bytes, names: Collection[str]) -> Reading:
        """One event, of whichever part of the stream it is."""
        told = Reading(0)
        for history in self._histories:
            reading = reading_of(history, kind, raw, names)
            if reading.identity is not None or reading.changes:
                return reading
            told = max(told, reading, key=lambda each: each.at_ms)
        return told


class HistoryCalls:
    """Asks for what one stream's history says. Errors of all: `Unanswered`."""

    def __init__(
        self, dialect: Dialect, histories: Sequence[History], credentials: Credentials, calls: Calls
    ) -> None:
        self._dialect = dialect
        self._histories = histories
        self._credentials = credentials
        self._calls = calls

    async def snapshot(self, symbols: Iterable[str]) -> list[tuple[History, list[Row]]]:
        """Balances, positions and open orders, part by part."""
        await self._credentials.refresh()
        return [(history, await self._snapshot_of(history, symbols)) for history in self._histories]

    async def _snapshot_of(self, history: History, symbols: Iterable[str]) -> list[Row]:
        rows: list[Row] = []
        for kind in _SNAPSHOT:
            if kind in history.calls:
                of = symbols if history.calls[kind].symbol == "required" else ("",)
                for symbol in of:
                    rows += (await self.rows(history, Query(kind, symbol)))[0]
        return rows

    async def since(self, ask: Ask, snapshot: list[tuple[History, list[Row]]]) -> Answer:
        """Everything that history tells of a span."""
        told, why, totals = list[Fact](), "", dict[str, Decimal]()
        symbols = dict.fromkeys(ask.symbols)
        strangers = set[str](symbols)
        for history, rows in snapshot:
            own = sorted({row.symbol for row in rows if row.symbol and row.kind != "balances"})
            part = _Part(self, history, ask, rows)
            try:
                told += await part.facts((*dict.fromkeys((*ask.symbols, *own)),))
                totals |= totals_of(history, rows)
            except ValueError as error:  # what is no amount, or no time
                raise Unanswered(CallResult("transient", reason=str(error))) from error
            why = why or part.why
            strangers &= part.strangers
            symbols |= dict.fromkeys(own)
        if strangers:
            why = why or f"the venue refuses to tell of {', '.join(sorted(strangers))}"
        told.sort(key=lambda fact: fact.at_ms)
        return Answer(tuple(told), totals, tuple(each for each in symbols if each not in strangers), why)

    def events(
        self, history: History, orders: Sequence[Row], fills: Sequence[Row], ask: Ask, names: Iterable[str]
    ) -> list[Fact]:
        """Rows as events of the stream. `names`: what is known to be held."""
        made = events_of(self._dialect, history, orders, fills, from_ms=ask.from_ms, to_ms=ask.to_ms)
        by_trade = {(row.symbol, row.order_id, row.trade_id): row for row in fills}
        known, facts = {*names}, list[Fact]()
        for each in made:
            fill = by_trade.get((each.identity[1], each.identity[2], each.identity[3]))
            reading = reading_of(history, each.type, each.raw, known, fill)
            facts.append(Fact(each.type, each.raw, each.time_ms, each.identity, "backfill", reading.changes))
        return facts

    @property
    def now_ms(self) -> int:
        """The venue's clock."""
        return self._calls.now_ms()

    async def rows(self, history: History, query: Query) -> tuple[list[Row], bool]:
        """All rows that a query finds, and whether these are all."""
        rows: list[Row] = []
        for _ in range(_MOST_PAGES):
            page = await self._page(history, query)
            rows += page.rows
            if page.next is None:
                return rows, page.whole
            query = page.next
        return rows, False

    async def _page(self, history: History, query: Query) -> Page:
        for pause in (*_PAUSES, None):
            answer = await self._page_once(history, query)
            if isinstance(answer, Page):
                return answer
            if answer.outcome not in {"transient", "clock"} or pause is None:
                raise Unanswered(answer)
            if answer.outcome == "clock":
                await self._calls.fault(answer)  # which sets it
            await asyncio.sleep(pause)
        raise AssertionError  # the last pause is None

    async def _page_once(self, history: History, query: Query) -> Page | CallResult:
        key, secret, now = self._credentials.key(), self._credentials.secret(), self._calls.now()
        try:
            call = build_query(self._dialect, history, query, api_key=key, secret=secret, now=now)
        except Refused as error:
            return CallResult("refused", reason=str(error))
        answer = await self._calls.request(call)
        if isinstance(answer, CallResult):
            return answer
        headers, wall = headers_of(answer), wall_micros()
        return read_page(self._dialect, history, query, answer.status_code, headers, answer.content, wall)


class _Part:
    """One account's part of an answer."""

    def __init__(self, calls: HistoryCalls, history: History, ask: Ask, snapshot: list[Row]) -> None:
        self._calls = calls
        self._history = history
        self._ask = ask
        self._snapshot = snapshot
        self.why = ""
        """Why something may be missing."""
        self.strangers = set[str]()
        """Symbols that the venue refuses to tell of: it does not know them, or not here."""

    async def facts(self, symbols: Sequence[str]) -> list[Fact]:
        """Of all symbols what history tells."""
        orders, fills = list[Row](), list[Row]()
        for symbol in symbols:
            try:
                orders += await self._spans("orders", symbol)
                fills += await self._spans("fills", symbol)
            except Unanswered as unanswered:  # the snapshot was not refused, so it is the symbol
                if unanswered.result.outcome != "refused":
                    raise
                self.strangers.add(symbol)
        resting = [row for row in self._snapshot if row.kind == "open_orders"]
        open_now = {(row.symbol, row.order_id) for row in resting}
        ended = [
            query
            for query in resting_among(self._history, self._ask.names)
            if (query.symbol, query.order_id) not in open_now
        ]
        for query in dict.fromkeys((*missing_orders([*orders, *resting], fills), *ended)):
            orders += (await self._calls.rows(self._history, query))[0]
        names = {*self._ask.names, *totals_of(self._history, self._snapshot)}
        return self._calls.events(self._history, [*orders, *resting], fills, self._ask, names)

    async def _spans(self, kind: QueryKind, symbol: str) -> list[Row]:
        """The rows of one kind and symbol over the whole span, as far back as they are told."""
        call, ask = self._history.calls.get(kind), self._ask
        if call is None:
            return []
        oldest = self._calls.now_ms - call.depth_ms if call.depth_ms else 0
        if ask.from_ms < oldest:
            self.why = f"the venue does not tell {kind} of so long ago"
        rows: list[Row] = []
        for start, end in windows(self._history, kind, max(ask.from_ms, oldest), max(ask.to_ms, oldest)):
            found, whole = await self._calls.rows(self._history, Query(kind, symbol, start, end))
            rows += found
            if not whole:
                self.why = f"the venue does not tell all {kind} of {symbol} at once"
        return rows
