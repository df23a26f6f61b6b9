"""Lines for curl and its kin: what request each is, however it is quoted."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listenkey.base.errors import Refused
from listenkey.reference.foreign.curl import read_line
from listenkey.reference.foreign.request import Foreign, Pair, places, show_places
from listenkey.reference.foreign.shell import commands

URL = "https://api.example.com/api/v3/userDataStream"


def one(text: str) -> Foreign:
    """The only request of a text."""
    (request,) = read_line(text)
    return request


def pairs(*named: str) -> tuple[Pair, ...]:
    """`name=value` as pairs."""
    return tuple(Pair(*each.split("=", 1)) for each in named)


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (f"curl {URL}", "GET"),
        (f"curl -X PUT {URL}", "PUT"),
        (f"curl -XPUT {URL}", "PUT"),
        (f"curl -sSkX DELETE {URL}", "DELETE"),
        (f"curl --request=put {URL}", "PUT"),
        (f"curl --request POST --url {URL}", "POST"),
        (f"curl -d a=b {URL}", "POST"),
        (f"curl -G -d a=b {URL}", "GET"),
        (f"curl -I {URL}", "HEAD"),
        (f"curl -T file {URL}", "PUT"),
        (f"$ curl.exe -X POST {URL} | jq .", "POST"),
        (f"time /usr/bin/curl -X POST {URL} > out.json", "POST"),
        (f"post {URL}", "POST"),
        (f"PUT {URL}", "PUT"),
        (URL, "GET"),
    ],
)
def test_the_method_is_the_one_that_is_sent(text, method):
    """Options, data and shorthand decide it as they do in curl."""
    request = one(text)
    assert (request.method, request.host, request.path) == (
        method,
        "api.example.com",
        "/api/v3/userDataStream",
    )


@pytest.mark.parametrize(
    "text",
    [
        f"KEY=$(curl -s -X POST {URL} | jq -r .listenKey)",
        f'KEY="$(curl -s -X POST {URL})"',
        f"export KEY=`curl -s -X POST {URL}`",
        f"echo $(echo $(curl -X POST {URL}))",
    ],
)
def test_a_command_whose_answer_is_kept_is_read(text):
    """Scripts keep the key in a variable; that line is the request that people ask about."""
    request = one(text)
    assert (request.method, request.path) == ("POST", "/api/v3/userDataStream")


def test_a_command_in_another_ones_place_comes_first():
    """Both are sent, in this order, and both are told."""
    inner, outer = read_line(f"curl -X PUT {URL}?listenKey=$(curl -X POST {URL})")
    assert (inner.method, outer.method) == ("POST", "PUT")


def test_what_cannot_be_read_in_a_place_is_left():
    """A part that is not understood does not hide the request around it, however deep it goes."""
    assert one(f"curl -X PUT {URL}?listenKey=$(echo it's)").method == "PUT"
    assert one(f"curl -X PUT {URL}?listenKey={'$(' * 9000}{')' * 9000}").method == "PUT"


@pytest.mark.parametrize(
    ("text", "query", "body"),
    [
        (f"curl '{URL}?a=1&b=%20x+y'", pairs("a=1", "b= x y"), ()),
        (f"curl -d a=1 -d b=2 {URL}", (), pairs("a=1", "b=2")),
        (f"curl -G {URL} -d a=1 --data-urlencode 'b=x y'", pairs("a=1", "b=x y"), ()),
        (f"curl --data-urlencode 'a=1&2' {URL}", (), pairs("a=1&2")),
        (f"""curl -d '{{"a":1,"b":"c"}}' {URL}""", (), pairs("a=1", "b=c")),
        (f"""curl --json '{{"a":true}}' {URL}""", (), pairs("a=true")),
        (f"curl -F a=1 -F 'b=@/etc/passwd' {URL}", (), pairs("a=1", "b=")),
        (f"curl --url-query a=1 {URL}", pairs("a=1"), ()),
        (f"curl --data-urlencode $'a=\\ud800' -F b=\udcff {URL}", (), pairs("a=?", "b=?")),
        (
            f"curl --data-urlencode 'x y' --data-urlencode b@file --data-urlencode =z {URL}",
            (),
            pairs("x y=", "b=", "z="),
        ),
        (f"curl -d '' {URL}", (), ()),
        (f"curl -d @secrets.txt {URL}", (), ()),
    ],
)
def test_parameters_are_found_where_they_are(text, query, body):
    """In the address, in a form, in JSON; files are not opened."""
    request = one(text)
    assert (request.query, request.body) == (query, body)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"curl -H 'X-K: a b' {URL}", "a b"),
        (f'curl -H "X-K:a\\"b" {URL}', 'a"b'),
        (f"curl -H $'X-K: a\\'b\\x21\\u0041\\n' {URL}", "a'b!A"),
        (f"curl -HX-K:ab {URL}", "ab"),
        (f"curl --header=X-K:ab {URL}", "ab"),
        (f"curl \\\n  -H 'X-K: ab' \\\n  {URL}", "ab"),
        (f"curl `\n  -H 'X-K: ab' `\n  {URL}", "ab"),
        (f'curl ^\r\n  -H ^"X-K: ab^" ^\r\n  {URL}', "ab"),
        (f'curl.exe ^"{URL}?a=1^&b=2^" ^\n  -X ^"PUT^" ^\n  -H ^"X-K: ab^"', "ab"),
        (f"curl -H 'X-K: $K' {URL}", "$K"),
        (f"curl -H 'X-K;' {URL}", ""),
        (f'K=ab; curl -H "X-K: $K" {URL}', "ab"),
        (f'export K=ab\ncurl -H "X-K: ${{K}}" {URL}', "ab"),
    ],
)
def test_quotes_are_those_of_the_shell(text, value):
    """A header is what curl would have been given."""
    assert one(text).header("x-k") == value


@settings(max_examples=300, deadline=None)
@given(st.text("ab'\"\\ \t=-:", max_size=30))
def test_words_are_those_of_the_standard_library(text):
    """Where the rules are the same, so are the words; where one finds a quote open, the other does."""
    try:
        expected = shlex.split(text)
    except ValueError as error:
        if "quotation" in str(error):
            with pytest.raises(Refused):
                commands(text)
        return
    found, _ = commands(text)
    assert found == ([expected] if expected else [])


def test_what_a_shell_fills_in_is_a_place():
    """Not a value: neither a variable nor the output of a command is known."""
    request = one(f'curl -H "X-K: ${{KEY}}" "{URL}?timestamp=$(date +%s)000&a=`id`"')
    assert places(request.header("x-k") or "") == ["$KEY"]
    assert [show_places(each.value) for each in request.query] == ["$(…)000", "$(…)"]


def test_several_requests_of_a_text_are_several():
    """A text may bring its whole session."""
    text = f"# start\ncurl -X POST {URL}\ncurl -X PUT {URL} && curl -X DELETE {URL}\nwscat -c wss://x.example/ws/k"
    found = read_line(text)
    assert [(each.method, each.socket) for each in found] == [
        ("POST", False), ("PUT", False), ("DELETE", False), ("GET", True),
    ]  # fmt: skip


def test_next_and_several_addresses_are_requests_of_their_own():
    """As in curl: the options of one do not follow into the other."""
    found = read_line(f"curl -X PUT {URL}/a {URL}/b --next {URL}/c")
    assert [(each.method, each.path[-1]) for each in found] == [("PUT", "a"), ("PUT", "b"), ("GET", "c")]


def test_an_unquoted_ampersand_cuts():
    """The commonest mistake of all is said, and what follows it does not count."""
    request = one(f"curl -X PUT {URL}?a=1&b=2")
    assert request.query == pairs("a=1")
    assert "no quotes protect" in request.remarks[0]


def test_an_address_by_itself_is_whole():
    """Where no shell reads it, an `&` is part of it."""
    for text in (f"{URL}?a=1&b=2", f"PUT {URL}?a=1&b=2", f"\n  {URL}?a=1&b=2  \n"):
        request = one(text)
        assert (request.query, request.remarks) == (pairs("a=1", "b=2"), ())


def test_a_command_that_a_page_broke_into_lines_is_one():
    """Pages print a command line by line without the marks that a shell wants."""
    request = one(
        f'curl -X PUT\n\t-H "Accept: a"\n\t-H "X-K: {{{{key}}}}"\n{URL}?listenKey=&signature={{{{s}}}}'
    )
    assert (request.method, request.path, request.header("x-k")) == (
        "PUT",
        "/api/v3/userDataStream",
        "{{key}}",
    )
    assert request.query == pairs("listenKey=", "signature={{s}}")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_request_as_http_writes_it_is_read(end):
    """From a log or a page: target, headers and body."""
    lines = [
        "PUT /api/v3/userDataStream?a=1&b=2 HTTP/1.1",
        "Host: API.example.com",
        "X-K: it's",
        "",
        "c=3&d=4",
    ]
    request = one(end.join(lines))
    assert (request.method, request.host, request.path) == (
        "PUT",
        "api.example.com",
        "/api/v3/userDataStream",
    )
    assert (request.header("x-k"), request.query, request.body) == (
        "it's",
        pairs("a=1", "b=2"),
        pairs("c=3", "d=4"),
    )
    bare = one(lines[0])
    assert (bare.host, bare.query) == ("", pairs("a=1", "b=2"))


@pytest.mark.parametrize("client", ["wscat -c", "wscat --connect", "websocat", "websocat -H 'a: b' -k"])
def test_socket_clients_open_sockets(client):
    """Their address is found among their options."""
    request = one(f"{client} wss://stream.example.com:9443/ws/abc")
    assert (request.socket, request.scheme, request.host, request.path) == (
        True, "wss", "stream.example.com:9443", "/ws/abc",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("curl 'abc", "the ' at character 6 is never closed"),
        ('curl "abc', 'the " at character 6 is never closed'),
        ("curl $'abc\\'", "the $' at character 6 is never closed"),
        ("curl $(date", "the $( at character 6 is never closed"),
        ("curl `date", "the ` at character 6 is never closed"),
        ("", "there is no request in it"),
        ("echo hello", "there is no request in it"),
        ("curl -X POST", "the curl line names no address"),
        ("wscat -c", "the line names no address"),
        (f"curl {'x' * 70_000}", "the line has 70005 characters, 65536 are the most"),
        ("curl a.example;" * 101, "there are 101 requests in it, 100 are the most"),
    ],
)
def test_what_is_no_line_is_said_once(text, says):
    """One clear sentence, and what to do."""
    with pytest.raises(Refused) as refused:
        read_line(text)
    assert refused.value.message == says
    assert refused.value.remedy
