"""Templates as schemas and examples: what a dialect may say in a template comes out right."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from listenkey.dialect.model import KeySpace
from listenkey.dialect.template import fill_json
from listenkey.reference.shapes import example, listen_key, quote, shape

TEMPLATE = """{
    "code":-7,"msg":"no $name at $line (of $limit)","at":$now_ms,"id":$id,"ok":true,"more":[null,1.5],"$":{}
}"""


def test_fixed_text_is_fixed():
    """A client may compare a code and a text that never change."""
    properties = shape(TEMPLATE, {})["properties"]
    assert properties["code"] == {"type": "integer", "const": -7}
    assert properties["ok"] == {"type": "boolean", "const": True}
    assert properties["more"]["prefixItems"] == [
        {"type": "null", "const": None},
        {"type": "number", "const": 1.5},
    ]
    assert properties["$"] == {"type": "object", "maxProperties": 0}
    assert shape('{"a":[]}', {})["properties"]["a"] == {"type": "array", "items": {}}


def test_open_places_are_open():
    """What the answer fills in is described by what may come there."""
    properties = shape(TEMPLATE, {})["properties"]
    assert properties["at"]["type"] == "integer"
    assert properties["id"]["type"] == ["integer", "string", "null"]
    assert properties["msg"]["pattern"] == r"^no .* at [0-9]+ \(of [0-9]+\)$"


def test_known_places_have_their_schema():
    """A listen key in an answer is a listen key, not any text."""
    key = {"$ref": "#/components/schemas/ListenKey"}
    assert shape('{"listenKey":"$listen_key"}', {"listen_key": key})["properties"]["listenKey"] == key
    assert shape('{"data":$event}', {"event": key})["properties"]["data"] == key
    assert shape('{"a":"$reason"}', {})["properties"]["a"] == {"type": "string"}


@given(st.text(max_size=20), st.integers(0, 10**9), st.one_of(st.none(), st.integers(), st.text(max_size=9)))
def test_every_filling_fits(name, number, request_id):
    """Whatever an answer is filled with, it is what the document says."""
    values = {
        "name": name.replace("\n", ""),
        "line": number,
        "limit": number,
        "now_ms": number,
        "id": request_id,
    }
    filled = example(
        fill_json(TEMPLATE, values | ({"id": b'"x"'} if isinstance(request_id, str) else {})), {}
    )
    Draft202012Validator({**shape(TEMPLATE, {})}).validate(filled)


def test_example_has_a_value_in_every_place():
    """An example looks like an answer, not like a form."""
    shown = example('{"listenKey":"$listen_key","at":$expires_at_ms,"id":$id}', {"listen_key": "K"})
    assert shown == {"listenKey": "K", "at": 1_700_003_600_000, "id": 1}


@pytest.mark.parametrize(
    ("alphabet", "expected"),
    [
        ("0123456789abcdef", "^[0-9a-f]{8}$"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "^[0-9A-Za-z]{8}$"),
        ("ab-]z", r"^[\-\]abz]{8}$"),
    ],
)
def test_listen_keys_have_their_alphabet(alphabet, expected):
    """A key that was cut short or mistyped is noticed before it is sent."""
    space = KeySpace(alphabet=alphabet, length=8, legal_pattern=".*", issue="same_extended", lifetime_s=3600)
    pattern = listen_key(space)["pattern"]
    assert pattern == expected
    assert re.fullmatch(pattern, (alphabet * 8)[:8])
    assert not re.fullmatch(pattern, (alphabet * 8)[:7])


@given(st.text())
def test_quoted_text_means_itself(text):
    """A full stop in a message is a full stop in its pattern."""
    assert re.fullmatch(quote(text), text)
