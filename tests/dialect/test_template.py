import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.dialect.template import fill_json, fill_text, places, split_around


@pytest.mark.parametrize(
    "template, expected",
    [
        ("", set()),
        ("no places", set()),
        ("$a and $b_ms, $a again", {"a", "b_ms"}),
        ("costs $5, $, $A", set()),
        ("$$a", {"a"}),
    ],
)
def test_places(template: str, expected: set[str]) -> None:
    """A place is a dollar sign and a lower-case name; any other dollar sign is text."""
    assert places(template) == expected


@pytest.mark.parametrize(
    "template, expected",
    [
        ("plain", "plain"),
        ("current limit is $limit per $interval.", 'current limit is 6000 per 1 "MINUTE".'),
        ("$missing!", "!"),
        ("$5", "$5"),
    ],
)
def test_fill_text(template: str, expected: str) -> None:
    """Plain text takes values as they are."""
    assert fill_text(template, {"limit": 6000, "interval": '1 "MINUTE"'}) == expected


@pytest.mark.parametrize(
    "template, expected",
    [
        ("{}", "{}"),
        ('{"a":"$text"}', '{"a":"q\\"\\\\$n"}'),
        ('{"a":$n,"b":$raw,"c":$yes}', '{"a":5,"b":{"x":1},"c":true}'),
        ('{"a":"$missing"}', '{"a":""}'),
        ('{"a":"$half"}', '{"a":"?"}'),
    ],
)
def test_fill_json(template: str, expected: str) -> None:
    """JSON takes text escaped, bytes as the JSON they are, and numbers; a value is never filled again."""
    values = {"text": 'q"\\$n', "n": 5, "raw": b'{"x":1}', "yes": True, "half": "\ud800"}
    assert fill_json(template, values) == expected


@given(st.text())
def test_json_stays_json(text: str) -> None:
    """Any text in a string place leaves JSON that reads back as that text."""
    seen = json.loads(fill_json('{"a":"$text"}', {"text": text}))["a"]
    assert seen == text.encode("utf-8", "replace").decode()


def test_split_around() -> None:
    """What stands around a place that occurs once is cut out for the fast path."""
    assert split_around('{"data":$event,"x":1}', "event") == (b'{"data":', b',"x":1}')
