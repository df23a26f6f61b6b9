"""Rows of orders and fills told as the venue's own events, in the order in which it would have sent them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from functools import partial
from typing import Any, Final

import msgspec

from listenkey.dialect.history import History
from listenkey.dialect.model import Dialect
from listenkey.wire.history.fields import EventMaker
from listenkey.wire.history.identity import Identity, fill_identity, order_identity
from listenkey.wire.history.numbers import NONE, amount_of, integer_of, millis_of
from listenkey.wire.history.query import Query, Row

_NEW, _FILL, _END = range(3)
_REJECTED: Final = "REJECTED"
_EIGHT: Final = Decimal("0.00000001")
_WIDE: Final = Context(prec=120)


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


class _Done(msgspec.Struct, frozen=True):
    """How much was executed, and for how much."""

    filled: Decimal
    quote: Decimal

    def average(self, *, inverse: bool) -> Decimal:
        """The price of all of it, to the eighth digit."""
        if not self.filled or not self.quote:
            return NONE
        price = self.filled / self.quote if inverse else self.quote / self.filled
        return price.quantize(_EIGHT, context=_WIDE).normalize()


_NOTHING: Final = _Done(NONE, NONE)


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
    """An event a fill, one for the beginning of an order and one for an end that is no fill, by time. Of
    beginnings and ends only those from `from_ms` to `to_ms`, where 0 bounds nothing; of fills all that are
    given, as some venues cut their times to seconds. Rows may repeat and stand in any order.
    Fills need the rows of their orders (`missing_orders`); those without are left out. All fills of an order
    that are later than the first one given have to be there, for the sums to be right."""
    maker = EventMaker(dialect, history)
    of_order = _by_order(fills)
    told = [
        event
        for key, order in _newest(history, orders).items()
        for event in _walk(history, order, of_order.get(key, []), from_ms)
        if event.fill or (from_ms <= event.place[0] and (not to_ms or event.place[0] <= to_ms))
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
    """Each order once, as it was last seen; of two that tell the same moment, the one that is over."""
    names, event = history.order_row, history.order_event

    def age(row: Row) -> tuple[int, Decimal, bool]:
        status = str(row.fields.get(names.status, ""))
        return _updated(history, row), _amount(row, names.filled), status in {event.filled, *event.ends}

    return {(row.symbol, row.order_id): row for row in sorted(orders, key=age)}


def _by_order(fills: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Each order's fills in the order of the trades, each once."""
    once = {(row.symbol, row.order_id, row.trade_id): row for row in fills}
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(once.values(), key=lambda row: (row.time_ms, _number(row.trade_id))):
        grouped[row.symbol, row.order_id].append(row)
    return grouped


def _walk(history: History, order: Row, fills: list[Row], from_ms: int) -> Iterator[_Told]:
    event = history.order_event
    status = str(order.fields.get(history.order_row.status, ""))
    end = event.ends.get(status)
    tell = partial(_told, history, order)
    if end != _REJECTED:
        yield tell(order.time_ms, None, execution="NEW", status=event.born, done=_NOTHING, open=True)
    done = _before(history, order, fills, from_ms)
    for fill in fills:
        last = _Done(_amount(fill, history.fill_row.quantity), _spent(history, fill))
        done = _Done(done.filled + last.filled, done.quote + last.quote)
        over = _is_over(history, order, done.filled, is_last=fill is fills[-1])
        now = event.filled if over else event.partly
        yield tell(
            _filled_at(history, order, fill),
            fill,
            execution="TRADE",
            status=now,
            done=done,
            last=last,
            open=not over,
        )
    if end is not None:
        last_word = event.ended.get(status, status)
        yield tell(_updated(history, order), None, execution=end, status=last_word, done=done, open=False)


def _filled_at(history: History, order: Row, fill: Row) -> int:
    """When a fill was, or the latest that it may have been: within its second, and no later than the order
    was changed last."""
    latest = min(fill.time_ms + history.fill_row.grain_ms - 1, _updated(history, order))
    return max(fill.time_ms, order.time_ms, latest)


def _spent(history: History, fill: Row) -> Decimal:
    """What a fill is worth in the quote asset; of inverse contracts, in the base asset."""
    if history.fill_row.quote:
        return _amount(fill, history.fill_row.quote)
    quantity, price = _amount(fill, history.fill_row.quantity), _amount(fill, history.fill_row.price)
    if history.order_row.inverse:
        return quantity / price if price else NONE
    return quantity * price


def _is_over(history: History, order: Row, filled: Decimal, *, is_last: bool) -> bool:
    """Whether a fill was an order's last. An order that is to spend an amount may have no quantity."""
    names = history.order_row
    if filled >= _amount(order, names.quantity) > 0:
        return True
    is_filled = order.fields.get(names.status) == history.order_event.filled
    return is_filled and is_last and filled >= _amount(order, names.filled)


def _before(history: History, order: Row, fills: list[Row], from_ms: int) -> _Done:
    """What an order had executed before the first of these fills: what it has, less those that it counts."""
    if from_ms and order.time_ms >= from_ms:
        return _NOTHING
    names, seen = history.order_row, _updated(history, order)
    counted = [fill for fill in fills if fill.time_ms <= seen]
    filled = _amount(order, names.filled)
    filled -= sum(_amount(each, history.fill_row.quantity) for each in counted)
    if filled <= 0:
        return _NOTHING
    if names.quote:
        return _Done(
            filled, max(NONE, _amount(order, names.quote) - sum(_spent(history, x) for x in counted))
        )
    average = _amount(order, names.average) if names.average else NONE
    if names.inverse:
        return _Done(filled, filled / average if average else NONE)
    return _Done(filled, filled * average)


def _told(
    history: History,
    order: Row,
    at: int,
    fill: Row | None,
    *,
    execution: str,
    status: str,
    done: _Done,
    last: _Done = _NOTHING,
    open: bool,  # noqa: A002 - the name of the field
) -> _Told:
    key = (order.symbol, order.order_id)
    if fill is not None:
        phase, identity = _FILL, fill_identity(history, *key, fill.trade_id)
    elif execution == "NEW":
        phase, identity = _NEW, order_identity(history, *key, "new")
    else:
        phase, identity = _END, order_identity(history, *key, "ended")
    walked = {
        "time": at,
        "execution": execution,
        "status": status,
        "quantity": _amount(order, history.order_row.quantity),
        "filled": done.filled,
        "filled_quote": done.quote,
        "average": done.average(inverse=history.order_row.inverse),
        "last": last.filled,
        "last_quote": last.quote,
        "open": open,
    }
    place = (at, phase, _number(order.order_id), _number(fill.trade_id) if fill else 0)
    return _Told(place, order, fill, walked, identity)


def _number(text: str) -> int:
    """An id as a number, for sorting."""
    return integer_of(text) or 0


def _updated(history: History, order: Row) -> int:
    return millis_of(order.fields.get(history.order_row.updated)) or order.time_ms


def _amount(row: Row, name: str) -> Decimal:
    """An amount of a row without its sign, by which some venues tell the side; nothing where there is
    none."""
    return abs(amount_of(row.fields.get(name)) or NONE)
