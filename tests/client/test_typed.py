"""Events as structures, beside their bytes."""

from decimal import Decimal

import msgspec
import pytest

from listenkey.client.items import Event
from listenkey.client.typed import UnfitEvent
from listenkey.dialect.registry import load_dialects

EVERY = [
    pytest.param(stream, event, id=f"{stream}-{event.type}")
    for dialect in load_dialects().values()
    for event in dialect.events
    for stream in event.streams
]


class Fill(msgspec.Struct):
    """What a bot of ours wants of a report."""

    s: str
    l: Decimal  # noqa: E741 - the venue's name


@pytest.mark.parametrize(("stream", "kind"), EVERY)
def test_each_kind_of_each_stream_has_its_structure(stream, kind):
    """A user finds every field of the catalogue, by the venue's name, on every stream that carries it."""
    event = Event(kind.type, kind.sample.encode(), stream=stream)
    assert type(event.typed).__name__ == kind.type
    assert msgspec.to_builtins(event.typed).keys() <= event.data.keys()


def test_money_is_exact_and_what_was_not_sent_is_told_from_null():
    """A float would round, and a missing field is not an empty one."""
    (kind,) = (
        event
        for event in load_dialects()["binance-spot"].events
        if event.type == "executionReport" and "binance-spot" in event.streams
    )
    sample = msgspec.json.decode(kind.sample)
    sample["p"] = "0.10000000"
    sample["N"] = None
    sample.pop("W", None)
    typed = Event(kind.type, msgspec.json.encode(sample), stream="binance-spot").typed
    assert str(typed.p) == "0.10000000"
    assert isinstance(typed.p, Decimal)
    assert typed.N is None
    assert typed.W is msgspec.UNSET


def test_an_unknown_kind_has_no_structure():
    """A venue adds kinds; the bytes are there all the same."""
    event = Event("brandNew", b'{"e":"brandNew","x":1}', stream="binance-spot")
    assert event.typed is None
    assert event.data == {"e": "brandNew", "x": 1}
    assert Event("executionReport", b"{}").typed is None, "of no stream that is known"


def test_an_event_that_does_not_fit_is_an_error_that_says_where():
    """A changed event is not passed off as a whole one, and its bytes stay."""
    event = Event("executionReport", b'{"e":"executionReport","s":7}', stream="binance-spot")
    with pytest.raises(UnfitEvent, match=r"executionReport.*`raw`"):
        _ = event.typed
    assert event.raw.endswith(b"7}")


def test_an_event_is_read_into_a_type_of_ones_own():
    """What a type checker can follow."""
    event = Event("executionReport", b'{"e":"executionReport","s":"BTCUSDT","l":"0.30"}')
    fill: Fill = event.read_as(Fill)
    assert (fill.s, fill.l) == ("BTCUSDT", Decimal("0.30"))
    with pytest.raises(UnfitEvent):
        Event("x", b'{"s":1}').read_as(Fill)
