"""The checker is itself on trial: a good history passes, and each way to break a promise is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.process.history import (
    Admission,
    Call,
    Event,
    Gap,
    History,
    Message,
    Publish,
    Reached,
    Reading,
    Space,
    Subscription,
    Violation,
    check,
    check_all_read,
    check_consumers,
    check_limit,
)

ALICE = ("alice", "spot")
BOB = ("bob", "spot")


def good_history() -> History:
    """Two accounts; alice's key is extended, used, closed and made anew; a publish is lost and retried."""
    history = History({"spot": Space("spot", 60.0, shared=True), "bing": Space("bing", 60.0, shared=False)})
    history.calls = [
        Call("create", "alice", "spot", "A1", 1.0, 1.1, "ok"),
        Call("create", "bob", "spot", "B1", 1.0, 1.1, "ok"),
        Call("open", "alice", "spot", "A1", 1.2, 1.3, "ok"),
        Call("extend", "alice", "spot", "A1", 30.0, 30.1, "ok"),
        Call("extend", "alice", "spot", "A1", 40.0, 40.9, "lost"),
        Call("create", "alice", "spot", "A1", 50.0, 50.1, "ok"),
        Call("close", "alice", "spot", "A1", 60.0, 60.1, "ok"),
        Call("extend", "alice", "spot", "A1", 61.0, 61.1, "refused"),
        Call("create", "alice", "spot", "A2", 62.0, 62.1, "ok"),
        Call("extend", "bob", "spot", "B1", 70.0, 70.1, "refused"),  # expired
        Call("create", "alice", "bing", "X1", 1.0, 1.1, "ok"),
        Call("create", "alice", "bing", "X2", 1.0, 1.1, "ok"),
    ]
    history.publishes = [
        Publish("alice", "spot", "a1", 2.0, 2.1, "ok", ("e", 1)),
        Publish("alice", "spot", "a2", 3.0, 3.1, "lost"),
        Publish("alice", "spot", "a2", 4.0, 4.1, "ok", ("e", 2)),
        Publish("alice", "spot", "a3", 5.0, 5.1, "ok", ("e", 3)),
        Publish("alice", "spot", "a4", 59.9, 60.2, "ok", ("e", 4)),
        Publish("alice", "spot", "a5", 63.0, 63.1, "ok", ("e", 5)),
        Publish("bob", "spot", "b1", 2.0, 2.1, "ok", ("f", 1)),
        Publish("bob", "spot", "b2", 80.0, 80.1, "ok", ("f", 2)),
    ]
    kinds = {1: "ORDER", 2: "ACCOUNT", 3: "ORDER", 4: "ORDER", 5: "ACCOUNT"}
    history.journals = {
        ALICE: [Event("e", n, f"a{n}", kinds[n]) for n in range(1, 6)],
        BOB: [Event("f", n, f"b{n}") for n in (1, 2)],
    }
    whole = Subscription("alice", "spot", "spot", "A1", 1.3, tags=["a1", "a2", "a3", "a4"])
    whole.notice()
    history.subscriptions = [
        whole,
        Subscription("alice", "spot", "spot", "A1", 2.5, tags=["a2", "a3"]),
        Subscription("alice", "spot", "spot", "A1", 1.3, wants=frozenset({"ORDER"}), tags=["a1", "a3", "a4"]),
        Subscription("bob", "spot", "spot", "B1", 1.3, tags=["b1"]),
    ]
    first = Reading("alice", "spot", None)
    first.messages = [Reached("e", 0), Event("e", 1, "a1"), Event("e", 2, "a2"), Reached("e", 2)]
    second = Reading("alice", "spot", ("e", 2))
    second.messages = [Reached("e", 2), *(Event("e", n, f"a{n}") for n in (3, 4, 5)), Reached("e", 5)]
    history.readings = [first, second]
    return history


def test_a_good_history_passes() -> None:
    """What the gateway may do is not reported, or every report would be noise."""
    history = good_history()
    assert check(history) == []
    assert list(check_all_read(history, {ALICE: history.readings})) == []


def call(history: History, *, verb: str, key: str, asked: float) -> int:
    """The place of a call in the history."""
    calls = history.calls
    return next(n for n, c in enumerate(calls) if (c.verb, c.key, c.asked) == (verb, key, asked))


def lost_key(history: History) -> None:
    """A crash forgot a create."""
    history.calls.insert(4, Call("extend", "alice", "spot", "A1", 31.0, 31.1, "refused"))


def lost_extension(history: History) -> None:
    """A crash forgot that bob's key had been extended."""
    history.calls.append(Call("extend", "bob", "spot", "B1", 50.0, 50.1, "ok"))


def lost_handshake(history: History) -> None:
    """The key is good, and the socket was refused."""
    history.calls.append(Call("open", "bob", "spot", "B1", 20.0, 20.1, "refused"))


def replaced_key(history: History) -> None:
    """A create under a same-key policy forgot the key that lives."""
    history.calls.append(Call("create", "bob", "spot", "B2", 20.0, 20.1, "ok"))


