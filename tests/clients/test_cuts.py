"""Published clients whose connections are cut again and again, and whose gateway is killed, lose no fill.

Nothing is changed about the clients but their addresses, and how soon they come back where that is a setting
of theirs; those that do not come back by themselves have the loop around them that a bot has.
"""

import json
import os
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from tests.clients.cast import BINGX_SPOT, CAST, ISOLATED, SPOT, SWAP, USDM
from tests.clients.events import fill, fill_number
from tests.clients.play import Play
from tests.clients.stage import Account, start
from tests.clients.wires import Overlap, Published, earliest, gapless, heard, was_bound
from tests.support.fault_proxy import KINDS, Cut, FaultProxy
from tests.support.gateway import Gateway

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
PATIENCE = 60.0
POSTS = 4
"""Publishes from one cut to the next."""
MANY = 40


@dataclass(frozen=True)
class Part:
    """A client on a stream, how often it is cut off while the fills go out, and the seconds between."""

    client: str
    stream: str
    cuts: int = MANY
    apart: float = 0.3
    asks: bool = False
    """Whether it asks for its stream on a socket that is open already."""
    reconnect_ms: int = 50


PARTS = (
    Part("binance-connector-js", SPOT),
    Part("binance-js", USDM),
    Part("binance-connector", ISOLATED, asks=True),
    Part("ccxt-bingx", BINGX_SPOT, asks=True),
    Part("bingx-api", SWAP),
    Part("python-binance", USDM, cuts=8, apart=1.0),  # it waits a second or two, whatever one says
)
LONG = (
    *(replace(part, cuts=5 * part.cuts) for part in PARTS),
    Part("binance-js", SPOT, 200),
    Part("ccxt-bingx", SWAP, 200),
    Part("ccxt-binanceusdm", USDM, 200),
    Part("binance-api-node", USDM, 30, apart=2.0),  # four to ten seconds
    Part("binance-api-node-0.12", SPOT, 30, apart=2.0),
)


