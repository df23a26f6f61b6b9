"""Sockets that are passed to the venue, those that stay, and those that say only later whose they are."""

import asyncio
import contextlib
import json
import ssl

import pytest
import websockets
from websockets.asyncio.server import serve

from listenkey.config import PassageSettings
from tests.edge.gate import WAIT, frame, handshake, until
from tests.edge.standin import StandIn

SUBSCRIBE = {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 7}


class Market:
    """A venue's streams: says who came, echoes what it is told."""

    def __init__(self, **options):
        self.options = options
        self.requests = []
        self.sockets = []

    async def __aenter__(self):
        self._server = await serve(self._serve, "127.0.0.1", 0, ping_interval=None, **self.options)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exception):
        self._server.close()

    async def _serve(self, socket):
        self.requests.append(socket.request)
        self.sockets.append(socket)
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in socket:
                await socket.send(message)


@pytest.fixture
async def market():
    """A venue's streams and its WebSocket API, without compression."""
    async with Market(compression=None) as market:
        yield market


@contextlib.asynccontextmanager
async def passing(make_gate, url, names=("binance-usdm",), *, tls=None, **settings):
    """A gateway that passes sockets there."""
    given = {"rest": "", "sockets": url, "api": url, **settings}
    own = {} if tls is None else {"tls": tls}
    async with make_gate(passage={name: PassageSettings(**given) for name in names}, **own) as gate:
        yield gate


@pytest.fixture
async def gate(make_gate, market):
    """A gateway that passes the sockets of USD-M and spot."""
    async with passing(make_gate, market.url, ("binance-usdm", "binance-spot", "bingx")) as gate:
        yield gate


@pytest.mark.parametrize(
    "path",
    [
        "/ws/btcusdt@trade", "/stream?streams=btcusdt@trade/!ticker@arr", "/binance-spot/ws/%21ticker%40arr",
        "/ws/0", "/market/ws", "/public/ws/btcusdt@bookTicker", "/swap-market", "/bingx/market",
        "/unheard/of?a=%31",
    ],
)  # fmt: skip
async def test_a_socket_of_market_data_is_the_venues(gate, market, path):
    """With its address to the byte; the first frame and the last are between the client and the venue."""
    socket = await gate.dial(path)
    prefix = next((name for name in ("/binance-spot", "/bingx") if path.startswith(name)), "")
    assert market.requests[0].path == path.removeprefix(prefix)
    assert market.requests[0].headers["Host"] == market.url[5:]
    assert await socket.ask({"a": 1}) == {"a": 1}
    await asyncio.wait_for(await socket.socket.ping(b"abc"), WAIT)
    await asyncio.wait_for(await market.sockets[0].ping(b"def"), WAIT)
    await market.sockets[0].close(4001, "enough")
    assert await socket.closed() == (4001, "enough")
    await until(lambda: gate.gateway.metrics.passed_sockets_open == 0)


async def test_the_clients_close_reaches_the_venue(gate, market):
    """Its code and reason too, and nothing of it is left."""
    socket = await gate.dial("/ws/btcusdt@trade")
    await socket.socket.close(4002, "bye")
    await market.sockets[0].wait_closed()
    assert (market.sockets[0].close_code, market.sockets[0].close_reason) == (4002, "bye")
    await until(lambda: not gate.listeners._beyond._sockets)


async def test_extensions_and_subprotocols_are_between_both_ends(make_gate):
    """The handshake passes as it is, so compression is the venue's to grant."""
    async with (
        Market(compression="deflate", subprotocols=["v2"]) as market,
        passing(make_gate, market.url) as gate,
    ):
        socket = await gate.dial("/ws/btcusdt@trade", subprotocols=["v1", "v2"], compression="deflate")
        assert socket.socket.subprotocol == "v2"
        assert socket.socket.response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        text = "a" * 100_000
        assert await socket.ask(json.dumps(text)) == text


async def test_listen_keys_stay(gate, market):
    """In the path, in the query, beside market streams, or not there at all: never shown to the venue."""
    api_key = await gate.api_key()
    key = await gate.listen_key(api_key)
    sockets = [
        await gate.dial(path.format(key))
        for path in ("/ws/{}", "/private/ws?listenKey={}", "/stream?streams=btcusdt@trade/{}")
    ]
    await gate.publish({"e": "ORDER_TRADE_UPDATE", "n": 1})
    for socket in sockets:
        message = await socket.json()
        assert message.get("data", message)["n"] == 1
    for path in (f"/ws/{'x' * 64}", "/private/ws?listenKey=short", "/swap-market?listenKey=short"):
        assert (await gate.refusal(path)).status_code == 401
    assert not market.requests


