from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from listenkey.base.clock import MINUTE, SECOND
from listenkey.core.keylife import (
    TRANSITIONS,
    Changed,
    Issued,
    IssuePolicy,
    IssueRefused,
    IssueRules,
    KeyEvent,
    NotLive,
    close,
    create,
    expire,
    extend,
    is_live,
    move,
    revoke,
)
from listenkey.core.records import KeyState
from tests.core.making import BORN, LIFETIME, listen_key

STATES = get_args(KeyState)
EVENTS = get_args(KeyEvent)
POLICIES = get_args(IssuePolicy)
NOW = BORN + MINUTE

LEGAL = {
    ("active", "extend"): "active",
    ("active", "close"): "closed",
    ("active", "expire"): "expired",
    ("active", "revoke"): "closed",
}
ILLEGAL = {
    ("closed", "extend"),
    ("closed", "close"),
    ("closed", "expire"),
    ("closed", "revoke"),
    ("expired", "extend"),
    ("expired", "close"),
    ("expired", "expire"),
    ("expired", "revoke"),
}


# The table ---------------------------------------------------------------------------------------------


def test_every_pair_of_state_and_event_is_either_legal_or_not():
    """A state or an event that is added has to be decided on, and the table has to say the same."""
    assert LEGAL.keys() | ILLEGAL == set(product(STATES, EVENTS))
    assert LEGAL == TRANSITIONS


@pytest.mark.parametrize("state, event", sorted(LEGAL))
def test_a_legal_event_changes_the_state_and_nothing_else(state, event):
    """Apart from the state only the end or the new expiry moves."""
    before = listen_key(state=state)
    after = move(before, event, NOW, NOW + LIFETIME)
    if event == "extend":
        assert after == replace(before, expires_at=NOW + LIFETIME)
    else:
        assert after == replace(before, state=LEGAL[state, event], ended_at=NOW)


@pytest.mark.parametrize("state, event", sorted(ILLEGAL))
def test_an_illegal_event_changes_nothing(state, event):
    """A key that ended stays ended, and its record stays as it was."""
    before = listen_key(state=state)
    kept = replace(before)
    assert move(before, event, NOW, NOW + LIFETIME) is None
    assert before == kept


def test_extending_without_a_new_expiry_keeps_the_old_one():
    """The event by itself moves no time."""
    key = listen_key()
    assert move(key, "extend", NOW) == key


# Extend, close, expire, revoke -------------------------------------------------------------------------

BOUNDARY = [
    pytest.param(-1, True, id="a microsecond before"),
    pytest.param(0, False, id="at expires_at"),
    pytest.param(1, False, id="a microsecond after"),
]


@pytest.mark.parametrize("offset, lives", BOUNDARY)
def test_a_key_is_valid_up_to_and_not_including_its_expiry(offset, lives):
    """I5: the last moment of a key is the one before `expires_at`, for everybody who asks."""
    key = listen_key()
    now = key.expires_at + offset
    expired = replace(key, state="expired", ended_at=now)
    assert is_live(key, now) is lives
    assert extend(key, LIFETIME, now) == (
        Changed(replace(key, expires_at=now + LIFETIME)) if lives else NotLive(ended=expired)
    )
    assert close(key, now) == (
        Changed(replace(key, state="closed", ended_at=now)) if lives else NotLive(ended=expired)
    )
    assert expire(key, now) == (None if lives else expired)


@pytest.mark.parametrize("offset, lives", BOUNDARY)
@pytest.mark.parametrize("policy", POLICIES)
def test_create_sees_the_same_boundary(policy, offset, lives):
    """A create under any policy ends what ran out, with `expired` and not with `closed`."""
    key = listen_key()
    now = key.expires_at + offset
    outcome = create([key], listen_key(2, created_at=now), IssueRules(policy, LIFETIME, 5), now)
    expired = (replace(key, state="expired", ended_at=now),)
    assert [ended for ended in outcome.ended if ended.state == "expired"] == ([] if lives else list(expired))


@pytest.mark.parametrize("key", [None, listen_key(state="closed"), listen_key(state="expired")])
def test_what_is_not_there_or_has_ended_cannot_be_changed(key):
    """No answer names a key as ended that had ended before."""
    assert extend(key, LIFETIME, NOW) == NotLive()
    assert close(key, NOW) == NotLive()


