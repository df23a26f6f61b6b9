"""The service clock's arithmetic: never back, and never ahead by surprise.

Two readings come in, wall-clock and monotonic time; one time comes out. A wall clock that was set back is
waited for at half speed rather than standing still, since windows and lifetimes hang on it. One that leaps
ahead by more than `LARGEST_STEP` is not followed until `accept_jump`, so that what it would expire can be
given grace first.
"""

from typing import Final

import msgspec

from listenkey.base.clock import MINUTE, Micros

LARGEST_STEP: Final[Micros] = MINUTE
GRACE: Final[Micros] = MINUTE


class Jump(msgspec.Struct, frozen=True):
    """A leap of the wall clock that is not followed yet: from where, to where."""

    before: Micros
    after: Micros


class Timekeeper:
    """Turns readings into service time."""

    def __init__(self, latest: Micros, wall: Micros, monotonic: Micros) -> None:
        """`latest` is the last time that was persisted; the clock starts no earlier."""
        self._now = max(latest, wall)
        self._monotonic = monotonic
        self.jump: Jump | None = None

    def read(self, wall: Micros, monotonic: Micros) -> Micros:
        """Service time for these readings; at least that of the call before."""
        elapsed = max(0, monotonic - self._monotonic)
        steady = self._now + elapsed
        if wall - steady <= LARGEST_STEP:
            self.jump = None  # none, or one that was taken back
        elif self.jump is None:
            self.jump = Jump(steady, wall)
        at_half_speed = self._now + elapsed // 2
        self._monotonic += elapsed
        if self.jump is not None:
            self._now = steady
        elif wall >= at_half_speed:
            self._now = wall
        else:
            self._now = at_half_speed
            self._monotonic -= elapsed % 2  # the half that was rounded away counts next time
        return self._now

    def accept_jump(self) -> None:
        """Follow the leap from now on."""
        if self.jump is not None:
            self._now += self.jump.after - self.jump.before
            self.jump = None
