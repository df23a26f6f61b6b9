import tomllib
from importlib.resources import files
from string import Template
from typing import Any

import msgspec
import pytest

from listenkey.base.errors import DialectError
from listenkey.dialect.events import faults, table_of
from listenkey.dialect.load import gather
from listenkey.dialect.model import Event, Field
from listenkey.dialect.registry import load_dialects

DIALECTS = load_dialects()
ALL = [
    (dialect, stream, event)
    for dialect in DIALECTS.values()
    for event in dialect.events
    for stream in event.streams
]
FIELDS = (
    Field("e", "text", ""),
    Field("i", "integer", ""),
    Field("p", "decimal", "", True),
    Field("m", "boolean", "", True),
    Field("x", "any", "", True),
    Field("o", "object", "", True),
    Field("o.T", "time_ms", ""),
    Field("l", "list", "", True),
    Field("l[].a", "text", ""),
)
EVENT = Event(type="t", streams=("s",), title="", meaning="", fields=FIELDS, sample="{}")


def found(value: dict[str, Any], *, unknown: bool = False) -> list[str]:
    """The faults of an event of this table."""
    return list(faults(table_of(EVENT), {"e": "t", "i": 1, **value}, unknown=unknown))


@pytest.mark.parametrize("name", DIALECTS)
def test_every_stream_has_its_events(name: str) -> None:
    """Who looks up a stream finds what comes on it, and of each event whether the newest holds."""
    for stream in DIALECTS[name].streams:
        types = {event.type for event in DIALECTS[name].events if stream.name in event.streams}
        assert types >= set(stream.state_events) != set()


def test_catalogues_are_shared_and_cut() -> None:
    """One file serves several families or streams, each with what it has of it."""
    spot, margin = (
        {event.type for event in DIALECTS[name].events} for name in ("binance-spot", "binance-margin")
    )
    assert spot - margin == {"externalLockUpdate"}
    coinm = {event.type for event in DIALECTS["bingx"].events if "bingx-coinm" in event.streams}
    assert coinm == {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE", "SNAPSHOT"}
    assert all(event.documentation.startswith("https://") for _, _, event in ALL)


def test_demonstration_sends_what_the_catalogue_says() -> None:
    """The first event that a newcomer sees is one of the venue's own, whole."""
    text = files("listenkey.sources").joinpath("demo_events.toml").read_text(encoding="utf-8")
    templates = {name: row["event"] for name, row in tomllib.loads(text).items()}
    for dialect in DIALECTS.values():
        for stream in dialect.streams:
            filled = Template(templates[stream.name]).substitute(
                now_ms=1732180000000, count=7, price="64000.10"
            )
            event = msgspec.json.decode(filled)
            rows = [row for row in dialect.events if row.type == event["e"] and stream.name in row.streams]
            assert len(rows) == 1, stream.name
            assert list(faults(table_of(rows[0]), event, unknown=True)) == [], stream.name


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"p": "1.50"}, {"p": "-0"}, {"p": 1.5}, {"p": 2}, {"p": None},
        {"m": False}, {"x": [1]}, {"i": 2**63},
        {"o": {"T": 5}}, {"l": []}, {"l": [{"a": ""}, {"a": "b"}]},
    ],
)  # fmt: skip
def test_what_fits(value: dict[str, Any]) -> None:
    """A field that may lack may be null too, and amounts may be numbers: some venues send them so."""
    assert found(value, unknown=True) == []


@pytest.mark.parametrize(
    "value, fault",
    [
        ({"i": None}, "i: is null"),
        ({"i": "1"}, "i: is not of the kind integer"),
        ({"i": True}, "i: is not of the kind integer"),
        ({"i": 1.5}, "i: is not of the kind integer"),
        ({"p": "1,5"}, "p: is not of the kind decimal"),
        ({"p": "1."}, "p: is not of the kind decimal"),
        ({"p": "\u0661"}, "p: is not of the kind decimal"),
        ({"p": True}, "p: is not of the kind decimal"),
        ({"m": 0}, "m: is not of the kind boolean"),
        ({"e": 1}, "e: is not of the kind text"),
        ({"o": []}, "o: is not of the kind object"),
        ({"o": {}}, "o.T: is missing"),
        ({"o": {"T": "5"}}, "o.T: is not of the kind time_ms"),
        ({"l": {}}, "l: is not of the kind list"),
        ({"l": [{"a": "b"}, {}]}, "l[1].a: is missing"),
        ({"l": ["a"]}, "l[0]: is not of the kind object"),
    ],
)
def test_what_does_not_fit(value: dict[str, Any], fault: str) -> None:
    """A publisher is told which field is wrong, and how."""
    assert found(value) == [fault]


def test_unknown_fields_are_a_fault_where_asked_for() -> None:
    """What a venue adds one day passes, unless someone wants to hear of it."""
    value = {"new": 1, "o": {"T": 1, "new": 2}, "l": [{"a": "", "new": 3}]}
    assert found(value) == []
    assert sorted(found(value, unknown=True)) == [
        "l[0].new: is not in the table", "new: is not in the table", "o.new: is not in the table",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "named, fault",
    [
        ({"file": "x", "streams": []}, "catalogues: there is no x"),
        ({"file": "binance-spot", "streams": [], "types": ["x"]}, "catalogues: x is not in binance-spot"),
        ({"file": "binance-spot"}, r"catalogues: \[0\]: Object missing required field streams"),
        ({"file": "binance-spot", "streams": [], "more": 1}, "unknown field more"),
    ],
)
def test_bad_catalogues(named: dict[str, Any], fault: str) -> None:
    """A file that names events that are not there is told which."""
    known = {"binance-spot": {"documentation": "", "events": [{"type": "executionReport"}]}}
    with pytest.raises(DialectError, match=fault):
        gather({"catalogues": [named]}, known.get, "f")
