"""Balances and positions, as events and as rows say them: equal where nothing is missing."""

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import Any, Final

import msgspec

from listenkey.dialect.history import History
from listenkey.wire.history.identity import at, belongs, decoded, text_at
from listenkey.wire.history.numbers import amount_of
from listenkey.wire.history.query import Row

_WIDE: Final = Context(prec=120)


class Holdings(msgspec.Struct, frozen=True):
    """What an account has; nothing of an asset or a position is the same as none of it."""

    balances: dict[str, tuple[Decimal, ...]] = {}
    """By asset, the amounts that the venue tells of one."""
    positions: dict[tuple[str, str], Decimal] = {}
    """By symbol and side; the side is empty where a symbol has one position."""


def holdings_of(history: History, rows: Iterable[Row]) -> Holdings:
    """What rows of balances and of positions say together. Errors: `ValueError` for an amount that is
    none."""
    balances: dict[str, tuple[Decimal, ...]] = {}
    positions: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        if row.kind == "balances":
            names = history.balance_row
            balances[text_at(row.fields, names.asset)] = _amounts(history, row.fields, names.amounts)
        elif row.kind == "positions" and history.position_row is not None:
            place = history.position_row
            side = text_at(row.fields, place.side) if place.side else ""
            positions[row.symbol, side] = _amount(row.fields, place.amount)
    return _without_nothing(balances, positions)


def fold(history: History, holdings: Holdings, event_type: str, payload: bytes) -> Holdings:
    """What is had after an event. Errors: `ValueError` for an amount that is none, and for an event that
    cannot be read."""
    event = history.state_event
    if event_type != event.type:
        return holdings
    value = decoded(payload)
    if value is None:
        raise ValueError("the event cannot be read")
    if not belongs(history, value):
        return holdings
    balances, positions = dict(holdings.balances), dict(holdings.positions)
    for item in _items(value, event.balances):
        balances[text_at(item, event.asset)] = _amounts(history, item, event.amounts)
    for item in _items(value, event.positions) if event.positions else ():
        side = text_at(item, event.side) if event.side else ""
        positions[text_at(item, event.symbol), side] = _amount(item, event.amount)
    return _without_nothing(balances, positions)


def _items(value: Any, path: str) -> list[Any]:
    items = at(value, path)
    return items if isinstance(items, list) else []


def _amounts(history: History, fields: Any, names: tuple[str, ...]) -> tuple[Decimal, ...]:
    digits = history.balance_row.digits
    amounts = tuple(_amount(fields, name) for name in names)
    if digits is None:
        return amounts
    unit = Decimal(1).scaleb(-digits)
    return tuple(amount.quantize(unit, context=_WIDE) for amount in amounts)


def _amount(fields: Any, name: str) -> Decimal:
    value = at(fields, name)
    amount = amount_of(value)
    if amount is None:
        raise ValueError(f"{name} is no amount: {str(value)[:40]!r}")
    return amount


def _without_nothing(
    balances: dict[str, tuple[Decimal, ...]], positions: dict[tuple[str, str], Decimal]
) -> Holdings:
    return Holdings(
        {asset: amounts for asset, amounts in balances.items() if any(amounts)},
        {place: amount for place, amount in positions.items() if amount},
    )
