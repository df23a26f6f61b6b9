"""Subscriptions on WebSocket APIs that go on where they were: by log-on, signature and token, over sockets,
restarts and a change from listen keys."""

import asyncio
import json

from listenkey.config import Streams
from tests.edge.gate import SPOT as KEYS
from tests.edge.gate import WAIT, frame
from tests.edge.test_api_socket import EVENT, SPOT, TOKEN, ask, by_ed25519, by_secret

AT_ONCE = Streams(overlap_seconds=0, overlap_events=0)


def events(*numbers):
    """Events that differ."""
    return [EVENT | {"T": number} for number in numbers]


async def subscribed(gate, signer, socket=None):
    """A socket that the API key has subscribed on, and the answer."""
    socket = socket or await gate.dial(SPOT)
    answer = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    assert answer["status"] == 200, answer
    return socket, answer["result"]["subscriptionId"]


async def told(socket, count, subscription=0):
    """The times of the next events, which are of one subscription."""
    messages = [await socket.json() for _ in range(count)]
    assert {each["subscriptionId"] for each in messages} <= {subscription}
    return [each["event"]["T"] for each in messages]


async def until(gate, condition):
    """Time goes on until an operator sees it so."""
    async with asyncio.timeout(WAIT):
        while True:
            items = (await gate.call("GET", "/v1/connections")).json()["items"]
            if condition([each for item in items for each in item["subscriptions"]]):
                return
            gate.advance(0.1)
            await asyncio.sleep(0)


async def test_what_came_while_a_bot_was_away_follows_the_answer(gate):
    """Nothing is lost in a reconnect, whichever of the two ways of subscribing it uses, and no event comes
    before the answer that names its subscription. What was before the first subscription is no news."""
    signer = await by_ed25519(gate)
    await gate.publish(*events(1), stream="binance-spot")
    socket, _ = await subscribed(gate, signer)
    await socket.silent()
    await socket.socket.close()
    await gate.publish(*events(2, 3), stream="binance-spot")
    socket = await gate.dial(SPOT)
    assert (await ask(socket, "session.logon", **signer.params()))["status"] == 200
    answer = await ask(socket, "userDataStream.subscribe")
    assert answer["result"] == {"subscriptionId": 0}
    assert await told(socket, 2) == [2, 3]
    await gate.publish(*events(4), stream="binance-spot")
    assert await told(socket, 1) == [4]
    other, _ = await subscribed(gate, await by_secret(gate, "bob"))
    await other.silent()


async def test_what_a_client_surely_has_does_not_come_again(make_gate):
    """Pongs confirm, as on any other socket; an operator sees how far."""
    async with make_gate(streams=AT_ONCE) as gate:
        signer = await by_secret(gate)
        socket, _ = await subscribed(gate, signer)
        await gate.publish(*events(1, 2), stream="binance-spot")
        assert await told(socket, 2) == [1, 2]
        await until(gate, lambda subscriptions: [each["confirmed"] for each in subscriptions] == [2])
        for _ in range(4):  # one more receipt settles it
            gate.advance(2)
            await socket.silent()
        await socket.socket.close()
        await gate.publish(*events(3), stream="binance-spot")
        socket, _ = await subscribed(gate, signer)
        assert await told(socket, 1) == [3]
        await socket.silent()


async def test_a_client_that_answers_nothing_gets_it_again(make_gate):
    """What nobody confirmed is sent once more, though the socket had it."""
    async with make_gate(streams=AT_ONCE) as gate:
        signer = await by_secret(gate)
        socket, _ = await subscribed(gate, signer)
        await gate.publish(*events(1), stream="binance-spot")
        assert await told(socket, 1) == [1]
        await socket.socket.close()
        socket, _ = await subscribed(gate, signer)
        assert await told(socket, 1) == [1]


async def test_nothing_comes_twice_on_one_socket(gate):
    """Who unsubscribes and subscribes again goes on after what this socket was sent."""
    signer = await by_secret(gate)
    socket, _ = await subscribed(gate, signer)
    await gate.publish(*events(1), stream="binance-spot")
    assert await told(socket, 1) == [1]
    ended = await ask(socket, "userDataStream.unsubscribe")
    assert ended["event"]["e"] == "eventStreamTerminated"
    assert (await socket.json())["status"] == 200
    await gate.publish(*events(2), stream="binance-spot")
    _, number = await subscribed(gate, signer, socket)
    assert await told(socket, 1, number) == [2]
    await socket.silent()


