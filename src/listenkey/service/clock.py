"""The service clock: real time, bent by `core.clock` so that keys end neither twice nor by surprise."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from listenkey.base.clock import Clock, Micros
from listenkey.base.errors import ListenKeyError
from listenkey.core.clock import Jump, Timekeeper

OnJump: TypeAlias = Callable[[Jump, Callable[[], None]], Awaitable[None]]
"""Deals with a leap, and calls its second argument once the clock may follow."""

_SECONDS_TO_RETRY = 1.0
_log = structlog.get_logger(__name__)


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> Micros:
        """Wall-clock time."""
        return time.time_ns() // 1000

    def monotonic(self) -> Micros:
        """Monotonic time."""
        return time.monotonic_ns() // 1000


class ServiceClock:
    """One time for the whole service. A leap ahead is followed only once `on_jump` has dealt with it."""

    def __init__(self, clock: Clock, latest: Micros) -> None:
        self._clock = clock
        self._keeper = Timekeeper(latest, clock.wall(), clock.monotonic())
        self._on_jump: OnJump | None = None
        self._dealing: asyncio.Task[None] | None = None

    def when_jumped(self, on_jump: OnJump) -> None:
        """Who is asked before a leap of the wall clock is followed."""
        self._on_jump = on_jump

    def now(self) -> Micros:
        """Service time; never runs back."""
        now = self._keeper.read(self._clock.wall(), self._clock.monotonic())
        if self._keeper.jump is not None and self._dealing is None:
            if self._on_jump is None:
                self._keeper.accept_jump()
            else:
                self._dealing = asyncio.ensure_future(self._deal_with(self._keeper.jump, self._on_jump))
        return now

    async def _deal_with(self, jump: Jump, on_jump: OnJump) -> None:
        try:
            await on_jump(jump, self._keeper.accept_jump)
        except ListenKeyError as error:
            _log.error("clock_jump_not_followed", error=error.message)
            await asyncio.sleep(_SECONDS_TO_RETRY)
        finally:
            self._dealing = None
