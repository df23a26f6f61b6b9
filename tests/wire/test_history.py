"""Questions to a venue's past and what its answers mean; events of rows are held against a ledger in
tests/testing."""

import json
from decimal import Decimal
from itertools import pairwise
from urllib.parse import unquote

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import SECOND
from listenkey.dialect.registry import load_dialects
from listenkey.wire.client import CallResult
from listenkey.wire.history import (
    Holdings,
    Page,
    Query,
    Row,
    build_query,
    events_of,
    fold,
    holdings_of,
    identity_of,
    missing_orders,
    read_page,
    windows,
)
from listenkey.wire.messages import Signed
from listenkey.wire.signature import check_signature

DIALECTS = load_dialects()
USDM = DIALECTS["binance-usdm"]
HISTORY = USDM.histories("binance-usdm")[0]
NOW = 1_732_180_000 * SECOND
ORDER = {
    "avgPrice": "10", "clientOrderId": "bot-1", "cumQuote": "0", "executedQty": "0", "orderId": 7,
    "origQty": "0.4", "origType": "LIMIT", "price": "10", "reduceOnly": False, "side": "BUY",
    "positionSide": "BOTH", "status": "NEW", "stopPrice": "0", "closePosition": False, "symbol": "BTCUSDT",
    "time": 1000, "timeInForce": "GTC", "type": "LIMIT", "updateTime": 1000, "workingType": "MARK_PRICE",
    "priceProtect": False,
}  # fmt: skip


def fill(trade=1, order=7, time=2000, qty="0.1", price="10"):
    """A fill's row."""
    return {
        "symbol": "BTCUSDT", "id": trade, "orderId": order, "price": price, "qty": qty, "commission": "0.1",
        "quoteQty": str(Decimal(qty) * Decimal(price)), "commissionAsset": "USDT", "time": time,
        "maker": True, "realizedPnl": "0",
    }  # fmt: skip


def read(query, rows, status=200, headers=None, history=HISTORY):
    """What an answer says."""
    body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
    return read_page(USDM, history, query, status, headers or {}, body, NOW)


def with_limit(limit, **changes):
    """The history with pages of so many rows."""
    calls = dict(HISTORY.calls)
    calls["fills"] = msgspec.structs.replace(calls["fills"], limit=limit, **changes)
    return msgspec.structs.replace(HISTORY, calls=calls)


def test_a_request_is_whole():
    """Symbol, span, limit, time and signature, as the venue wants them."""
    call = build_query(USDM, HISTORY, Query("fills", "BTCUSDT", 5, 9), api_key="k", secret="s", now=NOW)
    path, _, query = call.path.partition("?")
    assert (call.method, path) == ("GET", "/fapi/v1/userTrades")
    assert query.startswith(
        "symbol=BTCUSDT&startTime=5&endTime=9&limit=1000&timestamp=1732180000000&signature="
    )
    assert call.headers == (("X-MBX-APIKEY", "k"),)