def expired_key(history: History) -> None:
    """A key works after its time."""
    place = call(history, verb="extend", key="B1", asked=70.0)
    history.calls[place] = replace(history.calls[place], outcome="ok")


def revived_key(history: History) -> None:
    """A crash forgot a close."""
    place = call(history, verb="extend", key="A1", asked=61.0)
    history.calls[place] = replace(history.calls[place], outcome="ok")


def opened_closed_key(history: History) -> None:
    """A socket opens with a closed key."""
    history.calls.append(Call("open", "alice", "spot", "A1", 90.0, 90.1, "ok"))


def issued_closed_key(history: History) -> None:
    """A closed key string is issued again."""
    place = call(history, verb="create", key="A2", asked=62.0)
    history.calls[place] = replace(history.calls[place], key="A1")


def issued_twice(history: History) -> None:
    """Two creates that must differ answer the same key."""
    place = call(history, verb="create", key="X2", asked=1.0)
    history.calls[place] = replace(history.calls[place], key="X1")


def issued_to_another(history: History) -> None:
    """Bob is given alice's key."""
    history.calls.append(Call("create", "bob", "spot", "A2", 90.0, 90.1, "ok"))


def sent_after_close(history: History) -> None:
    """An event that was published after the ack of the close comes by the closed key."""
    history.subscriptions[0].tags.append("a5")
    history.subscriptions[0].notice_after = None


def sent_after_notice(history: History) -> None:
    """Events follow the notice that the key is over."""
    history.subscriptions[0].notice_after = 2


def sent_after_expiry(history: History) -> None:
    """An event that was published after the key's end comes by it."""
    history.subscriptions[3].tags.append("b2")


def lost_publish(history: History) -> None:
    """A crash lost an acked event."""
    history.journals[ALICE].pop()
    history.readings[1].messages = history.readings[1].messages[:3]


def moved_publish(history: History) -> None:
    """An acked event is elsewhere than the answer said."""
    history.publishes[3] = replace(history.publishes[3], at=("e", 4))


def doubled_publish(history: History) -> None:
    """A retry under the same id made a second event."""
    history.journals[ALICE].append(Event("e", 6, "a2"))


def hole_in_journal(history: History) -> None:
    """A journal skips an offset."""
    history.journals[BOB][1] = Event("f", 3, "b2")
    history.publishes[7] = replace(history.publishes[7], at=("f", 3))


def sent_uncommitted(history: History) -> None:
    """A socket was sent an event that the crash then lost."""
    history.subscriptions[3].tags.append("b0")


def sent_to_another(history: History) -> None:
    """A socket was sent another account's event."""
    history.subscriptions[3].tags.append("a1")


def sent_twice(history: History) -> None:
    """A socket was sent an event twice."""
    history.subscriptions[1].tags = ["a2", "a2", "a3"]


def sent_out_of_order(history: History) -> None:
    """A socket was sent a later event first."""
    history.subscriptions[1].tags = ["a3", "a2"]


def sent_with_a_hole(history: History) -> None:
    """A socket was sent events with one left out between them."""
    history.subscriptions[1].tags = ["a2", "a4"]


def sent_late(history: History) -> None:
    """A socket missed the first event after it had opened."""
    history.subscriptions[1].tags = ["a3"]


def sent_unasked(history: History) -> None:
    """A filtered socket was sent what it did not ask for."""
    history.subscriptions[2].tags.insert(1, "a2")


def filtered_too_much(history: History) -> None:
    """A filtered socket was not sent what it asked for."""
    del history.subscriptions[2].tags[1]


def silent_hole(history: History) -> None:
    """A reader that resumed was not sent an event."""
    del history.readings[1].messages[1]


def silent_hole_at_the_end(history: History) -> None:
    """A reader was told that it has all, and has not."""
    del history.readings[1].messages[3]


def repeated_on_resume(history: History) -> None:
    """A reader that resumed was sent what it had."""
    history.readings[1].messages.insert(1, Event("e", 2, "a2"))


def position_beyond_the_start(history: History) -> None:
    """The first position says more than the reader has."""
    history.readings[1].messages[0] = Reached("e", 4)


def other_content(history: History) -> None:
    """A reader was sent another event at the offset than the journal has."""
    history.readings[1].messages[2] = Event("e", 4, "a9")


def gap_without_cause(history: History) -> None:
    """A reader was told of a gap over events that are there."""
    history.readings[1].messages[1:3] = [Gap("e", 3, 4, "retention")]


def gap_that_hides_more(history: History) -> None:
    """A gap names less than what is left out."""
    history.journals[ALICE] = history.journals[ALICE][3:]
    history.publishes = [p for p in history.publishes if p.tag not in {"a1", "a2", "a3"}]
    history.subscriptions = []
    told: list[Message] = [Gap("e", 3, 3, "retention"), Event("e", 4, "a4")]
    history.readings = [Reading("alice", "spot", ("e", 1), told)]


def gap_then_hole(history: History) -> None:
    """After a gap the next event is not the one that the gap named."""
    gap = Gap("d", 8, None, "epoch", ("e", 1))
    history.readings = [Reading("alice", "spot", ("d", 7), [gap, Event("e", 2, "a2")])]


