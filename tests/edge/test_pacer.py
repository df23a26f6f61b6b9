"""One timer wakes all sockets, so one that fails may not stop it."""

import asyncio
from dataclasses import dataclass, field

import pytest

from listenkey.base.clock import MILLISECOND, Micros
from listenkey.edge.pacer import TICK, Pacer


@dataclass(eq=False)
class Sleeper:
    """Notes when it is woken, and may fail at it."""

    fails: bool = False
    tick: int = 0
    woken: Micros | None = None
    rang: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, now: Micros) -> None:
        self.woken = now
        self.rang.set()
        if self.fails:
            raise ValueError("no such state")


async def test_a_sleeper_that_fails_keeps_nobody_else_asleep() -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
    loop = asyncio.get_running_loop()
    pacer = Pacer(lambda: Micros(int(loop.time() * 1_000_000)))
    sleepers = [Sleeper(fails=number == 3) for number in range(8)]
    late = Sleeper()
    soon = pacer.now() + 60 * MILLISECOND
    for sleeper in sleepers:
        pacer.wake_at(sleeper, Micros(soon))
    pacer.wake_at(late, Micros(soon + 2 * TICK))
    await asyncio.wait_for(late.rang.wait(), 5)
    pacer.stop()
    assert all(sleeper.woken for sleeper in sleepers)
    assert [type(failure) for failure in failures] == [ValueError]


async def test_nobody_is_woken_early() -> None:
    now = Micros(1_000_000)
    pacer = Pacer(lambda: now)
    sleeper = Sleeper()
    pacer.wake_at(sleeper, Micros(now + 3 * TICK + 1))
    pacer.run(Micros(now + 3 * TICK))
    assert sleeper.woken is None
    pacer.run(Micros(now + 4 * TICK))
    pacer.stop()
    assert sleeper.woken == now + 4 * TICK


@pytest.mark.parametrize("again", [1, 5])
async def test_what_is_asked_last_holds(again: int) -> None:
    now = Micros(1_000_000)
    pacer = Pacer(lambda: now)
    sleeper = Sleeper()
    pacer.wake_at(sleeper, Micros(now + 3 * TICK))
    pacer.wake_at(sleeper, Micros(now + again * TICK))
    for tick in range(1, 7):
        pacer.run(Micros(now + tick * TICK))
        assert (sleeper.woken is None) == (tick < again)
    pacer.stop()
