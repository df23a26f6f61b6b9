import asyncio
import json
import struct

import pytest

from listenkey.config import Http, Streams
from tests.edge.gate import BINGX, WAIT, frame, until

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TRADE = {"e": "ORDER_TRADE_UPDATE", "E": 1}
LIST = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'


@pytest.fixture
async def key(gate):
    """A live USD-M key."""
    return await gate.listen_key(await gate.api_key())


@pytest.fixture
async def raw(gate, key):
    """A socket of that key, byte by byte."""
    return await gate.raw_socket(f"/private/ws/{key}")


class TestBrokenFrames:
    @pytest.mark.parametrize(
        "data,code",
        [
            pytest.param(frame(TEXT, LIST, mask=False), 1002, id="unmasked"),
            pytest.param(frame(TEXT, LIST, reserved=4), 1002, id="reserved bit of compression"),
            pytest.param(frame(3, b"x"), 1002, id="opcode that nobody has"),
            pytest.param(frame(11), 1002, id="control opcode that nobody has"),
            pytest.param(frame(0, b"x"), 1002, id="continuation of nothing"),
            pytest.param(
                frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002, id="message inside a message"
            ),
            pytest.param(frame(PING, b"x" * 126), 1002, id="long ping"),
            pytest.param(frame(PING, fin=False), 1002, id="fragmented ping"),
            pytest.param(frame(PONG, mask=False), 1002, id="unmasked pong"),
            pytest.param(frame(PONG, b"x" * 126), 1002, id="long pong"),
            pytest.param(frame(PONG, b"x") + frame(3), 1002, id="rubbish behind a pong"),
            pytest.param(frame(CLOSE, b"\x03"), 1002, id="close code cut in half"),
            pytest.param(frame(CLOSE, struct.pack("!H", 1005)), 1002, id="close code not for the wire"),
            pytest.param(frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007, id="close reason not UTF-8"),
            pytest.param(frame(TEXT, b"\xff\xfe"), 1007, id="text not UTF-8"),
            pytest.param(
                frame(TEXT, b"\xc3", fin=False) + frame(0, b"("), 1007, id="not UTF-8 over fragments"
            ),
            pytest.param(frame(BINARY, b"\xff\xfe"), 1003, id="binary that is no text"),
            pytest.param(bytes((0x81, 0xFF)) + b"\xff" * 8, 1009, id="length with its top bit set"),
            pytest.param(bytes((0x81, 0xFF)) + (1 << 40).to_bytes(8, "big"), 1009, id="a terabyte announced"),
        ],
    )
    async def test_a_broken_frame_ends_its_own_socket_with_a_code(self, gate, key, raw, data, code):
        """RFC 6455: the code says what was wrong, TCP ends promptly, and the other socket of the key goes
        on."""
        other = await gate.dial(f"/ws/{key}")
        await raw.send(data)
        assert await raw.close_code() == code
        await until(lambda: len(gate.gateway.connections) == 1)
        await gate.publish(TRADE)
        assert await other.json() == TRADE

    @pytest.mark.parametrize("path", ["/private/ws/{key}", "/ws-fapi/v1"])
    @pytest.mark.parametrize(
        "data,said",
        [
            (frame(3, b"x"), b"\x03\xeaProtocol error"),
            (bytes((0x81, 0xFF)) + (1 << 40).to_bytes(8, "big"), b"\x03\xf1Message too big"),
        ],
    )
    async def test_the_reason_is_the_close_tables(self, gate, key, path, data, said):
        """A client that looks a reason up finds it: no parser's own words."""
        raw = await gate.raw_socket(path.format(key=key))
        await raw.send(data)
        assert await raw.frame() == (CLOSE, said)

    async def test_a_message_over_a_mebibyte_is_refused_and_its_close_arrives(self, raw):
        """1009, although the client has not stopped sending: its own close is not swallowed by a reset."""
        for part in [frame(TEXT, b"x" * 600_000, fin=False), frame(0, b"x" * 600_000)]:
            await raw.send(part)
        await raw.send(b"and on it goes" * 10_000)
        assert await raw.close_code() == 1009

    async def test_a_message_of_a_mebibyte_is_read(self, raw):
        """The bound itself is allowed; what it says is judged as ever."""
        await raw.send(frame(TEXT, b'{"method":"LIST_SUBSCRIPTIONS","id":1}'.ljust(1 << 20)))
        opcode, payload = await raw.frame()
        assert (opcode, json.loads(payload)["id"]) == (TEXT, 1)

    async def test_fragments_interleaved_with_pings_make_one_message(self, raw):
        """As RFC 6455 section 5.4 allows."""
        await raw.send(
            frame(TEXT, LIST[:5], fin=False) + frame(PING, b"in between") + frame(0, LIST[5:20], fin=False)
        )
        await raw.send(frame(0, LIST[20:]))
        assert await raw.frame() == (PONG, b"in between")
        assert json.loads((await raw.frame())[1])["id"] == 1

    async def test_frames_byte_by_byte_are_read_as_one(self, raw):
        """However the network cuts them."""
        for byte in frame(TEXT, LIST):
            await raw.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert json.loads((await raw.frame())[1])["id"] == 1

    async def test_requests_in_binary_frames_are_understood(self, raw):
        """One client sends its JSON as binary."""
        await raw.send(frame(BINARY, LIST))
        assert json.loads((await raw.frame())[1])["id"] == 1


