"""The lint of histories: a file that would ask wrongly, or make events that break readers, does not load."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from listenkey.base.errors import DialectError
from listenkey.dialect.history import History, HistoryCall, Mapped, QueryKind
from listenkey.dialect.lint import problems
from listenkey.dialect.registry import load_dialects

DIALECTS = load_dialects()
USDM = DIALECTS["binance-usdm"]
HISTORY = USDM.histories("binance-usdm")[0]
replace = msgspec.structs.replace
Change = Callable[[History], History]


def call(kind: QueryKind, **changes: object) -> Change:
    """A change of one call."""
    return lambda history: replace(
        history, calls={**history.calls, kind: replace(history.calls[kind], **changes)}
    )


def without(kind: QueryKind) -> Change:
    """A call less."""

    def change(history: History) -> History:
        calls: dict[QueryKind, HistoryCall] = {
            name: each for name, each in history.calls.items() if name != kind
        }
        return replace(history, calls=calls)

    return change


def order(**changes: object) -> Change:
    """A change of what tells of orders."""
    return lambda history: replace(history, order_event=replace(history.order_event, **changes))


def state(**changes: object) -> Change:
    """A change of what tells how things are."""
    return lambda history: replace(history, state_event=replace(history.state_event, **changes))


def field(path: str, source: str, neutral: str = "") -> Change:
    """Another field, in place of that of the same path."""

    def change(history: History) -> History:
        kept = [each for each in history.order_event.fields if each.path != path]
        return order(fields=(*kept, Mapped(path, source, neutral)))(history)

    return change


def less(path: str) -> Change:
    """A field less."""
    return lambda history: order(
        fields=tuple(each for each in history.order_event.fields if each.path != path)
    )(history)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda history: replace(history, stream="nowhere"), "there is no stream called nowhere"),
        (without("fills"), "calls: there is no fills"),
        (without("positions"), "positions have a call, a row and a place in the event, or none of them"),
        (lambda history: replace(history, position_row=None), "positions have a call, a row and a place"),
        (call("order", id_parameter=""), "calls.order: id_parameter says which"),
        (call("fills", path="fills"), "calls.fills.path: a path begins with /"),
        (call("fills", limit=0), "limit and limit_parameter go together"),
        (call("orders", to_parameter=""), "window_ms: is between two times"),
        (call("fills", limit=0, limit_parameter=""), "a page without a limit is never full"),
        (call("fills", paging="page"), "by pages wants page_parameter"),
        (call("fills", window_ms=0, from_parameter=""), "halves of a span want both times"),
        (order(type="NOTHING"), "its events are not in the catalogue"),
        (state(type="NOTHING"), "its events are not in the catalogue"),
        (order(symbol="o.nothing"), "o.nothing is no field of ORDER_TRADE_UPDATE"),
        (lambda history: replace(history, only={"fs": "UM"}), "fs is no field of ORDER_TRADE_UPDATE"),
        (field("o.nothing", "order.symbol"), "o.nothing is no single field"),
        (field("o", "order.symbol"), "o is no single field"),
        (field("o.s", "row.symbol"), "o.s cannot come from row.symbol"),
        (field("o.s", "walk.symbol"), "o.s cannot come from walk.symbol"),
        (field("o.t", "fill.id", "none"), "o.t: none is not JSON"),
        (field("o.t", "fill.id"), "o.t is left out of events that are no fill"),
        (less("o.s"), "order_event.fields: o.s is missing"),
        (state(amounts=("nothing",)), "a.B[].nothing is no field of ACCOUNT_UPDATE"),
        (state(amount="nothing"), "a.P[].nothing is no field of ACCOUNT_UPDATE"),
        (state(amounts=("wb", "cw")), "as many as the balance's row has"),
    ],
)
def test_what_would_not_work_is_told(change: Change, problem: str) -> None:
    """Each slip of a file's author has a line that names the place."""
    found = problems(replace(USDM, history=(change(HISTORY),)))
    assert any(problem in each for each in found), found


def test_one_row_for_a_part() -> None:
    """Two of the same would be asked twice."""
    assert "history: binance-usdm is there 2 times" in problems(replace(USDM, history=(HISTORY, HISTORY)))


def test_streams_whose_past_nobody_tells() -> None:
    """These always have a gap after a break; every other stream has a history."""
    told = {row.stream for dialect in DIALECTS.values() for row in dialect.history}
    streams = {stream.name for dialect in DIALECTS.values() for stream in dialect.streams}
    assert streams - told == WITHOUT


WITHOUT = {"binance-margin-risk", "binance-pm-pro", "bingx-coinm"}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('[[histories]]\nfile = "nothing"\nstream = "own"', "there is no nothing"),
        ('[[histories]]\nname = "binance-usdm"', "give each a file and a stream"),
    ],
)
def test_mentions_that_lead_nowhere(tmp_path: Path, lines: str, problem: str) -> None:
    """A user's file that names a history is told where it is wrong."""
    file = tmp_path / "own.toml"
    file.write_text(f'name = "own"\nextends = "binance-usdm"\n{lines}\n', encoding="utf-8")
    with pytest.raises(DialectError, match=problem):
        load_dialects([str(file)])


def test_symbols_are_no_part_of_a_streams_name() -> None:
    """An isolated margin account's history is found by its stream."""
    assert USDM.histories("binance-usdm:BTCUSDT") == (HISTORY,)
    assert USDM.histories("binance-spot") == ()
