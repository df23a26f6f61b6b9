import asyncio
import random

from listenkey.base.clock import MILLISECOND, SECOND
from listenkey.edge.pacer import TICK, Pacer
from listenkey.testing import VirtualClock
from tests.edge.gate import until


class Sleeper:
    """Remembers when it was woken, and sleeps again if told to."""

    def __init__(self, pacer, again=0):
        self.tick = 0
        self.woken = []
        self._pacer = pacer
        self._again = again

    def wake(self, now):
        self.woken.append(now)
        if self._again:
            self._pacer.wake_at(self, now + self._again)


def pass_time(clock, pacer, span, step=TICK):
    """Let time pass in steps, as the timer would."""
    for _ in range(span // step):
        clock.advance(step)
        pacer.run(clock.monotonic())


async def test_nobody_is_woken_early_and_everybody_within_a_tick():
    """A heartbeat or deadline is kept to a twentieth of a second, and a key's socket never dies before its
    time."""
    clock, chance = VirtualClock(monotonic=7 * SECOND), random.Random(1)
    pacer = Pacer(clock.monotonic)
    asked = {}
    for _ in range(500):
        sleeper = Sleeper(pacer)
        asked[sleeper] = clock.monotonic() + chance.randrange(5 * SECOND)
        pacer.wake_at(sleeper, asked[sleeper])
    pass_time(clock, pacer, 6 * SECOND, MILLISECOND)
    for sleeper, at in asked.items():
        (woken,) = sleeper.woken
        assert at <= woken <= at + 2 * TICK
    pacer.stop()


async def test_the_last_wish_counts():
    """Asking again moves the time, later or earlier; who is forgotten is not woken."""
    clock = VirtualClock()
    pacer = Pacer(clock.monotonic)
    later, earlier, never = Sleeper(pacer), Sleeper(pacer), Sleeper(pacer)
    for sleeper in (later, earlier, never):
        pacer.wake_at(sleeper, 2 * SECOND)
    pacer.wake_at(later, 3 * SECOND)
    pacer.wake_at(earlier, SECOND)
    pacer.forget(never)
    pass_time(clock, pacer, 5 * SECOND)
    assert (len(later.woken), len(earlier.woken), never.woken) == (1, 1, [])
    assert earlier.woken[0] < 2 * SECOND < 3 * SECOND <= later.woken[0]
    pacer.stop()


async def test_who_asks_for_the_past_is_woken_soon_and_not_for_ever():
    """A sleeper that always asks for now cannot keep the loop busy within one turn."""
    clock = VirtualClock(monotonic=SECOND)
    pacer = Pacer(clock.monotonic)
    eager = Sleeper(pacer)
    eager._again = -SECOND
    pacer.wake_at(eager, 0)
    pass_time(clock, pacer, SECOND)
    assert 0 < len(eager.woken) <= SECOND // TICK + 1
    pacer.stop()


async def test_a_wave_of_sleepers_is_spread_over_turns_of_the_loop():
    """Ten thousand pings that fall due together let events through between them, and all of them go out."""
    clock = VirtualClock()
    pacer = Pacer(clock.monotonic)
    wave = [Sleeper(pacer) for _ in range(1000)]
    for sleeper in wave:
        pacer.wake_at(sleeper, SECOND)
    clock.advance(SECOND)
    pacer.run(clock.monotonic())
    first = sum(len(sleeper.woken) for sleeper in wave)
    assert 0 < first < len(wave)
    await until(lambda: sum(len(sleeper.woken) for sleeper in wave) == len(wave))
    assert all(len(sleeper.woken) == 1 for sleeper in wave)
    pacer.stop()


async def test_the_timer_runs_by_itself():
    """In real time, with nobody calling."""
    loop = asyncio.get_running_loop()
    pacer = Pacer(lambda: int(loop.time() * SECOND))
    sleeper = Sleeper(pacer, again=60 * MILLISECOND)
    pacer.wake_at(sleeper, pacer.now() + 60 * MILLISECOND)
    await until(lambda: len(sleeper.woken) == 3)
    pacer.stop()
    count = len(sleeper.woken)
    await asyncio.sleep(0.2)
    assert len(sleeper.woken) == count