# Sockets that say it later ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ws", "/stream", "/binance-usdm/ws", "/private/ws"])
async def test_the_first_request_makes_a_socket_the_venues(gate, market, path):
    """What was sent before and with it arrives there too, once and in its order."""
    raw = await gate.raw(handshake(path, "Sec-WebSocket-Extensions: permessage-deflate", "X-Own: 1"))
    head = await raw.head()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"xtensions" not in head
    first = json.dumps(SUBSCRIBE).encode()
    await raw.send(frame(9, b"alive?") + frame(1, first[:5], fin=False))
    assert await raw.frame() == (10, b"alive?")
    assert not market.requests
    await raw.send(frame(0, first[5:]) + frame(1, b'"second"'))
    assert [await raw.frame() for _ in range(3)] == [(10, b"alive?"), (1, first), (1, b'"second"')]
    assert market.requests[0].path == path.removeprefix("/binance-usdm")
    assert market.requests[0].headers["X-Own"] == "1"
    assert "Sec-WebSocket-Extensions" not in market.requests[0].headers


async def test_the_first_request_makes_a_socket_the_gateways(gate, market):
    """A listen key in it, or what is no request."""
    key = await gate.listen_key(await gate.api_key())
    socket = await gate.dial("/ws")
    assert await socket.ask({**SUBSCRIBE, "params": ["btcusdt@trade", key]}) == {"result": None, "id": 7}
    await gate.publish({"e": "ORDER_TRADE_UPDATE", "n": 1})
    assert (await socket.json())["n"] == 1
    broken = await gate.dial("/ws")
    assert "code" in await broken.ask("junk")
    assert not market.requests


@pytest.mark.parametrize(
    ("request_", "is_passed"),
    [
        ({"id": 1, "method": "order.place", "params": {"symbol": "BTCUSDT"}}, True),
        ({"id": 1, "method": "session.logon", "params": {}}, True),
        ({"id": 1, "method": "v3/userDataStream.subscribe.signature", "params": {}}, True),
        ({"id": 1, "method": "userDataStream.start", "params": {}}, False),
        ({"id": 1, "method": "v3/userDataStream.ping", "params": {}}, False),
        ("junk", False),
    ],
)
async def test_a_websocket_api_is_the_venues_but_for_listen_keys(gate, market, request_, is_passed):
    """Orders over a socket reach the venue; a bot that makes its listen keys there has them from here."""
    socket = await gate.dial("/ws-api/v3?returnRateLimits=false")
    answer = await socket.ask(request_)
    assert (answer == request_) is is_passed
    assert [each.path for each in market.requests] == ["/ws-api/v3?returnRateLimits=false"] * is_passed


async def test_a_silent_socket_is_the_gateways(gate, market, monkeypatch):
    """It is not kept for ever, and not shown to the venue."""
    monkeypatch.setattr("listenkey.edge.passage.passage._UNDECIDED_SECONDS", 0.01)
    await gate.dial("/ws")
    await until(lambda: len(gate.gateway.connections) == 1)
    assert not market.requests


async def test_who_says_nothing_at_length_is_closed(gate):
    """Pings without end are no request."""
    raw = await gate.raw_socket("/ws")
    with contextlib.suppress(ConnectionError):
        for _ in range(200):
            await raw.send(frame(9, b"x" * 125) * 100)
    await until(lambda: not gate.listeners._beyond._sockets)


async def test_a_first_message_is_no_longer_than_names_are(gate, market):
    """A thousand names of streams pass; a mebibyte of nothing is not kept for who has shown no key."""
    names = [f"1000000mogusdt_{number:06}@kline_15m" for number in range(1024)]
    socket = await gate.dial("/ws")
    assert (await socket.ask({**SUBSCRIBE, "params": names}))["params"] == names
    raw = await gate.raw_socket("/ws")
    await raw.send(frame(1, b"x" * 200_000, fin=False))
    opcode, reason = await raw.frame()
    assert (opcode, reason[:2]) == (8, (1009).to_bytes(2, "big"))
    assert len(market.requests) == 1