class TestFloods:
    async def test_messages_over_the_venues_rate_end_the_socket(self, make_gate):
        """USD-M takes ten a second: ten are answered, the eleventh closes with 1008; without limits none."""
        for limits, most in (("account", 10), ("off", 40)):
            async with make_gate(limits=limits) as gate:
                raw = await gate.raw_socket(
                    f"/private/ws/{await gate.listen_key(await gate.api_key(limits))}"
                )
                await raw.send(frame(TEXT, LIST) * most)
                answers = [await raw.frame() for _ in range(most)]
                assert all(opcode == TEXT for opcode, _ in answers)
                if limits == "account":
                    await raw.send(frame(TEXT, LIST))
                    assert await raw.close_code() == 1008

    async def test_a_second_later_there_is_room_again(self, make_gate):
        """The rate is a second's, not a socket's."""
        async with make_gate(limits="account") as gate:
            raw = await gate.raw_socket(f"/private/ws/{await gate.listen_key(await gate.api_key())}")
            for _ in range(3):
                await raw.send(frame(TEXT, LIST) * 10)
                for _ in range(10):
                    assert (await raw.frame())[0] == TEXT
                gate.advance(1)

    @pytest.mark.parametrize(
        "flood",
        [
            pytest.param(frame(PING), id="pings"),
            pytest.param(frame(PONG), id="pongs"),
            pytest.param(frame(0, b"", fin=False), id="empty fragments"),
            pytest.param(frame(TEXT, b"Pong"), id="heartbeat answers"),
        ],
    )
    async def test_a_flood_of_small_frames_is_stopped_and_stalls_nobody(self, gate, flood):
        """Tens of thousands of frames in one go: the socket is closed, and a call meanwhile is answered at
        once."""
        bingx = await gate.listen_key(await gate.api_key("bingx"), BINGX)
        raw = await gate.raw_socket(f"/swap-market?listenKey={bingx}")
        if flood == frame(0, b"", fin=False):
            raw.writer.write(frame(TEXT, b"", fin=False))
        raw.writer.write(flood * 50_000)
        assert (await gate.venue_call("GET", "/fapi/v1/ping")).status_code == 200
        (outlet,) = gate.gateway.connections.all() or [None]
        assert await raw.close_code() == 1008
        assert outlet is None or outlet._frames <= gate.listeners._bounds.frames_per_second + 1
        await until(lambda: not gate.gateway.connections.all())

    async def test_a_client_that_pings_and_never_reads_is_closed(self, make_gate):
        """Pongs are queued within the same bound as events; a peer that takes none cannot make us hoard
        them."""
        async with make_gate(streams=Streams(queue_bytes=16_384)) as gate:
            raw = await gate.raw_socket(f"/ws/{await gate.listen_key(await gate.api_key())}")
            raw.writer.transport.pause_reading()

            async def flood():
                while len(gate.gateway.connections):
                    await raw.send(frame(PING, b"x" * 125) * 900)
                    gate.advance(1)

            await asyncio.wait_for(flood(), 4 * WAIT)


