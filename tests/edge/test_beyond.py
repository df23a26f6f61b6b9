"""What the gateway hands on: calls and handshakes that it does not serve, unread, and nothing else."""

import asyncio
import json

import pytest

from listenkey.edge.asgi import RAW_HEADERS, UNDATED
from listenkey.edge.handshake import switching_protocols
from tests.edge.gate import USDM, frame


class Echo:
    """Somebody beyond who answers with what was asked, piece by piece."""

    def __init__(self):
        self.calls, self.handshakes, self.closed = [], [], False

    def takes(self, onward, method, route):
        return not onward.path.startswith("/fapi/v1/time")

    async def handle(self, onward, scope, receive, send):
        self.calls.append((onward, scope["method"], list(scope["extensions"][RAW_HEADERS])))
        scope["extensions"][UNDATED]()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"date", b"then")]})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})

    def open_socket(self, onward, route, upgrade, transport, own):
        self.handshakes.append((onward, route, upgrade.raw_headers))
        late = upgrade.query == b"late"
        if not late and not onward.path.endswith(("@trade", "/elsewhere")):
            return None
        transport.write(switching_protocols(upgrade.accept, upgrade.date))
        return own(welcomed=True) if late else Sink()

    async def close(self):
        self.closed = True


class Sink(asyncio.Protocol):
    """A socket on which nothing is said."""


@pytest.fixture
async def beyond(make_gate):
    """A gateway with somebody beyond it."""
    echo = Echo()
    async with make_gate(beyond=echo) as gate:
        gate.echo = echo
        yield gate
    assert echo.closed


@pytest.mark.parametrize(
    ("path", "dialect", "inner", "target"),
    [
        ("/fapi/v1/order", "binance-usdm", "/fapi/v1/order", b"/fapi/v1/order"),
        ("/api/v3/a%20b", "binance-spot", "/api/v3/a b", b"/api/v3/a%20b"),
        ("/binance-us/api/v3/order", "binance-us", "/api/v3/order", b"/api/v3/order"),
        ("/fapi/v1/exchangeInfo", "binance-usdm", "/fapi/v1/exchangeInfo", b"/fapi/v1/exchangeInfo"),
    ],
)
async def test_what_is_not_served_goes_beyond_by_its_dialect(beyond, path, dialect, inner, target):
    """A call that the gateway cannot answer reaches whoever can, named as the venue names it."""
    answer = await beyond.raw(f"GET {path}?b=2&a=%31 HTTP/1.1\r\nHost: x\r\nX-Case: A\r\n\r\n".encode())
    head = await answer.head()
    assert head.count(b"date: ") == 1, head
    [(onward, method, headers)] = beyond.echo.calls
    assert (onward.dialect.name, onward.path, onward.target, method) == (dialect, inner, target, "GET")
    assert headers == [(b"Host", b"x"), (b"X-Case", b"A")]


async def test_bodies_stream_both_ways(beyond):
    """The first half is answered before the second is sent: nothing is read ahead."""
    raw = await beyond.raw(
        b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    )
    assert b"transfer-encoding: chunked" in await raw.head()
    assert await raw.reader.readexactly(8) == b"3\r\none\r\n"
    await raw.send(b"3\r\ntwo\r\n0\r\n\r\n")
    assert await raw.reader.readuntil(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize("path", ["/lk/v1/nothing", "/fapi/v1/time", USDM, "/binance%2Dusdm/fapi/v1/order"])
async def test_what_is_the_gateways_own_stays_with_it(beyond, path):
    """Listen keys, the native stream, what nobody takes, and a prefix that is not spelled out."""
    await (await beyond.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).head()
    assert not beyond.echo.calls


async def test_handshakes_go_beyond_or_stay(beyond):
    """A market stream leaves, a listen key's socket is as it was, and so is one that is decided late."""
    api_key = await beyond.api_key()
    key = await beyond.listen_key(api_key)
    await (await beyond.raw_socket("/ws/btcusdt@trade")).send(frame(1, b"{}"))
    await beyond.raw_socket("/binance-usdm/elsewhere")
    ours = await beyond.dial(f"/ws/{key}")
    late = await beyond.dial("/ws?late", additional_headers={"X-Case": "A"})
    await late.socket.send(json.dumps({"method": "SUBSCRIBE", "params": [key], "id": 1}))
    await late.json()
    await beyond.publish({"e": "ORDER_TRADE_UPDATE", "n": 1})
    for socket in (ours, late):
        assert (await socket.json())["n"] == 1
    names = [
        (onward.dialect.name, onward.target, route is None) for onward, route, _ in beyond.echo.handshakes
    ]
    assert names[:2] == [
        ("binance-spot", b"/ws/btcusdt@trade", False), ("binance-usdm", b"/elsewhere", True),
    ]  # fmt: skip
    assert (b"X-Case", b"A") in beyond.echo.handshakes[3][2]


async def test_what_follows_a_body_is_no_header(gate):
    """A trailer cannot name an API key or an address behind the head's back."""
    api_key = await gate.api_key()
    raw = await gate.raw(
        b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\nX-MBX-APIKEY: " + api_key.encode() + b"\r\n\r\n"
    )
    status, _, body = await raw.answer()
    assert (status, b"-2014" in body) == (401, True), body
