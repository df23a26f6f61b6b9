"""Numbers of rows and events, whatever stands in their place."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

_AMOUNT: Final = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
NONE: Final = Decimal(0)


def amount_of(value: Any) -> Decimal | None:
    """An amount, as a number or as text; None for what is none, or nobody's."""
    if isinstance(value, Decimal):
        return value
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return Decimal(text) if len(text) < 100 and _AMOUNT.fullmatch(text) else None


def integer_of(value: Any) -> int | None:
    """An id or a time, as a number or as text; None for what is none."""
    if isinstance(value, bool):
        return None
    text = str(value) if isinstance(value, str | int) else ""
    return int(text) if len(text) < 20 and _INTEGER.fullmatch(text) else None


def millis_of(value: Any) -> int:
    """A moment in milliseconds, of a number of them or of a date with its zone; 0 for none."""
    number = integer_of(value)
    if number is not None or not isinstance(value, str):
        return max(0, number or 0)
    try:
        told = datetime.fromisoformat(value)
        return max(0, round(told.timestamp() * 1000)) if told.tzinfo else 0
    except (ValueError, OverflowError):
        return 0
