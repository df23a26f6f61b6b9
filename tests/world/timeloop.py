"""An event loop whose time passes only when nobody has anything to do: a minute of a world takes no time."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

from listenkey.base.clock import SECOND, Micros
from listenkey.testing.clock import FIRST_MOMENT


class _Leap(selectors.SelectSelector):
    """Nothing comes from outside; to wait is to let the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.micros: Micros = 1000 * SECOND

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits for something that will never happen")
        if timeout > 0:
            self.micros += max(1, round(timeout * SECOND))
        return []


class TimeLoop(asyncio.SelectorEventLoop):
    """The loop. It is the world's clock too: `wall` and `monotonic`, in microseconds."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.micros / SECOND

    def wall(self) -> Micros:
        return FIRST_MOMENT + self._leap.micros

    def monotonic(self) -> Micros:
        return self._leap.micros

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        done = self.create_future()
        done.set_result(func(*args))
        return done

    def after(self, span: Micros, do: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Have something done when so much time has passed."""
        return self.call_later(span / SECOND, do, *args)

    async def pause(self, span: Micros) -> None:
        """Let time pass."""
        woken = self.create_future()
        handle = self.after(span, _wake, woken)
        try:
            await woken
        finally:
            handle.cancel()

    async def until(self, happened: asyncio.Event, span: Micros) -> bool:
        """Wait for something, but no longer than so long; whether it happened."""
        try:
            async with asyncio.timeout(span / SECOND):
                await happened.wait()
        except TimeoutError:
            return False
        return True


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def run(main: Callable[[TimeLoop], Awaitable[None]]) -> None:
    """A world from its first to its last moment. What fails in a callback or a task fails it."""
    loop = TimeLoop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(main(loop))
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    for fault in faults:
        raise fault.get("exception") or AssertionError(fault["message"])
