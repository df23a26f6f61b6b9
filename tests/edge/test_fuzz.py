import asyncio
import random

import pytest

from tests.edge.gate import BINGX, frame, handshake, until

ROUNDS = 40
LIST = b'{"method":"SUBSCRIBE","params":["a","b"],"id":1}'
TOPIC = b'{"id":"x","reqType":"sub","dataType":"spot.executionReport"}'


def requests(key):
    """What clients send, to be damaged."""
    return [
        handshake(f"/ws/{key}"),
        handshake("/private/stream?listenKey=a&events=A/B&listenKey=b"),
        handshake("/lk/v1/stream?stream=binance-usdm&since=abc:5", f"Authorization: Bearer {key}"),
        b"GET /lk/v1/stream?listenKey=x HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
        b"PUT /fapi/v1/listenKey?listenKey=x&timestamp=1&signature=0 HTTP/1.1\r\nX-MBX-APIKEY: k\r\n\r\n",
        b"POST /api/v3/userDataStream HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nlistenKey=x",
        b"POST /sapi/v1/userDataStream HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na=%B\r\n0\r\n\r\n",
        b"DELETE /openApi/user/auth/userDataStream?listenKey=x HTTP/1.1\r\nX-BX-APIKEY: k\r\n\r\n",
    ]


FRAMES = [
    frame(1, LIST), frame(2, LIST), frame(1, TOPIC), frame(9, b"ping"), frame(10, b"pong"), frame(1, b"Pong"),
    frame(1, LIST[:9], fin=False) + frame(9) + frame(0, LIST[9:]), frame(8, b"\x03\xe8bye"),
    frame(1, b"x" * 70_000),
]  # fmt: skip


def damaged(data, chance):
    """The bytes with a few of them changed, lost, doubled or moved."""
    piece = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 5, 20))):
        at = chance.randrange(len(piece) + 1)
        what = chance.randrange(5)
        if what == 0:
            piece[at:at] = chance.randbytes(chance.choice((1, 2, 50)))
        elif what == 1:
            del piece[at : at + chance.choice((1, 3, 30))]
        elif what == 2 and at < len(piece):
            piece[at] ^= 1 << chance.randrange(8)
        elif what == 3:
            piece[at:at] = piece[: chance.randrange(100)]
        else:
            piece[at : at + 1] = chance.choice((b"\r\n", b"\x00", b"%", b"\xff", b"&", b'"', b"9" * 30))
    return bytes(piece)


async def send_in_pieces(raw, data, chance):
    """As a network would cut it; a connection that is cut meanwhile is an answer too."""
    try:
        while data:
            size = chance.choice((1, 7, 100, len(data)))
            await raw.send(data[:size])
            data = data[size:]
            await asyncio.sleep(0)
        raw.writer.write_eof()
        return await raw.rest()
    except (ConnectionError, RuntimeError):
        return b""


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_requests_are_answered_or_cut_and_never_a_fault(gate, seed):
    """I8: no 5xx, no fault of ours, nothing left behind, whatever comes in by HTTP."""
    chance = random.Random(seed)
    key = await gate.listen_key(await gate.api_key())
    for _ in range(ROUNDS):
        pieces = [damaged(chance.choice(requests(key)), chance) for _ in range(chance.choice((1, 1, 2)))]
        raw = await gate.raw()
        answer = await send_in_pieces(raw, b"".join(pieces), chance)
        assert b"HTTP/1.1 5" not in answer, pieces
        raw.writer.close()
    await settled(gate)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("path", ["/ws/{usdm}", "/market?listenKey={bingx}"])
async def test_damaged_frames_end_their_socket_and_nothing_else(gate, path, seed):
    """I8: the same for what comes in by WebSocket, for each way of control."""
    chance = random.Random(seed)
    api_key = await gate.api_key()
    keys = {"usdm": await gate.listen_key(api_key), "bingx": await gate.listen_key(api_key, BINGX)}
    for _ in range(ROUNDS):
        raw = await gate.raw_socket(path.format(**keys))
        data = b"".join(damaged(chance.choice(FRAMES), chance) for _ in range(chance.choice((1, 3, 8))))
        await send_in_pieces(raw, data, chance)
        raw.writer.close()
    await settled(gate)


async def settled(gate):
    """All connections are gone, no fault was counted, and somebody else is served."""
    gate.advance(10)
    await until(lambda: not gate.gateway.connections.all())
    assert gate.gateway.metrics.internal_errors == 0
    assert (await gate.venue_call("GET", "/fapi/v1/ping")).status_code == 200
