"""One client whose connection is cut while fills go out to it, and what must hold of what it was given."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import httpx

from tests.clients.events import fill, fill_number
from tests.clients.play import Play
from tests.clients.stage import Account
from tests.clients.wires import Overlap, Published, earliest, gapless, heard, was_bound
from tests.support.fault_proxy import DIRECTIONS, Cut, Direction, FaultProxy, Wire

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
PATIENCE = 240.0
MANY = 40
POSTS = 4
"""Publishes from one cut to the next."""
RARE = 20
"""One in so many connections lasts until something is settled: only what a connection had for as long as the
overlap is not told again."""
UNHURRIED = 0.75
"""Seconds from fill to fill meanwhile: a quiet stream is not asked for receipts."""
OVERLAP = Overlap(seconds=1, events=20)
"""What the gateway of these tests is configured to repeat."""


def is_rare(cut: int) -> bool:
    """Whether the connection that a cut ends is one that is to last."""
    return cut % RARE == RARE // 2


@dataclass(frozen=True)
class Part:
    """A client on a stream, how often it is cut off while the fills go out, and the seconds between."""

    client: str
    stream: str
    cuts: int = MANY
    apart: float = 0.2
    asks: bool = False
    """Whether it asks for its stream on a socket that is open already."""
    directions: tuple[Direction, ...] = DIRECTIONS
    reconnect_ms: int = 50


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
        with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
            for cut in range(self.part.cuts):
                if is_rare(cut):
                    self._publish_until_settled(http, cut)
                if cut % 2:  # so that half of the connections at least come so far
                    self._await_bound()
                order = self._cut(before_rare=is_rare(cut + 1))
                if not is_rare(cut):
                    self._publish_share(http, cut)
                self._await(order)

    def _cut(self, *, before_rare: bool) -> Future[Cut]:
        """Before a connection that is to last, the gateway hears at once of the end: a predecessor that it
        thinks open would count as well."""
        if before_rare:
            return self.proxy.cut("reset", "down", after=5000, patience=self.part.apart)
        return self.proxy.cut_somewhere(self.part.directions, patience=self.part.apart)

    def _await_bound(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._is_bound():
            assert time.monotonic() < deadline, f"{self.told}: never came back\n{self.play.talk}"
            time.sleep(0.01)

    def _is_bound(self) -> bool:
        cut = {each.wire for each in self.proxy.cuts}
        return any(wire.ended is None and wire.number not in cut for wire in self._bound(2))

    def _await(self, order: Future[Cut]) -> None:
        try:
            order.result(PATIENCE)
        except TimeoutError:
            last = f"never came back after {self.proxy.cuts[-1:]}"
            raise AssertionError(f"{self.told}: {last}\n{self.play.talk}") from None

    def _share(self, post: int, posts: int = 1) -> range:
        """The fills of so many publishes."""
        all_posts = self.part.cuts * POSTS
        first, last = post * self.fills // all_posts + 1, (post + posts) * self.fills // all_posts
        return range(first, last + 1)

    def _publish_share(self, http: httpx.Client, cut: int) -> None:
        for post in range(cut * POSTS, (cut + 1) * POSTS):
            self._publish(http, self._share(post))
            time.sleep(self.part.apart / POSTS)

    def _publish_until_settled(self, http: httpx.Client, cut: int) -> None:
        """One by one, until the newest connection has something settled; then the rest of them."""
        share = self._share(cut * POSTS, POSTS)
        while share and not self._has_settled():
            self._publish(http, share[:1])
            share = share[1:]
            time.sleep(UNHURRIED)
        if share:
            self._publish(http, share)

    def _publish(self, http: httpx.Client, numbers: Sequence[int]) -> None:
        """Publish by ids, again until it is answered, over however many crashes."""
        gateway, common = self.account.gateway, {"account": self.account.name, "stream": self.part.stream}
        lines = [common | {"event": fill(self.part.stream, each), "id": f"fill-{each}"} for each in numbers]
        body = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
        headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/x-ndjson"}
        asked = time.monotonic()
        while True:
            assert self.up.wait(PATIENCE), self.told
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
            assert time.monotonic() < deadline, f"{self.told}: stuck at {len(self.published)} fills"
            time.sleep(0.02)

    def has_all(self) -> bool:
        """Whether the client's handler was given every fill by now."""
        events = self.play.events
        while self._read < len(events):
            if (number := fill_number(events[self._read])) is not None:
                self.numbers.append(number)
            self._read += 1
        return len(set(self.numbers)) >= self.fills

    def _bound(self, newest: int = 0) -> list[Wire]:
        wires = self.proxy.marked[-newest:]
        return [wire for wire in wires if was_bound(wire, asks=self.part.asks)]

    def _has_settled(self) -> bool:
        now = time.monotonic()
        return any(heard(wire).had(now, OVERLAP.seconds).settled for wire in self._bound(1))

    @property
    def told(self) -> str:
        """Which trial it was, for messages."""
        return f"{self.part.client} on {self.part.stream}, SEED={SEED}"

    def check(self, kills: Sequence[float]) -> int:
        """Every fill was handled, news in order, and no more was repeated than is said; the furthest that a
        connection surely had to begin."""
        everything = list(range(1, self.fills + 1))
        assert list(dict.fromkeys(self.numbers)) == everything, self.told
        connections = [heard(wire) for wire in self._bound()]
        assert len(connections) > self.part.cuts // 2, self.told
        assert {number for each in connections for number in each.fills} == set(everything), self.told
        bounds = earliest(connections, self.published, OVERLAP, kills)
        for number, (connection, bound) in enumerate(zip(connections, bounds, strict=True)):
            told = f"{self.told}: connection {number}"
            assert gapless(connection.fills), f"{told} was told {connection.fills}"
            first = min(connection.fills, default=self.fills)
            assert first >= bound, f"{told} began at {first}, not at {bound} or later"
        return max(bounds)