class TestClosing:
    @pytest.mark.parametrize("payload", [struct.pack("!H", 1000), struct.pack("!H", 4999) + b"bye", b""])
    async def test_a_close_is_echoed_and_tcp_ends_at_once(self, gate, raw, payload):
        """Clients wait for the server to end TCP; one that does not costs them their close timeout. No time
        passes here, so nothing but the echo ends it."""
        await raw.send(frame(CLOSE, payload))
        assert await raw.frame() == (CLOSE, payload)
        assert await raw.rest() == b""
        await until(lambda: not gate.gateway.connections.all())

    async def test_a_peer_that_vanishes_leaves_nothing_behind(self, gate, raw):
        """A reset without a Close ends socket and subscription."""
        raw.writer.transport.abort()
        await until(lambda: not gate.gateway.connections.all())
        assert not gate.gateway.streams._live
        assert not gate.gateway.streams._by_key

    async def test_a_peer_that_does_not_answer_our_close_is_cut(self, gate, raw):
        """Three seconds of patience, then the connection ends without it."""
        (listed,) = (await gate.call("GET", "/v1/connections")).json()["items"]
        assert (await gate.call("DELETE", f"/v1/connections/{listed['id']}")).status_code == 200
        assert (await raw.frame())[0] == CLOSE
        gate.advance(2.9)
        assert len(gate.gateway.connections) == 1
        gate.advance(0.2)
        await until(lambda: not gate.gateway.connections.all())

    async def test_nothing_is_sent_after_a_close(self, gate, key, raw):
        """Between our Close and the peer's no event and no Pong goes out."""
        (outlet,) = gate.gateway.connections.all()
        outlet.close("revoked")
        await gate.publish(TRADE)
        await raw.send(frame(PING, b"x"))
        assert (await raw.frame())[0] == CLOSE
        await raw.send(frame(CLOSE, struct.pack("!H", 1008)))
        assert await raw.rest() == b""


class TestSlowReaders:
    async def test_a_slow_reader_is_closed_and_others_are_not(self, make_gate):
        """Over its bound a socket ends with the dialect's code; a quick one of the same key misses
        nothing."""
        async with make_gate(streams=Streams(queue_bytes=65_536)) as gate:
            key = await gate.listen_key(await gate.api_key())
            slow, quick = (
                await gate.raw_socket(f"/ws/{key}"),
                await gate.dial(f"/ws/{key}", max_size=None, max_queue=None),
            )
            slow.writer.transport.pause_reading()
            event = {"e": "X", "n": 0, "fill": "x" * 50_000}
            published = 0
            while len(gate.gateway.connections) == 2 or published < 100:
                await gate.publish(*(event | {"n": published + n} for n in range(10)))
                published += 10
                gate.advance(1)
                assert published < 2_000
            assert gate.gateway.metrics.sockets_slow == 1
            assert [(await quick.json())["n"] for _ in range(published)] == list(range(published))

    async def test_queued_bytes_are_shown(self, gate):
        """An operator can see who does not read."""
        key = await gate.listen_key(await gate.api_key())
        slow = await gate.raw_socket(f"/ws/{key}")
        slow.writer.transport.pause_reading()
        (outlet,) = gate.gateway.connections.all()
        while outlet.queued_bytes() < 100_000:
            await gate.publish(*[{"e": "X", "fill": "x" * 50_000}] * 10)
        (item,) = (await gate.call("GET", "/v1/connections")).json()["items"]
        assert item["queued_bytes"] >= 100_000

    async def test_a_burst_to_a_quick_reader_is_no_reason_to_close(self, make_gate):
        """What is published in one go, and is more than a socket's buffer takes, arrives whole and in
        order."""
        async with make_gate(streams=Streams(queue_bytes=1_048_576), http=Http()) as gate:
            key = await gate.listen_key(await gate.api_key())
            socket = await gate.dial(f"/ws/{key}", max_queue=None)
            events = [{"e": "X", "n": n, "fill": "x" * 300} for n in range(1_000)]
            await gate.publish(*events)
            assert [await socket.json() for _ in events] == events