@pytest.mark.parametrize("order", ["extend first", "expire first"])
def test_of_extend_and_expiry_in_the_same_microsecond_the_expiry_wins(order):
    """I5: at `expires_at` itself the key is over, in whichever order the two come in, and both say so."""
    key = listen_key()
    now = key.expires_at
    if order == "extend first":
        lost = extend(key, LIFETIME, now)
        assert lost == NotLive(ended=expire(key, now))
        assert lost.ended is not None
        assert expire(lost.ended, now) is None
    else:
        over = expire(key, now)
        assert over is not None
        assert over.state == "expired"
        assert extend(over, LIFETIME, now) == NotLive()


def test_an_extension_a_microsecond_before_the_end_wins():
    """I5: then the expiry that comes after it finds a living key."""
    key = listen_key()
    changed = extend(key, LIFETIME, key.expires_at - 1)
    assert isinstance(changed, Changed)
    assert expire(changed.key, key.expires_at) is None


def test_revoking_closes_a_living_key_and_leaves_an_ended_one():
    """Who held the key is gone: the key is closed, unless it had ended by itself."""
    key = listen_key()
    assert revoke(key, NOW) == replace(key, state="closed", ended_at=NOW)
    assert revoke(listen_key(state="expired"), NOW) is None


# Create, by table --------------------------------------------------------------------------------------

OLD, MIDDLE, NEW = (listen_key(number, created_at=BORN + number * SECOND) for number in (1, 2, 3))
FRESH = listen_key(9, created_at=NOW)


def closed(*keys):
    return tuple(replace(key, state="closed", ended_at=NOW) for key in keys)


@pytest.mark.parametrize(
    "policy, most, live, wanted",
    [
        ("same_extended", 0, [], Issued(FRESH, is_new=True)),
        ("same_extended", 0, [OLD], Issued(replace(OLD, expires_at=NOW + LIFETIME), is_new=False)),
        ("same_extended", 0, [OLD, NEW], Issued(replace(NEW, expires_at=NOW + LIFETIME), is_new=False)),
        ("new_coexists", 0, [OLD, MIDDLE, NEW], Issued(FRESH, is_new=True)),
        ("new_coexists", 1, [OLD, MIDDLE, NEW], Issued(FRESH, is_new=True)),
        ("new_replaces", 0, [], Issued(FRESH, is_new=True)),
        ("new_replaces", 0, [OLD, NEW], Issued(FRESH, is_new=True, ended=closed(OLD, NEW))),
        ("new_evicts_oldest", 0, [OLD, MIDDLE, NEW], Issued(FRESH, is_new=True)),
        ("new_evicts_oldest", 4, [OLD, MIDDLE, NEW], Issued(FRESH, is_new=True)),
        ("new_evicts_oldest", 3, [OLD, MIDDLE, NEW], Issued(FRESH, is_new=True, ended=closed(OLD))),
        (
            "new_evicts_oldest",
            1,
            [OLD, MIDDLE, NEW],
            Issued(FRESH, is_new=True, ended=closed(OLD, MIDDLE, NEW)),
        ),
        ("refuse_over", 0, [OLD, MIDDLE, NEW], Issued(FRESH, is_new=True)),
        ("refuse_over", 4, [OLD, MIDDLE, NEW], Issued(FRESH, is_new=True)),
        ("refuse_over", 3, [OLD, MIDDLE, NEW], IssueRefused()),
        ("refuse_over", 2, [OLD, MIDDLE, NEW], IssueRefused()),
    ],
)
def test_create_follows_the_issue_policy(policy, most, live, wanted):
    """Which key the caller gets, and who ends for it, is the key space's policy and nothing else."""
    assert create(live, FRESH, IssueRules(policy, LIFETIME, most), NOW) == wanted


@pytest.mark.parametrize("policy", POLICIES)
def test_holders_with_keys_of_their_own_do_not_see_each_other(policy):
    """Where every holder has its own key, another's is neither handed out nor ended nor counted."""
    rules = IssueRules(policy, LIFETIME, 1, per_holder=True)
    other = listen_key(1, holder="another")
    assert create([other], FRESH, rules, NOW) == Issued(FRESH, is_new=True)
    mine = listen_key(2)
    alone, beside = (create(live, FRESH, rules, NOW) for live in ([mine], [mine, other]))
    assert alone == beside


