"""Our client beside published ones: the same frames from the same server, counted where a bot's own code has
them. Each client runs in its own environment, on one core; the server on the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import machine
from bench.load import LoadError
from bench.report import GATEWAY, Measure, Options, Sheet

TITLE = (
    "events from a socket to a bot's code: ours as structures, python-binance's and ccxt's as they give them"
)
HERE = Path(__file__).parents[1]
ROOT = HERE.parent
EVENTS = 300_000
STREAMS = 500
CLIENTS = {
    GATEWAY: (Path(sys.executable), "ours.py", 1),
    "python-binance": (ROOT / ".venv-clients/python-binance/bin/python", "with_python_binance.py", 5),
    "ccxt": (ROOT / ".venv-clients/ccxt/bin/python", "with_ccxt.py", 20),
}
"""The interpreter, the program, and how many times fewer events it is given, so that all take as long."""
RATE = "events of one core"
MEASURES = (
    Measure(RATE, "/s", "higher", 150_000, against="python-binance", ratio=5.0),
    Measure(f"{RATE} ", "/s", "higher", against="ccxt", ratio=5.0),
    Measure("a stream that is open", "KiB", "lower", 200.0),
)


@contextmanager
def replayer(events: int) -> Iterator[str]:
    """The server; its port."""
    command = machine.pinned(machine.LOAD_CORE, sys.executable, "-m", "bench.client.replayer")
    with subprocess.Popen(
        [*command, "--events", str(events)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def _run(name: str, port: str, count: int, program: str = "") -> Mapping[str, float]:
    python, own, _ = CLIENTS[name]
    command = machine.pinned(
        machine.SERVER_CORE, python, HERE / "client" / (program or own), port, str(count)
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)} if name == GATEWAY else None
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise LoadError(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(options: Options) -> Sheet:
    """Ours, theirs, ours, theirs, …; then what an open stream of ours costs."""
    sheet = Sheet(MEASURES)
    names = options.chosen(*CLIENTS)
    missing = [name for name in names if not CLIENTS[name][0].exists()]
    if missing:
        raise LoadError(f"not installed: {', '.join(missing)}; run: make clients")
    events = options.scaled(EVENTS)
    with replayer(events) as port:
        for number in range(options.rounds):
            for name in names:
                got = _run(name, port, events // CLIENTS[name][2])
                rate = got["events"] / got["cpu"]  # a client that waits for nothing has a core to itself
                for measure in MEASURES[:2]:
                    if name in {GATEWAY, measure.against}:
                        sheet.add(name, {measure.what: rate})
                print(f"  round {number + 1} {name}: {rate:,.0f}/s", file=sys.stderr, flush=True)
    with replayer(0) as port:
        got = _run(GATEWAY, port, options.scaled(STREAMS), "many.py")
        sheet.add(GATEWAY, {"a stream that is open": got["kib"]})
    return sheet
