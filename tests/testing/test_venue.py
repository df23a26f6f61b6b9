"""The testing venue over real sockets: streams and history of one ledger, and what faults make of them."""

import asyncio
import hmac
import json
from decimal import Decimal
from urllib.parse import urlencode

import httpx
import pytest
import websockets

from listenkey.base.clock import MILLISECOND, SECOND
from listenkey.base.errors import Refused
from listenkey.dialect.registry import load_dialects
from listenkey.wire.client import CallResult
from listenkey.wire.history import Page, Query, build_query, events_of, holdings_of, read_page
from tests.testing.desk_reader import STREAMS
from tests.testing.test_agreement import SYMBOLS

WAIT = 20.0
DIALECTS = load_dialects()


class Reader:
    """Asks the venue as the client does."""

    def __init__(self, venue, http, account, stream):
        self._venue, self._http, self._account = venue, http, account
        name, _, part = stream.partition(" ")
        self._dialect = next(each for each in DIALECTS.values() if each.histories(name))
        self._history = next(each for each in self._dialect.histories(name) if each.part == part)

    async def page(self, query, secret=None):
        """One answer."""
        account, now = self._account, self._venue.clock.wall()
        secret = secret or account.api_secret
        call = build_query(
            self._dialect, self._history, query, api_key=account.api_key, secret=secret, now=now
        )
        prefix = "" if self._dialect.root else f"/{self._dialect.name}"
        answer = await self._http.request(
            call.method, self._venue.rest_url + prefix + call.path, headers=dict(call.headers)
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return read_page(
            self._dialect, self._history, query, answer.status_code, headers, answer.content, now
        )

    async def rows(self, query):
        """All pages."""
        rows = []
        while query is not None:
            page = await self.page(query)
            assert isinstance(page, Page), page
            rows += page.rows
            query = page.next
        return rows

    async def events(self, symbol):
        """What history makes of a symbol."""
        orders = await self.rows(Query("orders", symbol))
        orders += await self.rows(Query("open_orders", symbol))
        fills = await self.rows(Query("fills", symbol))
        return events_of(self._dialect, self._history, orders, fills)

    async def holdings(self):
        """What the account has, as REST says it."""
        symbol = "BTCUSDT" if self._history.calls["balances"].symbol == "required" else ""
        rows = await self.rows(Query("balances", symbol))
        if "positions" in self._history.calls:
            rows += await self.rows(Query("positions"))
        return holdings_of(self._history, rows)


@pytest.mark.parametrize("stream", ["binance-usdm", "binance-spot"])
async def test_streams_and_history_tell_the_same(venue, http, stream):
    """What a socket got before the break, REST tells too, and what came after it only REST does."""
    account = await venue.account()
    book = account.book(stream)
    key_path = {"binance-usdm": "/fapi/v1/listenKey", "binance-spot": "/api/v3/userDataStream"}[stream]
    made = await http.post(venue.rest_url + key_path, headers={"X-MBX-APIKEY": account.api_key})
    socket = await websockets.connect(f"{venue.ws_url}/ws/{made.json()['listenKey']}")
    await book.deposit("USDT", "100000")
    order = await book.place("BTCUSDT", "BUY", "0.5", "64000")
    before = len(book.events)
    got = [json.loads(await asyncio.wait_for(socket.recv(), WAIT)) for _ in range(before)]
    assert got == [json.loads(each.raw) for each in book.events]
    venue.cut()
    with pytest.raises(websockets.ConnectionClosed):
        await asyncio.wait_for(socket.recv(), WAIT)
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"{venue.ws_url}/ws/{made.json()['listenKey']}")
    venue.clock.advance(5 * MILLISECOND)
    trade = await book.fill(order, "0.2")
    assert not book.events[-1].was_streamed
    venue.mend()
    told = await Reader(venue, http, account, stream).events("BTCUSDT")
    assert [each.identity[0] for each in told] == ["order", "fill"]
    assert told[1].identity[3] == str(trade)


@pytest.mark.parametrize("stream", STREAMS)
async def test_every_book_has_its_history(venue, http, stream):
    """Whichever venue a bot speaks to, its rows are there, by the paths and in the wrapping of that venue."""
    account = await venue.account()
    symbol = SYMBOLS[stream][0]
    name, _, part = stream.partition(" ")
    book = account.book(f"{name}:{symbol}" if name == "binance-margin-isolated" else name, part)
    await book.deposit("USDT", "1000")
    order = await book.place(symbol, "BUY", "2", "100")
    trade = await book.fill(order, "1")
    await book.cancel(order)
    again = await book.place(symbol, "BUY", "2", "100")
    reader = Reader(venue, http, account, stream)
    told = [each.identity[-1 - bool(part)] for each in await reader.events(symbol)]
    assert told == ["new", "new", str(trade), "ended"]
    assert [row.order_id for row in await reader.rows(Query("open_orders", symbol))] == [str(again)]
    assert [row.order_id for row in await reader.rows(Query("order", symbol, order_id=str(order)))] == [
        str(order)
    ]
    missing = await reader.page(Query("order", symbol, order_id="99"))
    assert isinstance(missing, CallResult)
    assert set((await reader.holdings()).balances) >= {"USDT"}


