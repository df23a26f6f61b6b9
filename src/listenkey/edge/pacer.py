"""One timer for all sockets: heartbeats, deadlines, positions.

Ten thousand timers of their own would cost more than the sockets; sleepers are filed by the tick in which
they are due, and only the next tick is armed with the event loop.
"""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final, Protocol

from listenkey.base.clock import MILLISECOND, SECOND, Micros

TICK: Final[Micros] = 50 * MILLISECOND
_BATCH: Final = 256  # sockets woken in one turn of the loop, so that a wave of them does not hold up events


class Sleeper(Protocol):
    """Something that waits. `tick` belongs to the pacer: 0 while nothing is awaited."""

    tick: int

    def wake(self, now: Micros) -> None:
        """The time asked for has come."""
        ...


class Pacer:
    """Wakes sleepers at or after the time they asked for, never before it, within a tick."""

    def __init__(self, monotonic: Callable[[], Micros]) -> None:
        self._monotonic = monotonic
        self._slots: dict[int, set[Sleeper]] = {}
        self._ticks: list[int] = []
        self._passed = monotonic() // TICK
        self._armed: asyncio.TimerHandle | None = None
        self._armed_tick = 0

    def now(self) -> Micros:
        """The monotonic time that sleepers are woken by."""
        return self._monotonic()

    def wake_at(self, sleeper: Sleeper, at: Micros) -> None:
        """Wake a sleeper then, and no more at the time it asked for before."""
        tick = max(-(-at // TICK), self._passed + 1)
        if sleeper.tick == tick:
            return
        self.forget(sleeper)
        sleeper.tick = tick
        slot = self._slots.get(tick)
        if slot is not None:
            slot.add(sleeper)
            return
        self._slots[tick] = {sleeper}
        heapq.heappush(self._ticks, tick)
        if self._armed is None or tick < self._armed_tick:
            self._arm()

    def forget(self, sleeper: Sleeper) -> None:
        """Do not wake a sleeper any more."""
        if sleeper.tick:
            self._slots[sleeper.tick].discard(sleeper)
            sleeper.tick = 0

    def run(self, now: Micros) -> None:
        """Wake whoever is due. Called by the timer; by hand where time is virtual. One that fails does not
        keep the others from being woken: the next turn goes on after it."""
        try:
            self._wake_due(now)
        finally:
            self._arm()

    def _wake_due(self, now: Micros) -> None:
        left = _BATCH
        self._passed = now // TICK  # who asks now for what is past waits a tick, so that this ends
        while self._ticks and self._ticks[0] * TICK <= now and left:
            tick = self._ticks[0]
            slot = self._slots[tick]
            while slot and left:
                left -= 1
                sleeper = slot.pop()
                sleeper.tick = 0
                sleeper.wake(now)
            if not slot:
                heapq.heappop(self._ticks)
                del self._slots[tick]

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        for slot in self._slots.values():
            for sleeper in slot:
                sleeper.tick = 0
        self._slots.clear()
        self._ticks.clear()

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        if not self._ticks:
            return
        self._armed_tick = self._ticks[0]
        delay = max(0, self._armed_tick * TICK - self._monotonic()) / SECOND
        self._armed = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self._armed = None
        self.run(self._monotonic())
