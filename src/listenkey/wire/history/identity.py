"""By what a fact is known again, whether it was streamed or asked for."""

from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from listenkey.dialect.history import History

Identity: TypeAlias = tuple[str, ...]
"""`("fill", symbol, order, trade)`, `("order", symbol, order, "new")` or `("order", symbol, order, "ended")`,
and after it the part, where a stream has several."""

_TRADES: Final = frozenset({"TRADE", "CALCULATED"})
_NO_TRADE: Final = frozenset({"", "0", "-1"})
_read: Final = msgspec.json.Decoder(float_hook=str).decode


def identity_of(history: History, event_type: str, payload: bytes) -> Identity | None:
    """The identity of a streamed event; None for what REST calls cannot tell, such as an amendment, and for
    what cannot be read."""
    if event_type != history.order_event.type:
        return None
    value = decoded(payload)
    return identity_in(history, value) if belongs(history, value) else None


def identity_in(history: History, value: Any) -> Identity | None:
    """The identity of an order event of this part, decoded."""
    event = history.order_event
    symbol, order, trade = (text_at(value, path) for path in (event.symbol, event.order, event.trade))
    execution = text_at(value, event.execution)
    if not symbol or not order:
        return None
    if execution in _TRADES:
        return None if trade in _NO_TRADE else fill_identity(history, symbol, order, trade)
    if execution == "NEW":
        return order_identity(history, symbol, order, "new")
    return order_identity(history, symbol, order, "ended") if execution in event.ends.values() else None


def fill_identity(history: History, symbol: str, order: str, trade: str) -> Identity:
    """Of a fill. Both sides of a trade with oneself have its id."""
    return ("fill", symbol, order, trade, *filter(None, (history.part,)))


def order_identity(history: History, symbol: str, order: str, what: str) -> Identity:
    """Of an order's beginning or end."""
    return ("order", symbol, order, what, *filter(None, (history.part,)))


def belongs(history: History, value: Any) -> bool:
    """Whether an event is about this part of its stream."""
    return all(text_at(value, path) == wanted for path, wanted in history.only.items())


def decoded(payload: bytes) -> Any:
    """An event; None for rubbish."""
    try:
        return _read(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def at(value: Any, path: str) -> Any:
    """What lies at a path of names joined by dots; None where nothing does."""
    for name in _steps(path):
        value = value.get(name) if isinstance(value, dict) else None
    return value


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def text_at(value: Any, path: str) -> str:
    """The same as text; empty where nothing lies there."""
    found = at(value, path)
    return "" if found is None else str(found)
