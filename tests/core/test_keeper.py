"""The keeper of a client's key and sockets, one input at a time and over long lives."""

import random

import pytest

from listenkey.base.clock import SECOND
from listenkey.core.keeper import (
    CloseKey,
    Connect,
    CreateKey,
    Disconnect,
    ExtendKey,
    Fault,
    Keeper,
    Plan,
    Probe,
    Tell,
)

HOUR = 3600 * SECOND
DAY = 24 * HOUR
PLAN = Plan(lifetime=HOUR, longest_socket=23 * HOUR, silent=60 * SECOND)


def begun(plan=PLAN, key="K"):
    """A keeper with a key and an open socket."""
    keeper = Keeper(plan, lambda: 0.0)
    assert keeper.start(0) == [Tell("connecting"), CreateKey()]
    assert keeper.created(key, 0) == [Connect(1, key)]
    assert keeper.opened(1, 0) == [Tell("open", "start")]
    return keeper


def alive(keeper, until):
    """Let time pass on a socket that answers all probes; what else was to be done."""
    done = []
    while (due := keeper.wake_at()) is not None and due <= until:
        for action in keeper.wake(due):
            if isinstance(action, Probe):
                keeper.heard(action.number, due)
            else:
                done.append((due, action))
    return done


def test_a_key_is_extended_at_a_third_of_its_life():
    """Two failures in a row still leave time for a third attempt before it ends."""
    keeper = begun()
    ((at, action),) = alive(keeper, 30 * 60 * SECOND)
    assert (at, action) == (HOUR // 3, ExtendKey("K"))
    keeper.extended(at)
    ((later, _),) = alive(keeper, HOUR)
    assert later == 2 * HOUR // 3


def test_an_extension_that_fails_is_tried_again_within_the_keys_life():
    """One lost answer must not end a stream."""
    keeper = begun()
    ((at, _),) = alive(keeper, 30 * 60 * SECOND)
    attempts = []
    while at < HOUR:
        keeper.call_failed("extend", Fault("transient"), at)
        done = alive(keeper, at + 61 * SECOND)
        if not done:
            break
        at, action = done[0]
        attempts.append(action)
    assert len(attempts) > 20
    assert attempts[0] == ExtendKey("K")
    assert attempts[-1] == CreateKey(), "once its life is over another one is made"


def test_a_key_that_is_gone_is_replaced_before_its_socket_goes():
    """The old socket may still give events while the new one comes up."""
    keeper = begun()
    ((at, _),) = alive(keeper, 30 * 60 * SECOND)
    assert keeper.call_failed("extend", Fault("key_gone"), at) == [CreateKey()]
    assert keeper.created("L", at) == [Connect(2, "L")]
    assert keeper.opened(2, at) == [Tell("open", "key")]
    assert alive(keeper, at + 3 * SECOND) == [(at + PLAN.overlap, Disconnect(1))]


def test_a_notice_of_a_keys_end_leads_to_another_key():
    """Silence after the notice is what most clients suffer."""
    keeper = begun()
    assert keeper.key_ended(1, SECOND) == [CreateKey()]
    assert keeper.key_ended(1, SECOND) == [], "told twice, done once"
    assert keeper.created("L", SECOND) == [Connect(2, "L")]


def test_a_late_answer_about_a_key_that_is_no_more_is_passed_over():
    """An extension on its way must not be taken for the create that came after it."""
    keeper = begun()
    ((at, _),) = alive(keeper, 30 * 60 * SECOND)
    keeper.key_ended(1, at)
    assert keeper.call_failed("extend", Fault("refused", reason="x"), at) == []
    assert keeper.extended(at) == []
    assert keeper.created("L", at) == [Connect(2, "L")]


def test_a_lost_socket_comes_back_and_its_key_is_checked():
    """A venue that accepts dead keys and then stays silent is found out by the extension."""
    keeper = begun()
    assert keeper.lost(1, SECOND) == [Tell("reconnecting", "lost"), Connect(2, "K")]
    assert keeper.opened(2, SECOND) == [Tell("open", "lost"), ExtendKey("K")]
    assert keeper.call_failed("extend", Fault("key_gone"), SECOND) == [CreateKey()]


def test_handshakes_that_fail_are_spread_further_and_further():
    """A venue that is down is not hammered."""
    keeper = begun()
    keeper.lost(1, 0)
    now, number, pauses = 0, 2, []
    for _ in range(10):
        keeper.lost(number, now, Fault("transient"))
        before, now = now, min(at for at in (keeper.wake_at(),))
        (action,) = [each for each in keeper.wake(now) if isinstance(each, Connect | ExtendKey)][:1]
        pauses.append(now - before)
        if isinstance(action, Connect):
            number = action.number
    assert pauses[:4] == [SECOND // 2, SECOND, 2 * SECOND, 4 * SECOND]
    assert max(pauses) <= 60 * SECOND


def test_a_handshake_that_refuses_the_key_makes_another():
    """401 and its kin mean the key, not the network."""
    keeper = begun()
    keeper.lost(1, 0)
    assert keeper.lost(2, 1, Fault("key_gone")) == [CreateKey()]


def test_limits_are_waited_for():
    """Calls before the time that the venue gave make it longer."""
    keeper = Keeper(PLAN, lambda: 0.5)
    keeper.start(0)
    assert keeper.call_failed("create", Fault("limited", until=90 * SECOND), 0) == []
    assert keeper.wake_at() >= 90 * SECOND
    assert keeper.wake(keeper.wake_at()) == [CreateKey()]


def test_what_only_the_user_can_mend_ends_the_stream():
    """A wrong API key is said at once, not tried for ever."""
    keeper = Keeper(PLAN, lambda: 0.5)
    keeper.start(0)
    assert keeper.call_failed("create", Fault("refused", reason="401"), 0) == [Tell("failed", "401")]
    assert keeper.wake_at() is None


def test_why_nothing_opens_is_told_once():
    """Who waits for a stream that a firewall keeps away sees the reason, and sees another one when it
    changes; what is open has nothing to say of it."""
    keeper = Keeper(PLAN, lambda: 0.5)
    keeper.start(0)
    told = []
    for at, reason in enumerate(("ConnectError", "ConnectError", "500 oops"), 1):
        told += keeper.call_failed("create", Fault("transient", reason=reason), at * HOUR)
        keeper.wake(at * HOUR + HOUR // 2)
    assert told == [Tell("connecting", "ConnectError"), Tell("connecting", "500 oops")]


def test_a_handshake_that_takes_no_key_says_why():
    """Who is kept out by a 403 key after key sees it, once, and not "connecting" for ever."""
    keeper = Keeper(PLAN, lambda: 0.5)
    keeper.start(0)
    keeper.created("K", 0)
    first = keeper.lost(1, SECOND, Fault("key_gone", reason="403"))
    keeper.wake(HOUR)
    keeper.created("L", HOUR)
    again = keeper.lost(2, HOUR + SECOND, Fault("key_gone", reason="403"))
    assert [each for each in (*first, *again) if isinstance(each, Tell)] == [Tell("connecting", "403")]


def test_a_socket_is_replaced_before_the_venue_cuts_it():
    """The successor is open before the old one goes."""
    keeper = begun(Plan(lifetime=100 * DAY, longest_socket=23 * HOUR))
    assert alive(keeper, DAY) == [(23 * HOUR, Connect(2, "K"))]
    assert keeper.opened(2, 23 * HOUR) == [Probe(1), Tell("open", "age")], "is the old one up to date?"
    assert alive(keeper, DAY) == [(23 * HOUR + PLAN.overlap, Disconnect(1))]


def test_a_server_that_goes_down_is_left_before_it_does():
    """Once, however often it says so."""
    keeper = begun()
    assert keeper.going_down(1, SECOND) == [Connect(2, "K")]
    assert keeper.going_down(1, SECOND) == []


def test_a_silent_socket_is_asked_and_then_dropped():
    """Half-open connections are found; quiet ones that answer stay."""
    keeper = begun()
    assert keeper.wake(60 * SECOND) == [Probe(1)]
    keeper.heard(1, 61 * SECOND)
    assert keeper.wake(121 * SECOND) == [Probe(1)]
    assert keeper.wake(131 * SECOND) == [Disconnect(1), Tell("reconnecting", "lost"), Connect(2, "K")]


def test_a_dead_socket_is_found_within_seconds():
    """Where answers come at once, five seconds without one are enough; not where they are slow."""
    for took, found in ((SECOND // 10, 10 * SECOND), (4 * SECOND, 17 * SECOND)):
        keeper = begun(Plan(lifetime=100 * DAY, silent=5 * SECOND, probe=5 * SECOND))
        assert keeper.wake(5 * SECOND) == [Probe(1)]
        keeper.echoed(1, took, 5 * SECOND)
        assert keeper.wake(10 * SECOND) == [Probe(1)]
        assert keeper.wake(5 * SECOND + found - 1) == []
        assert keeper.wake(5 * SECOND + found) == [
            Disconnect(1),
            Tell("reconnecting", "lost"),
            Connect(2, "K"),
        ]


def test_a_socket_that_is_asked_is_replaced_in_time_all_the_same():
    """To be woken for it, and then not to do it, would keep a processor busy until the answer comes."""
    keeper = begun(Plan(lifetime=100 * DAY, longest_socket=62 * SECOND, silent=60 * SECOND))
    assert keeper.wake(60 * SECOND) == [Probe(1)]
    assert keeper.wake_at() == 62 * SECOND
    assert keeper.wake(62 * SECOND) == [Connect(2, "K")]


def test_a_venue_that_never_answers_questions_is_asked_less():
    """One that knows no Pings must not be left every fifteen seconds."""
    keeper = begun(Plan(lifetime=100 * DAY, silent=5 * SECOND))
    now, drops, number = 0, 0, 1
    while now < 600 * SECOND:
        now = keeper.wake_at()
        for action in keeper.wake(now):
            if isinstance(action, Connect):
                drops, number = drops + 1, action.number
                keeper.opened(number, now)
                keeper.extended(now)
    assert drops <= 8


@pytest.mark.parametrize("closes", [True, False])
def test_the_end_leaves_nothing_behind(closes):
    """Sockets go; the key only where nobody shares it."""
    keeper = begun(Plan(lifetime=HOUR, closes_key=closes))
    key = [CloseKey("K")] if closes else []
    assert keeper.stop(SECOND) == [Disconnect(1), *key, Tell("closed")]
    assert keeper.wake_at() is None
    assert keeper.lost(1, SECOND) == keeper.created("X", SECOND) == keeper.wake(HOUR) == []


class World:
    """A venue with a will of its own, and the keeper of its client. The truth about keys is the venue's."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        plan = Plan(lifetime=HOUR, longest_socket=23 * HOUR, silent=600 * SECOND)
        self.keeper = Keeper(plan, self.dice.random)
        self.now = 0
        self.keys = {}
        self.made = 0
        self.open = {}
        self.coming = []
        self.asked = {"create": 0, "extend": 0}
        self.bad = True

    def do(self, actions):
        """What the shell would do; answers come later."""
        for action in actions:
            delay = int(self.dice.uniform(0.001, 3 if self.bad else 0.1) * SECOND)
            match action:
                case CreateKey() | ExtendKey():
                    kind = "create" if isinstance(action, CreateKey) else "extend"
                    self.asked[kind] += 1
                    self.coming.append((self.now + delay, kind, action))
                case Connect() | Probe():
                    self.coming.append((self.now + delay, type(action).__name__, action))
                case Disconnect(number):
                    self.open.pop(number, None)

    def step(self):
        """The next thing that happens."""
        due = min([at for at, *_ in self.coming] + [self.keeper.wake_at() or 2**62])
        self.now = max(self.now, due)
        self.keys = {key: ends for key, ends in self.keys.items() if ends > self.now}
        for each in [each for each in self.coming if each[0] <= self.now]:
            self.coming.remove(each)
            self.answer(each[1], each[2])
        if (at := self.keeper.wake_at()) is not None and at <= self.now:
            self.do(self.keeper.wake(self.now))
        if self.bad and self.dice.random() < 0.2:
            self.mischief()

    def answer(self, kind, action):
        """What the venue makes of it."""
        fails = self.bad and self.dice.random() < 0.4
        if kind in self.asked:
            self.asked[kind] -= 1
            assert sum(self.asked.values()) <= 2
            if fails:
                fault = self.dice.choice(
                    [Fault("transient"), Fault("limited", self.now + 5 * SECOND), Fault("clock")]
                )
                self.do(self.keeper.call_failed(kind, fault, self.now))
            elif kind == "create":
                self.made += 1
                key = f"K{self.made}"
                self.keys[key] = self.now + HOUR
                self.do(self.keeper.created(key, self.now))
            elif action.key in self.keys:
                self.keys[action.key] = self.now + HOUR
                self.do(self.keeper.extended(self.now))
            else:
                self.do(self.keeper.call_failed("extend", Fault("key_gone"), self.now))
        elif kind == "Connect":
            if fails or (action.key not in self.keys and self.dice.random() < 0.5):
                self.do(self.keeper.lost(action.number, self.now, Fault("transient")))
            else:  # a dead key is accepted, and silent
                self.open[action.number] = action.key
                self.do(self.keeper.opened(action.number, self.now))
        elif action.number in self.open:
            self.do(self.keeper.heard(action.number, self.now))

    def mischief(self):
        """Cuts, expiry, somebody else's delete."""
        if self.open and self.dice.random() < 0.5:
            number = self.dice.choice(list(self.open))
            del self.open[number]
            self.do(self.keeper.lost(number, self.now))
        elif self.keys:
            key = self.dice.choice(list(self.keys))
            del self.keys[key]
            for number in [number for number, held in self.open.items() if held == key]:
                if self.dice.random() < 0.5:
                    self.do(self.keeper.key_ended(number, self.now))

    def is_well(self):
        """Events would arrive: a socket is open with a key that lives."""
        return any(key in self.keys for key in self.open.values())


@pytest.mark.parametrize("seed", range(300))
def test_whatever_happened_the_stream_is_well_again_within_minutes(seed):
    """After any trouble, once the venue behaves, an open socket with a living key comes, and stays for days
    without a moment between."""
    world = World(seed)
    world.do(world.keeper.start(0))
    for _ in range(200):
        world.step()
    world.bad = False
    healthy_from = world.now
    while not world.is_well():
        world.step()
        assert world.now < healthy_from + HOUR // 2, "not back within half an hour"
    settled = healthy_from + HOUR // 2
    while world.now < healthy_from + 2 * DAY:
        world.step()
        assert world.now < settled or world.is_well(), f"no stream at {world.now}"


def busy(keeper, until, answer, waiting, now=0):
    """How often calls and sockets were asked for, where `answer` says what comes of them at once."""
    asked = 0
    while True:
        while waiting:
            action = waiting.pop(0)
            if isinstance(action, CreateKey | ExtendKey | Connect):
                asked += 1
                assert asked < 1000, "it never rests"
                waiting += answer(action, now)
        if (due := keeper.wake_at()) is None or due > until:
            return asked
        now = max(now, due)
        waiting = keeper.wake(now)


def dead_venue(keeper, end):
    """A venue that makes keys, and ends each socket in one way."""

    def answer(action, now):
        if isinstance(action, CreateKey):
            return keeper.created(f"K{now}", now)
        if isinstance(action, ExtendKey):
            return keeper.extended(now)
        return end(action.number, now)

    return answer


@pytest.mark.parametrize("end", ["refused handshake", "cut at once", "key over at once"])
def test_a_venue_that_takes_no_socket_is_not_stormed(end):
    """A wrong address, a firewall or a broken venue gets a few calls a minute; more would ban us."""
    keeper = Keeper(PLAN, lambda: 0.0)

    def ended(number, now):
        if end == "refused handshake":
            return keeper.lost(number, now, Fault("key_gone"))
        opened = keeper.opened(number, now)
        over = keeper.lost if end == "cut at once" else keeper.key_ended
        return [*opened, *over(number, now)]

    assert busy(keeper, 600 * SECOND, dead_venue(keeper, ended), keeper.start(0)) < 100


def test_a_wrong_clock_that_cannot_be_set_is_not_asked_about_without_a_pause():
    """A proxy's wrong Date would turn one refusal into thousands."""
    keeper = Keeper(PLAN, lambda: 0.0)
    keeper.start(0)
    assert keeper.call_failed("create", Fault("clock"), 0) == []
    assert keeper.wake(0) == [CreateKey()], "at once, with the clock just set"
    keeper.call_failed("create", Fault("clock"), 0)
    assert keeper.wake_at() > 0


def test_a_successor_that_cannot_be_had_is_asked_for_now_and_then():
    """A venue that takes no new socket while the old one still works."""
    keeper = begun(Plan(lifetime=100 * DAY, longest_socket=23 * HOUR))
    ((at, action),) = alive(keeper, 23 * HOUR)
    assert action == Connect(2, "K")
    waiting = keeper.lost(2, at, Fault("transient"))
    answer = dead_venue(keeper, lambda number, now: keeper.lost(number, now, Fault("transient")))
    assert not any(isinstance(each, Tell) for each in waiting), "the old one is open still"
    assert 5 < busy(keeper, at + 600 * SECOND, answer, waiting, at) < 30


def test_a_key_that_is_over_leads_to_another_socket_though_it_is_called_the_same():
    """What was subscribed to by signature has no key; its end is an end all the same."""
    keeper = begun(key="signed")
    assert keeper.key_ended(1, SECOND) == [CreateKey()]
    assert keeper.created("signed", SECOND) == [Connect(2, "signed")]
    assert keeper.key_ended(1, SECOND) == [], "the old one says so again"
    assert keeper.opened(2, SECOND) == [Tell("open", "key")]


def test_no_socket_is_opened_without_a_key():
    """A shutdown notice while a new key is on its way."""
    keeper = begun()
    keeper.key_ended(1, SECOND)
    assert keeper.going_down(1, SECOND) == []
    assert keeper.created("L", SECOND) == [Connect(2, "L")]


def test_a_successor_that_goes_first_leaves_the_old_socket_in_place():
    """Else the old one would go a moment later, and nobody would be told of the hole."""
    keeper = begun()
    keeper.going_down(1, SECOND)
    keeper.opened(2, SECOND)
    assert keeper.lost(2, SECOND) == []
    assert not any(isinstance(each, Disconnect) for _, each in alive(keeper, 10 * SECOND))
    assert keeper.lost(1, 11 * SECOND) == [Tell("reconnecting", "lost")]


def test_a_time_that_is_years_away_is_not_waited_for():
    """A number in a message that looks like a time must not end the stream for years."""
    keeper = Keeper(PLAN, lambda: 0.5)
    keeper.start(0)
    keeper.call_failed("create", Fault("limited", until=4000 * DAY), 0)
    assert keeper.wake_at() < 4 * DAY
