"""Receipts against clients of all kinds: a false confirmation loses a fill, a missing one repeats it."""

from collections import deque
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.clock import SECOND
from listenkey.core.receipts import EVERY, PATIENCE, Receipts

PROOFS = ("echo", "empty")


# When to ask -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proof", PROOFS)
def test_the_first_ping_may_go_out_at_once(proof):
    """The first event is confirmed as soon as it can be."""
    assert Receipts(proof).asks_at() == 0


@pytest.mark.parametrize("proof", PROOFS)
def test_one_ping_is_out_at_a_time(proof):
    """A client that does not answer is not pestered."""
    receipts = Receipts(proof)
    receipts.ask("a", 5)
    assert receipts.asks_at() == (5 + PATIENCE if proof == "echo" else None)


@pytest.mark.parametrize("proof", PROOFS)
def test_at_most_one_ping_a_second(proof):
    """An answer that comes at once does not bring the next Ping at once."""
    receipts = Receipts(proof)
    receipts.answered(receipts.ask("a", 5))
    assert receipts.asks_at() == 5 + EVERY


# What proves -------------------------------------------------------------------------------------------


def test_the_exact_payload_proves():
    """Binance's rule: a Pong carries what its Ping carried."""
    receipts = Receipts("echo")
    payload = receipts.ask("a", 5)
    assert receipts.answered(payload) == "a"


def test_payloads_are_different_each_time():
    """So that an answer says which Ping it answers."""
    receipts = Receipts("echo")
    assert len({receipts.ask("a", number) for number in range(100)}) == 100


@pytest.mark.parametrize("wrong", [b"", b"4", b"51", b"5 ", b"x" * 125])
def test_any_other_payload_proves_nothing(wrong):
    """An altered or empty Pong is a sign of life and no receipt; the right one still counts after it."""
    receipts = Receipts("echo")
    payload = receipts.ask("a", 5)
    assert receipts.answered(wrong) is None
    assert receipts.answered(payload) == "a"


def test_a_doubled_pong_proves_once():
    """The second of two equal Pongs does not answer the next Ping."""
    receipts = Receipts("echo")
    first = receipts.ask("a", 5)
    assert receipts.answered(first) == "a"
    assert receipts.answered(first) is None
    receipts.ask("b", 5 + EVERY)
    assert receipts.answered(first) is None


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize("payload", [b"", b"5"])
def test_an_unasked_pong_proves_nothing(proof, payload):
    """Before any Ping there is nothing that a Pong could be about."""
    assert Receipts(proof).answered(payload) is None


def test_a_ping_that_was_given_up_proves_nothing_any_more():
    """Its answer came too late: the one to the next Ping counts, and says more."""
    receipts = Receipts("echo")
    late = receipts.ask("a", 5)
    payload = receipts.ask("b", 5 + PATIENCE)
    assert receipts.answered(late) is None
    assert receipts.answered(payload) == "b"


# Clients that a payload breaks ---------------------------------------------------------------------------


def test_an_empty_ping_is_empty():
    """A client that takes each frame for gzip dies of a payload."""
    assert Receipts("empty").ask("a", 5) == b""


@pytest.mark.parametrize("payload", [b"", b"whatever"])
def test_a_pong_to_an_empty_ping_counts_when_the_next_one_is_answered_too(payload):
    """It cannot say which Ping it answers, so it is taken for good only while the numbers fit."""
    receipts = Receipts("empty")
    receipts.ask("a", 5)
    assert receipts.answered(payload) is None
    receipts.ask("b", 5 + EVERY)
    assert receipts.answered(payload) == "a"


@pytest.mark.parametrize("when", ["before any ping", "before the answer", "after the answer"])
def test_more_pongs_than_pings_and_nothing_is_believed_for_good(when):
    """A client that pongs unasked confirms nothing: not with the stray Pong, and never after it."""
    receipts = Receipts("empty")
    if when == "before any ping":
        assert receipts.answered(b"") is None
    else:
        receipts.ask("a", 5)
        assert [receipts.answered(b"") for _ in range(2)] == [None, None]
    assert not receipts.trusted
    assert receipts.asks_at() is None
    assert receipts.answered(b"") is None


