"""A bot that falls behind: nobody hurries it, it is not cut off while it catches up, and what it had not
taken when it died is there for its successor."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.process.serving import create_usdm, order, receive, wait_for
from tests.support.gateway import Gateway

READER = Path(__file__).with_name("slow_reader.py")
STREAM = "binance-usdm"
OVERLAP = 1
BIG = "x" * 8192


class Bot:
    """The slow bot as a process, and the numbers that it has dealt with."""

    def __init__(self, url: str, seconds_a_frame: float) -> None:
        self.handled: list[int] = []
        self._process = subprocess.Popen(
            [sys.executable, str(READER), url, str(seconds_a_frame)], stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith(b"\n"):
                self.handled.append(int(line))

    def kill(self) -> None:
        """At once, with all that it held."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Stage:
    """A gateway, an account, and a listen key."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        _, api_key, _ = gateway.add_api_key(gateway.add_account("alice"))
        self.path = f"/private/ws?listenKey={create_usdm(gateway, api_key)}"

    def publish(self, numbers: range, pad: str) -> None:
        """Events with these numbers."""
        answers = self.gateway.publish("alice", STREAM, [order(number, pad=pad) for number in numbers])
        assert [answer["offset"] for answer in answers] == list(numbers)

    def open(self) -> ClientConnection:
        """A reader whose library takes one message ahead of its program."""
        url = self.gateway.venue_ws + self.path
        return connect(url, compression=None, proxy=None, ping_interval=None, max_queue=1)

    def connection(self) -> dict[str, Any] | None:
        """The open socket as an operator sees it."""
        return next(iter(self.gateway.admin_items("/v1/connections")), None)

    def confirmed(self) -> int | None:
        """What the open socket surely has."""
        connection = self.connection()
        return None if connection is None else connection["subscriptions"][0]["confirmed"]

    def place(self) -> dict[str, Any]:
        """How far the open socket is."""
        connection = self.connection()
        assert connection is not None
        (subscription,) = connection["subscriptions"]
        return subscription

    def queued_bytes(self) -> int:
        """What the gateway holds for the open socket."""
        connection = self.connection()
        return 0 if connection is None else connection["queued_bytes"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A gateway that holds little for one socket."""
    file = tmp_path / "listenkey.toml"
    file.write_text(f"[streams]\noverlap_seconds = {OVERLAP}\nqueue_bytes = 65536\n", encoding="ascii")
    with Gateway(tmp_path / "data", args=["--config", str(file)]) as gateway:
        yield Stage(gateway)


def numbers_until(socket: ClientConnection, last: int) -> list[int]:
    """The numbers that come, up to and with the last one."""
    numbers = [receive(socket)["n"]]
    while numbers[-1] != last:
        numbers.append(receive(socket)["n"])
    return numbers


def numbers_until_cut_off(socket: ClientConnection) -> list[int]:
    """The numbers that come before the gateway ends it."""
    numbers: list[int] = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            numbers.append(receive(socket)["n"])
    return numbers


def test_a_slow_bot_that_is_killed_loses_nothing(stage: Stage) -> None:
    """It deals with half of what comes, dies over it, and its successor is told all the rest: what the dead
    one had buffered was younger than the overlap. What it surely had long before is not told again."""
    total, pad = 1000, "x" * 200
    bot = Bot(stage.gateway.venue_ws + stage.path, seconds_a_frame=0.01)
    try:
        wait_for(stage.connection)
        for numbers in (range(1, 200), range(200, 201), range(201, 301)):
            time.sleep(OVERLAP)
            stage.publish(numbers, pad)
            wait_for(lambda last=numbers[-1]: stage.confirmed() == last)
        stage.publish(range(301, total + 1), pad)
        wait_for(lambda: len(bot.handled) >= 500)
    finally:
        bot.kill()
    assert bot.handled == list(range(1, len(bot.handled) + 1))
    assert len(bot.handled) < total, "it was not slow"
    with stage.open() as successor:
        told = numbers_until(successor, total)
    assert told == list(range(told[0], total + 1))
    assert told[0] <= len(bot.handled) + 1, "a fill was lost"
    assert told[0] >= 201, "more than the overlap"


def test_a_replay_waits_for_its_reader(stage: Stage) -> None:
    """A backlog of two hundred times what may wait for a socket: a reader that stalls over it is not cut off
    for it, the rest waits in the journal, and it ends up at the tail."""
    total = 1500
    with stage.open() as first:
        stage.publish(range(1, 2), pad="")
        assert receive(first)["n"] == 1
    wait_for(lambda: stage.connection() is None)
    for start in range(2, total + 1, 100):
        stage.publish(range(start, min(start + 100, total + 1)), pad=BIG)
    with stage.open() as reader:
        assert receive(reader)["n"] == 1
        held = wait_for(stage.queued_bytes)
        assert held < 20 * 65536, "the whole backlog is in memory"
        place = stage.place()
        assert place["offset"] < place["head"] == total, "an operator does not see how far it is behind"
        assert numbers_until(reader, total) == list(range(2, total + 1))
        stage.publish(range(total + 1, total + 2), pad="")
        assert receive(reader)["n"] == total + 1


def test_who_is_cut_off_as_slow_is_told_everything_when_back(stage: Stage) -> None:
    """At the tail a reader that stalls is cut off when too much waits for it, and loses nothing by that."""
    total = 1500
    with stage.open() as reader:
        stage.publish(range(1, 2), pad="")
        assert receive(reader)["n"] == 1
        for start in range(2, total + 1, 100):
            stage.publish(range(start, min(start + 100, total + 1)), pad=BIG)
        had = [1, *numbers_until_cut_off(reader)]
    assert had == list(range(1, len(had) + 1))
    assert len(had) < total, "it was not cut off"
    with stage.open() as reader:
        told = numbers_until(reader, total)
    assert told == list(range(told[0], total + 1))
    assert told[0] <= len(had) + 1, "a fill was lost"