async def test_positions_and_balances(venue, http):
    """What REST says of an account is what its events add up to."""
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "1000")
    order = await book.place("BTCUSDT", "SELL", "2", "100")
    await book.fill(order, "1.5")
    holdings = await Reader(venue, http, account, "binance-usdm").holdings()
    assert holdings.positions == {("BTCUSDT", "BOTH"): Decimal("-1.5")}
    assert holdings.balances == {"USDT": (Decimal("999.85"),)}


async def test_what_is_lost_without_a_break(venue, http):
    """A stream that goes silent in the middle, its socket open: only REST tells of it."""
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "1000")
    venue.mute()
    await book.place("BTCUSDT", "BUY", "1", "100")
    venue.mend()
    await book.place("BTCUSDT", "BUY", "2", "100")
    assert [each.was_streamed for each in book.events] == [True, False, True]
    assert len(await Reader(venue, http, account, "binance-usdm").events("BTCUSDT")) == 2


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, -1102),
        ({"symbol": "BTCUSDT", "startTime": "0", "endTime": "86400001"}, -1127),
        ({"symbol": "BTCUSDT", "limit": "1001"}, -1130),
        ({"symbol": "BTCUSDT", "startTime": "noon"}, -1100),
    ],
)
async def test_requests_that_the_venue_refuses(venue, http, parameters, code):
    """A client that asks wrongly is told so here, and not first at the venue."""
    account = await venue.account()
    account.book("binance-spot")
    query = urlencode({**parameters, "timestamp": venue.now_ms})
    signature = hmac.digest(account.api_secret.encode(), query.encode(), "sha256").hex()
    answer = await http.get(
        f"{venue.rest_url}/api/v3/myTrades?{query}&signature={signature}",
        headers={"X-MBX-APIKEY": account.api_key},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_credentials_are_looked_at(venue, http):
    """A wrong signature, a stale time and an unknown API key get what the venue says to them."""
    account = await venue.account()
    reader = Reader(venue, http, account, "binance-usdm")
    wrong = await reader.page(Query("balances"), secret="another")
    assert isinstance(wrong, CallResult)
    assert (wrong.outcome, wrong.reason) == ("refused", "400 Signature for this request is not valid.")
    venue.clock.advance(60 * SECOND)
    late = await http.get(
        f"{venue.rest_url}/fapi/v3/balance?timestamp={venue.now_ms - 30_000}&signature=0",
        headers={"X-MBX-APIKEY": account.api_key},
    )
    assert late.json()["code"] == -1021
    nobody = await http.get(
        f"{venue.rest_url}/fapi/v3/balance?timestamp={venue.now_ms}&signature=0",
        headers={"X-MBX-APIKEY": "x" * 64},
    )
    assert nobody.json()["code"] == -2015


async def test_answers_that_go_wrong(venue, http):
    """Each kind of mishap comes once, in the order that was asked for, and the right answer after it."""
    account = await venue.account()
    await account.book("binance-usdm").deposit("USDT", "10")
    reader = Reader(venue, http, account, "binance-usdm")
    venue.faults.fail(status=503)
    venue.faults.limit(status=418, retry_after=120)
    venue.faults.page_of_html()
    found = [await reader.page(Query("balances")) for _ in range(3)]
    assert [each.outcome for each in found] == ["transient", "limited", "transient"]
    assert found[1].retry_at == venue.clock.wall() + 120 * SECOND
    venue.faults.cut_in_half()
    with pytest.raises(httpx.RemoteProtocolError):
        await reader.page(Query("balances"))
    assert (await reader.holdings()).balances == {"USDT": (Decimal(10),)}


async def test_a_request_that_nobody_answers(venue, http):
    """A client's own patience is what ends it, and the next request is answered."""
    account = await venue.account()
    await account.book("binance-usdm").deposit("USDT", "10")
    venue.faults.never_answer()
    async with httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(20, read=0.2)) as hasty:
        with pytest.raises(httpx.ReadTimeout):
            await Reader(venue, hasty, account, "binance-usdm").page(Query("balances"))
    held = await Reader(venue, http, account, "binance-usdm").holdings()
    assert held.balances == {"USDT": (Decimal(10),)}


async def test_weight_is_bounded_by_the_minute(venue, http):
    """Who asks too much is told when to come again."""
    account = await venue.account()
    account.book("binance-usdm")
    reader = Reader(venue, http, account, "binance-usdm")
    venue.faults.weight_a_minute = 10
    found = [await reader.page(Query("balances")) for _ in range(3)]
    assert [isinstance(each, Page) for each in found] == [True, True, False]
    venue.clock.advance(60 * SECOND)
    assert isinstance(await reader.page(Query("balances")), Page)