@pytest.mark.parametrize("key", [Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)])
def test_private_keys_sign_too(key):
    """With a PEM in place of the secret the signature is one that the venue's side takes."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    call = build_query(USDM, HISTORY, Query("fills", "BTCUSDT"), api_key="k", secret=pem, now=NOW)
    payload, _, signature = call.path.partition("?")[2].partition("&signature=")
    signed = Signed((payload.encode(),), unquote(signature), NOW, 0)
    assert check_signature(USDM, signed, b"", public) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_windows_cover_the_span(start, length):
    """No millisecond is left out, and no window is wider than the venue takes."""
    history = with_limit(10, window_ms=1000)
    pieces = windows(history, "fills", start, start + length)
    assert (pieces[0][0], pieces[-1][1]) == (start, start + length)
    assert all(end - begin <= 1000 for begin, end in pieces)
    assert all(one[1] == other[0] for one, other in pairwise(pieces))


def test_a_full_page_is_asked_for_in_halves():
    """Whichever rows the venue left out, they are in one of them; what was to come is not forgotten."""
    query = Query("fills", "BTCUSDT", 1001, 3000, later=((3000, 9000),))
    page = read(query, [fill(1), fill(2)], history=with_limit(2))
    assert isinstance(page, Page)
    assert page.next == Query("fills", "BTCUSDT", 1001, 2000, later=((2000, 3000), (3000, 9000)))
    assert page.whole


def test_after_a_half_comes_the_other():
    """A page with room is the last of its span."""
    query = Query("fills", "BTCUSDT", 1001, 2000, later=((2000, 3000),))
    page = read(query, [fill(1)], history=with_limit(2))
    assert isinstance(page, Page)
    assert page.next == Query("fills", "BTCUSDT", 2000, 3000)


def test_pages_by_number():
    """A full page goes on with the next; a short one is the last."""
    history = with_limit(2, paging="page", page_parameter="page")
    query = Query("fills", "BTCUSDT", 1001, 3000)
    page = read(query, [fill(1), fill(2)], history=history)
    assert isinstance(page, Page)
    assert page.next == msgspec.structs.replace(query, page=2)
    call = build_query(USDM, history, page.next, api_key="k", secret="s", now=NOW)
    assert "page=2" in call.path
    assert read(page.next, [fill(3)], history=history).next is None


def test_pages_come_to_an_end():
    """A venue that gives a full page whatever the number is told from one that has so much."""
    history = with_limit(1, paging="page", page_parameter="page")
    page = read(Query("fills", "BTCUSDT", 1001, 3000, page=100), [fill(1)], history=history)
    assert isinstance(page, Page)
    assert page.next is None
    assert not page.whole


def test_what_takes_no_times_is_not_held_to_any():
    """Open orders are of whenever they were made."""
    assert isinstance(read(Query("open_orders", "BTCUSDT", 5000, 9000), [ORDER]), Page)


def test_rows_of_another_time_are_not_believed():
    """A venue that answers with a page of before is asked again; a time cut to its second is none of that."""
    found = read(Query("fills", "BTCUSDT", 5000, 9000), [fill(1, time=2000)])
    assert isinstance(found, CallResult)
    assert found.outcome == "transient"
    assert isinstance(read(Query("fills", "BTCUSDT", 2600, 9000), [fill(1, time=2000)]), Page)
    assert isinstance(read(Query("orders", "BTCUSDT", 5000, 9000), [{**ORDER, "updateTime": 6000}]), Page)


def test_a_page_of_one_moment_is_not_whole():
    """More rows of one millisecond than a page holds cannot be asked for."""
    page = read(Query("fills", "BTCUSDT", 2000, 2001), [fill(1), fill(2)], history=with_limit(2))
    assert isinstance(page, Page)
    assert not page.whole
    assert page.next is None


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"<html>", "transient"),
        (200, b"", "transient"),
        (200, b'[{"id":1},', "transient"),
        (200, b"[1,2]", "transient"),
        (200, b'{"code":-1000,"msg":"x"}', "transient"),
        (502, b"<html>", "transient"),
        (200, b'{"code":0,"rows":[]}', "transient"),
        (400, b'{"code":-1127,"msg":"More than 24 hours"}', "refused"),
        (400, b'{"code":-1021,"msg":"late"}', "clock"),
        (401, b'{"code":-2015,"msg":"key"}', "refused"),
        (429, b'{"code":-1003,"msg":"slow down"}', "limited"),
        (200, b"[" * 100_000, "transient"),
        (200, b'[{"x":"\xff"}]', "transient"),
    ],
)
def test_answers_without_rows(status, body, outcome):
    """Whatever comes, the caller hears whether to ask again."""
    found = read(Query("fills", "BTCUSDT"), body, status)
    assert isinstance(found, CallResult)
    assert found.outcome == outcome


def test_when_to_come_again():
    """A limit's own word about that is kept."""
    found = read(Query("fills"), b"{}", 418, {"retry-after": "60"})
    assert isinstance(found, CallResult)
    assert found.retry_at == NOW + 60 * SECOND


def test_amounts_keep_their_digits():
    """A JSON number is not squeezed through a float."""
    page = read(Query("balances"), b'[{"asset":"X","balance":1.000000000000000000001}]')
    assert isinstance(page, Page)
    assert page.rows[0].fields["balance"] == "1.000000000000000000001"


