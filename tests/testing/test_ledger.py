"""The ledger of truth: what tests of bots are held against has to be right itself."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.testing.ledger import Books, Ledger, market

STEPS = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 5), st.integers(0, 9), st.booleans()),
    max_size=20,
)


@given(STEPS)
def test_spot_loses_and_makes_nothing(steps):
    """Deposits, less what was paid, plus what was got, less fees: that is what is there, free and locked."""
    ledger = Ledger("spot")
    ledger.deposit("USDT", 10**6, 0)
    ledger.deposit("BTC", 10**6, 0)
    for now, (side, quantity, price, ends) in enumerate(steps):
        ledger.place("BTCUSDT", side, quantity, price, now=now)
        order = max(ledger.books.orders)
        ledger.fill(order, Decimal(quantity) / 2, price or 7, now=now)
        if ends:
            ledger.end(order, now=now)
    fills = ledger.books.fills
    sign = {"BUY": 1, "SELL": -1}
    base = 10**6 + sum(sign[each.order.side] * each.quantity for each in fills)
    quote = 10**6 - sum(sign[each.order.side] * each.quote for each in fills)
    fees = {asset: sum(each.fee for each in fills if each.fee_asset == asset) for asset in ("BTC", "USDT")}
    balances = ledger.books.balances
    assert sum(balances["BTC"]) == base - fees["BTC"]
    assert sum(balances["USDT"]) == quote - fees["USDT"]
    resting = [order for order in ledger.books.orders.values() if order.is_open and order.price]
    locked = sum((each.quantity - each.filled) * each.price for each in resting if each.side == "BUY")
    assert balances["USDT"][1] == locked


@given(STEPS)
def test_a_position_that_is_closed_has_made_what_its_trades_say(steps):
    """Once flat, the profit is what was got less what was paid, however the position turned in between."""
    ledger = Ledger("futures")
    for now, (side, quantity, price, _) in enumerate(steps):
        ledger.place("BTCUSDT", side, quantity, now=now)
        ledger.fill(max(ledger.books.orders), quantity, 10 * price + 10, now=now, fee_rate=0)
    held = ledger.books.positions.get(("BTCUSDT", "BOTH"), (Decimal(0), Decimal(0)))[0]
    if held:
        ledger.place("BTCUSDT", "SELL" if held > 0 else "BUY", abs(held), now=99)
        ledger.fill(max(ledger.books.orders), abs(held), 50, now=99, fee_rate=0)
    fills = ledger.books.fills
    got = sum(each.quote if each.order.side == "SELL" else -each.quote for each in fills)
    wallet = ledger.books.balances.get("USDT", (Decimal(0), Decimal(0)))[0]
    assert wallet == sum(each.realized for each in fills)
    assert abs(wallet - got) < Decimal("0.0001")  # entry prices have eight digits


def test_what_is_not_there_cannot_be_spent():
    """An order that costs too much is refused, and nothing has changed by it."""
    ledger = Ledger("spot")
    ledger.deposit("USDT", "10", 0)
    before = ledger.books
    with pytest.raises(ValueError, match="not so much USDT"):
        ledger.place("BTCUSDT", "BUY", "1", "11", now=1)
    assert ledger.books == before


def test_orders_are_filled_no_further_than_they_go():
    """A slip of a test is told at once."""
    ledger = Ledger("futures")
    ledger.place("BTCUSDT", "BUY", "2", "10", now=0)
    with pytest.raises(ValueError, match="has 2 open"):
        ledger.fill(1, 3, 10, now=1)
    ledger.fill(1, 2, 10, now=1)
    for late in (lambda: ledger.fill(1, 1, 10, now=2), lambda: ledger.end(1, now=2)):
        with pytest.raises(ValueError, match="is FILLED"):
            late()
    with pytest.raises(KeyError):
        ledger.end(7, now=2)


def test_amounts_are_exact():
    """A float would bring its noise into the truth."""
    with pytest.raises(TypeError, match="exact"):
        Ledger("spot").deposit("USDT", 0.1, 0)  # type: ignore[arg-type]


def test_books_of_the_past():
    """History that lags is what the books were."""
    ledger = Ledger("futures")
    ledger.deposit("USDT", "10", 5)
    ledger.place("BTCUSDT", "BUY", "2", "10", now=7)
    ledger.fill(1, 1, 10, now=7)
    assert ledger.as_of(4) == Books()
    assert ledger.as_of(6).orders == {}
    assert ledger.as_of(7) == ledger.books


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("ETHBTC", ("ETH", "BTC")),
        ("BTCUSDT_260327", ("BTC", "USDT")),
        ("BTCUSD_PERP", ("BTC", "USD")),
        ("LTC-USDT", ("LTC", "USDT")),
        ("XYZ", ("XYZ", "USDT")),
    ],
)
def test_symbols_are_pairs(symbol, pair):
    """Which assets a trade moves, by the venues' spellings."""
    assert market(symbol) == pair
