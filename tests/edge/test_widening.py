"""A socket that asks for more, or less, of a key that it has: nothing comes twice, nothing is left out."""

import asyncio

import pytest

from listenkey.config import Streams
from listenkey.core.consumer import FILTERS
from tests.edge.gate import WAIT

FILL, BALANCE, CONFIG = "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE"
WIRE = "/private/ws?listenKey={}&events=ACCOUNT_UPDATE"


def events(kind, *numbers):
    return [{"e": kind, "n": number} for number in numbers]


async def numbers(socket, count):
    """The next events, by number, and that no other follows."""
    found = [(await socket.json())["n"] for _ in range(count)]
    await socket.silent()
    return found


async def change(socket, method, *names):
    """Names come or go; the answer is the next message."""
    assert await socket.ask({"method": method, "params": names, "id": 1}) == {"result": None, "id": 1}


def held(gate):
    """What the only socket is subscribed to."""
    (socket,) = gate.gateway.connections._open.values()
    (subscription,) = socket.subscriptions
    return subscription


@pytest.fixture
async def key(gate):
    """A listen key."""
    return await gate.listen_key(await gate.api_key())


async def test_a_key_asked_for_whole_brings_what_its_filter_left_out(gate, key):
    """The bot has its balances and asks for everything: they do not come again, its fills do come, and what
    happens from now on comes once."""
    socket = await gate.dial(WIRE.format(key))
    await gate.publish(*events(BALANCE, 0, 1), *events(FILL, 2), *events(BALANCE, 3), *events(FILL, 4))
    assert await numbers(socket, 3) == [0, 1, 3]
    await change(socket, "SUBSCRIBE", key)
    assert await numbers(socket, 2) == [2, 4]
    await gate.publish(*events(BALANCE, 5), *events(FILL, 6))
    assert await numbers(socket, 2) == [5, 6]


async def test_one_type_first_and_then_the_key(gate, key):
    """Widened twice: what either of the two filters brought does not come again."""
    socket = await gate.dial(WIRE.format(key))
    await gate.publish(*events(BALANCE, 0), *events(FILL, 1), *events(CONFIG, 2))
    assert await numbers(socket, 1) == [0]
    await change(socket, "SUBSCRIBE", f"{key}@{FILL}")
    assert await numbers(socket, 1) == [1]
    await gate.publish(*events(FILL, 3), *events(CONFIG, 4), *events(BALANCE, 5))
    assert await numbers(socket, 2) == [3, 5]
    await change(socket, "SUBSCRIBE", key)
    assert await numbers(socket, 2) == [2, 4]


async def test_the_key_first_and_then_one_type(gate, key):
    """Narrowed, and widened again: each time only what the socket has not been sent."""
    socket = await gate.dial(f"/private/ws/{key}")
    await gate.publish(*events(BALANCE, 0), *events(FILL, 1))
    assert await numbers(socket, 2) == [0, 1]
    await change(socket, "UNSUBSCRIBE", key)
    await gate.publish(*events(FILL, 2), *events(BALANCE, 3))
    await change(socket, "SUBSCRIBE", f"{key}@{FILL}")
    assert await numbers(socket, 1) == [2]
    await change(socket, "UNSUBSCRIBE", f"{key}@{FILL}")
    await gate.publish(*events(FILL, 4))
    await change(socket, "SUBSCRIBE", key)
    assert await numbers(socket, 2) == [3, 4]


async def test_taken_away_and_asked_for_whole(gate, key):
    """By UNSUBSCRIBE and SUBSCRIBE it is the same as at once; also what came between is told."""
    socket = await gate.dial(WIRE.format(key))
    await gate.publish(*events(BALANCE, 0), *events(FILL, 1))
    assert await numbers(socket, 1) == [0]
    await change(socket, "UNSUBSCRIBE", key)
    await gate.publish(*events(BALANCE, 2))
    await change(socket, "SUBSCRIBE", key)
    assert await numbers(socket, 2) == [1, 2]


async def test_what_an_earlier_socket_had_is_told_by_this_one(make_gate):
    """After a reconnect the filter goes on a little back, the whole key further back: only what this very
    socket was sent is passed over, and nothing is lost."""
    async with make_gate(streams=Streams(overlap_seconds=0)) as gate:
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(WIRE.format(key))
        await gate.publish(*events(FILL, 0), *events(BALANCE, *range(1, 61)))
        assert await numbers(socket, 60) == list(range(1, 61))
        reader = held(gate).reader
        async with asyncio.timeout(WAIT):
            while reader.settled < 61:
                gate.advance(0.1)
                await socket.silent()
        await socket.socket.close()
        again = await gate.dial(WIRE.format(key))
        assert await numbers(again, 20) == list(range(41, 61))
        await change(again, "SUBSCRIBE", key)
        assert await numbers(again, 41) == list(range(41))
        await gate.publish(*events(BALANCE, 61))
        assert await numbers(again, 1) == [61]


async def test_filters_beyond_the_last_place_lose_nothing(gate, key):
    """Where filters share a place, one that has left says nothing of what another was sent."""
    for number in range(FILTERS):
        other = await gate.dial(f"/private/ws?listenKey={key}&events=KIND_{number}")
        await other.silent()
    socket = await gate.dial("/private/ws")
    await change(socket, "SUBSCRIBE", f"{key}@{BALANCE}")
    await gate.publish(*events(BALANCE, 0), *events(FILL, 1))
    assert await numbers(socket, 1) == [0]
    await change(socket, "UNSUBSCRIBE", f"{key}@{BALANCE}")
    await change(socket, "SUBSCRIBE", f"{key}@{FILL}")
    assert await numbers(socket, 1) == [1]
    await change(socket, "SUBSCRIBE", f"{key}@{BALANCE}")
    await socket.silent()


async def test_coming_and_going_without_end_is_remembered_in_few_words(gate, key):
    """A client may change its mind all day: what is kept for its socket does not grow with it."""
    socket = await gate.dial(f"/private/ws/{key}")
    for number in range(10):
        await gate.publish(*events(FILL, number))
        assert await numbers(socket, 1) == [number]
        await change(socket, "UNSUBSCRIBE", key)
        await change(socket, "SUBSCRIBE", key)
    (had,) = held(gate).had
    assert (had.after, had.upto) == (0, 10)
