"""Whatever happens in a ledger, its history read back says the same as its stream."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listenkey.dialect.events import faults, table_of
from listenkey.testing.ledger import market
from listenkey.wire.history import Holdings
from tests.testing.desk_reader import STREAMS, DeskReader

UNTOLD = {"E", "I", "b", "a", "er", "o.b", "o.a", "o.er"}
"""What REST does not say."""
OF_FILLS = {"N", "o.N", "o.ma"}
"""What REST says of fills alone."""
SYMBOLS = {
    **dict.fromkeys(STREAMS, ("BTCUSDT", "ETHUSDT")),
    **dict.fromkeys(("bingx-spot", "bingx-swap"), ("BTC-USDT", "ETH-USDT")),
    **dict.fromkeys(("binance-coinm", "binance-pm cm"), ("BTCUSD_PERP", "ETHUSD_PERP")),
    "binance-options": ("BTC-251226-120000-C", "ETH-251226-4000-P"),
    "binance-margin-isolated": ("BTCUSDT",),
}
GRAIN = {"bingx-spot": 1000}
"""Where REST cuts the times of fills, and by how much at most."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["place", "place", "fill", "fill", "fill", "cancel", "expire", "deposit", "wait"]),
        st.integers(0, 99),
        st.integers(1, 9),
        st.integers(0, 3),
    ),
    max_size=40,
)


def play(reader, symbols, steps, *, rich=True):
    """A life of an account by steps; `rich`: it begins with enough of everything."""
    ledger = reader.ledger
    for asset in ("USDT", *(market(symbol)[0] for symbol in symbols)) if rich else ():
        reader.tell(ledger.deposit(asset, 10**9, reader.now))
    for verb, which, size, wait in steps:
        reader.now += wait
        orders = [order for order in ledger.books.orders.values() if order.is_open]
        if verb == "place":
            symbol, side = symbols[which % len(symbols)], ("BUY", "SELL")[which % 3 == 0]
            price = 0 if which % 7 == 0 else Decimal(size * 100 + which) / 10
            reader.tell(ledger.place(symbol, side, size, price, now=reader.now))
        elif verb == "deposit":
            reader.tell(ledger.deposit("USDT", size, reader.now))
        elif orders and verb == "fill":
            order = orders[which % len(orders)]
            amount = min(Decimal(size) / 2, order.quantity - order.filled)
            price = order.price or Decimal(which + 1)
            reader.tell(ledger.fill(order.id, amount, price, now=reader.now, is_maker=which % 2 == 0))
        elif orders and verb in {"cancel", "expire"}:
            status = {"cancel": "CANCELED", "expire": "EXPIRED"}[verb]
            reader.tell(ledger.end(orders[which % len(orders)].id, status, now=reader.now))


def plain(raw):
    """An event's single fields by path, amounts as numbers."""

    def walk(value, above):
        for name, each in value.items():
            if isinstance(each, dict):
                yield from walk(each, f"{above}{name}.")
            else:
                yield f"{above}{name}", number(each)

    def number(each):
        if isinstance(each, str) and each.replace(".", "", 1).replace("-", "", 1).isdigit():
            return Decimal(each)
        return Decimal(str(each)) if isinstance(each, float) else each

    return {path: each for path, each in walk(msgspec.json.decode(raw), "") if path not in UNTOLD}


