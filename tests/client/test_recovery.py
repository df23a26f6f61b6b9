"""Breaks of real sockets against the testing venue: every fill is there afterwards, in order, marked."""

import asyncio
import contextlib

import pytest

import listenkey
from listenkey.client import calls, subscription
from listenkey.client import history as client_history
from listenkey.client import venue as client_venue
from listenkey.client.items import Event, Gap, State
from listenkey.core.moment import Moment
from listenkey.testing import TestingVenue
from listenkey.testing.faults import Mishap
from tests.client.test_stream import WAIT, take, until
from tests.support.fault_proxy import FaultProxy

ORDERS = {"ORDER_TRADE_UPDATE", "executionReport"}
STREAMS = [
    ("binance-spot", "subscription"),
    ("binance-margin", "subscription"),
    ("binance-usdm", "listen_key"),
    ("bingx-swap", "listen_key"),
]


@pytest.fixture
async def venue():
    """A venue on the machine's clock."""
    async with TestingVenue() as venue:
        yield venue


def opened(venue, account, stream, by, **more):
    """The stream, as a user opens it."""
    more.setdefault("ws_url", venue.ws_url)
    return listenkey.open_stream(
        stream, api_key=account.api_key, api_secret=account.api_secret, base_url=venue.rest_url, by=by, **more
    )


async def looked(venue, times=1):
    """Wait until the client has a snapshot to compare with."""
    for _ in range(WAIT * 50):
        if sum(kind == "balances" for kind, _ in venue.history.asked) >= times:
            await asyncio.sleep(0.3)
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the client never asked for a snapshot")


async def all_until(stream, wanted):
    """Events and gaps, up to the one with these bytes."""
    items = []
    async with asyncio.timeout(3 * WAIT):
        while True:
            item = await stream.next_item()
            assert item is not None
            if isinstance(item, Event | Gap):
                items.append(item)
            if isinstance(item, Event) and item.raw == wanted:
                return items


def facts(items):
    """Of orders and fills, what tells them apart, and where each came from."""
    told = []
    for item in items:
        order = item.data.get("o") if item.type == "ORDER_TRADE_UPDATE" else item.data
        if item.type in ORDERS:
            trade = order.get("t", order.get("td"))
            told.append(((order["s"], order["i"], order["x"], trade, order["X"]), item.source))
    return told


def truth(book):
    """The same, of what happened."""
    events = [Event(Event("", each.raw).data["e"], each.raw) for each in book.events]
    return [key for key, _ in facts(events)]


async def pause():
    """Let the clock go on: what happens in one millisecond has no order."""
    await asyncio.sleep(0.005)


@pytest.mark.parametrize(("name", "by"), STREAMS)
async def test_a_cut_with_loss_loses_nothing(venue, name, by):
    """What was filled while nobody was connected comes first, in its order, marked as fetched."""
    account = await venue.account()
    book = account.book(name)
    await book.deposit("USDT", "100000")
    async with opened(venue, account, name, by) as stream:
        await until(stream, "open")
        await looked(venue)
        first = await book.place("BTCUSDT", "BUY", "0.5", "60000")
        resting = await book.place("BTCUSDT", "BUY", "0.25", "50000")
        items = await all_until(stream, book.events[-1].raw)
        with venue.away():
            await until(stream, "reconnecting")
            await book.fill(first, "0.2")
            await pause()
            second = await book.place("ETHUSDT", "BUY", "2", "3000")
            await pause()
            await book.fill(first)
            await pause()
            await book.cancel(resting)
        await until(stream, "open")
        await book.fill(second)
        items += await all_until(stream, book.events[-1].raw)
    assert [item for item in items if isinstance(item, Gap)] == []
    told = facts(items)
    assert [key for key, _ in told] == truth(book)
    assert {source for _, source in told[2:6]} == {"backfill"}
    assert told[-1][1] == "stream"
    fetched = [item for item in items if item.source == "backfill"]
    assert {item.type for item in fetched} <= set(ORDERS)
    assert all(type(item.typed).__name__ == item.type for item in fetched), "structures, as if streamed"


async def test_a_symbol_that_nobody_names_is_a_gap_that_says_so(venue):
    """Fills of a market of which nothing is left to see but the balance."""
    account = await venue.account()
    book = account.book("binance-spot")
    await book.deposit("USDT", "100000")
    async with opened(venue, account, "binance-spot", "subscription", recover_within=5) as stream:
        await until(stream, "open")
        await looked(venue)
        with venue.away():
            await until(stream, "reconnecting")
            await book.fill(await book.place("BTCUSDT", "BUY", "0.5", "60000"))
        gap = await take(stream, Gap)
    assert {"BTC", "USDT"} <= set(gap.differs)
    assert gap.since_ms <= book.events[-1].told.time <= gap.until_ms


