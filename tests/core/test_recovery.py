"""What a break made a stream miss is had again, or named."""

from decimal import Decimal

import pytest

from listenkey.base.clock import SECOND
from listenkey.core.recovery import Answer, Fact, Give, Miss, Recovery, Terms
from tests.core.ledger_venue import SYMBOLS, Books
from tests.core.recovery_world import World


@pytest.mark.parametrize("seed", range(300))
def test_whatever_broke_each_fact_comes_once_in_order_or_is_named_missing(seed):
    """A user who sums up fills over cuts, late histories and failing calls is never silently wrong."""
    world = World(seed)
    world.run()
    world.check()


@pytest.mark.soak
@pytest.mark.parametrize("first", range(300, 10_300, 100))
def test_the_same_over_many_seeds(first):
    """What one seed in a thousand breaks."""
    for seed in range(first, first + 100):
        test_whatever_broke_each_fact_comes_once_in_order_or_is_named_missing(seed)


@pytest.mark.parametrize("seed", range(40))
def test_where_the_venue_answers_nothing_is_called_missing(seed):
    """A gap for each short cut would teach users to pass gaps over."""
    world = World(seed)
    world.lag_ms, world.fails, world.knows = 0, 0.0, True
    world.recovery = Recovery(Books(), world.terms, symbols=SYMBOLS)
    world.venue.transfers = False
    world.run()
    world.check()
    assert world.misses() == []


def test_what_was_transferred_meanwhile_is_a_gap_that_names_it():
    """History tells orders and fills; of anything else the balance alone speaks."""
    recovery = live(Decimal(10))
    recovery.broke(2000, "disconnected")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    answer = Answer((), {"cash": Decimal(15)}, ("AAA",))
    assert recovery.answered(ask.number, answer, 2 * SECOND) == []
    (miss, *_) = recovery.wake(90 * SECOND)
    assert (miss.differs, miss.symbols, miss.since_ms, miss.until_ms) == (("cash",), ("AAA",), 2000, 5000)
    assert recovery.is_live


def live(cash, looked_ms=1000):
    """A recovery that knows what is held, before any trouble."""
    recovery = Recovery(Books(), Terms(), symbols=("AAA",))
    recovery.began(1000)
    (look,) = recovery.opened(1000, 0)
    assert recovery.looked(look.number, {"cash": cash}, looked_ms) == []
    return recovery


def after_a_restart(known, holdings):
    """A recovery that begins with what another one knew, and breaks at once: what it does about an answer in
    which nothing changed since."""
    recovery = Recovery(Books(), Terms(), symbols=("AAA",), known=known, holdings=holdings)
    recovery.began(1000)
    recovery.broke(4000, "disconnected")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    totals = {"cash": Decimal(10), **{f"order o{number}": Decimal(1) for number in range(1, len(known) + 1)}}
    said = recovery.answered(ask.number, Answer((), totals, ("AAA",)), 2 * SECOND)
    return said or recovery.wake(90 * SECOND)


@pytest.mark.parametrize("events", [0, 1, 3])
@pytest.mark.parametrize("later", [0, 2])
def test_a_restart_goes_on_with_what_was_held(events, later):
    """Holdings are kept with the place of the last event in them: what came later is added, and a quiet
    account is complete without a word of its balances ever having come."""
    recovery, known = live(Decimal(10)), [new(number + 1) for number in range(events + later)]
    for each in known[:events]:
        recovery.note(*each)
    holdings = recovery.holdings()
    assert [each for each in after_a_restart(known, holdings) if isinstance(each, Miss)] == []
    misses = [each for each in after_a_restart(known, b"") if isinstance(each, Miss)]
    assert len(misses) == 1, "else nobody knows what there was"


@pytest.mark.parametrize(
    "holdings", [b"", b"{}", b"[1]", b"not JSON", b'{"accounts":{},"last":"of another"}']
)
def test_holdings_that_fit_nothing_are_no_excuse(holdings):
    """Damaged, or of an event that is not among the known ones: it is a gap, not a wrong sum."""
    misses = [each for each in after_a_restart([new(1)], holdings) if isinstance(each, Miss)]
    assert [each.why for each in misses] == ["what was held before is not known of cash"]


