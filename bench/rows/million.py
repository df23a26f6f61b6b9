"""What a million stored keys cost: start, memory, and each call beside the same at a thousand keys."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from bench import load, machine, prepare
from bench.prepare import BINGX, api_key_of
from bench.report import GATEWAY, Measure, Options, Sheet, alternate
from bench.targets import PinnedGateway, Target, of_gateway

TITLE = "a million live keys (BingX: each create makes one more), beside a thousand"
MANY, FEW = 1_000_000, 1_000
ACCOUNTS = 10_000  # at most; a key each where there are fewer keys
SAMPLE = 1_000  # keys that are extended and dialled, drawn at random
FRESH = 4_000  # keys that each round creates and closes again
SMALL = "listenkey, 1,000 keys"
LOADING = 3600  # seconds that making the keys may take
NO_SLOWER = 1 / 1.3
MEASURES = (
    Measure("start", "s", "lower", 5.0),
    Measure("memory after start", "MiB", "lower", 400),
    Measure("create", "/s", "higher", against=SMALL, ratio=NO_SLOWER),
    Measure("extend", "/s", "higher", against=SMALL, ratio=NO_SLOWER),
    Measure("close", "/s", "higher", against=SMALL, ratio=NO_SLOWER),
    Measure("handshakes", "/s", "higher", against=SMALL, ratio=NO_SLOWER),
    Measure("memory after the calls", "MiB", "lower", 400),
)


@dataclass(frozen=True)
class Key:
    """A listen key and whose it is."""

    account: str
    string: str

    def call(self, method: str) -> str:
        """A line for `calls` that names this key."""
        return BINGX.request(method, api_key_of(self.account), "2", f"?listenKey={self.string}")

    @property
    def socket(self) -> str:
        """Where its stream is."""
        return BINGX.socket.format(key=self.string)


@dataclass
class Loaded:
    """A gateway with its keys in place."""

    gateway: PinnedGateway
    accounts: Sequence[str]
    sample: Sequence[Key]


def _create(target: Target, accounts: Iterable[str]) -> tuple[list[Key], float]:
    owners = list(accounts)
    answers = prepare.create(target, owners, BINGX, limit=LOADING)
    return [Key(*pair) for pair in zip(owners, answers.listen_keys(), strict=True)], answers.per_second


def _load(gateway: PinnedGateway, count: int) -> Loaded:
    target = of_gateway(gateway)
    accounts = prepare.accounts(target, min(ACCOUNTS, count))
    keys, rate = _create(target, (accounts[i % len(accounts)] for i in range(count)))
    print(f"  {count:,} keys made, {rate:,.0f} a second", file=sys.stderr, flush=True)
    return Loaded(gateway, accounts, Random(1).sample(keys, min(SAMPLE, count)))


def _restart(gateway: PinnedGateway) -> dict[str, float]:
    gateway.stop()
    began = time.perf_counter()
    gateway.start()
    return {"start": time.perf_counter() - began, "memory after start": machine.pss_kib(gateway.pid) / 1024}


def _operations(loaded: Loaded, options: Options) -> dict[str, float]:
    target = of_gateway(loaded.gateway)
    fresh, created = _create(target, (loaded.accounts[i % len(loaded.accounts)] for i in range(FRESH)))
    with load.lines_file(key.call("PUT") for key in loaded.sample) as requests:
        extended = load.run("calls", server=target.venue, requests=requests, seconds=options.seconds)
    closed = prepare.calls(target.venue, (key.call("DELETE") for key in fresh))
    with load.lines_file(key.socket for key in loaded.sample) as paths:
        (dialled,) = load.run("dial", venue=target.venue, paths=paths, count=4 * SAMPLE, rounds=1, sources=4)[
            "rounds"
        ]
    return {
        "create": created,
        "extend": extended["requests_per_s"],
        "close": closed.per_second,
        "handshakes": dialled["handshakes_per_s"],
        "memory after the calls": machine.pss_kib(target.pid) / 1024,
    }


def measure(options: Options) -> Sheet:
    """Fill both once; then each round starts both again and makes the same calls at each."""
    with PinnedGateway() as many, PinnedGateway() as few:
        loaded = {
            GATEWAY: _load(many, options.scaled(MANY)),
            SMALL: _load(few, min(FEW, options.scaled(MANY))),
        }

        def once(target: Target) -> Mapping[str, float]:
            return _restart(loaded[target.name].gateway) | _operations(loaded[target.name], options)

        names = [Target(name, "", "", "", 0) for name in loaded]
        return alternate(names, options, Sheet(MEASURES), once)
