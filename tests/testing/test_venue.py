"""The testing venue over real sockets: streams and history of one ledger, and what faults make of them."""

import asyncio
import json

import httpx
import pytest
import websockets

from listenkey.base.clock import MILLISECOND, SECOND
from listenkey.dialect.registry import load_dialects
from listenkey.wire.client import CallResult
from listenkey.wire.history import Page, Query, build_query, events_of, holdings_of, read_page

WAIT = 20.0
DIALECTS = load_dialects()


class Reader:
    """Asks the venue as the client does."""

    def __init__(self, venue, http, account, stream):
        self._venue, self._http, self._account = venue, http, account
        self._dialect = next(each for each in DIALECTS.values() if each.histories(stream))
        self._history = self._dialect.histories(stream)[0]

    async def page(self, query, secret=None):
        """One answer."""
        account, now = self._account, self._venue.clock.wall()
        secret = secret or account.api_secret
        call = build_query(
            self._dialect, self._history, query, api_key=account.api_key, secret=secret, now=now
        )
        answer = await self._http.request(
            call.method, self._venue.rest_url + call.path, headers=dict(call.headers)
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
        fills = await self.rows(Query("fills", symbol))
        return events_of(self._dialect, self._history, orders, fills)

    async def holdings(self):
        """What the account has, as REST says it."""
        rows = await self.rows(Query("balances"))
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
