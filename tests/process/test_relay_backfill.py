"""A relay of a venue that loses events for good: what its history knows is journaled all the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from listenkey.testing import TestingVenue
from tests.process.relaying import journal, metric
from tests.support.gateway import Gateway

PATIENCE = 90.0


async def until(what: Callable[[], bool]) -> None:
    """Wait until it is so; the venue lives in this very loop."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(what):
            await asyncio.sleep(0.05)


class Relayed:
    """A venue, a relay of one stream of it, and what each has."""

    def __init__(self, venue: TestingVenue, relay: Gateway, stream: str, book: Any) -> None:
        self.venue = venue
        self.relay = relay
        self.stream = stream
        self.book = book

    async def trade(self, symbol: str, count: int) -> None:
        """Orders that are matched at once, each at a moment of its own: history tells no other order."""
        for _ in range(count):
            order = await self.book.place(symbol, "BUY", "0.01", "100")
            await self.next_moment()
            await self.book.fill(order, "0.01")
            await self.next_moment()

    async def next_moment(self) -> None:
        """Let the venue's clock go on."""
        now_ms = self.venue.now_ms
        while self.venue.now_ms <= now_ms + 1:
            await asyncio.sleep(0.001)

    def truth(self) -> list[dict[str, Any]]:
        """What happened to orders, of the venue's own."""
        return facts(json.loads(each.raw) for each in self.book.events)

    def had(self) -> list[dict[str, Any]]:
        """The same of the relay's journal."""
        return facts(each["event"] for each in journal(self.relay, "desk", self.stream) if "event" in each)

    def gaps(self) -> list[dict[str, Any]]:
        """The holes in the relay's journal."""
        return [each["gap"] for each in journal(self.relay, "desk", self.stream) if "gap" in each]

    def is_whole(self) -> bool:
        """Whether the relay has all that happened to orders."""
        return len(self.had()) >= len(self.truth())

    def has_kept(self, *, events: bool) -> bool:
        """Whether it wrote down what a restart begins with: what was held, after an event or before any."""
        query = "SELECT value FROM setting WHERE name LIKE 'source:%'"
        file = f"file:{self.relay.data}/listenkey.db?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True)) as db:
            rows = db.execute(query).fetchall()
        holdings = rows[0][0].partition(b"\n")[2] if rows else b""
        return holdings != b"" and (b'"last":""' not in holdings) == events

    def is_open(self) -> bool:
        """Whether it reads its upstream."""
        return metric(self.relay, "upstreams_open") == 1


def facts(events: Any) -> list[dict[str, Any]]:
    """Order events by what tells them apart: symbol, order, what happened, and the trade."""
    orders = [each.get("o") if each["e"] == "ORDER_TRADE_UPDATE" else each for each in events]
    kinds = {"NEW", "TRADE"}
    return [
        {name: each[name] for name in ("s", "i", "x", "t")}
        for each in orders
        if isinstance(each, dict) and each.get("x") in kinds
    ]


STREAMS = ["binance-usdm", "binance-spot"]


@pytest.fixture(params=STREAMS)
async def relayed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Relayed]:
    """A relay that is open, of an account with means."""
    stream = request.param
    async with TestingVenue() as venue:
        account = await venue.account("alice")
        book = account.book(stream)
        await book.deposit("USDT", "100000")
        await book.deposit("BNB", "3")
        table = (
            f'[upstream.main]\nstream = "{stream}"\naccount = "desk"\nbase_url = "{venue.rest_url}"\n'
            f'api_key = "{account.api_key}"\napi_secret = "{account.api_secret}"\nsymbols = ["LTCUSDT"]\n'
        )
        (tmp_path / "relay.toml").write_text(table, encoding="ascii")
        relay = Gateway(tmp_path / "relay", args=["--config", str(tmp_path / "relay.toml")])
        await asyncio.to_thread(relay.start)
        try:
            relayed = Relayed(venue, relay, stream, book)
            await until(relayed.is_open)
            yield relayed
        finally:
            await asyncio.to_thread(relay.close)


async def test_what_a_cut_lost_is_fetched_and_stands_in_its_order(relayed: Relayed) -> None:
    """Fills of before the cut, those that were never streamed, and those of after it: each once and in order;
    and since the venue's snapshot agrees, no hole is told."""
    await relayed.trade("BTCUSDT", 3)
    await relayed.trade("ETHUSDT", 1)
    await until(relayed.is_whole)
    with relayed.venue.away():
        await relayed.trade("BTCUSDT", 5)
        await relayed.trade("ETHUSDT", 2)
    await until(relayed.is_open)
    await relayed.trade("BTCUSDT", 2)
    await until(relayed.is_whole)
    assert relayed.had() == relayed.truth()
    assert await asyncio.to_thread(metric, relayed.relay, "upstream_backfilled_total") >= 14
    assert relayed.gaps() == []


