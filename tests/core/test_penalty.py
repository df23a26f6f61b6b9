import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import DAY, HOUR, MINUTE, SECOND
from listenkey.core.penalty import BanRules, RecentCounter, ban_length, earns_ban, next_strike

VENUE = BanRules(after_refused=20, first=2 * MINUTE, longest=3 * DAY, factor=3, forget=6 * DAY)
RULES = st.builds(
    BanRules,
    after_refused=st.integers(0, 50),
    first=st.integers(1, HOUR),
    longest=st.integers(HOUR, 10 * DAY),
    factor=st.integers(1, 10),
    forget=st.integers(0, 30 * DAY),
)


@pytest.mark.parametrize("refused, banned", [(1, False), (20, False), (21, True), (22, True)])
def test_twenty_further_calls_after_the_first_refusal_bring_a_ban(refused, banned):
    """The first refusal is free, and so are the next nineteen."""
    assert earns_ban(refused, VENUE) is banned


def test_bans_grow_from_two_minutes_to_three_days():
    """Who does not learn waits longer each time, and never longer than the longest."""
    minutes = [ban_length(strikes, VENUE) // MINUTE for strikes in range(1, 10)]
    assert minutes == [2, 6, 18, 54, 162, 486, 1458, 4320, 4320]


@given(RULES, st.integers(1, 10_000))
def test_a_ban_is_never_shorter_than_the_one_before(rules, strikes):
    """Growth is monotonic, begins at `first` and stops at `longest`, however many strikes there were."""
    length = ban_length(strikes, rules)
    assert rules.first <= length <= ban_length(strikes + 1, rules) <= rules.longest
    assert ban_length(1, rules) == rules.first


def test_a_first_ban_longer_than_the_longest_is_cut():
    """Rules that contradict themselves are read in the caller's favour."""
    rules = BanRules(after_refused=1, first=HOUR, longest=MINUTE, factor=2, forget=DAY)
    assert ban_length(1, rules) == MINUTE


@pytest.mark.parametrize("quiet, wanted", [(0, 4), (6 * DAY - 1, 4), (6 * DAY, 1), (60 * DAY, 1)])
def test_strikes_are_forgotten_after_a_long_quiet_time(quiet, wanted):
    """A ban after `forget` without one is a first one again."""
    ended = 1_000 * DAY
    assert next_strike(3, ended, ended + quiet, VENUE) == wanted


WINDOW = 480 * SECOND


def test_errors_count_within_their_window_only():
    """An error counts for as long as the window is, and not a microsecond more."""
    counter = RecentCounter(WINDOW)
    assert counter.count(0) == 1
    assert counter.count(WINDOW - 1) == 2
    assert counter.count(WINDOW) == 2
    assert counter.count(2 * WINDOW) == 1


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.integers(1, 30))
def test_counting_agrees_with_counting_by_hand(steps, window):
    """At every error the answer is how many there were in the window that ends with it."""
    counter, times, now = RecentCounter(window), [], 0
    for step in steps:
        now += step
        times.append(now)
        assert counter.count(now) == sum(1 for time in times if time > now - window)
    assert counter.is_over(now + window)
    assert not counter.is_over(now + window - 1)


def test_after_a_penalty_the_count_begins_anew():
    """The next penalty takes as many errors as the first."""
    counter = RecentCounter(WINDOW)
    for time in range(21):
        counter.count(time)
    counter.clear()
    assert counter.count(30) == 1


def test_a_cleared_counter_is_over():
    """The upkeep that follows a penalty must find nothing to keep, and must not stumble over it."""
    counter = RecentCounter(WINDOW)
    counter.count(0)
    counter.clear()
    assert counter.is_over(0)
