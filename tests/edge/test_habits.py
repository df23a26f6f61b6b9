"""What published clients do that a server may stumble over, a habit each; each was seen on the wire of some.

The clients themselves play in tests/clients; what they do only now and then, or did once, is here.
"""

import json

import pytest

from listenkey.dialect.registry import load_dialects
from tests.edge.gate import SPOT, USDM, frame, handshake
from tests.edge.test_api_socket import SPOT as SPOT_API
from tests.edge.test_api_socket import ask, by_secret
from tests.edge.test_every_row import Bot

DIALECTS = load_dialects()
BINANCE = sorted(name for name in DIALECTS if name != "bingx")
EVENT = {"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "1.0", "T": 1}
BODIES = [
    ("application/json", b""),
    ("application/json", b"{}"),
    ("application/octet-stream", b""),
    ("*/*", b""),
    ("application/x-www-form-urlencoded", b""),
    ("text/plain", b"nonsense"),
]


@pytest.mark.parametrize("name", sorted(DIALECTS))
async def test_a_content_type_means_nothing(gate, name):
    """Clients declare what they do not send."""
    bot, key = Bot(gate, name), await gate.api_key()
    for kind, body in BODIES:
        answer = await bot.call(bot.calls["create"], key, headers={"content-type": kind}, content=body)
        assert answer.status_code == 200, (kind, body, answer.text)


@pytest.mark.parametrize("name", sorted(DIALECTS))
async def test_bodies_of_no_declared_length(gate, name):
    """POST without Content-Length and without a body."""
    bot, key = Bot(gate, name), await gate.api_key()
    create, header = bot.calls["create"], bot.dialect.auth.header
    query = f"?{create.scope_parameter}=BTCUSDT" if create.scope_parameter else ""
    head = f"POST /{name}{create.path}{query} HTTP/1.1\r\nHost: x\r\n{header}: {key}\r\n\r\n"
    status, _, body = await (await gate.raw(head.encode())).answer()
    assert (status, "listenKey" in json.loads(body)) == (200, True)


@pytest.mark.parametrize("name", BINANCE)
@pytest.mark.parametrize("place", ["params", "data"])
async def test_the_key_in_the_query_or_in_a_form(gate, name, place):
    """PUT and DELETE name the key in either; families that need none pass over it."""
    bot, key = Bot(gate, name), await gate.api_key()
    made = (await bot.call(bot.calls["create"], key)).json()["listenKey"]
    for kind in ("extend", "close"):
        row = bot.calls[kind]
        given = {"listenKey": made} | ({row.scope_parameter: "btcusdt"} if row.scope_parameter else {})
        answer = await bot.ask(row.method, row.path, key, **{place: given})
        assert answer.status_code == 200, (kind, answer.text)


@pytest.mark.parametrize("name", BINANCE)
async def test_calls_signed_without_need(gate, name):
    """Time, window and signature on a call that wants none, wherever and however wrong."""
    bot, key = Bot(gate, name), await gate.api_key()
    create = bot.calls["create"]
    extra = {"timestamp": 1, "recvWindow": 5000, "signature": "00"}
    for place in ("params", "data", "json"):
        scope = {create.scope_parameter: "BTCUSDT"} if create.scope_parameter else {}
        answer = await bot.ask(
            create.method, create.path, key, **({"params": scope} | {place: scope | extra})
        )
        assert answer.status_code == 200, (place, answer.text)


async def test_a_key_extended_at_once_and_without_a_stream(gate):
    """The keep-alive comes before the stream is opened; the key is as good as before."""
    key = await gate.api_key()
    made = await gate.listen_key(key)
    assert (await gate.venue_call("PUT", USDM, key)).status_code == 200
    socket = await gate.dial(f"/ws/{made}")
    await gate.publish(EVENT)
    assert await socket.json() == EVENT


@pytest.mark.parametrize("request_id", ["a", 0, 7, "0"])
async def test_ids_come_back_as_they_were_sent(gate, request_id):
    """Text, a number, and nought."""
    made = await gate.listen_key(await gate.api_key(), SPOT)
    socket = await gate.dial("/ws")
    answer = await socket.ask({"method": "SUBSCRIBE", "params": [made], "id": request_id})
    assert answer == {"result": None, "id": request_id}


async def test_an_empty_list_of_streams_and_then_a_subscription(gate):
    """`/stream?streams=` opens, and what is subscribed then comes wrapped."""
    made = await gate.listen_key(await gate.api_key(), SPOT)
    socket = await gate.dial("/stream?streams=")
    await socket.ask({"method": "SUBSCRIBE", "params": [made], "id": 1})
    await gate.publish(EVENT, stream="binance-spot")
    assert await socket.json() == {"stream": made, "data": EVENT}


@pytest.mark.parametrize("pongs", [(b"", None), (None, None), (None, b"")], ids=["first", "twice", "after"])
async def test_a_second_pong_cuts_nobody(make_gate, pongs):
    """A library answers a Ping, and the client's own code answers it again, with the payload or without."""
    async with make_gate() as gate:
        made = await gate.listen_key(await gate.api_key(), SPOT)
        raw = await gate.raw_socket(f"/ws/{made}")
        for _ in range(6):
            gate.advance(20)
            opcode, payload = await raw.frame()
            assert opcode == 9
            await raw.send(b"".join(frame(10, payload if pong is None else pong) for pong in pongs))
        await raw.send(frame(1, b'{"method":"LIST_SUBSCRIPTIONS","id":1}'))
        assert (await raw.frame())[0] == 1


@pytest.mark.parametrize("given", [{"subscriptionId": "0"}, {"subscriptionId": 0}, {}])
async def test_a_subscription_is_given_up_by_text_number_or_nothing(gate, given):
    """The id as text, as a number, or none at all."""
    socket = await gate.dial(SPOT_API)
    signer = await by_secret(gate)
    await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    told = [await ask(socket, "userDataStream.unsubscribe", **given), await socket.json()]
    assert [each["status"] for each in told if "status" in each] == [200]


async def test_one_socket_subscribed_twice(gate):
    """A client that subscribes again is told that it is, and goes on being sent events."""
    socket = await gate.dial(SPOT_API)
    signer = await by_secret(gate)
    first = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    second = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    assert (first["status"], second["error"]["code"]) == (200, -2035)
    await gate.publish(EVENT, stream="binance-spot")
    assert (await socket.json())["event"] == EVENT


@pytest.mark.parametrize("code", [1000, 4999, None])
async def test_clients_close_in_their_own_ways(gate, code):
    """With a usual code, with one of their own, with none: the close is answered and nothing is left."""
    made = await gate.listen_key(await gate.api_key(), SPOT)
    raw = await gate.raw(handshake(f"/ws/{made}"))
    await raw.head()
    await raw.send(frame(8, b"" if code is None else code.to_bytes(2, "big")))
    opcode, payload = await raw.frame()
    assert (opcode, payload[:2]) == (8, b"" if code is None else code.to_bytes(2, "big"))
    assert await raw.rest() == b""
