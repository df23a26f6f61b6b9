from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import MINUTE, SECOND
from listenkey.core.quota import Quota, Rule, charge, give_back, has_room

MIDNIGHT = 10**6 * MINUTE


def test_aligned_windows_begin_at_multiples_of_their_length():
    """As a venue counts: the minute on the clock, not a minute since the first call."""
    rule = Rule(10, MINUTE)
    window = Quota().window("a", rule, MIDNIGHT + 59 * SECOND)
    assert (window.start, window.end) == (MIDNIGHT, MIDNIGHT + MINUTE)


def test_other_windows_begin_with_their_first_call():
    """Where a venue does not align, the window is as long as it says from the call that opened it."""
    rule = Rule(10, MINUTE, aligned=False)
    window = Quota().window("a", rule, MIDNIGHT + 59 * SECOND)
    assert (window.start, window.end) == (MIDNIGHT + 59 * SECOND, MIDNIGHT + 119 * SECOND)


@pytest.mark.parametrize("aligned", [True, False])
def test_a_window_ends_at_its_end(aligned):
    """Its last microsecond still counts; the next one opens a new window with nothing in it."""
    quota, rule = Quota(), Rule(10, MINUTE, aligned)
    first = quota.window("a", rule, MIDNIGHT)
    charge(first, rule, 4)
    first.refused = 3
    assert quota.window("a", rule, MIDNIGHT + MINUTE - 1) is first
    second = quota.window("a", rule, MIDNIGHT + MINUTE)
    assert (second.start, second.used, second.reserved, second.refused) == (MIDNIGHT + MINUTE, 0, 0, 0)


def test_buckets_do_not_share():
    """One caller's calls leave another's window alone."""
    quota, rule = Quota(), Rule(1, MINUTE)
    charge(quota.window("a", rule, 0), rule, 1)
    assert has_room(quota.window("b", rule, 0), rule, 1)


@pytest.mark.parametrize("cost, fits", [(1, True), (3, True), (4, False)])
def test_room_is_for_the_whole_cost(cost, fits):
    """A call is admitted as a whole or not at all; filling a window to the brim is allowed."""
    quota, rule = Quota(), Rule(10, MINUTE)
    window = quota.window("a", rule, 0)
    charge(window, rule, 7)
    assert has_room(window, rule, cost) is fits


def test_what_is_given_back_is_there_for_another():
    """An attempt that counts elsewhere makes room; what was reserved for it is not taken back."""
    quota, rule = Quota(), Rule(2, MINUTE)
    window = quota.window("a", rule, 0)
    charge(window, rule, 2)
    give_back(window, 1)
    assert (window.used, window.reserved, has_room(window, rule, 1)) == (1, 2, True)
    give_back(window, 5)
    assert window.used == 0, "never less than nothing"


def test_windows_that_are_over_are_forgotten():
    """Memory is bounded by the callers of one window; a window that still counts is kept."""
    quota = Quota()
    quota.window("short", Rule(1, SECOND), 0)
    quota.window("long", Rule(1, MINUTE), 0)
    quota.forget(SECOND - 1)
    assert len(quota) == 2
    quota.forget(SECOND)
    assert len(quota) == 1
    quota.forget(MINUTE)
    assert len(quota) == 0


def test_refusals_are_forgiven_where_all_parts_of_a_name_fit():
    """Who is let in again starts with none; the window stays as full as it is, and others keep theirs."""
    quota, rule = Quota(), Rule(10, MINUTE)
    names = ("usdm|weight|ip:a", "usdm|weight|ip:a:key", "spot|weight|ip:a", "usdm|raw|ip:a")
    for name in names:
        window = quota.window(name, rule, 0)
        charge(window, rule, 4)
        window.refused = 7
    quota.forgive("usdm", "ip:a")
    assert [quota.window(name, rule, 0).refused for name in names] == [0, 7, 7, 0]
    assert [quota.window(name, rule, 0).used for name in names] == [4] * 4


