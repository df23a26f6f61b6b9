"""Our client through a break, on the streams that tests/client does not have: whatever the venue calls
things, every fact is there once."""

import pytest

import listenkey
from listenkey.client.items import Gap
from listenkey.testing import TestingVenue
from tests.client.test_recovery import all_until, facts, looked, pause, truth
from tests.client.test_stream import until
from tests.testing.test_agreement import SYMBOLS


@pytest.fixture
async def venue():
    """A venue on the machine's clock, which sockets need."""
    async with TestingVenue() as venue:
        yield venue


def opened(venue, account, stream, within=20):
    """The stream, as a user opens it."""
    return listenkey.open_stream(
        stream,
        api_key=account.api_key,
        api_secret=account.api_secret,
        base_url=venue.rest_url,
        ws_url=venue.ws_url,
        by="listen_key",
        recover_within=within,
    )


def parted(items):
    """Facts in no order, and gaps."""
    told = facts(item for item in items if not isinstance(item, Gap))
    return sorted(str(key) for key, _ in told), [item for item in items if isinstance(item, Gap)]


async def broken(stream, venue, books):
    """A life with a break in its middle, in each of the books; all items of the stream."""
    await until(stream, "open")
    await looked(venue, len(books))
    orders = [await book.place(symbol, "BUY", "4", "10") for book, symbol in books]
    items = await all_until(stream, books[-1][0].events[-1].raw)
    with venue.away():
        await until(stream, "reconnecting")
        for (book, symbol), order in zip(books, orders, strict=True):
            await book.fill(order, "1")
            await pause()
            await book.fill(order, "2", "9")
            await pause()
            await book.cancel(await book.place(symbol, "BUY", "1", "8"))
            await pause()
    await until(stream, "open")
    for (book, _), order in zip(books, orders, strict=True):
        await book.cancel(order)
        await pause()
    return items + await all_until(stream, books[-1][0].events[-1].raw)


@pytest.mark.parametrize("name", ["binance-coinm", "binance-margin-isolated", "bingx-spot"])
async def test_a_break_loses_nothing(venue, name):
    """Inverse contracts, an account of one symbol, times that are cut to seconds: all complete."""
    account, symbol = await venue.account(), SYMBOLS[name][0]
    stream = f"{name}:{symbol}" if name == "binance-margin-isolated" else name
    book = account.book(stream)
    await book.deposit("BTC" if name == "binance-coinm" else "USDT", "100000")
    async with opened(venue, account, stream) as opening:
        told, gaps = parted(await broken(opening, venue, [(book, symbol)]))
    assert told == sorted(map(str, truth(book)))
    assert gaps == []


async def test_a_break_of_three_accounts_on_one_stream(venue):
    """Portfolio margin: each part is asked for its own, and all of them come to one whole."""
    account = await venue.account()
    books = [account.book("binance-pm", part) for part in ("um", "cm", "margin")]
    for book, asset in zip(books, ("USDT", "BTC", "USDT"), strict=True):
        await book.deposit(asset, "100000")
    symbols = ("BTCUSDT", "BTCUSD_PERP", "BTCUSDT")
    async with opened(venue, account, "binance-pm") as stream:
        told, gaps = parted(await broken(stream, venue, list(zip(books, symbols, strict=True))))
    assert told == sorted(str(each) for book in books for each in truth(book))
    assert gaps == []


async def test_what_nobody_can_add_up_is_a_gap(venue):
    """What a fill of an option does to a balance is not known: its facts are there, and a gap beside them."""
    account, symbol = await venue.account(), SYMBOLS["binance-options"][0]
    book = account.book("binance-options")
    await book.deposit("USDT", "100000")
    async with opened(venue, account, "binance-options", within=2) as stream:
        told, gaps = parted(await broken(stream, venue, [(book, symbol)]))
    assert told == sorted(map(str, truth(book)))
    assert [gap.reason for gap in gaps] == ["disconnected"]
    assert "USDT" in gaps[0].differs