@pytest.mark.parametrize(
    ("paths", "answer", "ids"),
    [
        (("data.fills|orders",), {"data": {"orders": [fill(1)]}}, ["1"]),
        (("data.fills",), {"data": {"fills": None}}, []),
        (("assets[].base", "assets[].quote"), {"assets": [{"base": fill(1), "quote": fill(2)}]}, ["1", "2"]),
        (("order",), {"order": fill(3)}, ["3"]),
        (("assets[].base",), {"assets": []}, []),
        (("assets[].base",), {"assets": {}}, None),
        (("data.fills",), {"data": []}, None),
        (("data.fills",), {"data": {}}, None),
    ],
)
def test_where_rows_are(paths, answer, ids):
    """Venues wrap them in many ways; an answer without the wrapping is no empty list."""
    page = read(Query("fills", "BTCUSDT"), answer, history=with_limit(5, rows=paths))
    assert [row.trade_id for row in page.rows] == ids if ids is not None else isinstance(page, CallResult)


@pytest.mark.parametrize(
    ("time", "ms"),
    [
        (1732180000123, 1732180000123),
        ("1732180000123", 1732180000123),
        ("2024-11-21T17:06:40.123+0800", 1732180000123),
        ("2024-11-21T09:06:40Z", 1732180000000),
        ("2024-11-21T09:06:40", 0),
        ("yesterday", 0),
        (None, 0),
    ],
)
def test_times_of_rows(time, ms):
    """Numbers and dates; a date without its zone says nothing."""
    page = read(Query("fills", "BTCUSDT"), [{**fill(1), "time": time}])
    assert isinstance(page, Page)
    assert page.rows[0].time_ms == ms


def test_contracts_of_a_fixed_worth():
    """COIN-M: the average price is that of contracts bought, not of coins."""
    coinm = DIALECTS["binance-coinm"]
    history = coinm.histories("binance-coinm")[0]
    orders = [Row("orders", "BTCUSD_PERP", "7", "", 1000, {**ORDER, "symbol": "BTCUSD_PERP", "origQty": "2"})]
    fills = [
        Row("fills", "BTCUSD_PERP", "7", str(number), 2000, {"id": number, "qty": "1", "price": price})
        for number, price in ((1, "10"), (2, "40"))
    ]
    told = events_of(coinm, history, orders, fills)
    assert [json.loads(each.raw)["o"]["ap"] for each in told] == ["0", "10", "16"]


def test_sales_with_a_minus():
    """Options say the side by a sign, and cancelled with two l; events do neither."""
    options = DIALECTS["binance-options"]
    history = options.histories("binance-options")[0]
    order = {
        "orderId": 7, "symbol": "BTC-1-C", "side": "SELL", "type": "LIMIT", "quantity": "-0.50",
        "executedQty": "-0.20", "status": "CANCELLED", "updateTime": 3000,
    }  # fmt: skip
    fields = {"tradeId": 9, "quantity": "-0.20", "price": "3", "liquidity": "MAKER"}
    told = events_of(
        options,
        history,
        [Row("orders", "BTC-1-C", "7", "", 1000, order)],
        [Row("fills", "BTC-1-C", "7", "9", 2000, fields)],
    )
    events = [json.loads(each.raw)["o"] for each in told]
    assert [(each["q"], each["z"], each["X"], each["m"]) for each in events] == [
        ("0.50", "0", "NEW", False),
        ("0.50", "0.20", "PARTIALLY_FILLED", True),
        ("0.50", "0.20", "CANCELED", False),
    ]


def test_parts_of_one_stream():
    """Of portfolio margin each event belongs to one part, and the same ids in two are two facts."""
    um, cm, margin = DIALECTS["binance-pm"].histories("binance-pm")
    order = {"s": "BTCUSDT", "i": 7, "t": 9, "x": "TRADE"}
    futures = json.dumps({"e": "ORDER_TRADE_UPDATE", "fs": "UM", "o": order}).encode()
    spot = json.dumps({"e": "executionReport", **order}).encode()
    assert identity_of(um, "ORDER_TRADE_UPDATE", futures) == ("fill", "BTCUSDT", "7", "9", "um")
    assert identity_of(cm, "ORDER_TRADE_UPDATE", futures) is None
    assert identity_of(margin, "executionReport", spot) == ("fill", "BTCUSDT", "7", "9", "margin")
    balances = {"B": [{"a": "USDT", "wb": "5"}], "P": []}
    update = json.dumps({"e": "ACCOUNT_UPDATE", "fs": "CM", "a": balances}).encode()
    assert fold(um, Holdings(), "ACCOUNT_UPDATE", update) == Holdings()
    assert fold(cm, Holdings(), "ACCOUNT_UPDATE", update).balances == {"USDT": (Decimal(5),)}


