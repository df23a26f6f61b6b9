import pytest

from listenkey.wire.messages import Request
from listenkey.wire.parameters import read_form, read_json, read_parameters


@pytest.mark.parametrize(
    "query, body, expected",
    [
        (b"", b"", {}),
        (b"a=1&b=2", b"", {"a": "1", "b": "2"}),
        (b"", b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"", b'{"a":"1","b":2}', {"a": "1", "b": "2"}),
        (b"a=query", b"a=form&b=form", {"a": "query", "b": "form"}),
        (b"a=query", b'{"a":"json","b":"json"}', {"a": "query", "b": "json"}),
        (b"a=1&a=2", b"", {"a": "1"}),
        (b"&&a=1&", b"", {"a": "1"}),
        (b"a", b"", {"a": ""}),
        (b"a=b=c", b"", {"a": "b=c"}),
        (b"a=%41%2b+%zz", b"", {"a": "A+ %zz"}),
        (b"%61=1", b"", {"a": "1"}),
        (b"a=1", b"{}", {"a": "1"}),
        (b"a=1", b"  ", {"a": "1"}),
        (b"", b"a=1\r\n", {"a": "1"}),
        (b"a=\xff", b"", {"a": "\ufffd"}),
        (b"a=%ff", b"", {"a": "\ufffd"}),
    ],
)
def test_wherever_they_are(query: bytes, body: bytes, expected: dict[str, str]) -> None:
    """Parameters are found in query, form and JSON; the query wins over the body, the first over the next."""
    assert read_parameters(Request("PUT", "/", query, {}, body)) == expected


@pytest.mark.parametrize(
    "body, expected",
    [
        (b"a=1", None),
        (b"", None),
        (b"[1]", None),
        (b'{"a":1.5,"b":true,"c":null,"d":[1],"e":{}}', {"a": "1.5", "b": "true"}),
        (b' {"a":"\\u00e9"}', {"a": "é"}),
        (b'{"a":1e2}', {"a": "1e2"}),
        (b'{"a":', {}),
        (b'{"a":"\xff"}', {}),
        (b'{"a":"\xff","b":"1"}', {"b": "1"}),
        (b"{" * 100_000, {}),
        (b'{"a":' * 100_000, {}),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
    ],
)
def test_json_body(body: bytes, expected: dict[str, str] | None) -> None:
    """A JSON object gives its text and numbers as sent; a broken one gives nothing and breaks nothing."""
    assert read_json(body) == expected


def test_form_of_nothing() -> None:
    """An empty form has no parameters."""
    assert read_form(b"") == {}
