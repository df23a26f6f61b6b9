"""What events and rows say of an account, in the words of each venue."""

from decimal import Decimal

import msgspec
import pytest

from listenkey.dialect.registry import load_dialects
from listenkey.wire.history import Query, Row, reading_of, resting_among, totals_of

NAMES = ("USDT", "BTC", "ETH", "BNB", "TUSD")


def history(stream):
    """How a stream's past is told."""
    return next(each for one in load_dialects().values() for each in one.histories(stream))


def read(stream, row=None, **event):
    """What an event says, name by name."""
    reading = reading_of(history(stream), event["e"], msgspec.json.encode(event), NAMES, row)
    return {(each.name, each.is_total): each.amount for each in reading.changes}, reading


def test_a_spot_fill_exchanges_two_assets_and_pays_a_fee():
    """A wrong sign, or assets that were cut apart wrongly, would make each break a gap."""
    fill = {
        "e": "executionReport",
        "E": 6,
        "T": 5,
        "s": "BTCUSDT",
        "i": 7,
        "t": 9,
        "x": "TRADE",
        "X": "FILLED",
    }
    fill |= {"S": "SELL", "l": "0.5", "Y": "30000", "n": "0.01", "N": "BNB"}
    changes, reading = read("binance-spot", **fill)
    assert changes == {
        ("order BTCUSDT 7", True): 0,
        ("BTC", False): Decimal("-0.5"),
        ("USDT", False): 30000,
        ("BNB", False): Decimal("-0.01"),
    }
    assert (reading.at_ms, reading.follows) == (5, "order BTCUSDT 7")
    assert reading.identity == ("fill", "BTCUSDT", "7", "9")


@pytest.mark.parametrize(
    ("stream", "side", "place", "quantity", "moved"),
    [
        ("binance-usdm", "SELL", "BOTH", "2", -2),
        ("binance-usdm", "BUY", "SHORT", "2", 2),
        ("bingx-swap", "SELL", "SHORT", "2", 2),
        ("bingx-swap", "BUY", "SHORT", "2", -2),
    ],
)
def test_a_futures_fill_moves_its_position(stream, side, place, quantity, moved):
    """BingX tells a short one without a sign, and how much a fill was of in the row alone."""
    symbol = "BTC-USDT" if stream.startswith("bingx") else "BTCUSDT"
    order = {"s": symbol, "i": 7, "t": 9, "td": 9, "x": "TRADE", "X": "PARTIALLY_FILLED", "S": side, "T": 5}
    order |= {"ps": place, "l": quantity, "n": "-0.1", "N": "USDT", "rp": "4"}
    row = Row("fills", symbol, "7", "9", 5, {"qty": quantity})
    changes, _ = read(stream, row, e="ORDER_TRADE_UPDATE", E=6, T=5, o=order)
    assert changes[f"{symbol} {place}", False] == moved
    assert changes[f"order {symbol} 7", True] == 1
    assert changes["USDT", False] == 4, "the profit; the fee is told before it"


def test_a_state_event_says_how_things_are():
    """Also that there is nothing left of something."""
    event = {"B": [{"a": "USDT", "wb": "7", "cw": "7"}], "P": [{"s": "BTCUSDT", "pa": "0", "ps": "BOTH"}]}
    changes, reading = read("binance-usdm", e="ACCOUNT_UPDATE", E=6, T=5, a=event)
    assert changes == {("USDT", True): 7, ("BTCUSDT BOTH", True): 0}
    assert reading.identity is None


def test_a_new_order_follows_none_and_others_do():
    """An order that is filled and was never new shows that something was missed."""
    order = {
        "s": "BTCUSDT",
        "i": 7,
        "t": 0,
        "x": "NEW",
        "X": "NEW",
        "S": "BUY",
        "T": 5,
        "l": "0",
        "ps": "BOTH",
    }
    changes, reading = read("binance-usdm", e="ORDER_TRADE_UPDATE", E=6, T=5, o=order)
    assert (changes, reading.follows) == ({("order BTCUSDT 7", True): 1}, "")
    _, reading = read(
        "binance-usdm", e="ORDER_TRADE_UPDATE", E=6, T=5, o=order | {"x": "CANCELED", "X": "CANCELED"}
    )
    assert reading.follows == "order BTCUSDT 7"


def test_a_snapshot_says_the_same_in_rows():
    """The names agree with those of events."""
    rows = [
        Row("balances", "", "", "", 0, {"asset": "USDT", "balance": "7"}),
        Row(
            "positions",
            "BTCUSDT",
            "",
            "",
            0,
            {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-1"},
        ),
        Row("open_orders", "BTCUSDT", "7", "", 5, {"status": "PARTIALLY_FILLED"}),
    ]
    totals = totals_of(history("binance-usdm"), rows)
    assert totals == {"USDT": 7, "BTCUSDT BOTH": -1, "order BTCUSDT 7": 1}
    asked = resting_among(history("binance-usdm"), [*totals, "order ETHUSDT 8"])
    assert asked == [Query("order", "BTCUSDT", order_id="7"), Query("order", "ETHUSDT", order_id="8")]


def test_what_cannot_be_read_says_nothing():
    """Rubbish on a stream is somebody else's trouble."""
    for raw in (b"", b"[]", b"{", b'{"e":"ORDER_TRADE_UPDATE","o":7}', b'{"o":{"l":"x"}}'):
        assert reading_of(history("binance-usdm"), "ORDER_TRADE_UPDATE", raw, NAMES).identity is None
