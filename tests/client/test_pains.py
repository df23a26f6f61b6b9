"""What users of other clients suffered, group by group; each test names threads that it reproduces.

A expiry and renewal · B a key that is unknown though it was kept alive · C a dead socket that says nothing ·
D fills missed in a gap · E repeats and storms · F one key, many bots · G races and bans · H clocks · I calls
removed
"""

import asyncio
import time

import pytest
from msgspec import structs

import listenkey
from listenkey.base.clock import SECOND
from listenkey.base.errors import Refused
from listenkey.client import stream as stream_module
from listenkey.client import subscription as subscription_module
from listenkey.client import venue as venue_module
from listenkey.client.items import Gap, State
from listenkey.dialect.registry import load_dialects
from listenkey.testing import TestingVenue, VirtualClock
from tests.client.test_stream import WAIT, take, until
from tests.support.fault_proxy import FaultProxy

USDM = "binance-usdm"


@pytest.fixture
async def venue():
    """A venue on the machine's own time."""
    async with TestingVenue() as venue:
        yield venue


@pytest.fixture
async def account(venue):
    """An account with money on the futures market."""
    account = await venue.account()
    await account.book(USDM).deposit("USDT", "100000")
    return account


def opened(venue, account, stream=USDM, url="", **more):
    """A stream of the account."""
    rest = url or venue.rest_url
    return listenkey.open_stream(
        stream, api_key=account.api_key, api_secret=account.api_secret, base_url=rest, **more
    )


async def bought(book):
    """A fill; its order's id."""
    order = await book.place("BTCUSDT", "BUY", "0.1", "64000")
    await book.fill(order)
    return order


async def fill_event(stream):
    """The next fill."""
    while True:
        event = await take(stream)
        if event.type == "ORDER_TRADE_UPDATE" and event.data["o"]["x"] == "TRADE":
            return event


async def trade(stream):
    """The order of the next fill."""
    return (await fill_event(stream)).data["o"]["i"]


def keys_of(venue):
    """The listen keys that were ever made."""
    return venue.gateway.store.read_keys(None, None, None, 0, 100)


def time_left(venue):
    """Of the first key that was made."""
    return keys_of(venue)[0].expires_at - venue.gateway.clock.now()


async def eventually(condition, message):
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, message
        await asyncio.sleep(0.02)


def short_lives(monkeypatch):
    """Clients take a key's life for three seconds, and so extend it each second."""

    def short():
        return {name: with_life(dialect, 3) for name, dialect in load_dialects().items()}

    def with_life(dialect, seconds):
        return structs.replace(dialect, key_space=structs.replace(dialect.key_space, lifetime_s=seconds))

    monkeypatch.setattr(stream_module, "load_dialects", short)


# A: expiry, renewal -------------------------------------------------------------------------------------


async def test_a_a_key_outlives_its_hour_for_as_long_as_the_stream_is_read(monkeypatch):
    """python-binance#455, hummingbot#5713, ccxt#21702: alive for exactly one hour, then silence."""
    short_lives(monkeypatch)
    clock = VirtualClock(monotonic=1000 * SECOND)
    async with TestingVenue(clock=clock) as venue:
        account = await venue.account()
        book = account.book(USDM)
        await book.deposit("USDT", "100000")
        async with opened(venue, account) as stream:
            await until(stream, "open")
            for _ in range(4):
                clock.advance(50 * 60 * SECOND)
                await eventually(lambda: time_left(venue) > 59 * 60 * SECOND, "nobody extended the key")
            order = await bought(book)
            assert await trade(stream) == order
            assert len(keys_of(venue)) == 1, "and no other key was needed"


# B: unknown though it was kept alive ----------------------------------------------------------------------


async def test_b_a_key_that_somebody_deleted_is_replaced_and_fills_go_on(venue, account):
    """UBWA#275, UBWA#301, bbgo#931: another program's DELETE, a notice, and silence for ever."""
    book = account.book(USDM)
    async with opened(venue, account) as stream:
        await until(stream, "open")
        await venue.gateway.keys.close_by_id(str(keys_of(venue)[0].id))
        await eventually(lambda: len(keys_of(venue)) == 2, "no new key was made")
        await until(stream, "open")
        order = await bought(book)
        assert await trade(stream) == order


