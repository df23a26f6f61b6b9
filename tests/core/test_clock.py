from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import HOUR, MINUTE, SECOND
from listenkey.core.clock import LARGEST_STEP, Jump, Timekeeper
from listenkey.testing import VirtualClock

START = 1_000_000 * HOUR


class Watch:
    """A timekeeper with the clocks it is read from."""

    def __init__(self, latest=0):
        self.clock = VirtualClock(START, 5 * HOUR)
        self.keeper = Timekeeper(latest, self.clock.wall(), self.clock.monotonic())

    def read(self):
        return self.keeper.read(self.clock.wall(), self.clock.monotonic())

    def pass_time(self, span):
        self.clock.advance(span)
        return self.read()


def test_time_passes_as_on_the_wall():
    """While nobody touches the clock, service time is wall-clock time."""
    watch = Watch()
    assert watch.read() == START
    assert watch.pass_time(90 * MINUTE) == START + 90 * MINUTE
    assert watch.keeper.jump is None


def test_time_starts_no_earlier_than_what_was_persisted():
    """I5: a clock that was set back while the process was down does not bring dead keys back to life."""
    watch = Watch(latest=START + HOUR)
    assert watch.read() == START + HOUR
    assert Watch(latest=START - HOUR).read() == START


def test_a_clock_set_back_is_waited_for_at_half_speed():
    """I5: time goes on, since windows and lifetimes hang on it, and meets the wall clock in the end."""
    watch = Watch()
    watch.clock.jump(-10 * MINUTE)
    assert watch.read() == START
    assert watch.pass_time(MINUTE) == START + 30 * SECOND
    assert watch.pass_time(18 * MINUTE) == START + 9 * MINUTE + 30 * SECOND
    assert watch.pass_time(MINUTE) == watch.clock.wall() == START + 10 * MINUTE
    assert watch.pass_time(MINUTE) == watch.clock.wall()


def test_half_speed_is_half_speed_however_often_it_is_read():
    """A busy gateway reads the clock every few microseconds; what rounding drops must not stop the time."""
    watch = Watch()
    watch.clock.jump(-HOUR)
    for _ in range(1000):
        watch.pass_time(1)
    assert watch.read() == START + 500


def test_a_small_step_ahead_is_followed():
    """What a time server corrects is not worth a word."""
    watch = Watch()
    watch.clock.jump(LARGEST_STEP)
    assert watch.read() == START + LARGEST_STEP
    assert watch.keeper.jump is None


def test_a_leap_ahead_is_not_followed_until_it_is_accepted():
    """I5: keys get their grace before the time that would end them has come."""
    watch = Watch()
    watch.clock.jump(LARGEST_STEP + 1)
    assert watch.read() == START
    assert watch.keeper.jump == Jump(START, START + LARGEST_STEP + 1)
    assert watch.pass_time(SECOND) == START + SECOND
    watch.keeper.accept_jump()
    assert watch.keeper.jump is None
    assert watch.read() == watch.clock.wall() == START + LARGEST_STEP + 1 + SECOND
    assert watch.keeper.jump is None


def test_a_leap_that_is_taken_back_is_not_followed():
    """Whoever set the clock wrongly and then rightly has changed nothing."""
    watch = Watch()
    watch.clock.jump(HOUR)
    watch.read()
    watch.clock.jump(-HOUR)
    assert watch.pass_time(SECOND) == START + SECOND
    assert watch.keeper.jump is None
    watch.keeper.accept_jump()
    assert watch.read() == START + SECOND


def test_a_second_leap_while_one_waits_is_a_leap_of_its_own():
    """Only what was dealt with is followed; what came on top is dealt with next."""
    watch = Watch()
    watch.clock.jump(HOUR)
    watch.read()
    watch.clock.jump(HOUR)
    watch.read()
    watch.keeper.accept_jump()
    assert watch.read() == START + HOUR
    assert watch.keeper.jump == Jump(START + HOUR, START + 2 * HOUR)


def test_accepting_nothing_changes_nothing():
    """There is no leap to follow."""
    watch = Watch()
    watch.keeper.accept_jump()
    assert watch.read() == START


def test_a_slow_reader_does_not_see_a_leap_where_there_is_none():
    """An hour between two readings is an hour on both clocks, which is no leap."""
    watch = Watch()
    assert watch.pass_time(HOUR) == START + HOUR
    assert watch.keeper.jump is None


def test_a_monotonic_clock_that_runs_back_is_no_time():
    """What cannot happen does no harm."""
    watch = Watch()
    watch.keeper.read(START, 4 * HOUR)
    assert watch.read() == START


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, 3 * MINUTE)),
        st.tuples(st.just("jump"), st.integers(-3 * HOUR, 3 * HOUR)),
        st.tuples(st.just("jump"), st.integers(-2 * MINUTE, 2 * MINUTE)),
        st.tuples(st.just("accept"), st.none()),
    ),
    max_size=60,
)


@given(MOVES)
def test_time_never_runs_back_and_never_leaps_unasked(moves):
    """I5: whatever is done to the wall clock, time goes on between half speed and a small step ahead."""
    watch = Watch()
    before = watch.read()
    for move, amount in moves:
        if move == "accept":
            watch.keeper.accept_jump()
            before = max(before, watch.read())
            continue
        passed = amount if move == "pass" else 0
        watch.clock.jump(amount - passed)
        now = watch.pass_time(passed)
        assert before + passed // 2 <= now <= before + passed + LARGEST_STEP
        before = now


@given(MOVES)
def test_time_meets_the_wall_clock_again(moves):
    """Once the wall clock is left alone and leaps are accepted, time is right after twice the error."""
    watch = Watch()
    for move, amount in moves:
        if move == "pass":
            watch.pass_time(amount)
        elif move == "jump":
            watch.clock.jump(amount)
    watch.read()
    watch.keeper.accept_jump()
    watch.read()
    watch.keeper.accept_jump()
    ahead = max(0, watch.read() - watch.clock.wall())
    watch.pass_time(2 * ahead + 1)
    assert watch.keeper.jump is None
    assert watch.read() == watch.clock.wall()