def test_the_last_user_of_a_key_is_on_record():
    """Who created it, then who extended it or was given it again: that is whose events it carries."""
    one = listen_key(1, holder="one")
    again = create([one], listen_key(2, holder="two"), IssueRules("same_extended", LIFETIME), NOW)
    assert (again.key.id, again.key.user, again.key.holder) == (1, "two", "one")
    assert extend(one, LIFETIME, NOW, "three").key.user == "three"
    assert extend(one, LIFETIME, NOW, "three").taken_from == "one"
    assert extend(one, LIFETIME, NOW, "one").taken_from == ""
    assert extend(one, LIFETIME, NOW).key.user == "one"


def test_what_is_evicted_is_what_would_end_first():
    """An extension keeps an older key: the one whose time would be up next goes, not the one first made."""
    extended = replace(OLD, expires_at=NOW + LIFETIME)
    outcome = create([extended, MIDDLE, NEW], FRESH, IssueRules("new_evicts_oldest", LIFETIME, 3), NOW)
    assert outcome.ended == closed(MIDDLE)


def test_keys_that_ran_out_do_not_count_against_the_bound():
    """A caller is not refused, and no living key evicted, because of keys that are over."""
    stale = listen_key(4, expires_at=NOW)
    expired = replace(stale, state="expired", ended_at=NOW)
    refusing = create([stale, OLD], FRESH, IssueRules("refuse_over", LIFETIME, 2), NOW)
    assert refusing == Issued(FRESH, is_new=True, ended=(expired,))
    evicting = create([stale, OLD], FRESH, IssueRules("new_evicts_oldest", LIFETIME, 2), NOW)
    assert evicting == Issued(FRESH, is_new=True, ended=(expired,))


def test_a_refused_create_still_ends_what_ran_out():
    """Expiry found on the way is recorded even where no key is given."""
    stale = listen_key(4, expires_at=NOW)
    outcome = create([stale, OLD], FRESH, IssueRules("refuse_over", LIFETIME, 1), NOW)
    assert outcome == IssueRefused(ended=(replace(stale, state="expired", ended_at=NOW),))


# Holders -----------------------------------------------------------------------------------------------

MINE = replace(OLD, holder="me", user="me")
THEIRS = replace(NEW, holder="them", user="them")
MY_FRESH = replace(FRESH, holder="me", user="me")


def by_holder(policy, most=0):
    return IssueRules(policy, LIFETIME, most, per_holder=True)


def test_a_holder_gets_its_own_key_again():
    """Each API key has one string for as long as it lives, whatever others do in between."""
    kept = replace(MINE, expires_at=NOW + LIFETIME)
    assert create([MINE, THEIRS], MY_FRESH, by_holder("same_extended"), NOW) == Issued(kept, is_new=False)


def test_a_new_holder_gets_a_key_of_its_own():
    """Somebody else's live key is not handed out, and not extended."""
    outcome = create([THEIRS], MY_FRESH, by_holder("same_extended"), NOW)
    assert outcome == Issued(MY_FRESH, is_new=True)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_holder_s_create_ends_no_other_holder_s_key(policy):
    """Whatever the policy: one bot's create neither ends nor counts another's key."""
    others = [replace(listen_key(number), holder=f"other {number}") for number in range(1, 4)]
    outcome = create(others, replace(listen_key(9), holder="me"), by_holder(policy, 1), NOW)
    assert isinstance(outcome, Issued)
    assert (outcome.is_new, outcome.ended) == (True, ())


def test_a_holder_s_create_records_what_ran_out_of_others():
    """Keys whose time is up are ended by whoever comes across them, each as expired."""
    stale = replace(THEIRS, expires_at=NOW)
    outcome = create([stale], MY_FRESH, by_holder("same_extended"), NOW)
    assert outcome.ended == (replace(stale, state="expired", ended_at=NOW),)


def test_a_holder_s_own_key_that_ran_out_is_followed_by_a_new_one():
    """The string of a key that is over is never given again, though another holder's lives on."""
    stale = replace(MINE, expires_at=NOW)
    outcome = create([stale, THEIRS], MY_FRESH, by_holder("same_extended"), NOW)
    assert (outcome.key, outcome.is_new) == (MY_FRESH, True)


# Users -------------------------------------------------------------------------------------------------


