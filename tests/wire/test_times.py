import json
from typing import Any

import pytest

from listenkey.core.records import Event
from listenkey.wire import frames
from listenkey.wire.messages import Fault, Request
from listenkey.wire.times import InMicros, read_time_unit, values_in_micros, wants_micros, without_unit
from tests.wire.asking import DIALECTS

SPOT, USDM, US = (DIALECTS[name] for name in ("binance-spot", "binance-usdm", "binance-us"))


def turned(payload: bytes) -> bytes:
    """What a socket of spot is sent that asked for microseconds."""
    data = InMicros(frames.raw("text"), [SPOT], "binance-spot").wrap(payload)
    return data[4:] if len(data) > 127 else data[2:]


@pytest.mark.parametrize("event", SPOT.events, ids=lambda event: event.type)
def test_all_times_are_turned_and_nothing_else(event: Any) -> None:
    """Whoever asked for microseconds gets them in every time, and all other fields as they were."""
    times = {field.path for field in event.fields if field.kind == "time_ms"}
    before = json.loads(event.sample)
    after = json.loads(turned(event.sample.encode()))
    assert list(after) == list(before)
    for name, value in before.items():
        assert after[name] == (value * 1000 if name in times else value)


def test_nested_times_are_turned() -> None:
    """Times inside objects and lists too."""
    payload = b'{"e":"ORDER_TRADE_UPDATE","E":1,"T":2,"o":{"T":3,"t":4,"gtd":5}}'
    variant = InMicros(frames.raw("text"), [USDM], "binance-usdm")
    assert variant.wrap(payload)[2:] == (
        b'{"e":"ORDER_TRADE_UPDATE","E":1000,"T":2000,"o":{"T":3000,"t":4,"gtd":5}}'
    )


@pytest.mark.parametrize(
    "payload, expected",
    [
        (b'{"e":"listenKeyExpired","E":5,"T":6}', b'{"e":"listenKeyExpired","E":5000,"T":6}'),
        (b'{"e":7,"E":5}', b'{"e":7,"E":5000}'),
        (b'{"E":true}', b'{"E":true}'),
        (b'{"E":"5"}', b'{"E":"5"}'),
        (b'{"e":"balanceUpdate","E":null,"d":"1.50"}', b'{"e":"balanceUpdate","E":null,"d":"1.50"}'),
        (b'{"x":123456789012345678901234567890}', b'{"x":123456789012345678901234567890}'),
        (b'{"e":"listStatus","O":[1,{"i":2}]}', b'{"e":"listStatus","O":[1,{"i":2}]}'),
        (b"[1]", b"[1]"),
        (b"{", b"{"),
    ],
)
def test_what_is_not_as_the_catalogue_says(payload: bytes, expected: bytes) -> None:
    """Unknown events have their `E` turned; what cannot be read goes out as it was published."""
    assert turned(payload) == expected


def test_what_is_nested_too_deeply_goes_out_as_it_is() -> None:
    """No event ends a socket."""
    payload = b'{"e":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert turned(payload) == payload


def test_wrapping_is_that_of_the_variant() -> None:
    """Combined sockets get both: the wrapper, and the times."""
    variant = InMicros(frames.combined("KEY", "text"), [SPOT], "binance-spot")
    data = variant.encode("e", Event(1, 2, b'{"e":"balanceUpdate","E":1}'))
    assert data is not None
    assert data[2:] == b'{"stream":"KEY","data":{"e":"balanceUpdate","E":1000}}'
    assert variant.key == InMicros(frames.combined("KEY", "text"), [SPOT], "binance-spot").key
    assert variant.key != InMicros(frames.raw("text"), [SPOT], "binance-spot").key


@pytest.mark.parametrize(
    "query, wanted",
    [
        (b"timeUnit=MICROSECOND", True),
        (b"streams=K&timeUnit=microsecond", True),
        (b"timeUnit=MILLISECOND", False),
        (b"timeUnit=", False),
        (b"timeunit=MICROSECOND", False),
        (b"streams=timeUnit=MICROSECOND", False),
        (b"\xff=%zz&&=", False),
        (b"", False),
    ],
)
def test_who_asks(query: bytes, wanted: bool) -> None:
    """Capitals do not matter in the unit, and do in the name; venues without it are never asked."""
    assert wants_micros([SPOT, USDM, US], query) == ({"binance-spot"} if wanted else frozenset())


@pytest.mark.parametrize(
    "query, good",
    [(b"timeUnit=MICROSECOND", True), (b"timeUnit=millisecond", True), (b"timeUnit=", True), (b"", True),
     (b"timeUnit=NANOSECOND", False), (b"streams=K&timeUnit=us", False), (b"=us", True)],
)  # fmt: skip
def test_a_unit_that_there_is_not_is_a_fault_where_units_are_known(query: bytes, good: bool) -> None:
    """A typing error in the unit is told, and no client takes milliseconds for microseconds."""
    assert without_unit([USDM, SPOT], query) is (None if good else SPOT)
    assert without_unit([USDM, US], query) is None


@pytest.mark.parametrize(
    "unit, expected", [(b"microsecond", True), (b"MILLISECOND", False), (b"", False), (b"second", None)]
)
def test_the_header_of_a_call(unit: bytes, expected: bool | None) -> None:
    """Spot's calls are asked for a unit by header; others have none and never look."""
    request = Request("GET", "/api/v3/time", b"", {b"x-mbx-time-unit": unit})
    asked = read_time_unit(SPOT, request)
    assert asked == (Fault("time_unit_wrong") if expected is None else expected)
    assert read_time_unit(USDM, request) is False


def test_values_of_answers() -> None:
    """Times of an answer are turned, be they numbers or JSON; nothing else is."""
    values = {"now_ms": 5, "since_ms": b"6", "none_ms": b"null", "id": b"7", "count": 8, "key_ms": "x"}
    assert values_in_micros(values) == {
        "now_ms": 5000, "since_ms": b"6000", "none_ms": b"null", "id": b"7", "count": 8, "key_ms": "x",
    }  # fmt: skip
