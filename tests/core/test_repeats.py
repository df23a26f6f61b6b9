"""Repeats told from news: what is taken for a repeat is never seen by the user."""

import json

import pytest

from listenkey.core.repeats import NaturalIds, Repeats
from listenkey.dialect.registry import load_dialects

AMENDED = {
    "e": "ORDER_TRADE_UPDATE",
    "E": 2,
    "o": {"s": "BTCUSDT", "i": 1, "x": "AMENDMENT", "X": "NEW", "z": "0", "T": 1, "p": "100"},
}


def catalogue(stream="binance-usdm"):
    """The events of a stream."""
    return tuple(
        event for dialect in load_dialects().values() for event in dialect.events if stream in event.streams
    )


def packed(event, **order):
    """An event's bytes, with some of its order's fields changed."""
    return json.dumps({**event, "o": {**event["o"], **order}}).encode()


def test_the_same_again_is_a_repeat():
    """Over two sockets that overlap, sent at different times too."""
    repeats = Repeats(catalogue())
    told = [repeats.is_repeat("ORDER_TRADE_UPDATE", packed({**AMENDED, "E": at})) for at in (2, 2, 3)]
    assert told == [False, True, True]


def test_two_events_with_the_same_ids_are_both_told():
    """An order amended twice in one millisecond has the ids of the first amendment."""
    repeats = Repeats(catalogue())
    told = [repeats.is_repeat("ORDER_TRADE_UPDATE", packed(AMENDED, p=price)) for price in ("100", "101")]
    assert told == [False, False]


def written(event, **order):
    """The same as venues write it, without spaces."""
    return json.dumps({**event, "o": {**event["o"], **order}}, separators=(",", ":")).encode()


def test_what_venues_write_is_told_apart_by_its_bytes():
    """The quick look finds the same repeats, and no others."""
    repeats = Repeats(catalogue())
    sent = [written({**AMENDED, "E": at}, p=price) for at, price in ((2, "1"), (3, "1"), (3, "2"), (4, "2"))]
    assert [repeats.is_repeat("ORDER_TRADE_UPDATE", each) for each in sent] == [False, True, False, True]


def test_facts_without_their_ids_are_all_told():
    """Nobody can say that the second is the first again."""
    repeats = Repeats(catalogue())
    payload = b'{"e":"ORDER_TRADE_UPDATE","E":1,"o":{}}'
    assert [repeats.is_repeat("ORDER_TRADE_UPDATE", payload) for _ in range(3)] == [False] * 3


def test_a_time_inside_is_no_time_of_sending():
    """Two events that differ in it are two."""
    repeats = Repeats(catalogue())
    sent = [
        b'{"e":"ORDER_TRADE_UPDATE","o":%b}' % written(AMENDED, E=at)[:-1].split(b'"o":')[1] for at in (1, 2)
    ]
    assert [repeats.is_repeat("ORDER_TRADE_UPDATE", each) for each in sent] == [False, False]


@pytest.mark.parametrize("payload", [b"", b"[]", b"<html>", b'{"o":' + b"[" * 100_000, b'{"o":{}}'])
def test_what_cannot_be_read_has_no_identity(payload):
    """It is passed on."""
    assert NaturalIds(catalogue()).of("ORDER_TRADE_UPDATE", payload) is None
