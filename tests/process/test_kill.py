"""Kill -9 at random points under load: what was acked is still so, and no event is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.process.history import Admission, Gap, History, check, check_all_read, check_consumers, check_limit
from tests.process.load import (
    AS_THE_VENUE,
    CONFIG,
    PRODUCTS,
    USDM,
    Bot,
    Follower,
    Stage,
    publish,
    read_journal,
)
from tests.process.serving import PATIENCE
from tests.support.gateway import Gateway

ACCOUNTS = ("alice", "bob")
STREAMS = [(account, product.stream) for account in ACCOUNTS for product in PRODUCTS]
SOAK_ROUNDS = int(os.environ.get("ROUNDS", "500"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))


def configured(folder: Path, text: str) -> list[str]:
    """The options that name a configuration of this text."""
    file = folder / "listenkey.toml"
    file.write_text(text)
    return ["--config", str(file)]


async def run_rounds(gateway: Gateway, rounds: int, seed: int) -> Stage:
    """Load the gateway, kill it again and again, let the readers finish, and read the journals."""
    stage = Stage(
        gateway, History({product.space.name: product.space for product in PRODUCTS}), random.Random(seed)
    )
    api_keys = {account: gateway.add_api_key(gateway.add_account(account))[1] for account in ACCOUNTS}
    stage.up.set()
    followers = [
        Follower(stage, account, stream, api_keys[account], events=number % 2 == 1)
        for number, (account, stream) in enumerate(STREAMS)
    ]
    reading = [asyncio.create_task(follower.run()) for follower in followers]
    await asyncio.gather(*(follower.start() for follower in followers))
    working = [
        *(asyncio.create_task(publish(stage, *name)) for name in STREAMS + STREAMS[:2]),
        *(
            asyncio.create_task(Bot(stage, product, a, api_keys[a]).run())
            for a in ACCOUNTS
            for product in PRODUCTS
        ),
    ]
    for played in range(3 * rounds):
        # On a slow machine little happens between two kills.
        if played >= rounds and not lacking(stage.history, rounds):
            break
        await _play_a_round(stage, working)
    stage.over = True
    await asyncio.gather(*working)
    await _finish(stage, followers, reading)
    return stage


async def _play_a_round(stage: Stage, working: list[asyncio.Task[None]]) -> None:
    """Let it run for a moment, kill it, sometimes in its start once more, and start it on the same data."""
    done, _ = await asyncio.wait(
        working, timeout=stage.dice.uniform(0.05, 0.6), return_when=asyncio.FIRST_EXCEPTION
    )
    for task in done:
        task.result()
    stage.up.clear()
    stage.gateway.kill()
    if stage.dice.random() < 0.2:
        await asyncio.to_thread(_die_in_the_start, stage.gateway, stage.dice.uniform(0.1, 0.8))
    await asyncio.to_thread(stage.gateway.start)
    stage.up.set()


def _die_in_the_start(gateway: Gateway, after: float) -> None:
    with subprocess.Popen(
        gateway.command(), env=gateway.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()


async def _finish(stage: Stage, followers: list[Follower], reading: list[asyncio.Task[None]]) -> None:
    journals = stage.history.journals
    for account, stream in STREAMS:
        journals[account, stream] = await asyncio.to_thread(read_journal, stage.gateway, account, stream)
    with contextlib.suppress(TimeoutError):  # a reader that stays behind is the checker's to report
        async with asyncio.timeout(PATIENCE):
            for name, follower in zip(STREAMS, followers, strict=True):
                if journals[name]:
                    await follower.reach(journals[name][-1].at)
    for follower in followers:
        follower.stop()
    await asyncio.gather(*reading)
    stage.readers = {name: f.readings for name, f in zip(STREAMS, followers, strict=True)}


def assert_good(stage: Stage, rounds: int, *, replays: bool) -> None:
    """No promise is broken, and the run was one that could have broken them."""
    history = stage.history
    violations = [
        *check(history),
        *check_all_read(history, stage.readers),
        *check_consumers(history, [name for name in STREAMS if replays and name[1] != USDM.stream]),
    ]
    told = [gap for reading in history.readings for gap in reading.messages if isinstance(gap, Gap)]
    assert not violations, "\n".join([f"SEED={SEED}", *map(str, violations[:20])])
    assert told == [], f"SEED={SEED}: with full durability a crash makes no gap"
    assert not lacking(history, rounds), f"SEED={SEED}"


def lacking(history: History, rounds: int) -> list[str]:
    """What a run has too little of to break so many promises."""
    seen = Counter((call.verb, call.outcome) for call in history.calls)
    enough = {
        "creates": seen["create", "ok"] > rounds,
        "closes": seen["close", "ok"] > rounds / 2,
        "refused extensions": seen["extend", "refused"] > 0,
        "refused sockets": seen["open", "refused"] > 0,
        "lost calls": sum(seen[verb, "lost"] for verb in ("create", "extend", "close", "open")) > rounds / 5,
        "lost publishes": sum(publish.outcome == "lost" for publish in history.publishes) > rounds / 2,
        "readings": len(history.readings) > rounds,
    }
    told = Counter((each.account, each.stream) for each in history.subscriptions if each.tags)
    enough |= {f"subscriptions of {' '.join(name)}": told[name] > rounds / 10 for name in STREAMS}
    return [what for what, is_enough in enough.items() if not is_enough]


def assert_store_is_sound(gateway: Gateway) -> None:
    """`journal verify` finds nothing in what so many crashes have left."""
    command = [sys.executable, "-m", "listenkey", "journal", "verify", "--data", str(gateway.data)]
    verified = subprocess.run(
        command, env=gateway.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (verified.returncode, verified.stdout) == (0, "nothing wrong\n"), verified.stderr


def kill_rounds(folder: Path, rounds: int, config: str = CONFIG) -> None:
    """The whole trial, of so many rounds."""
    with Gateway(folder / "data", args=configured(folder, config)) as gateway:
        stage = asyncio.run(run_rounds(gateway, rounds, SEED))
        assert "Traceback" not in gateway.stderr, gateway.stderr[-4000:]
        gateway.stop()
        assert_store_is_sound(gateway)
    assert_good(stage, rounds, replays=config == CONFIG)


@pytest.mark.timeout(600)
def test_what_was_acked_survives_fifty_kills(tmp_path: Path) -> None:
    """Keys, closes, events and positions that were acked hold over every kill, and nothing comes twice."""
    kill_rounds(tmp_path, 50)


@pytest.mark.soak
def test_what_was_acked_survives_many_kills(tmp_path: Path) -> None:
    """The same over as many kills as a long night has."""
    kill_rounds(tmp_path, SOAK_ROUNDS)


@pytest.mark.soak
def test_what_was_acked_survives_many_kills_as_at_the_venue(tmp_path: Path) -> None:
    """The same without replay, and with one key for all of an account."""
    kill_rounds(tmp_path, SOAK_ROUNDS, AS_THE_VENUE)


# Limits -----------------------------------------------------------------------------------------------

MOST = 60
MINUTE = 60.0
LIMITS = f"""
limits = "account"
[dialect.binance-usdm.limits]
weight = {MOST}
"""


class Caller:
    """Extends a key again and again, and notes what it was answered."""

    def __init__(self, gateway: Gateway) -> None:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        self._gateway = gateway
        self._headers = {"X-MBX-APIKEY": key}
        self.admissions: list[Admission] = []

    def call(self, method: str = "PUT") -> int:
        """One call; its status."""
        asked = time.time()
        url = f"{self._gateway.venue}/fapi/v1/listenKey"
        response = httpx.request(
            method, url, headers=self._headers, trust_env=False, timeout=60, verify=False
        )
        banned = re.search(r"until (\d+)", response.text)
        until = int(banned[1]) / 1000 if banned else None
        status = response.status_code
        self.admissions.append(Admission(asked, time.time(), status == httpx.codes.OK, until))
        return status

    def call_until(self, status: int, most: int) -> None:
        """Call on until the answer is this."""
        assert any(self.call() == status for _ in range(most)), self.admissions[-3:]


def test_limits_and_bans_survive_kills(tmp_path: Path) -> None:
    """A caller cannot have more than its limit by way of crashes, nor be rid of a ban."""
    dice = random.Random(SEED)
    with Gateway(tmp_path / "data", args=configured(tmp_path, LIMITS), limits=None) as gateway:
        caller = Caller(gateway)
        caller.call("POST")
        for _ in range(6):
            for _ in range(dice.randint(4, 14)):
                caller.call()
            gateway.restart(kill=True)
        # Should the minute be over, it all begins anew; within one window 20 more are still told the limit.
        caller.call_until(httpx.codes.TOO_MANY_REQUESTS, 2 * MOST + 1)
        caller.call_until(418, 2 * MOST + 50)
        for _ in range(2):
            gateway.restart(kill=True)
            assert caller.call() == 418
    assert list(check_limit(caller.admissions, MOST, MINUTE)) == [], f"SEED={SEED}"
    assert sum(admission.admitted for admission in caller.admissions) > 20
    assert any(a.banned_until and a.banned_until - a.asked > MINUTE for a in caller.admissions)