def test_balances_that_rest_rounds():
    """BingX says four digits of what its events say eight of."""
    bingx = DIALECTS["bingx"]
    history = bingx.histories("bingx-swap")[0]
    balances = {"a": {"B": [{"a": "USDT", "wb": "117.80007595"}]}, "e": "ACCOUNT_UPDATE"}
    folded = fold(history, Holdings(), "ACCOUNT_UPDATE", json.dumps(balances).encode())
    row = Row("balances", "", "", "", 0, {"asset": "USDT", "balance": "117.8001"})
    assert folded == holdings_of(history, [row])


@pytest.mark.parametrize(
    ("created", "updated", "time"),
    [(1000, 2345, 2345), (1000, 9000, 2999), (2500, 2500, 2500), (1000, 1500, 2000)],
)
def test_times_that_are_cut_to_seconds(created, updated, time):
    """The latest that it may have been, so that nothing that a snapshot has not is taken for part of it."""
    bingx = DIALECTS["bingx"]
    history = bingx.histories("bingx-spot")[0]
    order = {"orderId": 7, "origQty": "5", "updateTime": updated}
    fields = {"id": 9, "qty": "1", "price": "2", "time": 2000}
    told = events_of(
        bingx,
        history,
        [Row("orders", "LTC-USDT", "7", "", created, order)],
        [Row("fills", "LTC-USDT", "7", "9", 2000, fields)],
    )
    assert [each.time_ms for each in told] == [created, time]


def test_amounts_that_are_numbers():
    """BingX spot writes amounts as JSON numbers, and so do the events made of its rows, digit by digit."""
    bingx = DIALECTS["bingx"]
    history = bingx.histories("bingx-spot")[0]
    order = {"orderId": 7, "symbol": "LTC-USDT", "side": "BUY", "type": "MARKET", "origQty": "0.0582"}
    fields = {"id": 9, "qty": "0.0582", "price": "85.891", "commission": "-5.82e-05", "quoteQty": "4.9988562"}
    told = events_of(
        bingx,
        history,
        [Row("orders", "LTC-USDT", "7", "", 1000, order)],
        [Row("fills", "LTC-USDT", "7", "9", 2000, fields)],
    )
    assert b'"X":"PENDING"' in told[0].raw
    assert b'"z":0.0582,"L":85.891,"n":-0.0000582' in told[1].raw
    assert b'"i":7' in told[1].raw


def rows(kind, *found):
    """Rows as they are read."""
    page = read(Query(kind, "BTCUSDT"), list(found))
    assert isinstance(page, Page)
    return page.rows


def test_fills_without_their_orders_are_asked_for():
    """Each order once; those that are there are not."""
    fills = rows("fills", fill(1, 8), fill(2, 8), fill(3, 7))
    wanted = missing_orders(rows("orders", ORDER), fills)
    assert wanted == [Query("order", "BTCUSDT", order_id="8")]
    assert events_of(USDM, HISTORY, (), fills) == []


def test_sums_go_on_from_before_the_break():
    """Of an order that had 0.1 before, a fill of 0.2 makes 0.3, at the average of both."""
    order = {
        **ORDER,
        "executedQty": "0.3",
        "cumQuote": "3.4",
        "updateTime": 5000,
        "status": "PARTIALLY_FILLED",
    }
    (told,) = events_of(
        USDM,
        HISTORY,
        rows("orders", order),
        rows("fills", fill(2, time=5000, qty="0.2", price="12")),
        from_ms=4000,
    )
    event = json.loads(told.raw)["o"]
    assert (event["l"], event["z"], event["X"], event["ap"]) == (
        "0.2",
        "0.3",
        "PARTIALLY_FILLED",
        "11.33333333",
    )


