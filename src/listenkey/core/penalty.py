"""Bans that grow, and the breaker that shuts a call after too many equal errors."""

from collections import deque

import msgspec

from listenkey.base.clock import Micros


class BanRules(msgspec.Struct, frozen=True):
    """Who goes on after a refusal is shut out, longer each time."""

    after_refused: int
    first: Micros
    longest: Micros
    factor: int
    forget: Micros


def earns_ban(refused: int, rules: BanRules) -> bool:
    """Whether the refused calls of one window are too many. The first of them was still free."""
    return refused > rules.after_refused


def ban_length(strikes: int, rules: BanRules) -> Micros:
    """How long the ban of the `strikes`-th time is."""
    length = rules.first
    for _ in range(1, strikes):
        length *= rules.factor
        if length >= rules.longest:
            return rules.longest
    return min(length, rules.longest)


def next_strike(strikes: int, last_until: Micros, now: Micros, rules: BanRules) -> int:
    """Which time this is, when the last ban was the `strikes`-th and ended at `last_until`."""
    return 1 if now - last_until >= rules.forget else strikes + 1


class RecentCounter:
    """How often something happened within a window that ends now."""

    __slots__ = ("_times", "_window")

    def __init__(self, window: Micros) -> None:
        self._window = window
        self._times: deque[Micros] = deque()

    def count(self, now: Micros) -> int:
        """Record one more; how many there were within the window, this one included."""
        self._times.append(now)
        while self._times[0] <= now - self._window:
            self._times.popleft()
        return len(self._times)

    def is_over(self, now: Micros) -> bool:
        """Whether nothing recorded can count any more."""
        return not self._times or self._times[-1] <= now - self._window

    def clear(self) -> None:
        """Start again; after a penalty the count begins anew."""
        self._times.clear()
