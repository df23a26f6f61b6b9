"""What events and rows say of an account, name by name: assets, positions and open orders.

A position's name is its symbol, and its side where it has one; an open order's begins with `order`, and it is
worth one for as long as it rests.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from listenkey.core.ledger import Change
from listenkey.core.recovery import Reading
from listenkey.dialect.history import Effect, History
from listenkey.wire.history.holdings import Holdings, fold, holdings_of
from listenkey.wire.history.identity import Identity, at, belongs, decoded, identity_in, text_at
from listenkey.wire.history.query import Query, Row

_NONE: Final = Decimal(0)
_SHORT: Final = "SHORT"
_SENT: Final = "E"
_ORDER: Final = "order"
_REJECTED: Final = "REJECTED"


def reading_of(
    history: History, event_type: str, payload: bytes, names: Collection[str], fill: Row | None = None
) -> Reading:
    """What an event means. `names`: what is known to be there; by them a symbol is told apart into assets.
    `fill`: the row that the event was made from."""
    effect = history.effect
    value = decoded(payload)
    is_order, is_state = event_type == history.order_event.type, event_type == history.state_event.type
    if value is None or not belongs(history, value):
        return Reading(0)
    place = "" if effect is None else effect.time if is_order else effect.state_time if is_state else ""
    time_ms = (_time(value, place) if place else 0) or _time(value, _SENT)
    if is_state:
        return Reading(time_ms, None, tuple(_totals(history, event_type, payload, value, time_ms)))
    if not is_order:
        return Reading(time_ms)
    changes = (*_order(history, value, time_ms), *_fill(history, value, time_ms, names, fill))
    identity = identity_in(history, value)
    return Reading(time_ms, identity, changes, _follows(history, value, identity))


def totals_of(history: History, rows: Iterable[Row]) -> dict[str, Decimal]:
    """What rows of a snapshot say together. Errors: `ValueError` for an amount that is none."""
    rows = tuple(rows)
    totals = dict(_named(history, holdings_of(history, rows)))
    resting = {history.order_event.born, history.order_event.partly}
    for row in rows:
        if row.kind == "open_orders" and str(row.fields.get(history.order_row.status, "")) in resting:
            totals[_order_name(history, row.symbol, row.order_id)] = Decimal(1)
    return totals


def resting_among(history: History, names: Iterable[str]) -> list[Query]:
    """How to ask for the orders that are among the names of what is held."""
    begin = _name(history, _ORDER).split()
    told = [name.split() for name in names]
    if "order" not in history.calls:
        return []
    return [
        Query("order", parts[-2], order_id=parts[-1])
        for parts in told
        if parts[:-2] == begin and len(parts) == len(begin) + 2
    ]


def _named(history: History, holdings: Holdings) -> Iterable[tuple[str, Decimal]]:
    for asset, amounts in holdings.balances.items():
        yield _name(history, asset), sum(amounts, _NONE)
    for (symbol, side), amount in holdings.positions.items():
        yield _name(history, symbol, side), amount


def _name(history: History, *parts: str) -> str:
    every = (history.part, *parts) if history.part else parts
    return " ".join(every if all(every) else filter(None, every))


def _order_name(history: History, symbol: str, order: str) -> str:
    return _name(history, _ORDER, symbol, order)


def _totals(history: History, event_type: str, payload: bytes, value: Any, time_ms: int) -> Iterable[Change]:
    """A state event's totals; what it names and of which nothing is left is among them."""
    try:
        held = dict(_named(history, fold(history, Holdings(), event_type, payload)))
    except ValueError:
        return
    for name in {*held, *_told(history, value)}:
        yield Change(name, time_ms, held.get(name, _NONE), is_total=True)


def _told(history: History, value: Any) -> Iterable[str]:
    event = history.state_event
    for item in _list(value, event.balances):
        yield _name(history, text_at(item, event.asset))
    for item in _list(value, event.positions) if event.positions else ():
        yield _name(history, text_at(item, event.symbol), text_at(item, event.side) if event.side else "")


