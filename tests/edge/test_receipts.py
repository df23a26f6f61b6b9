"""Questions for receipts, byte by byte: when they go out, and that answers are taken however they arrive."""

import gzip
import json

import pytest

from listenkey.edge.venue_socket import VenueSocket
from tests.edge.gate import BINGX, SPOT, frame

EVENT = {"e": "ORDER_TRADE_UPDATE"}
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


async def opened(gate):
    """A bare socket for a key, and the same as the gateway has it."""
    raw = await gate.raw_socket(f"/private/ws/{await gate.listen_key(await gate.api_key())}")
    (socket,) = gate.gateway.connections._open.values()
    assert isinstance(socket, VenueSocket)
    return raw, socket


async def confirmed(gate):
    """What the socket surely has, as an operator sees it."""
    (connection,) = (await gate.call("GET", "/v1/connections")).json()["items"]
    (subscription,) = connection["subscriptions"]
    return subscription["confirmed"]


async def settled(raw):
    """Everything that was sent up to here has been taken."""
    await raw.send(frame(PING, b"done?"))
    assert await raw.frame() == (PONG, b"done?")


async def answer(raw):
    """Answer the question that comes next."""
    opcode, payload = await raw.frame()
    assert opcode == PING
    await raw.send(frame(PONG, payload))
    await settled(raw)


async def asked(gate, raw):
    """An event goes out, and a question after it; its payload."""
    await gate.publish(EVENT)
    assert (await raw.frame())[0] == TEXT
    gate.advance(0.05)
    opcode, payload = await raw.frame()
    assert opcode == PING
    return payload


async def answered_event(gate, raw):
    """An event goes out, and the question after it is answered."""
    await raw.send(frame(PONG, await asked(gate, raw)))
    await settled(raw)


class TestAsking:
    async def test_the_question_follows_the_event(self, gate):
        """Within a twentieth of a second; a second event within the second brings none of its own."""
        raw, _ = await opened(gate)
        await answered_event(gate, raw)
        assert await confirmed(gate) == 1
        await gate.publish(EVENT)
        assert (await raw.frame())[0] == TEXT
        gate.advance(0.9)
        await settled(raw)
        assert await confirmed(gate) == 1

    async def test_one_question_stands_for_all_events_before_it(self, gate):
        """Soon after the second is over."""
        raw, _ = await opened(gate)
        await answered_event(gate, raw)
        await gate.publish(EVENT, EVENT)
        assert [(await raw.frame())[0] for _ in range(2)] == [TEXT, TEXT]
        gate.advance(1.1)
        await answer(raw)
        assert await confirmed(gate) == 3

    async def test_what_is_quiet_and_confirmed_is_asked_nothing(self, gate):
        """A stream without events costs a client one question, once it has had the last one for the overlap:
        so that it is not told again. Then nothing but its venue's heartbeat."""
        raw, socket = await opened(gate)
        await answered_event(gate, raw)
        gate.advance(9)
        await settled(raw)
        gate.advance(1.1)
        await answer(raw)
        (subscription,) = socket.subscriptions
        assert subscription.reader.consumer.cursor.settled == 1
        gate.advance(60)
        await settled(raw)

    async def test_an_event_does_not_wait_for_the_question_that_settles(self, gate):
        """Though that one is due seconds later."""
        raw, _ = await opened(gate)
        await answered_event(gate, raw)
        gate.advance(5)
        await answered_event(gate, raw)
        assert await confirmed(gate) == 2


class TestAnswers:
    async def test_a_client_that_only_answers_needs_no_parser(self, gate):
        """Its Pongs count all the same, also masked ones; that is most clients, and a parser is kilobytes."""
        raw, socket = await opened(gate)
        payload = await asked(gate, raw)
        masked = bytes(byte ^ b"abcd"[at % 4] for at, byte in enumerate(payload))
        await raw.send(bytes((0x80 | PONG, 0x80 | len(payload))) + b"abcd" + masked)
        await gate.publish(EVENT)
        await raw.frame()
        assert await confirmed(gate) == 1
        assert socket._parser is None

    @pytest.mark.parametrize("parts", [(1,), (2,), (6,), (7,), (1, 5, 8)])
    async def test_an_answer_in_pieces(self, gate, parts):
        """A Pong may come byte by byte."""
        raw, socket = await opened(gate)
        pong, at = frame(PONG, await asked(gate, raw)), 0
        for part in (*parts, len(pong)):
            socket.data_received(pong[at:part])
            at = part
        assert await confirmed(gate) == 1

    async def test_an_answer_with_others_about_it(self, gate):
        """A Pong too many, a Ping of the client's own, and a Pong between the parts of a message."""
        raw, socket = await opened(gate)
        pong = frame(PONG, await asked(gate, raw))
        socket.data_received(frame(TEXT, b'{"method":"LIST_', fin=False))
        socket.data_received(pong)
        assert await confirmed(gate) == 1
        socket.data_received(frame(0, b'SUBSCRIPTIONS","id":7}') + frame(PONG) + frame(PING, b"you?"))
        assert (await raw.frame())[0] == TEXT
        assert await raw.frame() == (PONG, b"you?")

    async def test_a_pong_that_is_none(self, gate):
        """Unmasked, or longer than a control frame may be: a protocol error, as ever."""
        raw, socket = await opened(gate)
        socket.data_received(frame(PONG, b"x", mask=False))
        assert await raw.close_code() == 1002

    async def test_too_many_pongs(self, gate):
        """They count as frames: a flood of them ends the socket."""
        raw, socket = await opened(gate)
        for _ in range(gate.listeners._bounds.frames_per_second + 1):
            socket.data_received(frame(PONG))
        assert (await raw.frame())[0] == CLOSE


