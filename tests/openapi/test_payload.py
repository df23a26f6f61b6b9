"""Payload schemas from field tables, on events that no venue has."""

import json

import pytest
from jsonschema import Draft202012Validator

from listenkey.dialect.model import Event, Field
from listenkey.reference.payload import event_schema

FIELDS = [
    ("e", "text", "`FILL`"), ("E", "time_ms", "When"), ("p", "decimal", "Price"),
    ("q", "decimal", "Other", True),
    ("n", "integer", "Count"), ("ok", "boolean", "Whether"), ("id", "any", "Of any type"),
    ("o", "object", "Order"), ("o.s", "text", "Pair"), ("o.deep", "object", "Deeper"),
    ("o.deep.u", "time_us", "When, finely"), ("B", "list", "Balances"), ("B[].a", "text", "Asset"),
    ("B[].wb", "decimal", "Balance"), ("B[].by", "list", "Parts", True), ("B[].by[].x", "integer", "Part"),
    ("T", "list", "Tags", True),
]  # fmt: skip
SAMPLE = {
    "e": "FILL", "E": 1, "p": "1.50", "n": 2, "ok": True, "id": "7", "o": {"s": "A-B", "deep": {"u": 5}},
    "B": [{"a": "BTC", "wb": "0.1", "by": [{"x": 1}]}, {"a": "USDT", "wb": "-3"}],
}  # fmt: skip


def made_up(fields=FIELDS, sample=SAMPLE):
    """An event of nobody's."""
    return Event(
        type="FILL", streams=("s",), title="Fill", meaning="Something was filled.",
        fields=tuple(Field(*each) for each in fields), sample=json.dumps(sample),
    )  # fmt: skip


@pytest.fixture
def schema():
    """The schema of the made-up event."""
    return event_schema(made_up())


def fits(schema, changed=None, without=()):
    """Whether the sample fits with a change."""
    value = json.loads(json.dumps(SAMPLE)) | (changed or {})
    return Draft202012Validator(schema).is_valid({name: value[name] for name in value if name not in without})


def test_schema_is_one(schema):
    """Tools take the schema for what it is."""
    Draft202012Validator.check_schema(schema)
    assert (schema["title"], schema["description"]) == ("FILL", "Something was filled.")


def test_sample_fits(schema):
    """What the venue shows as its event is taken."""
    assert fits(schema)


def test_every_field_has_its_meaning(schema):
    """A reader of the schema needs no other page."""
    assert schema["properties"]["o"]["properties"]["deep"]["properties"]["u"]["description"] == "When, finely"
    balance = schema["properties"]["B"]["items"]["properties"]
    assert balance["wb"]["description"] == "Balance"
    assert balance["by"]["items"]["properties"]["x"]["description"] == "Part"


@pytest.mark.parametrize(
    "changed",
    [
        {"e": "OTHER"}, {"E": "1"}, {"p": 1.5}, {"p": "1,5"}, {"p": ""}, {"n": 1.5}, {"ok": "true"},
        {"o": []},
        {"o": {"s": "A-B"}}, {"o": {"s": "A-B", "deep": {"u": "5"}}}, {"B": {}}, {"B": [{"a": "BTC"}]},
        {"B": [{"a": "BTC", "wb": 1}]}, {"B": [{"a": "BTC", "wb": "1", "by": [{}]}]}, {"n": None},
    ],
)  # fmt: skip
def test_what_the_table_does_not_say_does_not_fit(schema, changed):
    """A client that checks events against the schema notices a wrong one."""
    assert not fits(schema, changed)


@pytest.mark.parametrize("name", [field[0] for field in FIELDS if "." not in field[0] and len(field) == 3])
def test_fields_must_be_there(schema, name):
    """A client may rely on a field that is not optional."""
    assert not fits(schema, without=[name])


@pytest.mark.parametrize(
    "changed", [{"q": None}, {"q": "1"}, {"T": None}, {"T": ["a", 1]}, {"new": 1}, {"id": 7}, {"id": None}]
)
def test_optional_and_new_fields(schema, changed):
    """What may lack may be null, and what the venue adds tomorrow breaks nobody."""
    assert fits(schema, changed)


def test_decimals_take_the_form_that_the_venue_sends():
    """Amounts that a venue sends as numbers are numbers in typed clients."""
    fields = [("p", "decimal", ""), ("q", "decimal", "", True), ("s", "decimal", "")]
    mixed = event_schema(made_up(fields, {"p": 1.5, "s": "2"}))["properties"]
    assert mixed["p"]["type"] == "number"
    assert mixed["s"]["type"] == "string"
    assert mixed["q"]["type"] == ["number", "string", "null"]
    assert "description" not in mixed["p"]
    none = event_schema(made_up([("q", "decimal", "", True)], {}))
    assert none["properties"]["q"]["type"] == ["string", "null"]


def test_event_without_fields_is_any_object():
    """An event whose table is not known yet is still an object."""
    assert event_schema(made_up([], {"a": 1}))["type"] == "object"
