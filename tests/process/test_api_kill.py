"""Kill -9 under a bot that knows only a WebSocket API: what came since its first subscription reaches it."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.process.serving import receive
from tests.support.gateway import Gateway

STREAM = "binance-spot"
ROUNDS = 6


class Bot:
    """A program that subscribes by signature, over and over, and notes what it was sent."""

    def __init__(self, gateway: Gateway, account: str) -> None:
        self._gateway = gateway
        _, self._key, self._secret = gateway.add_api_key(gateway.add_account(account))
        self.had: list[list[int]] = []
        """By socket, the numbers of its events."""

    @contextmanager
    def subscribed(self) -> Iterator[ClientConnection]:
        """A new socket; the answer has to come first."""
        url = f"{self._gateway.venue_ws}/ws-api/v3"
        # What a dead gateway left unread holds the closing up.
        with connect(url, compression=None, proxy=None, ping_interval=None, close_timeout=0.1) as socket:
            self._subscribe(socket)
            yield socket

    def _subscribe(self, socket: ClientConnection) -> None:
        text = f"apiKey={self._key}&timestamp={time.time_ns() // 1_000_000}"
        signature = hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        params = dict(part.split("=") for part in f"{text}&signature={signature}".split("&"))
        request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
        socket.send(json.dumps(request))
        answer = receive(socket)
        assert answer["result"] == {"subscriptionId": 0}, answer
        self.had.append([])

    def take(self, socket: ClientConnection) -> int:
        """The number of the next event."""
        message = receive(socket)
        assert message["subscriptionId"] == 0
        self.had[-1].append(message["event"]["T"])
        return self.had[-1][-1]


def event(number: int) -> dict[str, Any]:
    """An event that differs from the others."""
    return {"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "1.0", "T": number}


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway of its own, which is killed."""
    with Gateway() as gateway:
        yield gateway


def test_no_event_is_lost_to_a_crash(gateway: Gateway) -> None:
    """Whatever the bot had read when the gateway died, and whatever came before it was back: it is sent all,
    in order and once a socket, and nothing of anybody else."""
    dice = random.Random(7)
    bot, other = Bot(gateway, "alice"), Bot(gateway, "bob")
    with other.subscribed():
        pass
    published = 0

    def publish(account: str, count: int) -> int:
        answers = gateway.publish(account, STREAM, [event(published + each) for each in range(1, count + 1)])
        assert all("offset" in answer for answer in answers), answers
        return published + count

    for _ in range(ROUNDS):
        with bot.subscribed() as socket:
            published = publish("alice", 5)
            gateway.publish("bob", STREAM, [event(10**6)])
            for _ in range(dice.randint(0, 3)):
                bot.take(socket)
            gateway.restart(kill=True)
        published = publish("alice", dice.randint(1, 4))
    with bot.subscribed() as socket:
        while bot.take(socket) != published:
            pass
    assert {number for had in bot.had for number in had} == set(range(1, published + 1))
    for had in bot.had:
        assert had == sorted(set(had))