def test_who_creates_a_key_again_uses_it():
    """Of a shared key the last to ask for it is the one who reads by it."""
    outcome = create([MINE], replace(FRESH, user="them"), IssueRules("same_extended", LIFETIME), NOW)
    assert (outcome.key.id, outcome.key.holder, outcome.key.user) == (MINE.id, "me", "them")


@pytest.mark.parametrize("user, wanted", [("them", "them"), ("me", "me"), ("", "me")])
def test_who_extends_a_key_uses_it(user, wanted):
    """The holder stays who made it; where nobody in particular extends, the user stays too."""
    outcome = extend(MINE, LIFETIME, NOW, user)
    assert (outcome.key.holder, outcome.key.user) == ("me", wanted)


# Create, against a model -------------------------------------------------------------------------------


class NaiveSpace:
    """A key space written down from nothing but the sentence that describes its policy."""

    def __init__(self, policy, lifetime, most):
        self.policy, self.lifetime, self.most = policy, lifetime, most
        self.expiry = {}  # living keys by number
        self.fate = {}  # ended keys by number

    def tick(self, now):
        for number in [number for number, end in self.expiry.items() if end <= now]:
            del self.expiry[number]
            self.fate[number] = "expired"

    def end(self, number):
        del self.expiry[number]
        self.fate[number] = "closed"

    def create(self, number, now):
        self.tick(now)
        if self.policy == "same_extended" and self.expiry:
            number = max(self.expiry)
        elif self.policy == "refuse_over" and 0 < self.most <= len(self.expiry):
            return None
        elif self.policy == "new_replaces":
            for other in list(self.expiry):
                self.end(other)
        elif self.policy == "new_evicts_oldest" and self.most:
            while len(self.expiry) >= self.most:
                self.end(min(self.expiry, key=lambda other: (self.expiry[other], other)))
        self.expiry[number] = now + self.lifetime
        return number

    def change(self, event, number, now):
        self.tick(now)
        if number not in self.expiry:
            return False
        if event == "extend":
            self.expiry[number] = now + self.lifetime
        else:
            self.end(number)
        return True


class Table:
    """The real functions over a plain dictionary, as a store would call them."""

    def __init__(self, rules):
        self.rules = rules
        self.keys = {}

    def keep(self, *keys):
        self.keys.update((key.id, key) for key in keys)

    def create(self, number, now):
        live = [key for key in self.keys.values() if key.state == "active"]
        fresh = listen_key(number, created_at=now, expires_at=now + self.rules.lifetime)
        outcome = create(live, fresh, self.rules, now)
        self.keep(*outcome.ended)
        if isinstance(outcome, IssueRefused):
            return None
        self.keep(outcome.key)
        return outcome.key.id

    def change(self, event, number, now):
        key = self.keys.get(number)
        if event == "revoke":
            changed = revoke(key, now) if key and is_live(key, now) else None
            if changed:
                self.keep(changed)
            return changed is not None
        outcome = extend(key, self.rules.lifetime, now) if event == "extend" else close(key, now)
        if isinstance(outcome, NotLive):
            if outcome.ended:
                self.keep(outcome.ended)
            return False
        self.keep(outcome.key)
        return True

    def sweep(self, now):
        for key in list(self.keys.values()):
            over = expire(key, now)
            if over is not None:
                self.keep(over)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "create", "extend", "close", "revoke", "sweep"]),
        st.integers(1, 12),
        st.sampled_from([0, 1, 5, 9, 10, 11]),
    ),
    max_size=40,
)


@given(st.sampled_from(POLICIES), st.integers(0, 3), STEPS)
def test_any_sequence_of_calls_ends_as_in_the_naive_model(policy, most, steps):
    """Whatever a caller does in whatever order: same keys, same refusals, same fates, at every step."""
    lifetime = 10
    model, table = NaiveSpace(policy, lifetime, most), Table(IssueRules(policy, lifetime, most))
    now, number = BORN, 0
    for action, choice, passed in steps:
        now += passed
        if action == "create":
            number += 1
            assert table.create(number, now) == model.create(number, now)
        elif action == "sweep":
            table.sweep(now)
            model.tick(now)
        else:
            assert table.change(action, choice, now) == model.change(action, choice, now)
    table.sweep(now)
    model.tick(now)
    living = {key.id: key.expires_at for key in table.keys.values() if key.state == "active"}
    ended = {key.id: key.state for key in table.keys.values() if key.state != "active"}
    assert living == model.expiry
    assert ended == model.fate