def test_with_payloads_strays_do_no_harm():
    """The exact echo proves what it proves, whatever else the client sends."""
    receipts = Receipts("echo")
    for number in range(10):
        assert receipts.answered(b"stray") is None
        payload = receipts.ask(number, number * EVERY)
        assert receipts.answered(b"stray") is None
        assert receipts.answered(payload) == number
        assert receipts.trusted


# Any client --------------------------------------------------------------------------------------------

MANNERS = ("honest", "double", "empty", "altered", "mute", "late double")


class Client:
    """Takes frames and answers Pings in their order, in its manner; and strays, of its own accord."""

    def __init__(self):
        self.incoming = deque()
        self.outgoing = deque()
        self.taken = 0
        """The number of the last frame that it took."""

    def take(self, manner):
        if not self.incoming:
            return
        self.taken, payload = self.incoming.popleft()
        pongs = {
            "honest": [payload],
            "double": [payload, payload],
            "late double": [payload],
            "empty": [b""],
            "altered": [payload + b"!"],
            "mute": [],
        }[manner]
        self.outgoing.extend(pongs)
        if manner == "late double":
            self.outgoing.append(payload)

    def stray(self, payload):
        self.outgoing.append(payload)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 3 * SECOND)),
        st.tuples(st.just("take"), st.sampled_from(MANNERS)),
        st.tuples(st.just("hear"), st.none()),
        st.tuples(st.just("stray"), st.sampled_from([b"", b"0", b"1000000", b"x"])),
    ),
    max_size=80,
)


def play(receipts, actions, strays):
    """What was confirmed, each with what the client had taken by the time it was; and when was asked."""
    client, numbers, now = Client(), count(1), 0
    confirmed, asked = [], []
    for action, detail in actions:
        if action == "ask":
            now += detail
            due = receipts.asks_at()
            if due is not None and due <= now:
                number = next(numbers)
                asked.append(now)
                client.incoming.append((number, receipts.ask(number, now)))
        elif action == "take":
            client.take(detail)
        elif action == "stray" and strays:
            strays -= 1
            client.stray(detail)
        elif action == "hear" and client.outgoing:
            mark = receipts.answered(client.outgoing.popleft())
            if mark is not None:
                confirmed.append((mark, client.taken))
    return confirmed, asked


def check_confirmed(confirmed):
    marks = [mark for mark, _ in confirmed]
    assert marks == sorted(set(marks)), "in order, each at most once"
    assert all(mark <= taken for mark, taken in confirmed), "nothing that the client does not have"


@given(ACTIONS)
def test_an_echo_never_confirms_what_the_client_does_not_have(actions):
    """Whatever it sends, however often, in whatever order."""
    check_confirmed(play(Receipts("echo"), actions, strays=100)[0])


@given(ACTIONS)
def test_an_empty_answer_confirms_nothing_false_at_a_first_stray_pong(actions):
    """One Pong that nobody asked for, at the worst moment, and no frame on its way is taken for received."""
    answers = [
        each for each in actions if each[1] in {"honest", "empty", "mute", "altered"} or each[0] != "take"
    ]
    check_confirmed(play(Receipts("empty"), answers, strays=1)[0])


@given(ACTIONS)
def test_a_client_that_doubles_its_pongs_confirms_nothing_false(actions):
    """Whether the second Pong comes before the next Ping or after it."""
    answers = [("take", "double") if each[0] == "take" else each for each in actions]
    check_confirmed(play(Receipts("empty"), answers, strays=0)[0])


@given(st.sampled_from(PROOFS), ACTIONS)
def test_pings_are_a_second_apart(proof, actions):
    """Whatever a client answers, it is asked no more often."""
    _, asked = play(Receipts(proof), actions, strays=100)
    assert all(later - earlier >= EVERY for earlier, later in pairwise(asked))


@given(st.sampled_from(PROOFS), st.integers(3, 20))
def test_an_honest_client_confirms_everything(proof, rounds):
    """All that was asked is confirmed by its own answer, or the one after it."""
    actions = [("ask", SECOND), ("take", "honest"), ("hear", None)] * rounds
    confirmed, _ = play(Receipts(proof), actions, strays=0)
    behind = 0 if proof == "echo" else 1
    assert confirmed == [(number, number + behind) for number in range(1, rounds + 1 - behind)]
