"""Postman files: which requests are in them, in all the forms that the formats know."""

import json

import pytest

from listenkey.base.errors import Refused
from listenkey.reference.foreign import read_collection
from listenkey.reference.foreign.request import Foreign, Pair
from tests.postman.saying import V21, collection, item


def one(content: bytes) -> Foreign:
    """The only request of a file."""
    (request,) = read_collection(content).requests
    return request


def sent(request: Foreign) -> tuple[str, str, str, str]:
    """A request in short."""
    return request.method, request.scheme, request.host, request.path


HOST = "api.example.com"
WHOLE = ("PUT", "https", HOST, "/api/v3/stream")


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}/api/v3/stream?a=1",
        {"raw": f"https://{HOST}/api/v3/stream?a=1"},
        {
            "protocol": "https",
            "host": HOST.split("."),
            "path": ["api", "v3", "stream"],
            "query": [{"key": "a", "value": "1"}],
        },
        {"protocol": "https", "host": HOST, "path": "/api/v3/stream", "query": [{"key": "a", "value": "1"}]},
        {
            "raw": "x",
            "host": ["{{base}}"],
            "path": ["api", "v3", "stream"],
            "query": [{"key": "a", "value": "1"}],
        },
        {
            "raw": "{{base}}/api/v3/stream",
            "host": ["{{base}}"],
            "path": ["api", "v3", "stream"],
            "query": [{"key": "a", "value": "1"}],
        },
        {"raw": "{{base}}/api/v3/stream?a=1", "host": ["{{base}}"], "path": ["api", "v3", "stream"]},
        {
            "protocol": "https",
            "host": [HOST],
            "path": ["api", ":version", {"type": "string", "value": "stream"}],
            "query": [{"key": "a", "value": "1"}],
            "variable": [{"key": "version", "value": "v3"}],
        },
        "{{ base }}/api/v3/stream?a={{one}}",
    ],
)
def test_an_address_is_read_in_every_form(url):
    """Text or object, in parts or whole, with variables of the file or without."""
    variables = [
        {"key": "base", "value": f"https://{HOST}"},
        {"id": "one", "value": "{{two}}"},
        {"key": "two", "value": 1},
    ]
    request = one(collection(item({"method": "PUT", "url": url}), variable=variables))
    assert sent(request) == WHOLE
    assert request.query == (Pair("a", "1"),)


@pytest.mark.parametrize(
    ("body", "kind", "pairs"),
    [
        ({"mode": "urlencoded", "urlencoded": [{"key": "a", "value": "1"}]}, "form", ["a"]),
        ({"mode": "urlencoded", "urlencoded": "a=1&b=2"}, "form", ["a", "b"]),
        (
            {"mode": "formdata", "formdata": [{"key": "a", "type": "file", "src": "/etc/passwd"}]},
            "multipart",
            ["a"],
        ),
        ({"mode": "raw", "raw": '{"a": 1, "b": [2]}'}, "json", ["a", "b"]),
        ({"mode": "raw", "raw": "a=1&b=2"}, "form", ["a", "b"]),
        ({"mode": "raw", "raw": ""}, "none", []),
        ({"mode": "raw", "raw": "hello"}, "other", []),
        ({"mode": "raw", "raw": "{broken"}, "other", []),
        ({"mode": "file", "file": {"src": "/etc/passwd"}}, "other", []),
        ({"mode": "graphql", "graphql": {"query": "{}"}}, "other", []),
        ({"mode": "raw", "raw": "a=1", "disabled": True}, "none", []),
        (None, "none", []),
    ],
)
def test_a_body_is_read_in_every_form(body, kind, pairs):
    """Forms and JSON have parameters; files are never opened."""
    request = one(collection(item({"method": "POST", "url": "https://x.example/a", "body": body})))
    assert (request.body_kind, [each.name for each in request.body]) == (kind, pairs)
    assert "root:" not in str(request)


def test_what_is_switched_off_is_not_sent():
    """A disabled row is left out, and said."""
    url = {
        "raw": "https://x.example/a",
        "query": [{"key": "a", "value": "1", "disabled": True}, {"key": "b", "value": "2"}],
    }
    header = [{"key": "X-K", "value": "1", "disabled": True}, {"key": "X-L", "value": "2"}]
    request = one(collection(item({"method": "GET", "url": url, "header": header})))
    assert [each.name for each in (*request.query, *request.headers)] == ["b", "X-L"]
    assert request.remarks == (
        "A query parameter is there and switched off.", "A header is there and switched off.",
    )  # fmt: skip


def test_headers_may_be_text():
    """As old files have them."""
    request = one(collection(item({"url": "https://x.example/a", "header": "X-K: 1\nX-L: 2\n"})))
    assert request.headers == (Pair("X-K", "1"), Pair("X-L", "2"))


def test_folders_name_their_requests_and_hand_down():
    """What a folder sets holds for all below it, until something nearer says otherwise."""
    inner = {
        "name": "in",
        "item": [item("{{base}}/b", "deep")],
        "variable": [{"key": "base", "value": "https://b.example"}],
    }
    outer = {
        "name": "out",
        "item": [inner, item("{{base}}/a", "near")],
        "event": [{"listen": "prerequest", "script": {"exec": ["x"]}}],
    }
    found = read_collection(
        collection(outer, item("{{base}}/c", "top"), variable=[{"key": "base", "value": "https://a.example"}])
    )
    assert [(each.name, each.host, each.scripted) for each in found.requests] == [
        ("out / in / deep", "b.example", True),
        ("out / near", "a.example", True),
        ("top", "a.example", False),
    ]
    assert "Scripts of the file were not run" in found.remarks[0]