@pytest.mark.parametrize("stream", STREAMS)
@given(steps=STEPS, leaves_out=st.sampled_from(["newest", "oldest"]))
@settings(max_examples=60, deadline=None)
def test_history_tells_every_fact_that_was_streamed(stream, steps, leaves_out):
    """A program that was away the whole time gets each order's beginning, fills and end, field by field, over
    pages that are full, whichever rows they lack."""
    reader = DeskReader(stream, limit=4)
    reader.faults.leaves_out = leaves_out
    reader.now = 1_732_180_000_000
    play(reader, SYMBOLS[stream], [(*step, wait + 1) for *step, wait in steps])
    told = reader.recovered(SYMBOLS[stream], 1_732_180_000_000, reader.now)
    facts = {identity: (time, raw) for identity, time, raw in reader.facts()}
    assert {each.identity for each in told} == facts.keys()
    assert [each.time_ms for each in told] == sorted(each.time_ms for each in told)
    for each in told:
        time, raw = facts[each.identity]
        assert time <= each.time_ms <= time + GRAIN.get(stream, 0)
        there, here = plain(raw), plain(each.raw)
        if stream in GRAIN:
            del there["T"]
        both = (here.keys() & there.keys()) - (OF_FILLS if each.identity[0] == "order" else set())
        both -= {"i"} if SYMBOLS[stream][0] == "BTCUSD_PERP" else set()  # the alias of the account
        assert {path: there[path] for path in both} == {path: here[path] for path in both}
        assert there.keys() - here.keys() <= OF_FILLS | {"o.sg", "o.ti"}


@pytest.mark.parametrize("stream", STREAMS)
@given(steps=STEPS, cut=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_a_break_in_the_middle_of_orders(stream, steps, cut):
    """Orders that were open before the break go on with the right sums, and nothing older is told again."""
    reader = DeskReader(stream)
    reader.now = 1_732_180_000_000
    play(reader, SYMBOLS[stream], steps[:cut])
    known = [(order.symbol, str(order.id)) for order in reader.ledger.books.orders.values() if order.is_open]
    before = len(reader.facts())
    reader.now += 1
    since = reader.now
    play(reader, SYMBOLS[stream], [step for step in steps[cut:] if step[0] != "deposit"], rich=False)
    told = reader.recovered(SYMBOLS[stream], since, reader.now, known)
    missed = reader.facts()[before:]
    assert {each.identity for each in told} == {identity for identity, _, _ in missed}
    facts = {identity: raw for identity, _, raw in missed}
    for each in told:
        there, here = plain(facts[each.identity]), plain(each.raw)
        for path in ("z", "o.z", "Z", "X", "o.X", "x", "o.x", "l", "o.l"):
            assert here.get(path) == there.get(path), path


@pytest.mark.parametrize("stream", STREAMS)
@given(steps=STEPS)
@settings(max_examples=40, deadline=None)
def test_state_events_add_up_to_what_rest_says(stream, steps):
    """Equal holdings mean that nothing is missing; here nothing is."""
    reader = DeskReader(stream)
    play(reader, SYMBOLS[stream], steps)
    assert reader.folded(Holdings()) == reader.holdings()


@pytest.mark.parametrize("stream", STREAMS)
def test_a_lost_state_event_shows(stream):
    """One fill whose account event was lost makes the holdings differ."""
    reader = DeskReader(stream)
    reader.now = 2
    reader.tell(reader.ledger.deposit("USDT", "1000", 0))
    reader.tell(reader.ledger.place("BTCUSDT", "BUY", "2", "100", now=1))
    whole = reader.folded(Holdings())
    assert whole == reader.holdings()
    reader.ledger.fill(1, "1", "100", now=2)
    assert reader.holdings() != whole


@pytest.mark.parametrize("stream", STREAMS)
def test_events_are_as_the_catalogue_says(stream):
    """A bot that reads a testing venue's events strictly reads the real one's, and history's too."""
    reader = DeskReader(stream)
    symbols, steps = SYMBOLS[stream], [("place", 1, 4, 1), ("fill", 0, 2, 1), ("cancel", 0, 1, 1)]
    play(reader, symbols, steps)
    tables = {
        event.type: table_of(event)
        for event in reader.dialect.events
        if reader.history.stream in event.streams
    }
    told = [raw for _, raw in reader.streamed]
    told += [each.raw for each in reader.recovered(symbols, 0, reader.now)]
    assert len(told) > 7
    for raw in told:
        event = msgspec.json.decode(raw)
        assert list(faults(tables[event["e"]], event, unknown=True)) == []
