import json
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listenkey.dialect.events import Node, Parts, faults, table_of
from listenkey.dialect.model import Event, Field
from listenkey.dialect.registry import load_dialects
from listenkey.dialect.typed import Typed, checker

EVENTS = {
    f"{dialect.name}-{event.streams[0]}-{event.type}": event
    for dialect in load_dialects().values()
    for event in dialect.events
}
NUMBER = re.compile('"@([0-9.-]+)@"')
TEXT = st.characters(codec="utf-8", exclude_characters="@")
DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,20})?", fullmatch=True)
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(TEXT, max_size=8),
    "integer": st.integers(-(2**63), 2**64 - 1),
    "boolean": st.booleans(),
    "time_ms": st.integers(0, 2**53),
    "time_us": st.integers(0, 2**53),
    "any": st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(TEXT, max_size=4)),
}


def values(parts: Parts, money: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any event of a table: what may lack lacks, or is null, or is there."""
    must = {name: value(node, money) for name, node in parts.items() if not node.field.optional}
    may = {
        name: st.one_of(st.none(), value(node, money)) for name, node in parts.items() if node.field.optional
    }
    return st.fixed_dictionaries(must, optional=may)


def value(node: Node, money: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kind = node.field.kind
    if kind == "decimal":
        return money
    if kind == "object":
        return values(node.parts, money)
    return st.lists(values(node.parts, money), max_size=3) if kind == "list" else LEAVES[kind]


def exactly(payload: bytes) -> Any:
    """JSON with each number as the digits that it is written with."""
    return json.loads(
        payload, parse_float=lambda text: ("number", text), parse_int=lambda text: ("number", text)
    )


def drawn(event: Event) -> st.SearchStrategy[tuple[Event, bytes]]:
    """Any event of a kind, as it would come. No venue sends the number -0, which would come back as 0."""
    money = (
        DIGITS.filter(lambda digits: digits != "-0").map(lambda digits: f"@{digits}@")
        if '"q":0,' in event.sample
        else DIGITS
    )
    return values(table_of(event), money).map(
        lambda value: (event, NUMBER.sub(r"\1", json.dumps(value, ensure_ascii=False)).encode())
    )


@pytest.mark.parametrize("name", EVENTS)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=15)
@given(data=st.data())
def test_any_event_comes_back_as_it_was(name: str, data: st.DataObject) -> None:
    """Who reads an event, and passes it on, changes nothing of it: no digit, no null, no missing field."""
    event, payload = data.draw(drawn(EVENTS[name]))
    typed = Typed(event)
    assert exactly(typed.write(typed.read(payload))) == exactly(payload)
    checker(event, forbid=True)(payload)
    assert list(faults(table_of(event), msgspec.json.decode(payload), unknown=True)) == []


@pytest.mark.parametrize("name", EVENTS)
def test_samples_come_back(name: str) -> None:
    """The sample too, which has each oddity of the venue."""
    typed = Typed(EVENTS[name])
    payload = EVENTS[name].sample.encode()
    assert exactly(typed.write(typed.read(payload))) == exactly(payload)


def test_amounts_are_exact() -> None:
    """Money is a Decimal with all its digits, came it as text or as a number, and so it is written."""
    spot = Typed(EVENTS["binance-spot-binance-spot-balanceUpdate"])
    payload = b'{"e":"balanceUpdate","E":1,"a":"BTC","d":"0.00000010","T":2}'
    update: Any = spot.read(payload)
    assert (update.d, str(update.d)) == (Decimal("0.0000001"), "1.0E-7")
    assert spot.write(update) == payload
    bingx = Typed(EVENTS["bingx-bingx-spot-executionReport"])
    order: Any = bingx.read(EVENTS["bingx-bingx-spot-executionReport"].sample.encode())
    assert order.n == Decimal("-0.0000802")
    assert b'"n":-0.0000802,' in bingx.write(order)


def test_names_of_python_and_what_was_not_sent() -> None:
    """Every field can be reached, and missing is not null."""
    rejected: Any = Typed(EVENTS["binance-usdm-binance-usdm-CONDITIONAL_ORDER_TRIGGER_REJECT"])
    value = rejected.read(
        EVENTS["binance-usdm-binance-usdm-CONDITIONAL_ORDER_TRIGGER_REJECT"].sample.encode()
    )
    assert value.or_.s == "ETHUSDT"
    report: Any = Typed(EVENTS["binance-spot-binance-spot-executionReport"])
    sample = EVENTS["binance-spot-binance-spot-executionReport"].sample
    value = report.read(sample.replace('"N":"BTC"', '"N":null').encode())
    assert (value.N, value.eR) == (None, msgspec.UNSET)


def test_what_is_not_described_is_passed_over_or_refused() -> None:
    """A field that a venue adds one day breaks no reader; who checks strictly hears of it."""
    fields = (Field("e", "text", ""), Field("x", "object", "", True), Field("l", "list", "", True))
    event = Event(type="t", streams=(), title="", meaning="", fields=fields, sample='{"e":"t"}')
    payload = b'{"e":"t","new":1,"x":{"a":[1]},"l":[{"b":2}]}'
    typed = Typed(event)
    assert typed.write(typed.read(payload)) == b'{"e":"t","x":{"a":[1]},"l":[{"b":2}]}'
    checker(event, forbid=False)(payload)
    with pytest.raises(msgspec.ValidationError):
        checker(event, forbid=True)(payload)


@pytest.mark.parametrize(
    "wrong", ['"E":"1"', '"d":"1,5"', '"d":"NaN"', '"d":null', '"d":true', '"d":100', '"a":5']
)
def test_what_is_wrong_is_refused(wrong: str) -> None:
    """The quick check lets nothing through that the table does not say."""
    fields = {"e": '"e":"balanceUpdate"', "E": '"E":1', "a": '"a":"BTC"', "d": '"d":"1"', "T": '"T":2'}
    fields[wrong[1]] = wrong
    with pytest.raises(msgspec.ValidationError):
        checker(EVENTS["binance-spot-binance-spot-balanceUpdate"], forbid=False)(
            ("{" + ",".join(fields.values()) + "}").encode()
        )