@dataclass
class Trial:
    """One part as it is played: fills go out, the connection is cut, and the client comes back."""

    part: Part
    fills: int
    account: Account
    proxy: FaultProxy
    play: Play
    up: threading.Event
    published: dict[int, Published] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    """What the client's own handler was given."""
    _read: int = 0

    def run(self) -> None:
        """Publish all fills, evenly between the cuts."""
        steps = self.part.cuts * POSTS
        with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
            for step in range(steps):
                if step % POSTS == 0:
                    order = self.proxy.cut_somewhere(patience=self.part.apart)
                self._publish(
                    http, range(step * self.fills // steps + 1, (step + 1) * self.fills // steps + 1)
                )
                time.sleep(self.part.apart / POSTS)
                if step % POSTS == POSTS - 1:
                    self._await(order)

    def _await(self, order: Future[Cut]) -> None:
        try:
            order.result(PATIENCE)
        except TimeoutError:
            told = f"{self.part.client} on {self.part.stream}, SEED={SEED}: never came back after"
            raise AssertionError(f"{told} {self.proxy.cuts[-1:]}\n{self.play.talk}") from None

    def _publish(self, http: httpx.Client, numbers: Sequence[int]) -> None:
        """Publish by ids, again until it is answered, over however many crashes."""
        gateway, common = self.account.gateway, {"account": self.account.name, "stream": self.part.stream}
        lines = [common | {"event": fill(self.part.stream, each), "id": f"fill-{each}"} for each in numbers]
        body = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
        headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/x-ndjson"}
        asked = time.monotonic()
        while True:
            assert self.up.wait(PATIENCE)
            try:
                response = http.post(f"{gateway.admin}/v1/publish", content=body, headers=headers)
            except httpx.TransportError:
                continue
            assert [json.loads(line)["offset"] for line in response.text.splitlines()] == list(numbers)
            self.published |= dict.fromkeys(numbers, Published(asked, time.monotonic()))
            return

    def await_part(self, part: float) -> None:
        """Wait until this part of the fills is published."""
        deadline = time.monotonic() + PATIENCE
        while len(self.published) < part * self.fills:
            assert time.monotonic() < deadline, f"stuck at {len(self.published)} fills, SEED={SEED}"
            time.sleep(0.02)

    def has_all(self) -> bool:
        """Whether the client's handler was given every fill by now."""
        events = self.play.events
        while self._read < len(events):
            if (number := fill_number(events[self._read])) is not None:
                self.numbers.append(number)
            self._read += 1
        return len(set(self.numbers)) >= self.fills

    def check(self, overlap: Overlap, kills: Sequence[float]) -> None:
        """Every fill was handled, news in order, and no more was repeated than is said."""
        told = f"{self.part.client} on {self.part.stream}, SEED={SEED}"
        everything = list(range(1, self.fills + 1))
        assert list(dict.fromkeys(self.numbers)) == everything, told
        bound = [wire for wire in self.proxy.marked if was_bound(wire, asks=self.part.asks)]
        connections = [heard(wire) for wire in bound]
        assert len(connections) > self.part.cuts / 2, told
        assert {fill for each in connections for fill in each.fills} == set(everything), told
        bounds = earliest(connections, self.published, overlap, kills)
        if self.part.cuts >= MANY:  # with few, it may be that no receipt ever counted for another connection
            assert max(bounds) > 1, f"{told}: nothing was ever confirmed"
        for number, (connection, bound) in enumerate(zip(connections, bounds, strict=True)):
            assert gapless(connection.fills), f"{told}: connection {number} {connection.fills}"
            first = min(connection.fills, default=self.fills)
            assert first >= bound, f"{told}: connection {number} began at {first}, not at {bound} or later"


def play_trials(gateway: Gateway, parts: Sequence[Part], fills: int, overlap: Overlap, kills: int) -> None:
    """All parts at once against one gateway, which is killed in the middle."""
    up, killed = threading.Event(), []
    with ExitStack() as stack:
        trials = []
        for number, part in enumerate(parts):
            client = next(each for each in CAST if each.name == part.client)
            account = Account(gateway, f"{part.client}-{part.stream}")
            proxy = stack.enter_context(FaultProxy(gateway.venue, hush=0.5, seed=SEED + number))
            play = stack.enter_context(
                start(client, part.stream, account, proxy.url, {"RECONNECT_MS": str(part.reconnect_ms)})
            )
            trials.append(Trial(part, fills, account, proxy, play, up))
        for trial in trials:
            trial.play.opened()
        up.set()
        with ThreadPoolExecutor(len(trials)) as pool:
            running = [pool.submit(trial.run) for trial in trials]
            for each in range(kills):
                trials[0].await_part((each + 1) / (kills + 1))
                up.clear()
                killed.append(time.monotonic())
                gateway.kill()
                gateway.start()
                up.set()
            for run in running:
                run.result()
        for trial in trials:
            trial.play.until(trial.has_all, "handle every fill")
    for trial in trials:
        trial.check(overlap, killed)
    cuts = [cut for trial in trials for cut in trial.proxy.cuts]
    assert len(cuts) >= sum(part.cuts for part in parts)
    assert {(cut.kind, cut.direction) for cut in cuts} == {(k, d) for k in KINDS for d in ("up", "down")}
    assert "Traceback" not in gateway.stderr, gateway.stderr[-4000:]
    assert "events_passed_over" not in gateway.stderr


def test_two_hundred_cuts_and_a_kill_lose_no_fill(tmp_path: Path) -> None:
    """Six clients of both venues handle 1,000 of 1,000 fills each, in order; repeats are of the overlap."""
    file = tmp_path / "listenkey.toml"
    file.write_text("[streams]\noverlap_seconds = 1\n", encoding="ascii")
    with Gateway(tmp_path / "data", args=["--config", str(file)]) as gateway:
        play_trials(gateway, PARTS, 1000, Overlap(seconds=1, events=20), kills=1)


@pytest.mark.soak
def test_thousands_of_cuts_and_many_kills_lose_no_fill(tmp_path: Path) -> None:
    """More clients, ten times the cuts, a kill every few seconds, and the overlap that a user gets."""
    with Gateway(tmp_path / "data") as gateway:
        play_trials(gateway, LONG, 5000, Overlap(seconds=10, events=20), kills=10)