async def test_b_a_dead_key_that_a_venue_takes_without_a_word_is_found_out(venue, account):
    """ict_2025#73, sieblyio/binance#290: reconnected with the wrong key, accepted, and mute."""
    book = account.book(USDM)
    async with opened(venue, account) as stream:
        await until(stream, "open")
        with venue.away():
            await until(stream, "reconnecting")
            await venue.gateway.keys.close_by_id(str(keys_of(venue)[0].id))
        await eventually(lambda: len(keys_of(venue)) == 2, "the dead key was not found out")
        key_opened = None
        while key_opened != "key":
            state = await take(stream, State)
            key_opened = state.reason if state.state == "open" else None
        order = await bought(book)
        assert await trade(stream) == order


# C: silent dead sockets -----------------------------------------------------------------------------------


async def test_c_a_socket_that_died_without_a_word_is_found_within_seconds(venue, account):
    """python-binance#712, UBWA#342: no close, no error, no events; a user made an order a second to know."""
    book = account.book(USDM)
    with FaultProxy(venue.rest_url, hush=300) as proxy:
        async with opened(venue, account, url=proxy.url) as stream:
            await until(stream, "open")
            died = time.monotonic()
            await asyncio.wrap_future(proxy.cut("silent", "down", after=0, patience=0.1))
            state = await asyncio.wait_for(stream.next_item(), 3 * WAIT)
            assert state == State("reconnecting", "lost")
            assert time.monotonic() - died < 1.5 * WAIT
            await until(stream, "open")
            order = await bought(book)
            assert await trade(stream) == order


async def test_c_a_quiet_stream_is_not_taken_for_a_dead_one(venue, account):
    """Binance_Futures_python#14: a watchdog killed every stream on which nothing was traded for a minute."""
    async with opened(venue, account) as stream:
        await until(stream, "open")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.next_item(), 15)


# D: fills missed in a gap ---------------------------------------------------------------------------------


async def test_d_fills_of_a_gap_are_had_again_in_order_and_marked(venue, account):
    """UBWA#42, Binance.Net#947, nautilus#3861: what happened while nobody was connected was lost for good."""
    book = account.book(USDM)
    async with opened(venue, account) as stream:
        await until(stream, "open")
        before = await bought(book)
        assert await trade(stream) == before
        with venue.away():
            missed = [await bought(book) for _ in range(5)]
        after = await bought(book)
        found = [await fill_event(stream) for _ in (*missed, after)]
        assert [event.data["o"]["i"] for event in found] == [*missed, after]
        assert [event.source for event in found[:5]] == ["backfill"] * 5


async def test_d_what_cannot_be_had_again_is_named(venue, account):
    """ccxt#10754, python-binance#856: nobody could tell that anything was missing at all."""
    book = account.book(USDM)
    venue.faults.fail(1000, status=403)
    async with opened(venue, account) as stream:
        await until(stream, "open")
        with venue.away():
            await until(stream, "reconnecting")
            await bought(book)
        gap = await take(stream, Gap)
        assert gap.since_ms <= gap.until_ms
        order = await bought(book)
        assert await trade(stream) == order


# E: repeats and storms ------------------------------------------------------------------------------------


async def test_e_after_many_cuts_there_is_one_socket_and_no_event_comes_twice(venue, account):
    """binance-connector-python#505, node-binance-api#47: each drop doubled the connections, and handlers."""
    book = account.book(USDM)
    async with opened(venue, account) as stream:
        await until(stream, "open")
        for _ in range(5):
            with venue.away():
                await until(stream, "reconnecting")
            await until(stream, "open")
        await eventually(lambda: len(venue.gateway.connections) == 1, "more sockets than one stay")
        orders = [await bought(book) for _ in range(10)]
        assert [await trade(stream) for _ in orders] == orders


# F: one key, many bots ------------------------------------------------------------------------------------


async def test_f_a_bot_that_leaves_takes_nothing_from_the_others(venue, account):
    """UBWA#396, python-binance#264: stopping one program deleted the key of all, and of the web page."""
    book = account.book(USDM)
    async with opened(venue, account) as stays:
        await until(stays, "open")
        async with opened(venue, account) as leaves:
            await until(leaves, "open")
        order = await bought(book)
        assert await trade(stays) == order
        assert [key.state for key in keys_of(venue)] == ["active"]