async def test_named_symbols_are_asked_for(venue):
    """The same with its name given beforehand."""
    account = await venue.account()
    book = account.book("binance-spot")
    await book.deposit("USDT", "100000")
    async with opened(venue, account, "binance-spot", "subscription", symbols=["BTCUSDT"]) as stream:
        await until(stream, "open")
        await looked(venue)
        with venue.away():
            await until(stream, "reconnecting")
            await book.fill(await book.place("BTCUSDT", "BUY", "0.5", "60000"))
        got = [await take(stream, (Event, Gap)) for _ in range(2)]
    assert [key for key, _ in facts(got)] == truth(book)


async def test_a_program_that_comes_back_goes_on_from_its_moment(venue):
    """It keeps `stream.position` and what it had last, and misses nothing of the time between."""
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "1000")
    async with opened(venue, account, "binance-usdm", "listen_key") as stream:
        await until(stream, "open")
        order = await book.place("BTCUSDT", "BUY", "0.5", "60000")
        had = await all_until(stream, book.events[-1].raw)
        since = stream.position
    assert isinstance(since, Moment)
    await book.fill(order)
    await asyncio.sleep(0.2)
    known = [(event.type, event.raw) for event in had]
    async with opened(venue, account, "binance-usdm", "listen_key", since=str(since), known=known) as stream:
        await until(stream, "open")
        got = await take(stream, (Event, Gap))
    assert facts([got])[0][0] == truth(book)[-1]
    assert got.source == "backfill"


async def test_history_that_lags_is_asked_again(venue):
    """As venues warn; nothing is called whole before the snapshot agrees."""
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "1000")
    async with opened(venue, account, "binance-usdm", "listen_key", symbols=["BTCUSDT"]) as stream:
        await until(stream, "open")
        await looked(venue)
        venue.faults.fail(2)
        venue.faults.page_of_html(1)
        venue.faults.limit(1, retry_after=1)
        with venue.away():
            await until(stream, "reconnecting")
            await book.fill(await book.place("BTCUSDT", "BUY", "0.5", "60000"))
        got = [await take(stream, (Event, Gap)) for _ in range(2)]
    assert [key for key, _ in facts(got)] == truth(book)


async def test_without_a_secret_a_break_is_a_gap_at_once(venue):
    """And says what would mend that."""
    account = await venue.account()
    async with listenkey.open_stream(
        "binance-usdm", api_key=account.api_key, api_secret="", base_url=venue.rest_url, ws_url=venue.ws_url
    ) as stream:
        await until(stream, "open")
        with venue.away():
            await until(stream, "reconnecting")
        gap = await take(stream, Gap)
    assert "secret" in gap.why


async def test_a_break_in_a_recovery_ends_its_questions(venue):
    """The weight that a venue grants is not spent on answers that nobody waits for any more."""
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "100000")
    names = [f"X{number}USDT" for number in range(10)]
    async with opened(venue, account, "binance-usdm", "listen_key", symbols=["BTCUSDT", *names]) as stream:
        await until(stream, "open")
        await looked(venue)
        venue.faults.never_answer(1, kind="fills")
        with venue.away():
            await until(stream, "reconnecting")
            await book.fill(await book.place("BTCUSDT", "BUY", "0.5", "60000"))
        async with asyncio.timeout(WAIT):
            while venue.faults.mishaps:  # the first recovery waits for an answer
                await asyncio.sleep(0.02)
        asked = len(venue.history.asked)
        with venue.away():
            await until(stream, "reconnecting")
        got = [await take(stream, (Event, Gap)) for _ in range(2)]
        await asyncio.sleep(0)
        assert [key for key, _ in facts(got)] == truth(book)
        assert len(venue.history.asked) - asked == 3 + 2 * 11


async def test_a_snapshot_that_is_rubbish_ends_nothing(venue, monkeypatch):
    """Amounts that are none: the stream goes on, and the next snapshot is asked for."""
    monkeypatch.setattr("listenkey.core.recovery._LOOK_PAUSE", 50_000)
    account = await venue.account()
    book = account.book("binance-usdm")
    rubbish = Mishap(200, b'[{"asset":"USDT","balance":"much"}]', kind="balances")
    venue.faults.mishaps.append(rubbish)
    async with opened(venue, account, "binance-usdm", "listen_key") as stream:
        await until(stream, "open")
        await looked(venue)
        await book.deposit("USDT", "1")
        assert (await take(stream)).raw == book.events[-1].raw
    assert not venue.faults.mishaps


