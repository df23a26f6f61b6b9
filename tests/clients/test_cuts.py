"""Published clients whose connections are cut again and again, and whose gateway is killed, lose no fill.

Nothing is changed about the clients but their addresses, and how soon they come back where that is a setting
of theirs; those that do not come back by themselves have the loop around them that a bot has.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.cast import BINGX_SPOT, CAST, ISOLATED, SPOT, SWAP, USDM
from tests.clients.stage import Account, start
from tests.clients.trial import OVERLAP, SEED, Part, Trial
from tests.support.fault_proxy import DIRECTIONS, KINDS, FaultProxy
from tests.support.gateway import Gateway

PARTS = (
    Part("binance-connector-js", SPOT),
    Part("binance-js", USDM),
    Part("binance-connector", ISOLATED, asks=True),
    Part("ccxt-bingx", BINGX_SPOT, asks=True),
    Part("bingx-api", SWAP),
    # It waits for a second or two, whatever one says, and gives up after five handshakes that fail.
    Part("python-binance", USDM, cuts=8, apart=1.0, directions=("down",)),
)
LONG = (
    *(replace(part, cuts=5 * part.cuts) for part in PARTS),
    Part("binance-js", SPOT, 200),
    Part("ccxt-bingx", SWAP, 200),
    Part("ccxt-binanceusdm", USDM, 200),
    Part("binance-api-node", USDM, 30, apart=2.0),  # four to ten seconds
    Part("binance-api-node-0.12", SPOT, 30, apart=2.0),
)


def brief_overlap(folder: Path) -> list[str]:
    """The options of a gateway that repeats little."""
    file = folder / "listenkey.toml"
    file.write_text(f"[streams]\noverlap_seconds = {OVERLAP.seconds}\n", encoding="ascii")
    return ["--config", str(file)]


def enter(
    stack: ExitStack, gateway: Gateway, parts: Sequence[Part], fills: int, up: threading.Event
) -> list[Trial]:
    """All clients with their streams open, each behind a network of its own."""
    trials = []
    for number, part in enumerate(parts):
        client = next(each for each in CAST if each.name == part.client)
        account = Account(gateway, f"{part.client}-{part.stream}")
        proxy = stack.enter_context(FaultProxy(gateway.venue, hush=0.5, seed=SEED + number))
        hurry = {"RECONNECT_MS": str(part.reconnect_ms)}
        play = stack.enter_context(start(client, part.stream, account, proxy.url, hurry))
        trials.append(Trial(part, fills, account, proxy, play, up))
    for trial in trials:
        trial.play.opened()
    return trials


def kill(gateway: Gateway, up: threading.Event) -> float:
    """SIGKILL and start again on the same ports and data; when that was."""
    up.clear()
    at = time.monotonic()
    gateway.kill()
    gateway.start()
    up.set()
    return at


def play_trials(gateway: Gateway, parts: Sequence[Part], fills: int, kills: int) -> None:
    """All parts at once against one gateway, which is killed in between."""
    up = threading.Event()
    with ExitStack() as stack:
        trials = enter(stack, gateway, parts, fills, up)
        up.set()
        with ThreadPoolExecutor(len(trials)) as pool:
            running = [pool.submit(trial.run) for trial in trials]
            killed = []
            for each in range(kills):
                trials[0].await_part((each + 1) / (kills + 1))
                killed.append(kill(gateway, up))
            for run in running:
                run.result()
        for trial in trials:
            trial.play.until(trial.has_all, "handle every fill")
    furthest = [trial.check(killed) for trial in trials]
    # One client may be cut so that its predecessors count to the end; all of them are not.
    assert max(furthest) > 1, f"SEED={SEED}: nothing was ever settled, so no bound on repeats was tried"
    cuts = [cut for trial in trials for cut in trial.proxy.cuts]
    assert len(cuts) >= sum(part.cuts for part in parts)
    assert {(cut.kind, cut.direction) for cut in cuts} == {
        (kind, way) for kind in KINDS for way in DIRECTIONS
    }
    assert "Traceback" not in gateway.stderr, gateway.stderr[-4000:]
    assert "events_passed_over" not in gateway.stderr


@pytest.mark.timeout(1200)
def test_two_hundred_cuts_and_a_kill_lose_no_fill(tmp_path: Path) -> None:
    """Six clients of both venues handle 1,000 of 1,000 fills each, in order; repeats are of the overlap."""
    with Gateway(tmp_path / "data", args=brief_overlap(tmp_path)) as gateway:
        play_trials(gateway, PARTS, 1000, kills=1)


@pytest.mark.soak
def test_thousands_of_cuts_and_many_kills_lose_no_fill(tmp_path: Path) -> None:
    """More clients, five times the cuts, and a kill every few seconds."""
    with Gateway(tmp_path / "data", args=brief_overlap(tmp_path)) as gateway:
        play_trials(gateway, LONG, 5000, kills=10)