def test_an_order_row_older_than_its_fills():
    """The row was read before the last fill; the sum counts it all the same."""
    order = {**ORDER, "executedQty": "0.1", "cumQuote": "1", "updateTime": 2000}
    told = events_of(
        USDM,
        HISTORY,
        rows("orders", order),
        rows("fills", fill(1, time=2000), fill(2, time=3000)),
        from_ms=1500,
    )
    assert [json.loads(each.raw)["o"]["z"] for each in told] == ["0.1", "0.2"]


def test_rows_that_repeat_are_told_once():
    """Windows touch, and pages may overlap."""
    orders, fills = rows("orders", ORDER, ORDER), rows("fills", fill(1), fill(1))
    assert [each.identity[0] for each in events_of(USDM, HISTORY, orders, fills)] == ["order", "fill"]


@pytest.mark.parametrize("turned", [False, True])
def test_an_order_that_two_lists_have(turned):
    """One says that it rests and one that it is over, of the same millisecond: over is what it is."""
    pair = [ORDER, {**ORDER, "status": "CANCELED"}]
    told = events_of(USDM, HISTORY, rows("orders", *(pair[::-1] if turned else pair)), ())
    assert [each.identity[-1] for each in told] == ["new", "ended"]


def test_both_sides_of_a_trade_with_oneself():
    """One trade id, two orders, two facts."""
    orders = rows("orders", ORDER, {**ORDER, "orderId": 8})
    told = events_of(USDM, HISTORY, orders, rows("fills", fill(1, 7), fill(1, 8)))
    assert len({each.identity for each in told}) == 4


def test_a_rejected_order_never_began():
    """It has one event, its end."""
    told = events_of(USDM, HISTORY, rows("orders", {**ORDER, "status": "REJECTED"}), ())
    assert [json.loads(each.raw)["o"]["x"] for each in told] == ["REJECTED"]


def test_orders_that_spend_an_amount():
    """A market order by amount may have no quantity of its own; the last fill makes it whole."""
    order = {**ORDER, "origQty": "0", "executedQty": "0.2", "status": "FILLED", "updateTime": 3000}
    told = events_of(USDM, HISTORY, rows("orders", order), rows("fills", fill(1), fill(2, time=3000)))
    assert [json.loads(each.raw)["o"]["X"] for each in told] == ["NEW", "PARTIALLY_FILLED", "FILLED"]


@pytest.mark.parametrize(
    ("change", "identity"),
    [
        ({"x": "TRADE", "t": 9}, ("fill", "BTCUSDT", "7", "9")),
        ({"x": "CALCULATED", "t": 9}, ("fill", "BTCUSDT", "7", "9")),
        ({"x": "NEW"}, ("order", "BTCUSDT", "7", "new")),
        ({"x": "CANCELED"}, ("order", "BTCUSDT", "7", "ended")),
        ({"x": "EXPIRED"}, ("order", "BTCUSDT", "7", "ended")),
        ({"x": "AMENDMENT"}, None),
        ({"x": "TRADE", "t": 0}, None),
        ({"x": "TRADE", "t": 9, "i": None}, None),
    ],
)
def test_by_what_a_streamed_event_is_known(change, identity):
    """As the recovered one of the same fact; what REST cannot tell has no identity."""
    order = {"s": "BTCUSDT", "i": 7, "t": 0, **change}
    payload = json.dumps({"e": "ORDER_TRADE_UPDATE", "o": order}).encode()
    assert identity_of(HISTORY, "ORDER_TRADE_UPDATE", payload) == identity


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"7", b'{"o":7}', b"[" * 100_000])
def test_rubbish_has_no_identity(payload):
    """No frame ends a reader."""
    assert identity_of(HISTORY, "ORDER_TRADE_UPDATE", payload) is None
    assert identity_of(HISTORY, "TRADE_LITE", payload) is None


def test_nothing_of_an_asset_is_the_same_as_no_word_of_it():
    """Venues list assets of which there is none."""
    balances, positions = [{"a": "USDT", "wb": "0.000"}], [{"s": "BTCUSDT", "ps": "BOTH", "pa": "0"}]
    payload = json.dumps({"e": "ACCOUNT_UPDATE", "a": {"B": balances, "P": positions}}).encode()
    assert fold(HISTORY, Holdings(), "ACCOUNT_UPDATE", payload) == Holdings()