@pytest.mark.parametrize(
    ("before", "after"), [(2.5, 2.5), (-2.5, -2.5), (600, 600), (600, 0), (-600, 0), (0, 600), (0, -600)]
)
async def test_a_clock_that_is_wrong_or_set_moves_no_moment(venue, monkeypatch, before, after):
    """`stream.position` is no later than the venue's own time, and what is missed is had, whatever the
    machine believes the time to be."""
    skew, real = [before], calls.wall_micros
    for module in (calls, client_history, client_venue, subscription):
        monkeypatch.setattr(module, "wall_micros", lambda: real() + int(skew[0] * 1_000_000))
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "100000")
    async with opened(venue, account, "binance-usdm", "listen_key", symbols=["BTCUSDT"]) as stream:
        await until(stream, "open")
        await looked(venue)
        skew[0] = after
        began = venue.now_ms
        assert began - 60_000 < stream.position.at_ms <= began
        with venue.away():
            await until(stream, "reconnecting")
            await book.fill(await book.place("BTCUSDT", "BUY", "0.5", "60000"))
        got = [await take(stream, (Event, Gap)) for _ in range(2)]
        await book.cancel(await book.place("BTCUSDT", "BUY", "0.5", "60000"))
        got += await all_until(stream, book.events[-1].raw)
        assert stream.position.at_ms <= venue.now_ms + 2000
    assert [key for key, _ in facts(got)] == truth(book)


async def test_leaving_in_the_middle_of_a_recovery_leaves_nothing_running(venue):
    """A program that ends while its client waits for history."""
    account = await venue.account()
    before = asyncio.all_tasks()
    async with opened(venue, account, "binance-usdm", "listen_key") as stream:
        await until(stream, "open")
        await looked(venue)
        venue.faults.fail(1000)
        with venue.away():
            await until(stream, "reconnecting")
        await until(stream, "open")
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.sleep(0), 1)
    ours = [task for task in asyncio.all_tasks() - before if "client" in repr(task.get_coro())]
    assert ours == []


async def test_a_socket_that_died_without_a_word_is_found_and_nothing_lost(venue):
    """Half-open: both ends believe in it. Most clients wait for their operating system, for hours."""
    account = await venue.account()
    book = account.book("binance-usdm")
    await book.deposit("USDT", "1000")
    with FaultProxy(venue.rest_url, hush=300) as proxy:
        sockets = proxy.url.replace("http", "ws", 1)
        async with opened(
            venue, account, "binance-usdm", "listen_key", ws_url=sockets, dead_after=6, symbols=["BTCUSDT"]
        ) as stream:
            await until(stream, "open")
            await looked(venue)
            await asyncio.wrap_future(proxy.cut("silent", "down", after=0, patience=0.1))
            await book.fill(await book.place("BTCUSDT", "BUY", "0.5", "60000"))
            since = asyncio.get_running_loop().time()
            await until(stream, "reconnecting")
            assert asyncio.get_running_loop().time() - since < WAIT
            got = [await take(stream, (Event, Gap)) for _ in range(2)]
    assert [key for key, _ in facts(got)] == truth(book)
    assert {event.source for event in got} == {"backfill"}


async def test_rotation_leaves_no_hole_and_tells_nothing_twice(venue, monkeypatch):
    """Before the venue's day is over the next socket is there; states have no ids and came twice."""
    monkeypatch.setattr("listenkey.client.venue._LONGEST_SOCKET", 700_000)
    account = await venue.account()
    book = account.book("binance-usdm")
    async with opened(venue, account, "binance-usdm", "listen_key") as stream:
        await until(stream, "open")
        for number in range(1, 81):
            await book.deposit("USDT", number)
            await asyncio.sleep(0.05)
        items, opens = [], 0
        while not items or items[-1].raw != book.events[-1].raw:
            item = await take(stream, (Event, Gap, State))
            opens += isinstance(item, State) and item.state == "open"
            items += [item] if isinstance(item, Event | Gap) else []
    assert opens >= 2, "it never rotated"
    assert [item.raw for item in items] == [event.raw for event in book.events]
    assert {item.source for item in items} == {"stream"}
