import pytest

from listenkey.base.clock import DAY, HOUR, SECOND
from listenkey.testing import VirtualClock


def test_time_stands_until_it_is_moved():
    """Two looks show the same time, and so do two clocks."""
    clock = VirtualClock()
    assert (clock.wall(), clock.monotonic()) == (clock.wall(), clock.monotonic())
    assert clock.wall() == VirtualClock().wall()


def test_it_starts_at_midnight():
    """Aligned windows of any venue begin with it."""
    assert VirtualClock().wall() % DAY == 0


def test_passing_time_moves_both_clocks():
    """As on a machine that nobody touches."""
    clock = VirtualClock(5 * HOUR, 7)
    clock.advance(SECOND)
    assert (clock.wall(), clock.monotonic()) == (5 * HOUR + SECOND, 7 + SECOND)


def test_time_does_not_run_back():
    """A negative span is a slip of the test that asks for it."""
    clock = VirtualClock()
    with pytest.raises(ValueError, match="set_wall"):
        clock.advance(-1)
    assert clock.wall() == VirtualClock().wall()


@pytest.mark.parametrize("span", [HOUR, -HOUR])
def test_setting_the_wall_clock_takes_no_time(span):
    """What passed is told by the monotonic clock alone."""
    clock = VirtualClock(5 * HOUR, 7)
    clock.jump(span)
    assert (clock.wall(), clock.monotonic()) == (5 * HOUR + span, 7)
    clock.set_wall(DAY)
    assert (clock.wall(), clock.monotonic()) == (DAY, 7)


def test_a_reboot_starts_the_monotonic_clock_again():
    """While the machine was off only the wall clock went on."""
    clock = VirtualClock(5 * HOUR, 7)
    clock.reboot(HOUR)
    assert (clock.wall(), clock.monotonic()) == (6 * HOUR, 0)