def gap_of_the_same_epoch(history: History) -> None:
    """A gap claims a new epoch where there is none."""
    history.readings[1].messages[1:3] = [Gap("e", 3, None, "epoch", ("e", 5))]


def reader_ahead(history: History) -> None:
    """A reader had been sent what a crash then lost, and is told that it is ahead."""
    history.readings.append(Reading("alice", "spot", ("e", 9), [Gap("e", 6, None, "ahead", ("e", 6))]))


def unexplained_gap(history: History) -> None:
    """A gap without a reason that anybody knows."""
    history.readings[1].messages[1:3] = [Gap("e", 3, 4, "because")]


PLANTED: list[tuple[str, Callable[[History], None]]] = [
    ("I1", lost_key),
    ("I1", lost_extension),
    ("I1", lost_handshake),
    ("I1", replaced_key),
    ("I5", expired_key),
    ("I2", revived_key),
    ("I2", opened_closed_key),
    ("I2", issued_closed_key),
    ("I2", issued_twice),
    ("I3", issued_to_another),
    ("I2", sent_after_close),
    ("I2", sent_after_notice),
    ("I5", sent_after_expiry),
    ("I3", lost_publish),
    ("I3", moved_publish),
    ("I3", doubled_publish),
    ("I3", hole_in_journal),
    ("I3", sent_uncommitted),
    ("I3", sent_to_another),
    ("I3", sent_twice),
    ("I3", sent_out_of_order),
    ("I3", sent_with_a_hole),
    ("I3", sent_late),
    ("I3", sent_unasked),
    ("I3", filtered_too_much),
    ("I4", silent_hole),
    ("I4", silent_hole_at_the_end),
    ("I4", repeated_on_resume),
    ("I4", position_beyond_the_start),
    ("I3", other_content),
    ("I4", gap_without_cause),
    ("I4", gap_that_hides_more),
    ("I4", gap_then_hole),
    ("I4", gap_of_the_same_epoch),
    ("I3", reader_ahead),
    ("I4", unexplained_gap),
]


@pytest.mark.parametrize("promise, plant", PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_planted_violation_is_found(promise: str, plant: Callable[[History], None]) -> None:
    """A history with one promise broken is reported, under that promise's name."""
    history = copy.deepcopy(good_history())
    plant(history)
    assert promise in {violation.promise for violation in check(history)}


def test_retention_gap_is_accepted() -> None:
    """A gap over events that the journal has really forgotten is the truth, and no violation."""
    history = History({})
    history.journals = {ALICE: [Event("e", n, f"a{n}") for n in (3, 4)]}
    told: list[Message] = [
        Gap("e", 2, 2, "retention"),
        Event("e", 3, "a3"),
        Event("e", 4, "a4"),
        Reached("e", 4),
    ]
    history.readings = [Reading("alice", "spot", ("e", 1), told)]
    assert check(history) == []


def test_reader_that_gave_up_is_found() -> None:
    """A reader that never got an event of the journal's has a hole, wherever that is."""
    history = good_history()
    del history.readings[1].messages[-2:]
    assert [v.promise for v in check_all_read(history, {ALICE: history.readings})] == ["I4"]


def test_event_that_a_program_never_got_is_found() -> None:
    """Over all its sockets a program has every event since its first create; earlier ones are not its own."""
    history = good_history()
    history.subscriptions = [
        Subscription("alice", "spot", "spot", "A1", 1.3, tags=["a1", "a2"]),
        Subscription("alice", "spot", "spot", "A2", 63.0, tags=["a2", "a3", "a4", "a5"]),
    ]
    assert list(check_consumers(history, [ALICE, BOB])) == []
    history.subscriptions[1].tags = ["a4", "a5"]
    assert [violation.promise for violation in check_consumers(history, [ALICE])] == ["once"]
    history.calls = [call for call in history.calls if call.asked > 6.0]
    assert list(check_consumers(history, [ALICE])) == []


def test_limit_is_counted_by_aligned_windows() -> None:
    """What is surely in one window counts together; a call over the edge of two counts in neither."""
    within = [Admission(60.0 + n, 60.1 + n, admitted=True) for n in range(10)]
    edge = Admission(119.9, 120.1, admitted=True)
    refused = Admission(75.0, 75.1, admitted=False)
    assert list(check_limit([*within, edge, refused], 10, 60.0)) == []
    assert [v.promise for v in check_limit([*within, edge, refused], 9, 60.0)] == ["I6"]


def test_forgotten_ban_is_found() -> None:
    """A caller that was told of a ban is not admitted before its end, unless the calls overlapped."""
    ban = Admission(60.0, 60.1, admitted=False, banned_until=180.0)
    overlapping = Admission(60.05, 60.2, admitted=True)
    after = Admission(180.5, 180.6, admitted=True)
    forgotten = Admission(100.0, 100.1, admitted=True)
    assert list(check_limit([ban, overlapping, after], 10, 60.0)) == []
    found: list[Violation] = list(check_limit([ban, forgotten, after], 10, 60.0))
    assert [violation.promise for violation in found] == ["I6"]