@pytest.mark.parametrize("when", ["prerequest", "test"])
def test_scripts_are_said_not_to_run(when):
    """Of whatever kind, and wherever in the file."""
    script = {"listen": when, "script": {"exec": ["x"]}}
    found = read_collection(collection({"name": "f", "item": [item("https://x.example/a", event=[script])]}))
    assert "Scripts of the file were not run" in found.remarks[0]
    assert found.requests[0].scripted is (when == "prerequest")


@pytest.mark.parametrize(
    ("auth", "where"),
    [
        (
            {
                "type": "apikey",
                "apikey": [{"key": "key", "value": "X-K"}, {"key": "value", "value": "{{k}}"}],
            },
            "header",
        ),
        ({"type": "apikey", "apikey": {"key": "X-K", "value": "{{k}}", "in": "header"}}, "header"),
        (
            {
                "type": "apikey",
                "apikey": [
                    {"key": "key", "value": "X-K"},
                    {"key": "value", "value": "1"},
                    {"key": "in", "value": "query"},
                ],
            },
            "query",
        ),
    ],
)
def test_authorization_is_inherited(auth, where):
    """An API key that the collection adds is sent with every request."""
    request = one(
        collection(
            item({"method": "GET", "url": "https://x.example/a"}),
            auth=auth,
            variable=[{"key": "k", "value": "1"}],
        )
    )
    assert (request.headers if where == "header" else request.query) == (Pair("X-K", "1"),)


def test_a_request_may_refuse_what_it_inherits():
    """`noauth` sends nothing."""
    auth = {"type": "bearer", "bearer": [{"key": "token", "value": "secret"}]}
    items = (
        item({"url": "https://x.example/a", "auth": {"type": "noauth"}}),
        item({"url": "https://x.example/a"}),
    )
    without, with_it = read_collection(collection(*items, auth=auth)).requests
    assert (without.headers, with_it.headers) == ((), (Pair("Authorization", "bearer"),))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(item("https://x.example/a")).encode(),
        json.dumps({"name": "folder", "item": [item("https://x.example/a")]}).encode(),
        json.dumps({"collection": json.loads(collection(item("https://x.example/a")))}).encode(),
        collection(item("https://x.example/a"), schema=V21.replace("v2.1.0", "v2.0.0")),
        b"\xef\xbb\xbf" + collection(item("https://x.example/a")),
    ],
)
def test_what_counts_as_a_collection(content):
    """A whole one of either version, a folder, one item, an answer of Postman's API."""
    assert one(content).host == "x.example"


def test_one_bad_request_does_not_spoil_the_others():
    """It is named, and the rest is read."""
    found = read_collection(collection(item({"url": 5}, "bad"), item("https://x.example/a", "good"))).requests
    assert [(each.name, bool(each.fault)) for each in found] == [("bad", True), ("good", False)]


def test_an_absurd_request_does_not_spoil_the_others():
    """One of megabytes is no call about keys; headers without end are cut."""
    large = item({"url": "https://x.example/a", "body": {"mode": "raw", "raw": "x" * 1_100_000}}, "large")
    many = item({"url": "https://x.example/a", "header": "a:b\n" * 100_000}, "many")
    found = read_collection(collection(large, many)).requests
    assert [bool(each.fault) for each in found] == [True, False]
    assert len(found[1].headers) <= 1000


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is no JSON"),
        (b"{", "the file is no JSON"),
        (b"\xff\xfe", "the file is no JSON"),
        (b"[]", "it is no JSON object"),
        (b"{}", "it has neither `item` nor `request`"),
        (b'{"openapi":"3.1.0"}', "it is an OpenAPI description"),
        (b'{"swagger":"2.0"}', "it is an OpenAPI description"),
        (b'{"log":{"entries":[]}}', "it is an HTTP archive"),
        (b'{"id":"1","name":"e","values":[]}', "it is a Postman environment"),
        (b'{"id":"1","name":"c","order":[],"requests":[]}', "in Postman's old format v1"),
        (collection(schema=V21.replace("v2.1.0", "v3.0.0")), "of another format than v2.0 and v2.1"),
        (b'{"info":{},"item":5}', "an `item` of the collection is not in the form"),
        (b'{"info":{},"item":[5]}', "an `item` of the collection is not in the form"),
        (b'{"info":{},"item":[{"$ref":"#/item/0"}]}', "an entry of the collection is a `$ref`"),
    ],
)
def test_what_is_no_collection_is_said_once(content, says):
    """One clear sentence, and what to do."""
    with pytest.raises(Refused) as refused:
        read_collection(content)
    assert says in refused.value.message
    assert "\n" not in str(refused.value)
    assert refused.value.remedy


def test_variables_in_a_circle_stay_as_they_are():
    """Names that refer to each other fill nothing and end."""
    variables = [{"key": "a", "value": "{{b}}"}, {"key": "b", "value": "{{a}}x"}]
    assert one(collection(item("{{a}}/p"), variable=variables)).host == "{{a}}"


def test_a_file_without_requests_says_so():
    """It is read, and there is nothing in it."""
    found = read_collection(collection())
    assert (found.requests, found.remarks) == ((), ("There is no request in the file.",))
