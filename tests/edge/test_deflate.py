"""Compression of messages: what is agreed to, and what it does to real sockets."""

import json
import zlib

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from listenkey.config import Http, Streams
from listenkey.edge.deflate import agree
from tests.edge.gate import BINGX, frame, handshake
from tests.edge.test_api_socket import SPOT as SPOT_API

TEXT, COMPRESSED = 1, 4
TRADE = {"e": "ORDER_TRADE_UPDATE", "E": 1, "o": {"s": "BTCUSDT", "c": "x" * 300}}
LIST = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'


@pytest.mark.parametrize(
    "offered,header,forgets,window",
    [
        ("permessage-deflate", "permessage-deflate", False, 15),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=12",
            False,
            12,
        ),
        (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            False,
            12,
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            True,
            15,
        ),
        (
            'permessage-deflate; server_max_window_bits="15"; client_max_window_bits=9',
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9",
            False,
            9,
        ),
        (
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=8",
            False,
            9,
        ),
        (
            "other, permessage-deflate; server_max_window_bits=10, permessage-deflate",
            "permessage-deflate",
            False,
            15,
        ),
    ],
)
def test_an_offer_that_can_be_met_is_accepted(offered, header, forgets, window):
    """What gorilla, okhttp, ws, browsers and Python's libraries offer; they fail on an answer with more."""
    agreed = agree(offered.encode())
    assert (agreed.header.decode(), agreed.forgets, agreed.window_bits) == (header, forgets, window)


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "other",
        "permessage-deflate; server_max_window_bits=11",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=012",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; unknown",
        "permessage-deflate; ",
        ";;;",
        "\xff\x00",
    ],
)
def test_an_offer_that_cannot_be_met_is_passed_over(offered):
    """The socket opens without compression instead of failing (RFC 7692 section 7.1)."""
    assert agree(offered.encode("latin-1")) is None


OFFERS = {
    "as websockets": "deflate",
    "plain": ClientPerMessageDeflateFactory(client_max_window_bits=None),
    "no takeover": ClientPerMessageDeflateFactory(
        server_no_context_takeover=True, client_no_context_takeover=True
    ),
    "any window": ClientPerMessageDeflateFactory(client_max_window_bits=True),
}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("form", ["/private/ws/{}", "/private/stream?streams={}"])
async def test_a_client_that_offers_compression_gets_it(gate, form, offer):
    """Events, bare and combined, and requests that are compressed themselves, message after message."""
    key = await gate.listen_key(await gate.api_key())
    how = {"compression": offer} if offer == "deflate" else {"compression": None, "extensions": [offer]}
    socket = await gate.dial(form.format(key), **how)
    assert socket.socket.response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
    for _ in range(3):
        await gate.publish(TRADE)
        got = await socket.json()
        assert got == (TRADE if form.endswith("/ws/{}") else {"stream": key, "data": TRADE})
        answer = await socket.ask({"method": "LIST_SUBSCRIPTIONS", "id": 7, "padding": "x" * 5000})
        assert answer == {"result": [key], "id": 7}


async def test_an_event_is_compressed_once_for_all_who_agreed(gate, monkeypatch):
    """Ten compressed sockets and ten plain ones get the same two pieces of bytes: compressing by the socket
    would cost a stream's speed."""
    made = []
    real = zlib.compressobj
    monkeypatch.setattr(zlib, "compressobj", lambda *rest: made.append(1) or real(*rest))
    key = await gate.listen_key(await gate.api_key())
    offers = ["Sec-WebSocket-Extensions: permessage-deflate"]
    packed = [await opened(gate, f"/private/ws/{key}", *offers) for _ in range(10)]
    plain = [await opened(gate, f"/private/ws/{key}") for _ in range(10)]
    await gate.publish(TRADE)
    frames = [await raw.frame() for raw in packed]
    assert len(set(frames)) == 1
    assert len(frames[0][1]) < 150
    assert zlib.decompress(frames[0][1] + b"\x00\x00\xff\xff\x03\x00", -12) == json.dumps(TRADE).encode()
    assert {(await raw.frame())[1] for raw in plain} == {json.dumps(TRADE).encode()}
    assert len(made) == 1


async def opened(gate, path, *headers):
    """A bare socket whose handshake had these headers."""
    raw = await gate.raw(handshake(path, *headers))
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    return raw


async def test_a_small_message_that_swells_is_1009(make_gate):
    """A few bytes that are a megabyte once they are taken apart cost what the bound on messages allows."""
    async with make_gate(http=Http(message_bytes=10_000)) as gate:
        raw = await opened(gate, "/ws", "Sec-WebSocket-Extensions: permessage-deflate")
        await raw.send(frame(TEXT, squeezed(b"x" * 1_000_000), reserved=COMPRESSED))
        assert await raw.close_code() == 1009
        pieces = squeezed(b"x" * 30_000)
        raw = await opened(gate, "/ws", "Sec-WebSocket-Extensions: permessage-deflate")
        half = len(pieces) // 2
        await raw.send(frame(TEXT, pieces[:half], fin=False, reserved=COMPRESSED) + frame(0, pieces[half:]))
        assert await raw.close_code() == 1009
        raw = await opened(gate, "/ws", "Sec-WebSocket-Extensions: permessage-deflate")
        await raw.send(frame(TEXT, squeezed(LIST.ljust(10_000)), reserved=COMPRESSED))
        assert (await raw.frame())[1] == b'{"result":[],"id":1}'


def squeezed(payload):
    """A message as RFC 7692 compresses it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_rubbish_that_says_it_is_compressed_ends_its_socket(gate):
    """And no other."""
    raw = await opened(gate, "/ws", "Sec-WebSocket-Extensions: permessage-deflate")
    other = await gate.dial("/ws")
    await raw.send(frame(TEXT, b"\xff\xff\xff", reserved=COMPRESSED))
    assert await raw.close_code() == 1002
    assert await other.ask(LIST.decode()) == {"result": [], "id": 1}


async def test_who_compresses_without_having_agreed_breaks_the_protocol(gate):
    """RFC 6455 section 5.2."""
    raw = await opened(gate, "/ws")
    await raw.send(frame(TEXT, squeezed(LIST), reserved=COMPRESSED))
    assert await raw.close_code() == 1002


@pytest.mark.parametrize(
    "path", ["/swap-market?listenKey={}", SPOT_API, "/lk/v1/stream?listenKey={}&stream=bingx-swap"]
)
async def test_where_the_venue_does_not_compress_nothing_is(gate, path):
    """BingX passes over the offer; of WebSocket APIs nothing says that they take it."""
    key = await gate.listen_key(await gate.api_key(), BINGX)
    socket = await gate.dial(path.format(key))
    assert "Sec-WebSocket-Extensions" not in socket.socket.response.headers


async def test_compression_can_be_turned_off(make_gate):
    """Who has bandwidth and no time to spare."""
    async with make_gate(streams=Streams(deflate=False)) as gate:
        socket = await gate.dial("/ws")
        assert "Sec-WebSocket-Extensions" not in socket.socket.response.headers
