"""What addresses, paths and first messages say, one by one."""

import json

import pytest

from listenkey.base.errors import ConfigError
from listenkey.dialect.registry import load_dialects
from listenkey.edge.passage.base import Base, is_plain, may_pass, parse_base
from listenkey.edge.passage.headers import onward_headers
from listenkey.edge.passage.whose import by_address, by_message
from listenkey.wire.routes import build_routes

ROUTES = build_routes(load_dialects(), {})
KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
BINGX_KEY = "a" * 64


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://api.example.com", Base(True, "api.example.com", 443, b"api.example.com")),
        ("https://api.example.com:443/", Base(True, "api.example.com", 443, b"api.example.com:443")),
        ("wss://x.example:9443/deep/", Base(True, "x.example", 9443, b"x.example:9443", b"/deep")),
        ("http://127.0.0.1:81", Base(False, "127.0.0.1", 81, b"127.0.0.1:81")),
        ("ws://[::1]:81", Base(False, "::1", 81, b"[::1]:81")),
        ("http://localhost", Base(False, "localhost", 80, b"localhost")),
    ],
)
def test_addresses_of_a_venue(text, base):
    """With a path before all others, if need be."""
    assert parse_base(text, "here") == base


@pytest.mark.parametrize(
    "text",
    [
        "api.example.com", "ftp://x", "https://", "https://u:p@x", "https://x:port", "https://x?y", "https://x#y",
        "https://x/../y", "https://x y", "http://api.example.com", "ws://10.0.0.1", "https://x\r\nY: 1",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_venue(text):
    """Or one that would carry API keys in clear; the message says where it stands."""
    with pytest.raises(ConfigError, match="here: ") as error:
        parse_base(text, "here")
    assert error.value.remedy


@pytest.mark.parametrize("path", [b"/", b"/api/v3/order", b"/ws/%21ticker%40arr", b"/a/", b"/ws/a@b_c.d~e|f"])
def test_plain_paths(path):
    """Everybody reads them alike."""
    assert is_plain(path)
    assert may_pass(path)


@pytest.mark.parametrize("path", [
    b"", b"api", b"*", b"//a", b"/a//b", b"/a/../b", b"/a/.", b"/%2e/b", b"/a%2Fb", b"/a%5cb", b"/a%00",
    b"/a%0d", b"/a%252e", b"/a%2", b"/a b", b"/a\xff", b"/a\\b", b'/a"b',
])  # fmt: skip
def test_paths_that_are_not_plain(path):
    """Somebody might take them for another one."""
    assert not is_plain(path)


@pytest.mark.parametrize(
    "path", [b"/lk/v1/stream", b"/%6ck/x", b"/LK", b"/v1/accounts", b"/health/live", b"/docs/"]
)
def test_paths_of_our_own(path):
    """Plain, and never for a venue."""
    assert is_plain(path)
    assert not may_pass(path)


def test_headers_of_a_connection_stay_with_it():
    """And whatever `Connection` names, but for what says whose a request is and how long."""
    kept = [(b"Host", b"x"), (b"A", b"1"), (b"Content-Length", b"2"), (b"a", b"2")]
    dropped = [
        (b"Connection", b"close, B , Host"), (b"connection", b"Content-Length"), (b"b", b"1"), (b"TE", b"x"),
        (b"Keep-Alive", b"x"), (b"Proxy-Authorization", b"x"), (b"Transfer-Encoding", b"chunked"),
        (b"Trailer", b"x"), (b"Upgrade", b"x"), (b"Proxy-Connection", b"x"),
    ]  # fmt: skip
    assert onward_headers([*kept[:2], *dropped, *kept[2:]]) == kept


@pytest.mark.parametrize(
    ("path", "query", "whose"),
    [
        ("/ws", "", "unsaid"),
        ("/ws", "streams=a@b", "unsaid"),
        ("/stream", "streams=a@b", "venue"),
        ("/stream", f"streams=a@b/{KEY}", "gateway"),
        (f"/ws/{KEY}", "", "gateway"),
        (f"/ws/btcusdt@trade/{KEY}", "", "gateway"),
        ("/stream", f"streams=a@b/{KEY}@ORDER_TRADE_UPDATE", "gateway"),
        (f"/private/ws/{KEY}@ACCOUNT_UPDATE", "", "gateway"),
        (f"/market/ws/{KEY}", "", "gateway"),
        ("/public/stream", f"streams={KEY}", "gateway"),
        ("/ws/btcusdt@trade", "", "venue"),
        ("/ws/0", "", "venue"),
        ("/private/ws", "listenKey=", "gateway"),
        ("/private/ws", "listenKey=short", "gateway"),
        ("/market/ws", "", "venue"),
        ("/public/stream", "", "venue"),
        ("/market", "", "venue"),
        ("/market", f"listenKey={BINGX_KEY}", "gateway"),
        ("/swap-market", "listenKey=%6b", "gateway"),
        ("/ws-api/v3", "", "unsaid"),
        ("/nowhere", "", "venue"),
    ],
)
def test_what_a_handshake_says(path, query, whose):
    """A listen key anywhere keeps a socket here."""
    route = ROUTES.api("", "", path) or ROUTES.socket("", "", path)
    assert by_address(route, query.encode()) == whose


@pytest.mark.parametrize(
    ("message", "whose"),
    [
        ({"method": "SUBSCRIBE", "params": ["a@b"], "id": 1}, "venue"),
        ({"method": "SUBSCRIBE", "params": ["a@b", KEY], "id": 1}, "gateway"),
        ({"method": "SUBSCRIBE", "params": [f"{KEY}@ORDER_TRADE_UPDATE"], "id": 1}, "gateway"),
        ({"method": "SUBSCRIBE", "params": [1, None, {}], "id": 1}, "venue"),
        ({"method": "SUBSCRIBE", "params": KEY, "id": 1}, "venue"),
        ({"method": "LIST_SUBSCRIPTIONS", "id": 1}, "venue"),
        ([], "gateway"),
        ("text", "gateway"),
    ],
)
def test_what_a_first_message_says(message, whose):
    """On Binance's streams; what is no request gets the gateway's own answer to that."""
    assert by_message(ROUTES.socket("", "", "/ws"), json.dumps(message)) == whose


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"\\ud800"'])
def test_what_is_no_json_is_the_gateways(text):
    """However it is broken."""
    assert by_message(ROUTES.socket("", "", "/ws"), text) == "gateway"
    assert by_message(ROUTES.api("", "", "/ws-api/v3"), text) == "gateway"