class TestCounting:
    """Spot counts five messages a second, and Pings and Pongs are among them."""

    @pytest.mark.parametrize("opcode", [PING, PONG])
    async def test_pings_and_pongs_are_messages(self, make_gate, opcode):
        """A sixth within the second ends the socket; five a second may go on."""
        async with make_gate(limits="account") as gate:
            raw, _ = await opened_spot(gate)
            for _ in range(3):
                await raw.send(frame(opcode, b"x") * 4 + frame(PING, b"done?"))
                while await raw.frame() != (PONG, b"done?"):
                    pass
                gate.advance(1)
            await raw.send(frame(opcode, b"x") * 6)
            assert await raw.close_code() == 1008

    async def test_answers_are_none(self, gate):
        """What the gateway asks for itself is nobody's message."""
        raw, _ = await opened_spot(gate)
        await raw.send(frame(PING, b"x") * 4)
        for _ in range(4):
            assert (await raw.frame())[0] == PONG
        await gate.publish(EVENT, stream="binance-spot")
        assert (await raw.frame())[0] == TEXT
        gate.advance(0.05)
        await raw.send(frame(PONG, (await raw.frame())[1]))
        await settled(raw)
        assert await confirmed(gate) == 1


async def opened_spot(gate):
    """A bare socket of spot."""
    raw = await gate.raw_socket(f"/ws/{await gate.listen_key(await gate.api_key(), SPOT)}")
    (socket,) = gate.gateway.connections._open.values()
    return raw, socket


async def unzipped(raw):
    """The next message of a socket that answers no Ping."""
    while (got := await raw.frame())[0] == PING:
        assert got[1] == b"", "a payload breaks its clients"
    assert got[0] == BINARY
    return json.loads(gzip.decompress(got[1]))


@pytest.fixture
async def topic(gate):
    """A bare socket on BingX spot that was sent an event, and that leaves Pings unanswered."""
    raw = await gate.raw_socket(f"/market?listenKey={await gate.listen_key(await gate.api_key(), BINGX)}")
    await raw.send(frame(TEXT, b'{"id":"1","reqType":"sub","dataType":"ACCOUNT_UPDATE"}'))
    assert (await unzipped(raw))["id"] == "1"
    await gate.publish({"e": "ACCOUNT_UPDATE"}, stream="bingx-spot")
    assert await unzipped(raw) == {"e": "ACCOUNT_UPDATE"}
    return raw


class TestHeartbeats:
    @pytest.mark.parametrize("answer", ["Pong", '{"pong":"0"}', '{"pong":"%s","time":"now"}'])
    async def test_only_the_id_of_the_last_one_confirms(self, gate, topic, answer):
        """A word, another id, or that of an earlier heartbeat keeps the socket alive and proves nothing."""
        ids = []
        for _ in range(2):
            gate.advance(5)
            ids.append((await unzipped(topic))["ping"])
        await topic.send(frame(TEXT, (answer.replace("%s", ids[0])).encode()))
        await settled_past_pings(topic)
        assert await confirmed(gate) == 0
        await topic.send(frame(TEXT, json.dumps({"pong": ids[1], "time": "now"}).encode()))
        await settled_past_pings(topic)
        assert await confirmed(gate) == 1

    async def test_what_came_after_a_heartbeat_is_not_confirmed_by_it(self, gate, topic):
        """The client may have answered before it took the event."""
        gate.advance(5)
        beat = await unzipped(topic)
        await gate.publish({"e": "ACCOUNT_UPDATE", "E": 2}, stream="bingx-spot")
        assert (await unzipped(topic))["E"] == 2
        await topic.send(frame(TEXT, json.dumps({"pong": beat["ping"], "time": "now"}).encode()))
        await settled_past_pings(topic)
        assert await confirmed(gate) == 1


async def settled_past_pings(raw):
    """Everything that was sent up to here has been taken, whatever the gateway asked meanwhile."""
    await raw.send(frame(PING, b"done?"))
    while (got := await raw.frame())[0] == PING:
        pass
    assert got == (PONG, b"done?")