@pytest.mark.parametrize("data", [frame(1, b"a", mask=False), frame(3), frame(8, b"\x03\xe8")])
async def test_a_socket_that_ends_before_its_first_request(gate, data):
    """With an error or in good order: its Close is answered."""
    raw = await gate.raw_socket("/ws")
    await raw.send(data)
    assert (await raw.frame())[0] == 8
    await until(lambda: not gate.listeners._beyond._sockets)


# A venue that misbehaves --------------------------------------------------------------------------------


async def test_a_refusal_of_the_venues_is_passed(make_gate):
    """Status, headers and words; a limit on connections is the client's to heed."""

    async def script(call):
        await call.answer(b"slow down", head=b"HTTP/1.1 429 Too Many\r\nRetry-After: 9\r\n")

    async with StandIn(script) as venue, passing(make_gate, venue.url) as gate:
        refused = await gate.refusal("/ws/btcusdt@trade")
        assert (refused.status_code, refused.body) == (429, b"slow down")
        assert refused.headers["Retry-After"] == "9"
        socket = await gate.dial("/ws")
        await socket.socket.send(json.dumps(SUBSCRIBE))
        assert await socket.closed() == (1013, "the venue could not be reached: 429")
        failures = gate.gateway.metrics.passage_failures
        assert failures == {("binance-usdm", "venue_refused"): 2}


@pytest.mark.parametrize(
    ("answer", "status", "code"), [(b"", 502, -1006), (b"junk\r\n\r\n", 502, -1006), (None, 504, -1007)]
)
async def test_a_venue_that_opens_nothing(make_gate, answer, status, code):
    """The client hears so in the venue's form, and may try again."""

    async def script(call):
        if answer is None:
            await call.reader.read()
        await call.say(answer)
        call.writer.close()

    async with StandIn(script) as venue, passing(make_gate, venue.url, answer_seconds=1) as gate:
        refused = await gate.refusal("/ws/btcusdt@trade")
        assert (refused.status_code, json.loads(refused.body)["code"]) == (status, code)
        assert gate.gateway.metrics.passed_sockets_open == 0


async def test_a_venue_that_is_not_there(make_gate):
    """502, and after our 101 a Close that says to try again."""
    async with StandIn() as venue:
        url = venue.url
    async with passing(make_gate, url) as gate:
        refused = await gate.refusal("/ws/btcusdt@trade")
        assert (refused.status_code, json.loads(refused.body)["code"]) == (502, -1001)
        socket = await gate.dial("/ws")
        await socket.socket.send(json.dumps(SUBSCRIBE))
        assert (await socket.closed())[0] == 1013


