"""Rows of orders and fills told as the venue's own events, in the order in which it would have sent them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from listenkey.dialect.history import History
from listenkey.dialect.model import Dialect
from listenkey.wire.history.fields import EventMaker
from listenkey.wire.history.identity import Identity, fill_identity, order_identity
from listenkey.wire.history.query import Query, Row

_NEW, _FILL, _END = range(3)
_REJECTED: Final = "REJECTED"
_NONE: Final = Decimal(0)


class RecoveredEvent(msgspec.Struct, frozen=True):
    """A fact of history, as an event of the stream would have told it."""

    type: str
    raw: bytes
    time_ms: int
    identity: Identity


class _Told(msgspec.Struct, frozen=True):
    """One event to be: where it stands among the others, and what follows for it from the walk."""

    place: tuple[int, int, int, int]
    order: Row
    fill: Row | None
    walked: dict[str, Any]
    identity: Identity


def missing_orders(orders: Sequence[Row], fills: Sequence[Row]) -> list[Query]:
    """How to ask for the orders whose fills are there and who are not."""
    there = {(row.symbol, row.order_id) for row in orders}
    wanted = dict.fromkeys((row.symbol, row.order_id) for row in fills)
    return [Query("order", symbol, order_id=id_) for symbol, id_ in wanted if (symbol, id_) not in there]


def events_of(
    dialect: Dialect,
    history: History,
    orders: Sequence[Row],
    fills: Sequence[Row],
    *,
    from_ms: int = 0,
    to_ms: int = 0,
) -> list[RecoveredEvent]:
    """An event a fill, one for the beginning of an order and one for an end that is no fill, by time. Of all
    only what happened from `from_ms` to `to_ms`; 0 bounds nothing. Rows may repeat and stand in any order.
    Fills need the rows of their orders (`missing_orders`); those without are left out. All fills of an order
    that are later than the first one given have to be there, for the sums to be right."""
    maker = EventMaker(dialect, history)
    of_order = _by_order(fills)
    told = [
        event
        for key, order in _newest(history, orders).items()
        for event in _walk(history, order, of_order.get(key, []), from_ms)
        if from_ms <= event.place[0] and (not to_ms or event.place[0] <= to_ms)
    ]
    return [
        RecoveredEvent(
            history.order_event.type,
            maker.make(each.order.fields, each.fill.fields if each.fill else {}, each.walked),
            each.place[0],
            each.identity,
        )
        for each in sorted(told, key=lambda each: each.place)
    ]


def _newest(history: History, orders: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """Each order once, as it was last seen."""
    by_time = sorted(orders, key=lambda row: (_updated(history, row), _amount(row, history.order_row.filled)))
    return {(row.symbol, row.order_id): row for row in by_time}


def _by_order(fills: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Each order's fills in the order of the trades, each once."""
    once = {(row.symbol, row.order_id, row.trade_id): row for row in fills}
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(once.values(), key=lambda row: (row.time_ms, number(row.trade_id))):
        grouped[row.symbol, row.order_id].append(row)
    return grouped


def _walk(history: History, order: Row, fills: list[Row], from_ms: int) -> Iterator[_Told]:
    event, names = history.order_event, history.fill_row
    status = str(order.fields.get(history.order_row.status, ""))
    end = event.ends.get(status)
    if end != _REJECTED:
        born = _state("NEW", event.born, _NONE, _NONE, is_open=True)
        yield _told(history, order, order.time_ms, None, born)
    filled, quote = _before(history, order, fills, from_ms)
    for fill in fills:
        last = _amount(fill, names.quantity)
        last_quote = _amount(fill, names.quote) if names.quote else last * _amount(fill, names.price)
        filled, quote = filled + last, quote + last_quote
        done = _is_done(history, order, filled, is_last=fill is fills[-1])
        state = _state("TRADE", event.filled if done else event.partly, filled, quote, is_open=not done)
        yield _told(history, order, fill.time_ms, fill, {**state, "last": last, "last_quote": last_quote})
    if end is not None:
        over = _state(end, event.ended.get(status, status), filled, quote, is_open=False)
        yield _told(history, order, _updated(history, order), None, over)


def _is_done(history: History, order: Row, filled: Decimal, *, is_last: bool) -> bool:
    """Whether a fill was an order's last. An order that is to spend an amount may have no quantity."""
    names = history.order_row
    if filled >= _amount(order, names.quantity) > 0:
        return True
    is_filled = order.fields.get(names.status) == history.order_event.filled
    return is_filled and is_last and filled >= _amount(order, names.filled)


def _before(history: History, order: Row, fills: list[Row], from_ms: int) -> tuple[Decimal, Decimal]:
    """What an order had executed before the first of these fills: what it has, less those that it counts."""
    if from_ms and order.time_ms >= from_ms:
        return _NONE, _NONE
    names, seen = history.fill_row, _updated(history, order)
    counted = [fill for fill in fills if fill.time_ms <= seen]
    filled = _amount(order, history.order_row.filled) - sum(_amount(each, names.quantity) for each in counted)
    if filled <= 0:
        return _NONE, _NONE
    if history.order_row.quote and names.quote:
        spent = sum(_amount(each, names.quote) for each in counted)
        return filled, max(_NONE, _amount(order, history.order_row.quote) - spent)
    average = _amount(order, history.order_row.average) if history.order_row.average else _NONE
    return filled, filled * average


def _state(execution: str, status: str, filled: Decimal, quote: Decimal, *, is_open: bool) -> dict[str, Any]:
    average = round(quote / filled, 8).normalize() if filled else _NONE
    return {
        "execution": execution,
        "status": status,
        "filled": filled,
        "filled_quote": quote,
        "average": average,
        "last": _NONE,
        "last_quote": _NONE,
        "open": is_open,
    }


def _told(history: History, order: Row, at: int, fill: Row | None, walked: dict[str, Any]) -> _Told:
    symbol, number_ = order.symbol, order.order_id
    if fill is not None:
        phase, identity = _FILL, fill_identity(history, symbol, number_, fill.trade_id)
    elif walked["execution"] == "NEW":
        phase, identity = _NEW, order_identity(history, symbol, number_, "new")
    else:
        phase, identity = _END, order_identity(history, symbol, number_, "ended")
    place = (at, phase, number(order.order_id), number(fill.trade_id) if fill else 0)
    return _Told(place, order, fill, {**walked, "time": at}, identity)


def number(text: str) -> int:
    """An id as a number, 0 where it is none; for sorting."""
    return int(text) if text.isascii() and text.isdigit() else 0


def _updated(history: History, order: Row) -> int:
    return number(str(order.fields.get(history.order_row.updated, ""))) or order.time_ms


def _amount(row: Row, name: str) -> Decimal:
    """An amount of a row; nothing where there is none."""
    try:
        amount = Decimal(str(row.fields.get(name) or 0))
    except InvalidOperation:
        return _NONE
    return amount if amount.is_finite() else _NONE