def _list(value: Any, path: str) -> list[Any]:
    items = at(value, path)
    return items if isinstance(items, list) else []


def _order(history: History, value: Any, time_ms: int) -> Iterable[Change]:
    """Whether the order rests from then on."""
    event = history.order_event
    if "open_orders" not in history.calls:
        return
    status, execution = text_at(value, event.status), text_at(value, event.execution)
    name = _order_name(history, text_at(value, event.symbol), text_at(value, event.order))
    if status in {event.born, event.partly}:
        yield Change(name, time_ms, Decimal(1), is_total=True)
    elif status == event.filled or execution in event.ends.values():
        yield Change(name, time_ms, _NONE, is_total=True)


def _follows(history: History, value: Any, identity: Identity | None) -> str:
    if identity is None or "open_orders" not in history.calls or "new" in identity[3:4]:
        return ""
    if text_at(value, history.order_event.status) == _REJECTED:
        return ""
    return _order_name(history, identity[1], identity[2])


def _fill(
    history: History, value: Any, time_ms: int, names: Collection[str], row: Row | None
) -> Iterable[Change]:
    effect = history.effect
    if effect is None:
        return
    quantity = _amount(value, effect.quantity) if effect.quantity else _NONE
    if effect.row_quantity and row is not None:
        quantity = _amount(row.fields, effect.row_quantity)
    digits = history.balance_row.digits
    grain = Decimal(1).scaleb(-8 if digits is None else -digits)
    if quantity:
        bought = quantity if text_at(value, effect.side) == effect.buy else -quantity
        symbol = text_at(value, history.order_event.symbol)
        if effect.quote:
            quote = _amount(value, effect.quote)
            pair = _pair(history, symbol, names)
            changes = [(pair[0], bought), (pair[1], -quote if bought > 0 else quote)]
        else:
            side = text_at(value, effect.position_side) if effect.position_side else ""
            changes = [
                (_place(history, symbol, side), -bought if effect.unsigned and side == _SHORT else bought)
            ]
        for name, amount in (*changes, *_proceeds(history, effect, value, symbol, names)):
            if name and amount:
                yield Change(name, time_ms, amount, is_total=False, grain=grain)


def _place(history: History, symbol: str, side: str) -> str:
    return _name(history, symbol, side if history.state_event.side else "")


def _proceeds(
    history: History, effect: Effect, value: Any, symbol: str, names: Collection[str]
) -> Iterable[tuple[str, Decimal]]:
    if effect.fee:
        fee = _amount(value, effect.fee)
        yield _name(history, text_at(value, effect.fee_asset)), fee if effect.fee_is_negative else -fee
    if effect.profit:
        told = text_at(value, effect.profit_asset) if effect.profit_asset else ""
        asset = _name(history, told) if told else _pair(history, symbol, names)[1]
        yield asset, _amount(value, effect.profit)


def _pair(history: History, symbol: str, names: Collection[str]) -> tuple[str, str]:
    """The names of the two assets of a symbol: where it is written in one, split so that most of them are
    known."""
    if "-" in symbol:
        base, _, quote = symbol.partition("-")
        return _name(history, base), _name(history, quote)
    begin, likely = f"{history.part} " if history.part else "", ("", "")
    for split in range(1, len(symbol)):
        quote = begin + symbol[split:]
        if quote in names:
            pair = (begin + symbol[:split], quote)
            if pair[0] in names:
                return pair
            likely = likely if likely[1] else pair
    return likely


def _time(value: Any, path: str) -> int:
    text = text_at(value, path)
    return int(text) if text.isascii() and text.isdigit() else 0


def _amount(value: Any, path: str) -> Decimal:
    try:
        amount = Decimal(text_at(value, path) or 0)
    except InvalidOperation:
        return _NONE
    return amount if amount.is_finite() else _NONE
