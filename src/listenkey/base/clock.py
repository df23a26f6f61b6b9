"""Time as the rest of the program sees it: integer microseconds, handed in as an argument.

Only the outer rooms read a real clock; everything else receives `now`.
"""

from typing import Protocol, TypeAlias

Micros: TypeAlias = int
"""Microseconds since the Unix epoch, or a span of microseconds."""

MILLISECOND: Micros = 1_000
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR


class Clock(Protocol):
    """Where the outer rooms take time from; tests put a virtual one here."""

    def wall(self) -> Micros:
        """Wall-clock time; may jump either way."""
        ...

    def monotonic(self) -> Micros:
        """Time since some fixed moment; never runs back and never jumps."""
        ...


def to_millis(at: Micros) -> int:
    """Milliseconds since the Unix epoch, as venues write times."""
    return at // MILLISECOND