def test_nothing_is_kept_of_holdings_while_something_is_missing():
    """What a restart would go on with has to be known to be so."""
    recovery = live(Decimal(10))
    assert recovery.holdings() != b""
    recovery.broke(2000, "disconnected")
    assert recovery.holdings() == b""
    assert Recovery(Books(), Terms(), known=[new(1)]).holdings() == b""


def new(number, at=3000):
    """A new order: its kind and bytes."""
    return "new", b'{"at":%d,"s":"AAA","i":"o%d","rests":1}' % (at, number)


def test_what_comes_while_the_first_snapshot_is_asked_for_is_not_forgotten():
    """A busy account: what it began and ended meanwhile counts, however much came after it."""
    recovery = Recovery(Books(), Terms(), symbols=("AAA",))
    (look,) = recovery.opened(1000, 0)
    for number in range(1, 1001):
        recovery.note(*new(number, 1500))
    recovery.looked(look.number, {}, 1000)
    recovery.broke(2000, "disconnected")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    totals = {f"order o{number}": Decimal(1) for number in range(1, 1001)}
    assert recovery.answered(ask.number, Answer((), totals, ("AAA",)), 2 * SECOND) == []
    assert recovery.is_live, "nothing differs"


def test_live_events_wait_for_the_fetched_ones_and_no_longer():
    """What was missed comes first; both are marked."""
    recovery = live(Decimal(0))
    recovery.broke(2000, "disconnected")
    assert recovery.opened(5000, SECOND) == []
    assert recovery.hold(*new(2, 6000), SECOND) == []
    (ask,) = recovery.wake(2 * SECOND)
    fact = Fact(*new(1), 3000, ("new", "AAA", "o1"), "backfill")
    totals = {"order o1": Decimal(1), "order o2": Decimal(1)}
    given = recovery.answered(ask.number, Answer((fact,), totals, ("AAA",)), 2 * SECOND)
    assert given == [Give(*new(1), "backfill"), Give(*new(2, 6000), "stream")]
    assert recovery.is_live
    assert recovery.is_late(*new(1), 3 * SECOND), "should it come over the stream after all"


@pytest.mark.parametrize(("for_good", "until"), [(True, 0), (False, 600 * SECOND)])
def test_a_refusal_or_a_long_ban_is_said_at_once(for_good, until):
    """An API key without permission must not hold a stream up for a minute."""
    recovery = live(Decimal(0))
    recovery.broke(2000, "disconnected")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    recovery.hold(*new(2, 6000), 2 * SECOND)
    miss, given, *_ = recovery.failed(ask.number, "-2015", 2 * SECOND, for_good=for_good, until=until)
    assert (miss.why, given) == ("-2015", Give(*new(2, 6000), "stream"))
    assert recovery.is_live


def test_more_than_can_be_held_back_is_not_held_back():
    """Memory is bounded, and live events go on."""
    recovery = live(Decimal(0))
    recovery.broke(2000, "disconnected")
    recovery.opened(5000, SECOND)
    given = []
    for number in range(1000):
        kind, raw = new(number, 6000)
        given += recovery.hold(kind, raw + b" " * 20_000, SECOND)
    assert isinstance(given[0], Miss)
    assert "held back" in given[0].why
    assert recovery.is_live


def test_without_history_a_break_is_a_gap_at_once():
    """As for venues that cannot be asked."""
    recovery = Recovery(Books(), Terms(), why_not="no history")
    assert recovery.opened(1000, 0) == []
    recovery.broke(2000, "disconnected")
    assert recovery.opened(5000, 1) == [Miss("disconnected", 2000, 5000, (), (), "no history")]


def test_a_second_break_widens_the_first():
    """An answer about half of the hole is passed over."""
    recovery = live(Decimal(0))
    recovery.broke(2000, "disconnected")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    recovery.broke(5500, "disconnected")
    assert recovery.answered(ask.number, Answer((), {}, ()), 2 * SECOND) == []
    (again,) = recovery.opened(9000, 3 * SECOND) + recovery.wake(4 * SECOND)
    assert (again.from_ms, again.to_ms) == (1000, 12_000)
    recovery.answered(again.number, Answer((), {}, ()), 4 * SECOND)
    assert recovery.is_live


