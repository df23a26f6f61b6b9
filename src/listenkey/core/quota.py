"""Rate buckets: how much of a window is used, and when more of it has to be persisted before it may be.

Within a window no more than `limit` is admitted, over restarts too: what is used is covered by a reserved
block, and after a crash the whole block counts as used. So a window may count more than was admitted, never
less."""

from typing import Final

import msgspec

from listenkey.base.clock import Micros

_BLOCKS_IN_A_WINDOW: Final = 8


class Rule(msgspec.Struct, frozen=True):
    """One bucket's bounds."""

    limit: int
    window: Micros
    aligned: bool = True

    def start_of(self, now: Micros) -> Micros:
        """Where a window that is opened now begins."""
        return now - now % self.window if self.aligned else now


class Window(msgspec.Struct):
    """One bucket's current window. `refused` counts calls that found it full."""

    start: Micros
    end: Micros
    used: int = 0
    reserved: int = 0
    refused: int = 0


class Quota:
    """All buckets, by name. Old windows are dropped by `forget`."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}

    def restore(self, bucket: str, start: Micros, end: Micros, used: int) -> None:
        """Take over a block that was reserved before a restart: all of it counts as used."""
        self._windows[bucket] = Window(start, end, used, used)

    def window(self, bucket: str, rule: Rule, now: Micros) -> Window:
        """The window that is current, opened if need be."""
        window = self._windows.get(bucket)
        if window is None or now >= window.end:
            start = rule.start_of(now)
            window = self._windows[bucket] = Window(start, start + rule.window)
        return window

    def forgive(self, *parts: str) -> None:
        """Forget the refusals of every bucket whose name, split at `|`, has all these parts."""
        for bucket, window in self._windows.items():
            if set(parts) <= set(bucket.split("|")):
                window.refused = 0

    def forget(self, now: Micros) -> None:
        """Drop the windows that are over."""
        over = [bucket for bucket, window in self._windows.items() if now >= window.end]
        for bucket in over:
            del self._windows[bucket]

    def __len__(self) -> int:
        return len(self._windows)


def has_room(window: Window, rule: Rule, cost: int) -> bool:
    """Whether a call of this cost still fits."""
    return window.used + cost <= rule.limit


def give_back(window: Window, cost: int) -> None:
    """An admitted call counts elsewhere. What was reserved for it stays so: after a crash too much counts,
    never too little."""
    window.used = max(0, window.used - cost)


def charge(window: Window, rule: Rule, cost: int) -> bool:
    """Count an admitted call; True when a larger block was reserved and has to be persisted."""
    window.used += cost
    if window.used <= window.reserved:
        return False
    window.reserved = min(rule.limit, window.used + rule.limit // _BLOCKS_IN_A_WINDOW)
    return True
