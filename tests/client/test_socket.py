"""Frames cut out of what arrives: each message once, whole and in order, however the network cuts it."""

import asyncio
import random

import pytest
from websockets.exceptions import ConnectionClosedError

from listenkey.client import socket as sockets
from listenkey.client.socket import open_socket
from tests.client.hostile import Hostile, Upgrade, frame, stay, without_end

WAIT = 30


def url(server):
    """Where it is."""
    return f"ws://127.0.0.1:{server.port}/ws/x"


def traffic(chance):
    """Messages of all sizes, some in pieces, with Pings between and within; and what has to come of them."""
    wire, wanted = [], []
    for number in range(60):
        size = chance.choice([0, 1, 124, 125, 126, 127, 500, 65535, 65536, 70000])
        message = bytes([97 + number % 26]) * size
        wanted.append(message)
        if chance.random() < 0.3:
            at = chance.randint(0, size)
            wire += [frame(message[:at], 0x01), frame(b"p", 0x89), frame(message[at:], 0x80)]
        else:
            wire.append(frame(message, chance.choice([0x81, 0x82])))
        if chance.random() < 0.2:
            wire.append(frame(b"ping", 0x89))
    return b"".join(wire), wanted


@pytest.mark.parametrize("seed", range(6))
async def test_however_the_bytes_arrive(seed):
    """A header, a length or a message may end anywhere; also in the handshake's own packet."""
    chance = random.Random(seed)
    data, wanted = traffic(chance)
    start = chance.choice([0, 1, 3, 200, len(data)])

    async def pieces(writer):
        at = start
        while at < len(data):
            size = chance.choice([1, 2, 7, 1000, 30_000, 200_000])
            writer.write(data[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)
            at += size
        await stay(writer)

    async with Hostile(sockets=[Upgrade(data[:start], pieces)]) as server, open_socket(url(server)) as socket:
        got = [await asyncio.wait_for(socket.receive_one(), WAIT)]
        while len(got) < len(wanted):
            got += await asyncio.wait_for(socket.receive(), WAIT)
    assert got == wanted


async def test_who_does_not_take_is_not_sent_more_than_fits():
    """A reader that is held up costs some megabytes, and then the other side waits."""
    async with (
        Hostile(sockets=[Upgrade(b"", without_end(frame(b"x" * 60_000)))]) as server,
        open_socket(url(server)) as socket,
    ):
        async with asyncio.timeout(WAIT):
            while socket.transport.is_reading():
                await asyncio.sleep(0.01)
        assert socket._waiting_bytes < sockets._MOST_WAITING + (1 << 20)
        first = await socket.receive()
        assert len(first) * 60_000 == pytest.approx(sockets._MOST_WAITING, rel=0.5)
        assert await asyncio.wait_for(socket.receive(), WAIT), "it goes on"


async def test_what_came_before_the_end_is_given_out_before_it():
    """A close right behind the last fill loses nothing."""
    for close, error in ((b"\x03\xe8", None), (b"\x03\xf3", ConnectionClosedError)):
        data = frame(b"one") + frame(b"two") + frame(close, 0x88) + frame(b"after the end")
        async with Hostile(sockets=[Upgrade(data)]) as server, open_socket(url(server)) as socket:
            got = []
            try:
                while messages := await asyncio.wait_for(socket.receive(), WAIT):
                    got += messages
                ended = None
            except ConnectionClosedError as closed:
                ended = type(closed)
        assert (got, ended) == ([b"one", b"two"], error)