def state(at, cash):
    """A total: its kind and bytes."""
    return "state", b'{"at":%d,"held":{"cash":%d}}' % (at, cash)


@pytest.mark.parametrize(("later", "is_whole"), [(10, True), (15, False)])
def test_a_total_after_the_second_break_does_not_hide_what_was_missed_in_it(later, is_whole):
    """Totals that come after each of two breaks: the fills between are asked for as strictly in both, also
    where history is too late to tell of them."""
    recovery = live(Decimal(10))
    recovery.broke(2000, "disconnected")
    recovery.opened(5000, SECOND)
    recovery.hold(*state(6000, 10), SECOND)
    recovery.broke(7000, "disconnected")
    (ask,) = recovery.opened(9000, 2 * SECOND) + recovery.hold(*state(9500, later), 2 * SECOND) or (
        recovery.wake(3 * SECOND)
    )
    said = recovery.answered(ask.number, Answer((), {"cash": Decimal(later)}, ("AAA",)), 4 * SECOND)
    said = said or recovery.wake(90 * SECOND)
    misses = [(each.differs, each.since_ms, each.until_ms) for each in said if isinstance(each, Miss)]
    assert misses == ([] if is_whole else [(("cash",), 2000, 9000)])


@pytest.mark.parametrize("reason", ["unreadable", "disconnected"])
def test_breaks_one_after_the_other_hold_nothing_back_for_ever(reason):
    """A connection that flaps, or frames that cannot be read: events wait no longer than for one break."""
    recovery, now, given = live(Decimal(0)), SECOND, []
    recovery.broke(2000, reason)
    recovery.opened(2000, now)
    recovery.hold(*new(1, 2001), now)
    while not given:
        now += SECOND // 2
        given += recovery.wake(now)
        if not given:
            recovery.broke(now // 1000, reason)
            recovery.opened(now // 1000, now)
        assert now < 63 * SECOND
    assert isinstance(given[0], Miss)
    assert recovery.is_live


def test_what_is_known_from_before_is_not_given_again():
    """A relay that starts anew names the end of its journal."""
    known = [new(1, 1500), ("state", b'{"at":1600,"held":{"cash":5}}')]
    recovery = Recovery(Books(), Terms(), symbols=("AAA",), known=known)
    recovery.broke(1600, "started")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    facts = tuple(
        Fact(*event, at, ("new", "AAA", name), "backfill")
        for event, at, name in ((new(1, 1500), 1500, "o1"), (new(2), 3000, "o2"))
    )
    totals = {"cash": Decimal(5), "order o1": Decimal(1), "order o2": Decimal(1)}
    given = recovery.answered(ask.number, Answer(facts, totals, ("AAA",)), 2 * SECOND)
    assert given == [Give(*new(2), "backfill")]


def test_what_nobody_knows_the_beginning_of_is_not_called_whole():
    """Of an asset that was never told of nobody can say whether it changed."""
    recovery = Recovery(Books(), Terms(), known=[("state", b'{"at":1600,"held":{"cash":5}}')])
    recovery.broke(1600, "started")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    answer = Answer((), {"cash": Decimal(5), "pos AAA": Decimal(1)}, ("AAA",))
    recovery.answered(ask.number, answer, 2 * SECOND)
    (again,) = recovery.wake(3 * SECOND)
    (miss, *_) = recovery.answered(again.number, answer, 3 * SECOND)
    assert "pos AAA" in miss.why


def test_a_snapshot_from_within_a_break_proves_nothing():
    """A key may have been dead for long when it is found out."""
    recovery = live(Decimal(0), looked_ms=4500)
    recovery.broke(900, "disconnected")
    (ask,) = recovery.opened(5000, SECOND) + recovery.wake(2 * SECOND)
    recovery.answered(ask.number, Answer((), {}, ("AAA",)), 2 * SECOND)
    (again,) = recovery.wake(3 * SECOND)
    (miss, *_) = recovery.answered(again.number, Answer((), {}, ("AAA",)), 3 * SECOND)
    assert "snapshot" in miss.why