def test_blocks_spare_commits():
    """A big bucket is persisted some ten times a window, not once a call; a small one with every call."""
    big, small = Rule(6000, MINUTE), Rule(2, SECOND)
    window = Quota().window("a", big, 0)
    assert sum(charge(window, big, 1) for _ in range(6000)) == 8
    window = Quota().window("b", small, 0)
    assert [charge(window, small, 1) for _ in range(2)] == [True, True]


def test_a_block_is_never_larger_than_the_limit():
    """What is reserved is what a restart counts as used; more than the limit would mean nothing."""
    rule = Rule(10, MINUTE)
    window = Quota().window("a", rule, 0)
    for _ in range(10):
        charge(window, rule, 1)
    assert (window.used, window.reserved) == (10, 10)


def test_a_restored_block_counts_as_used():
    """I6: after a restart nobody knows how much of the block was used, so all of it was."""
    quota, rule = Quota(), Rule(10, MINUTE)
    quota.restore("a", 0, MINUTE, 10)
    assert not has_room(quota.window("a", rule, MINUTE - 1), rule, 1)
    assert has_room(quota.window("a", rule, MINUTE), rule, 1)


# I6 over restarts --------------------------------------------------------------------------------------


class Machine:
    """A process with a disk. Calls are answered once their block is on it; any step may be the last."""

    def __init__(self, rule):
        self.rule = rule
        self.disk = {}  # bucket -> (start, end, used)
        self.answered = Counter()  # by (bucket, window's start)
        self.start_process(0)

    def start_process(self, now):
        self.quota = Quota()
        self.queue = []  # blocks that are on their way to the disk
        self.waiting = []  # calls that wait for a block: (bucket, start, cost, used by then)
        for bucket, (start, end, used) in self.disk.items():
            if now < end:
                self.quota.restore(bucket, start, end, used)

    def call(self, bucket, cost, now):
        window = self.quota.window(bucket, self.rule, now)
        if not has_room(window, self.rule, cost):
            return
        if charge(window, self.rule, cost):
            self.queue.append((bucket, window.start, window.end, window.reserved))
        self.waiting.append((bucket, window.start, cost, window.used))

    def commit(self):
        """The disk takes all blocks; every call that they cover is answered."""
        for bucket, start, end, used in self.queue:
            self.disk[bucket] = (start, end, used)
        self.queue.clear()
        for bucket, start, cost, used in self.waiting:
            assert self.disk[bucket][0] == start, "a call was admitted to a window that is not on the disk"
            assert used <= self.disk[bucket][2], "a call was admitted beyond its block"
            self.answered[bucket, start] += cost
        self.waiting.clear()


RULES = st.builds(
    Rule, limit=st.integers(1, 40), window=st.sampled_from([1, 7, 10, 60]), aligned=st.booleans()
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from("ab"), st.integers(1, 5)),
        st.tuples(st.just("call"), st.just("a"), st.just(1)),
        st.tuples(st.just("commit"), st.none(), st.none()),
        st.tuples(st.just("crash"), st.none(), st.none()),
        st.tuples(st.just("pass"), st.none(), st.integers(1, 30)),
    ),
    max_size=80,
)


@given(RULES, STEPS)
def test_no_window_admits_more_than_its_limit_over_crashes(rule, steps):
    """I6: wherever the process dies, a window's answered calls stay within the limit, and all count."""
    machine, now = Machine(rule), 0
    for step, bucket, amount in steps:
        if step == "call":
            machine.call(bucket, amount, now)
        elif step == "commit":
            machine.commit()
        elif step == "crash":
            machine.start_process(now)
        else:
            machine.commit()  # calls are answered long before their window is over
            now += amount
        for (name, start), admitted in machine.answered.items():
            assert admitted <= rule.limit
            window = machine.quota.window(name, rule, now)
            assert window.start != start or window.used >= admitted