# G: races and bans ----------------------------------------------------------------------------------------


class Busy:
    """Stands in for a venue that has enough: it answers a create with a refusal first, and then with a key.
    When each call came is kept."""

    def __init__(self, refusal):
        self.refusal = refusal
        self.calls = []

    async def serve(self, reader, writer):
        """A call after the other, until the client has enough."""
        while await head_of(reader):
            self.calls.append(time.monotonic())
            answer = self.refusal() if len(self.calls) == 1 else b'HTTP/1.1 200 OK%b{"listenKey":"k"}'
            head, _, body = answer.partition(b"%b")
            writer.write(b"%b\r\ncontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        writer.close()


async def head_of(reader):
    """Of the next call; nothing at the end."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def banned():
    """The ban's end is told in the message alone."""
    until = int(time.time() * 1000) + 2000
    said = f"Way too much request weight used; IP banned until {until}. Please use WebSocket Streams."
    return f'HTTP/1.1 418 I\'m a teapot%b{{"code":-1003,"msg":"{said}"}}'.encode()


def limited():
    """Told in a header."""
    return b'HTTP/1.1 429 Too Many Requests\r\nretry-after: 2%b{"code":-1003,"msg":"Too many requests."}'


@pytest.mark.parametrize("refusal", [banned, limited])
async def test_g_a_ban_is_waited_for_and_one_key_is_asked_for_at_a_time(refusal):
    """hummingbot#1379, ccxt#29393, python-binance#128: asked for again at once, and into the ban."""
    busy = Busy(refusal)
    server = await asyncio.start_server(busy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with listenkey.open_stream(USDM, api_key="k", base_url=f"http://127.0.0.1:{port}"):
        await eventually(lambda: len(busy.calls) >= 2, "it gave up")
        server.close()
    await server.wait_closed()
    await asyncio.sleep(0)
    assert busy.calls[1] - busy.calls[0] >= 1.9


# H: clocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong_by", [600, -600])
async def test_h_a_clock_ten_minutes_off_is_set_and_the_stream_comes(venue, account, monkeypatch, wrong_by):
    """ccxt#773, Binance.Net#728: -1021 on each signed call until somebody mends the machine's clock."""
    for module in (venue_module, subscription_module):
        real = module.wall_micros
        monkeypatch.setattr(module, "wall_micros", lambda real=real: real() + wrong_by * SECOND)
    book = account.book("binance-spot")
    await book.deposit("USDT", "100000")
    async with opened(venue, account, "binance-spot", by="subscription") as stream:
        await until(stream, "open")
        await book.deposit("USDT", "1")
        assert (await take(stream)).type in {"balanceUpdate", "outboundAccountPosition"}


# I: calls removed -----------------------------------------------------------------------------------------


async def test_i_a_removed_call_is_named_with_what_takes_its_place():
    """python-binance#1576, ccxt#27873: a 410 full of HTML, and a bot that retried it for ever."""
    async with TestingVenue(era="2026-03-01") as venue:
        account = await venue.account()
        async with opened(venue, account, "binance-spot") as stream:
            with pytest.raises(Refused, match="removed"):
                await until(stream, "open")
        async with opened(venue, account, "binance-spot", by="subscription") as stream:
            await until(stream, "open")


async def test_i_a_subscription_that_the_venue_ends_is_had_again(make_gate):
    """binance-connector-js#535: `eventStreamTerminated`, and nobody subscribed again."""
    gate = make_gate(era="2026-03-01")
    gate.clock.set_wall(time.time_ns() // 1000)
    async with gate:
        key = await gate.api_key()
        margin = "binance-margin"
        async with listenkey.open_stream(
            margin, api_key=key, base_url=gate.venue, by="subscription"
        ) as stream:
            await until(stream, "open")
            gate.advance(25 * 3600)
            await until(stream, "open")
            await gate.publish({"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "1", "T": 1}, stream=margin)
            assert (await take(stream)).data["a"] == "BTC"