async def test_a_connection_that_the_venue_cuts_is_cut(make_gate):
    """Not closed in good order: the client is to know that it may have missed something."""
    accept = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

    async def script(call):
        await call.say(accept + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x01a")
        await call.reader.read(1)
        call.reset()

    async with StandIn(script) as venue, passing(make_gate, venue.url) as gate:
        raw = await gate.raw_socket("/ws/btcusdt@trade")
        assert await raw.frame() == (1, b"a")
        await raw.send(frame(1, b"b"))
        with contextlib.suppress(ConnectionError):
            assert await raw.rest() == b""


async def test_a_client_that_leaves_early_leaves_nothing(make_gate):
    """Its connection to the venue is given up before it opened."""
    gone = asyncio.Event()

    async def script(call):
        with contextlib.suppress(ConnectionError):
            await call.reader.read()
        gone.set()

    async with StandIn(script) as venue, passing(make_gate, venue.url) as gate:
        raw = await gate.raw(handshake("/ws/btcusdt@trade"))
        await venue.heard()
        raw.writer.close()
        await asyncio.wait_for(gone.wait(), WAIT)
        await until(lambda: not gate.listeners._beyond._sockets)


@pytest.mark.parametrize("who", ["client", "venue"])
async def test_who_does_not_read_holds_the_other_up(gate, market, who):
    """Nothing piles up in the gateway."""
    socket = await gate.dial("/ws/btcusdt@trade", max_size=None, compression=None)
    if who == "venue":
        market.sockets[0].transport.pause_reading()
        sender = asyncio.ensure_future(_send_much(socket.socket))
    else:
        socket.socket.transport.pause_reading()
        sender = asyncio.ensure_future(_send_much(market.sockets[0]))
    done, _ = await asyncio.wait([sender], timeout=1)
    assert not done
    sender.cancel()
    for end in (socket.socket, market.sockets[0]):
        end.transport.abort()


async def _send_much(socket):
    for _ in range(64):
        await socket.send(b"x" * (1 << 20))


async def test_one_address_has_so_many_sockets(make_gate, market):
    """Whatever they turn out to be; each that ends makes room for another."""
    from listenkey.config import Streams

    given = {"binance-usdm": PassageSettings(rest="", sockets=market.url, api="")}
    async with make_gate(passage=given, streams=Streams(market_sockets_per_address=2)) as gate:
        key = await gate.listen_key(await gate.api_key())
        for _ in range(3):
            mine = await gate.dial("/ws")
            await mine.ask({**SUBSCRIBE, "params": [key]})
            theirs, late = await gate.dial("/ws/btcusdt@trade"), await gate.dial("/ws")
            assert await late.ask(SUBSCRIBE) == SUBSCRIBE
            assert (await gate.refusal("/ws/btcusdt@trade")).status_code == 502
            assert (await gate.refusal("/ws")).status_code == 502
            for socket in (theirs, late):
                await socket.socket.close()
            await until(lambda: not gate.listeners._beyond._sockets)
        assert not gate.listeners._beyond._places._taken


async def test_the_end_of_the_gateway_ends_its_tunnels(make_gate, market):
    """And one socket too many is refused before it."""
    async with passing(make_gate, market.url, connections=1) as gate:
        socket = await gate.dial("/ws/btcusdt@trade")
        assert (await gate.refusal("/ws/btcusdt@trade")).status_code == 502
        await gate.listeners.drain(1.0)
        assert (await socket.closed())[0] == 1006


@pytest.mark.parametrize("path", ["/ws/..%2f@trade", "/ws//a@trade", "/lk/v1/nothing", "/v1/a@trade"])
async def test_paths_that_might_be_read_otherwise_never_leave(gate, market, path):
    """As with calls."""
    with contextlib.suppress(websockets.InvalidStatus):
        await gate.dial(path)
    assert not market.requests


async def test_tls_to_the_venue_is_verified(make_gate, make_certificate):
    """A venue that cannot show its certificate gets no order; `ca_file` names who is trusted."""
    files, other = make_certificate("venue"), make_certificate("other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)

    async def script(call):
        if b"pgrade" in call.head:
            call.reset()
        await call.answer()

    async with StandIn(script, context) as venue:
        for trusted, status in ((other.cert, 502), (files.cert, 200)):
            settings = {"rest": venue.url, "ca_file": trusted}
            async with passing(make_gate, venue.url, **settings) as gate:
                for _ in range(2):
                    raw = await gate.raw(b"GET /fapi/v1/order HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert (await raw.answer())[0] == status
        assert [call.connection for call in venue.calls] == [venue.opened] * 2


async def test_sockets_over_tls(make_gate, make_certificate):
    """The tunnel is the same."""
    files = make_certificate("venue")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    async with Market(ssl=context, compression=None, max_size=None) as market:
        url = "wss" + market.url[2:]
        async with passing(make_gate, url, ca_file=files.cert) as gate:
            socket = await gate.dial("/ws/btcusdt@trade", max_size=None)
            text = "a" * 3_000_000
            assert await socket.ask(json.dumps(text)) == text
            await market.sockets[0].close(4001, "enough")
            assert await socket.closed() == (4001, "enough")


async def test_a_gateway_with_tls_passes_the_same(make_gate, make_certificate, market):
    """Frames of any length, the first request of a bare socket, a Close, and a venue that refuses."""
    tls = make_certificate("gateway")
    trusting = ssl.create_default_context(cafile=tls.cert)
    async with passing(make_gate, market.url, tls=tls) as gate:
        for path in ("/ws/btcusdt@trade", "/ws"):
            socket = await gate.dial(path, ssl=trusting)
            assert await socket.ask(SUBSCRIBE) == SUBSCRIBE
            text = "a" * 900_000
            assert await socket.ask(json.dumps(text)) == text
            await market.sockets[-1].close(4001, "enough")
            assert await socket.closed() == (4001, "enough")
        await market.__aexit__()
        await market._server.wait_closed()
        assert (await gate.refusal("/ws/btcusdt@trade", ssl=trusting)).status_code == 502
        late = await gate.dial("/ws", ssl=trusting)
        await late.socket.send(json.dumps(SUBSCRIBE))
        assert (await late.closed())[0] == 1013