@pytest.mark.parametrize("amount", ['"NaN"', '"Infinity"', '"x"', "null", "{}"])
def test_amounts_that_are_none(amount):
    """What nobody can add up is not added up."""
    payload = b'{"e":"ACCOUNT_UPDATE","a":{"B":[{"a":"USDT","wb":%s}]}}' % amount.encode()
    with pytest.raises(ValueError, match="wb is no amount"):
        fold(HISTORY, Holdings(), "ACCOUNT_UPDATE", payload)
    with pytest.raises(ValueError, match="cannot be read"):
        fold(HISTORY, Holdings(), "ACCOUNT_UPDATE", b"{")


def test_events_of_every_history_are_as_the_catalogue_says():
    """Rows with nothing but ids still make events that a strict reader takes."""
    for dialect in DIALECTS.values():
        for history in dialect.history:
            names, trade = history.order_row, history.fill_row
            order = {names.id: "7", names.status: "NEW", names.quantity: "1", names.symbol: "BTCUSDT"}
            fields = {trade.id: "9", trade.order: "7", trade.quantity: "1", trade.price: "2"}
            told = events_of(
                dialect,
                history,
                [Row("orders", "BTCUSDT", "7", "", 1000, order)],
                [Row("fills", "BTCUSDT", "7", "9", 2000, fields)],
            )
            assert [identity_of(history, each.type, each.raw) for each in told] == [
                each.identity for each in told
            ]
            assert [each.identity[0] for each in told] == ["order", "fill"]


WHEN = "0001-01-01T00:00:00+23:59"
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        (
            "",
            "FILLED",
            "CANCELED",
            "REJECTED",
            "1e9",
            "1E+99999",
            "9" * 5000,
            "1.5",
            "-1",
            "NaN",
            "none",
            WHEN,
        )
    ),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "o"]), inner, max_size=2)
    ),
    max_leaves=4,
)
"""Values that may stand in a row where a good venue has others."""
PARTS = [(dialect, history) for dialect in DIALECTS.values() for history in dialect.history]


@given(st.sampled_from(PARTS), st.data())
def test_rows_of_any_kind_make_good_json_or_nothing(part, data):
    """Whatever a venue's rows hold, the reader goes on, and what it makes is JSON that is told apart as it
    says."""
    dialect, history = part
    names = history.order_row
    order_names = [names.id, names.symbol, names.status, names.created, names.updated, names.filled]
    order_names += [names.quantity, names.average or "average", names.quote or "quote", "price", "side"]
    row = history.fill_row
    fill_names = [row.id, row.order, row.symbol, row.quantity, row.price, row.time, row.quote or "quote"]
    order = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(order_names, ODD)))
    fields = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(fill_names, ODD)))
    query = Query("fills", "BTCUSDT", 1, 9000)
    pages = [
        read_page(dialect, history, query, 200, {}, answer_with(history.calls[kind].rows[0], each), NOW)
        for kind, each in (("orders", order), ("fills", fields))
    ]
    found = [page.rows for page in pages if isinstance(page, Page)]
    told = events_of(dialect, history, [each for rows in found for each in rows], [])
    given = [Row("orders", "BTCUSDT", "7", "", 1, order)], [Row("fills", "BTCUSDT", "7", "9", 2, fields)]
    for each in (*told, *events_of(dialect, history, *given)):
        assert msgspec.json.decode(each.raw)["e"] == history.order_event.type


def answer_with(path, row):
    """A body that has a row at a path."""
    answer = [row]
    for name in reversed(path.split(".") if path else ()):
        answer = {name.partition("|")[0].removesuffix("[]"): answer}
    return json.dumps(answer).encode()


@given(st.binary(max_size=60) | st.recursive(ODD, lambda inner: st.lists(inner, max_size=3)).map(json.dumps))
def test_no_body_ends_a_reader(body):
    """Rows, a reason, and never an error of ours."""
    body = body if isinstance(body, bytes) else body.encode()
    for kind in HISTORY.calls:
        assert isinstance(read(Query(kind, "X", 1, 2, order_id="7"), body), Page | CallResult)