async def test_live_is_the_tail_alone(make_gate):
    """As at the venue: what came while nobody was subscribed is gone, and nobody is asked for receipts."""
    async with make_gate(streams=Streams(resume="live")) as gate:
        signer = await by_secret(gate)
        socket, _ = await subscribed(gate, signer)
        await socket.socket.close()
        await gate.publish(*events(1), stream="binance-spot")
        socket, _ = await subscribed(gate, signer)
        await gate.publish(*events(2), stream="binance-spot")
        assert await told(socket, 1) == [2]
        gate.advance(5)
        await socket.silent()


async def test_a_bot_that_leaves_listen_keys_goes_on_where_it_was(gate):
    """The same API key on the same stream is the same reader, by whichever door it comes."""
    signer = await by_secret(gate)
    await gate.listen_key(signer.key, KEYS)
    await gate.publish(*events(1, 2), stream="binance-spot")
    socket, _ = await subscribed(gate, signer)
    assert await told(socket, 2) == [1, 2]


async def test_a_place_outlives_the_process(make_gate):
    """The place is kept before the answer goes out, so a crash right after it loses nothing."""
    async with make_gate() as gate:
        signer = await by_secret(gate)
        socket, _ = await subscribed(gate, signer)
        (place,) = gate.gateway.store.read_places(only_consumer(gate)).values()
        assert place.confirmed == 0
        await gate.publish(*events(1), stream="binance-spot")
    async with make_gate() as gate:
        signer._gate = gate
        socket, _ = await subscribed(gate, signer)
        assert await told(socket, 1) == [1]


def only_consumer(gate):
    """The id of the one consumer that somebody reads for."""
    (consumer,) = gate.gateway.consumers._open
    return consumer


async def test_tokens_of_isolated_accounts_go_on_too(gate):
    """Margin's tokens change with each day, and the reader of a pair's stream is the same."""
    key = await gate.api_key()
    numbers = []
    for number in (1, 2):
        made = await gate.venue_call("POST", TOKEN, key, params={"isIsolated": "true", "symbol": "BTCUSDT"})
        socket = await gate.dial(SPOT)
        answer = await ask(socket, "userDataStream.subscribe.listenToken", listenToken=made.json()["token"])
        assert answer["status"] == 200
        if number == 2:
            numbers = await told(socket, 1)
        await socket.socket.close()
        await gate.publish(*events(number), stream="binance-margin-isolated:BTCUSDT")
    assert numbers == [1]


async def test_a_key_that_is_revoked_while_its_place_is_kept_gets_nothing(gate, monkeypatch):
    """No subscription slips in between the look at the API key and the answer."""
    signer = await by_secret(gate)
    streams, prepare = gate.gateway.streams, gate.gateway.streams.prepare

    async def slow(*arguments):
        done = await prepare(*arguments)
        (item,) = (await gate.call("GET", "/v1/api-keys")).json()["items"]
        revoked = await gate.call("DELETE", f"/v1/api-keys/{item['id']}")
        assert revoked.is_success, revoked.text
        return done

    monkeypatch.setattr(streams, "prepare", slow)
    socket = await gate.dial(SPOT)
    answer = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    assert answer["error"]["code"] == -2015
    assert (await gate.call("GET", "/v1/connections")).json()["items"][0]["subscriptions"] == []


async def test_receipts_are_signs_of_life(gate):
    """A client that answers only the last of several Pings, as it may, is not taken for dead."""
    signer = await by_secret(gate)
    raw = await gate.raw_socket(SPOT)
    await raw.send(text({"id": 1, "method": "userDataStream.subscribe.signature", "params": signer.params()}))
    assert (await raw.frame())[0] == 1
    for number in range(6):
        gate.advance(20)
        await gate.publish(*events(number), stream="binance-spot")
        pings = []
        while len(pings) < 2:
            opcode, payload = await raw.frame()
            pings += [payload] if opcode == 9 else []
            gate.advance(0.1)
        await raw.send(frame(10, pings[-1]))
        await raw.send(frame(9, b"done?"))
        while await raw.frame() != (10, b"done?"):
            pass


def text(request):
    """A request as a frame."""
    return frame(1, json.dumps(request).encode())
