"""A clock that moves only when it is told to, so that a day of a venue takes no time."""

from typing import Final

from listenkey.base.clock import DAY, Micros

FIRST_MOMENT: Final[Micros] = 20_000 * DAY
"""Where a virtual wall clock starts: midnight of 2024-10-04 UTC, where aligned windows begin too."""


class VirtualClock:
    """Wall-clock and monotonic time in microseconds, apart as on a real machine."""

    def __init__(self, wall: Micros = FIRST_MOMENT, monotonic: Micros = 0) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def wall(self) -> Micros:
        """Wall-clock time."""
        return self._wall

    def monotonic(self) -> Micros:
        """Time since the machine started."""
        return self._monotonic

    def advance(self, span: Micros) -> None:
        """Let time pass: both clocks move on. Errors: `ValueError` where `span` is negative."""
        if span < 0:
            raise ValueError("time does not run back; `set_wall` is for a clock that is set")
        self._wall += span
        self._monotonic += span

    def jump(self, span: Micros) -> None:
        """Set the wall clock ahead, or back where `span` is negative; no time passes."""
        self._wall += span

    def set_wall(self, wall: Micros) -> None:
        """Set the wall clock; no time passes."""
        self._wall = wall

    def reboot(self, away: Micros = 0) -> None:
        """The machine was off for a while: the wall clock went on, the monotonic one starts again."""
        self._wall += away
        self._monotonic = 0