async def test_a_killed_relay_fetches_what_came_meanwhile(relayed: Relayed) -> None:
    """What was filled between the kill and the start is in the journal, before what came afterwards."""
    await relayed.trade("BTCUSDT", 3)
    await until(relayed.is_whole)
    await asyncio.to_thread(relayed.relay.kill)
    await relayed.trade("BTCUSDT", 3)
    await asyncio.to_thread(relayed.relay.start)
    await until(relayed.is_open)
    await relayed.trade("BTCUSDT", 1)
    await until(relayed.is_whole)
    assert relayed.had() == relayed.truth()


@pytest.mark.parametrize("relayed", ["binance-spot"], indirect=True)
async def test_a_symbol_of_the_configuration_is_asked_for(relayed: Relayed) -> None:
    """Its first fill ever came while the relay was down: since the configuration names it, it is no hole."""
    await relayed.trade("BTCUSDT", 1)
    await until(relayed.is_whole)
    await until(partial(relayed.has_kept, events=True))
    await asyncio.to_thread(relayed.relay.kill)
    await relayed.trade("LTCUSDT", 1)
    await asyncio.to_thread(relayed.relay.start)
    await until(relayed.is_open)
    await until(relayed.is_whole)
    assert (relayed.had(), relayed.gaps()) == (relayed.truth(), [])


@pytest.mark.soak
@pytest.mark.parametrize("relayed", ["binance-spot"], indirect=True)
async def test_what_cannot_be_asked_for_is_a_hole_that_says_so(relayed: Relayed) -> None:
    """Spot tells fills symbol by symbol: one that nobody ever saw cannot be asked for, but the snapshot has
    what was bought. The hole stands in the journal, and names it."""
    await relayed.trade("BTCUSDT", 1)
    await until(relayed.is_whole)
    with relayed.venue.away():
        await relayed.trade("ETHUSDT", 1)
        await relayed.trade("BTCUSDT", 1)
    await until(lambda: relayed.gaps() != [])
    (gap,) = relayed.gaps()
    assert (gap["reason"], gap["cause"]) == ("upstream", "disconnected")
    assert gap["symbols"] == ["LTCUSDT", "BTCUSDT"], "the one that was named, and the one that was seen"
    assert "ETH" in gap["differs"]
    assert 0 < gap["since"] <= gap["until"]
    assert relayed.had() == [each for each in relayed.truth() if each["s"] == "BTCUSDT"]


async def test_a_quiet_time_of_a_killed_relay_is_no_hole(relayed: Relayed) -> None:
    """Nothing happened while it was down, and the venue's snapshot says so, also of what no event ever told
    of: not after trades, and not where there never were any."""
    for traded in (0, 1):
        await relayed.trade("BTCUSDT", traded)
        await until(relayed.is_whole)
        await until(partial(relayed.has_kept, events=bool(traded)))
        await asyncio.to_thread(relayed.relay.restart, kill=True)
        await until(relayed.is_open)
    await relayed.trade("BTCUSDT", 1)
    await until(relayed.is_whole)
    assert relayed.gaps() == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
async def test_cuts_and_kills_in_any_order(relayed: Relayed, seed: int) -> None:
    """Trades go on while the venue loses events and the relay is killed, whenever chance says: each fact is
    in the journal once and in order, and nothing is missing but for a hole that is told."""
    chance, over = random.Random(seed), asyncio.Event()

    async def trade() -> None:
        while not over.is_set():
            await relayed.trade(chance.choice(("BTCUSDT", "ETHUSDT")), 1)
            await asyncio.sleep(0.02)

    await relayed.trade("BTCUSDT", 1)
    await relayed.trade("ETHUSDT", 1)
    await until(relayed.is_whole)
    trading = asyncio.create_task(trade())
    for _ in range(6):
        await asyncio.sleep(chance.uniform(0.2, 3))
        if chance.random() < 0.5:
            await asyncio.to_thread(relayed.relay.restart, kill=True)
        else:
            with relayed.venue.away():
                await asyncio.sleep(chance.uniform(0.1, 1))
    over.set()
    await trading
    await until(relayed.is_open)
    await relayed.trade("BTCUSDT", 1)
    wanted = relayed.truth()
    await until(lambda: wanted[-1] in relayed.had())
    had = relayed.had()
    assert [each for each in wanted if each in had] == had
    assert had == wanted or relayed.gaps()
