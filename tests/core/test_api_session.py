"""Sessions of WebSocket APIs: subscriptions, log-on, liveness."""

import pytest

from listenkey.base.clock import MILLISECOND, SECOND
from listenkey.core.api_session import Age, ApiSession, Liveness, Subscribed
from listenkey.core.records import ApiKey, StreamId
from listenkey.dialect.model import Heartbeat

ALICE = StreamId(1, "spot")
BOB = StreamId(2, "spot")
KEY = ApiKey("id", 1, "alice", "key", b"", "", ("read",), (), 0)
BEAT = Heartbeat(kind="protocol_ping", period_ms=20_000, grace_ms=60_000)


def session(most=10, most_ids=100):
    return ApiSession(0, most=most, most_ids=most_ids)


def test_ids_count_up_and_are_never_used_again():
    """A bot that takes an old id's late event for a new subscription's would mix two accounts."""
    ours = session()
    assert ours.subscribe(ALICE, "signature").id == 0
    ours.unsubscribe(0)
    assert ours.subscribe(ALICE, "signature").id == 1


def test_a_stream_is_subscribed_to_once():
    """Twice would mean every fill twice."""
    ours = session()
    ours.subscribe(ALICE, "logon")
    assert ours.subscribe(ALICE, "signature") == "subscription_active"
    assert isinstance(ours.subscribe(BOB, "signature"), Subscribed)


def test_a_new_token_makes_a_subscription_last_longer_and_never_shorter():
    """Renewal goes on under the same id, without an event lost or told twice."""
    ours = session()
    first = ours.subscribe(ALICE, "token", 100)
    assert ours.subscribe(ALICE, "token", 200) is first
    ours.subscribe(ALICE, "token", 50)
    assert ours.expire(199) == []
    assert ours.next_expiry() == 200
    assert ours.expire(200) == [first]
    assert ours.active == []
    assert ours.next_expiry() is None


def test_bounds_of_a_connection():
    """Neither the active ones nor the ids go beyond what the venue allows."""
    ours = session(most=2, most_ids=3)
    ours.subscribe(StreamId(1, "a"), "signature")
    ours.subscribe(StreamId(2, "a"), "signature")
    assert ours.subscribe(StreamId(3, "a"), "signature") == "too_many_subscriptions"
    ours.unsubscribe(None)
    ours.subscribe(StreamId(1, "a"), "signature")
    assert ours.subscribe(StreamId(2, "a"), "signature") == "subscription_ids_spent"


def test_logging_out_ends_only_what_hung_on_it():
    """Subscriptions by signature go on."""
    ours = session()
    ours.log_on(KEY, 5)
    by_logon = ours.subscribe(ALICE, "logon")
    by_signature = ours.subscribe(BOB, "signature")
    assert ours.log_out() == [by_logon]
    assert ours.active == [by_signature]
    assert ours.api_key is None


def test_unsubscribing_from_what_is_not_there():
    """None says so; all of nothing is nothing."""
    ours = session()
    assert ours.unsubscribe(3) is None
    assert ours.unsubscribe(None) == []


@pytest.mark.parametrize(
    ("echo", "payload", "dies"),
    [(True, b"1", False), (True, b"", True), (True, b"2", True), (False, b"", False)],
)
def test_only_the_right_pong_counts_where_the_echo_is_demanded(echo, payload, dies):
    """A peer that answers with something else is as good as gone there."""
    alive = Liveness(BEAT, 0, echo=echo)
    assert alive.wake(20 * SECOND - MILLISECOND, b"1") == "wait"
    assert alive.wake(20 * SECOND, b"1") == "ping"
    alive.ponged(payload)
    for moment in (40, 60, 79):
        alive.wake(moment * SECOND, b"9")
        if not dies:
            alive.ponged(b"9" if echo else b"")
    assert (alive.wake(80 * SECOND, b"9") == "dead") is dies


def test_when_to_wake():
    """Never later than the next Ping or the end."""
    alive = Liveness(BEAT, 0, echo=True)
    assert alive.wake_at() == 20 * SECOND
    alive.wake(20 * SECOND, b"1")
    assert alive.wake_at() == 40 * SECOND
    alive.wake(40 * SECOND, b"2")
    alive.wake(60 * SECOND, b"3")
    assert alive.wake_at() == 80 * SECOND


def test_an_old_connection_is_told_once_and_then_ends():
    """Who reconnects when it is told misses nothing; who does not is cut at the venue's hour."""
    age = Age(SECOND, 100 * SECOND, 10 * SECOND)
    assert (age.wake_at(), age.wake(91 * SECOND - 1)) == (91 * SECOND, "wait")
    assert [age.wake(91 * SECOND), age.wake(92 * SECOND)] == ["tell", "wait"]
    assert age.wake_at() == 101 * SECOND
    assert [age.wake(101 * SECOND - 1), age.wake(101 * SECOND)] == ["wait", "end"]


def test_an_end_that_nobody_is_told_of_comes_all_the_same():
    """Where the venue has no words for it, nothing is due before the end."""
    age = Age(0, 100 * SECOND, 0)
    assert (age.wake_at(), age.wake(99 * SECOND), age.wake(100 * SECOND)) == (100 * SECOND, "wait", "end")