async def test_history_may_lag(venue, http):
    """For a while REST knows less than the stream said."""
    account = await venue.account()
    book = account.book("binance-spot")
    await book.deposit("USDT", "1000")
    venue.clock.advance(SECOND)
    order = await book.place("BTCUSDT", "BUY", "1", "100")
    venue.faults.lag_ms = 500
    reader = Reader(venue, http, account, "binance-spot")
    assert await reader.events("BTCUSDT") == []
    assert (await reader.holdings()).balances == {"USDT": (Decimal(1000), Decimal(0))}
    venue.clock.advance(SECOND)
    assert [each.identity for each in await reader.events("BTCUSDT")] == [
        ("order", "BTCUSDT", str(order), "new")
    ]


@pytest.mark.parametrize("page_order", ["reversed", "doubled"])
async def test_rows_in_no_good_order(venue, http, page_order):
    """Pages that are the wrong way round, or have rows twice, say the same."""
    account = await venue.account()
    book = account.book("binance-usdm")
    order = await book.place("BTCUSDT", "BUY", "3", "100")
    for _ in range(3):
        venue.clock.advance(MILLISECOND)
        await book.fill(order, "1")
    reader = Reader(venue, http, account, "binance-usdm")
    right = await reader.events("BTCUSDT")
    venue.faults.page_order = page_order
    assert await reader.events("BTCUSDT") == right
    assert len(right) == 4


async def test_a_window_that_is_refused(venue, http):
    """A venue may want narrower windows than it says."""
    account = await venue.account()
    account.book("binance-usdm")
    venue.faults.widest_ms = 3_600_000
    page = await Reader(venue, http, account, "binance-usdm").page(Query("fills", "BTCUSDT", 1, 3_600_002))
    assert isinstance(page, CallResult)
    assert page.outcome == "refused"


async def test_parts_of_portfolio_margin_are_told_in_one_answer(venue, http):
    """Each part reads its own of the balances that all have together."""
    account = await venue.account()
    await account.book("binance-pm", "um").deposit("USDT", "5")
    await account.book("binance-pm", "margin").deposit("USDT", "7")
    await account.book("binance-pm", "cm").deposit("BTC", "9")
    held = [
        (await Reader(venue, http, account, f"binance-pm {part}").holdings())
        for part in ("um", "cm", "margin")
    ]
    assert [each.balances for each in held] == [
        {"USDT": (Decimal(5),)},
        {"BTC": (Decimal(9),)},
        {"USDT": (Decimal(7), Decimal(0))},
    ]
    with pytest.raises(Refused, match="binance-pm um"):
        account.book("binance-pm")


async def test_streams_that_the_venue_does_not_have(venue):
    """A slip in a stream's name is told at once."""
    account = await venue.account()
    with pytest.raises(Refused, match="binance-usdm"):
        account.book("binance-margin-risk")


async def test_a_page_that_comes_once_more(venue, http):
    """A reader that asked for another time is not taken in by the answer of before."""
    account = await venue.account()
    book = account.book("binance-usdm")
    order = await book.place("BTCUSDT", "BUY", "2", "100")
    await book.fill(order, "1")
    first = venue.now_ms
    venue.clock.advance(10 * SECOND)
    await book.fill(order, "1")
    reader = Reader(venue, http, account, "binance-usdm")
    before, after = (
        Query("fills", "BTCUSDT", first, first + 1),
        Query("fills", "BTCUSDT", first + 9000, first + 11_000),
    )
    assert [row.trade_id for row in await reader.rows(before)] == ["1"]
    venue.faults.stuck_pages = 1
    stuck = await reader.page(after)
    assert isinstance(stuck, CallResult)
    assert stuck.outcome == "transient"
    assert [row.trade_id for row in await reader.rows(after)] == ["2"]
    assert [dict(asked)["symbol"] for _, asked in venue.history.asked] == ["BTCUSDT"] * 3


async def test_an_order_that_expires_and_a_fee_for_funding(venue, http):
    """The other verbs of a book are told and known too."""
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "100")
    await book.expire(await book.place("BTCUSDT", "BUY", "2", "100"))
    await book.fund("BTCUSDT", "-0.5")
    reader = Reader(venue, http, account, "binance-usdm")
    ended = json.loads((await reader.events("BTCUSDT"))[-1].raw)["o"]
    assert (ended["x"], ended["X"]) == ("EXPIRED", "EXPIRED")
    assert (await reader.holdings()).balances == {"USDT": (Decimal("99.5"),)}
    assert json.loads(book.events[-1].raw)["a"]["m"] == "FUNDING_FEE"


async def test_a_break_by_block_and_what_a_journal_keeps(venue):
    """`away` mends what it broke; without loss the journal has what happened meanwhile."""
    account = await venue.account()
    book = account.book("binance-usdm")
    with venue.away(lose=False):
        await book.deposit("USDT", "100")
    with venue.away():
        await book.deposit("USDT", "100")
    await book.deposit("USDT", "100")
    assert [each.was_streamed for each in book.events] == [True, False, True]
    assert not venue.history.away
