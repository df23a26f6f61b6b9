"""What consumers cost: the same gateway with `streams.resume` as `replay` and as `live`, run in turn."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from bench import load, machine, prepare
from bench.prepare import BINANCE
from bench.report import GATEWAY, Measure, Options, Sheet, alternate
from bench.targets import PinnedGateway, Target, of_gateway

TITLE = "resume = replay beside live; a venue socket catches up from a journal of 200,000 events"
LIVE = "live"
EVENTS = 200_000
ACCOUNTS = 1_000
RATE = 5_000
SOCKETS = 4_000
IDLE = 10_000
SETTLE = 3.0  # seconds until memory is read
FANOUT = "frames, 50 x 20"
QUIET, HEARD = "idle socket", "idle socket after an event"
COSTS = {QUIET: "idle consumer", HEARD: "idle consumer after an event"}
MEASURES = (
    Measure(FANOUT, "/s", "higher", against=LIVE, ratio=0.95),
    Measure("latency, p50", "ms", "lower", against=LIVE, ratio=1.05),
    Measure("latency, p99", "ms", "lower", against=LIVE, ratio=1.05),
    Measure("handshakes", "/s", "higher", against=LIVE, ratio=0.7),
    Measure("reconnect storm", "/s", "higher", against=LIVE, ratio=0.7),
    Measure(QUIET, "KiB", "lower"),
    Measure(COSTS[QUIET], "KiB", "lower", 1.0),
    Measure(HEARD, "KiB", "lower"),
    Measure(COSTS[HEARD], "KiB", "lower"),
    Measure("catch-up", "/s", "higher", 100_000),
)


@contextmanager
def both() -> Iterator[list[Target]]:
    """A gateway of each kind; the bounds of replays are as wide as the catch-up wants."""
    far = {"LISTENKEY_STREAMS_REPLAY_EVENTS": str(EVENTS), "LISTENKEY_STREAMS_REPLAY_SECONDS": "86400"}
    with PinnedGateway(env=far) as replay, PinnedGateway(env={"LISTENKEY_STREAMS_RESUME": "live"}) as live:
        yield [of_gateway(replay), replace(of_gateway(live), name=LIVE)]


def _fan_out(options: Options, sheet: Sheet) -> None:
    with both() as targets, prepare.subscribers(targets, 50, 20) as files:

        def once(target: Target) -> Mapping[str, float]:
            what = {"subscribers": files[target.name], "stream": BINANCE.stream, "window": 2000}
            got = load.run("stream", **target.options(), **what, seconds=options.seconds)
            return {FANOUT: got["frames_per_s"]}

        alternate(targets, options, sheet, once)


def _latency(options: Options, sheet: Sheet) -> None:
    with both() as targets, prepare.subscribers(targets, options.scaled(ACCOUNTS)) as files:

        def once(target: Target) -> Mapping[str, float]:
            what = {"subscribers": files[target.name], "stream": BINANCE.stream, "rate": RATE}
            got = load.run("stream", **target.options(), **what, seconds=options.seconds)
            return {"latency, p50": got["p50_ms"], "latency, p99": got["p99_ms"]}

        alternate(targets, options, sheet, once)


def _handshakes(options: Options, sheet: Sheet) -> None:
    count = options.scaled(SOCKETS)
    with both() as targets, prepare.socket_paths(targets, count) as files:

        def once(target: Target) -> Mapping[str, float]:
            common = {"venue": target.venue, "server_pid": target.pid, "count": count, "sources": 4}
            first, storm = load.run("dial", **common, paths=files[target.name])["rounds"]
            return {"handshakes": first["handshakes_per_s"], "reconnect storm": storm["handshakes_per_s"]}

        alternate(targets, options, sheet, once)


def _publish_to_all(target: Target, count: int) -> None:
    """One event to each account."""
    lines = (
        {"account": name, "stream": BINANCE.stream, "event": {"e": "ORDER_TRADE_UPDATE", "E": 1}}
        for name in prepare.account_names(count)
    )
    bodies = (json.dumps(line, separators=(",", ":")) for line in lines)
    calls = (f"200\tPOST\t/v1/publish\tAuthorization: Bearer {target.token}\t{body}" for body in bodies)
    prepare.calls(target.admin, calls, header="Content-Type: application/x-ndjson", contains='"offset":')


def _memory(options: Options, sheet: Sheet) -> None:
    """Keys are made before, so that the difference is the sockets' alone."""
    count = options.scaled(IDLE)
    if machine.raise_fd_limit() < count + 500:
        raise OSError(f"a hard limit of at least {count + 500} open files is wanted (ulimit -Hn)")
    with both() as targets, prepare.socket_paths(targets, count) as files:
        before = {target.name: machine.pss_kib(target.pid) for target in targets}

        def once(target: Target) -> Mapping[str, float]:
            with load.held(venue=target.venue, paths=files[target.name], sources=4):
                time.sleep(SETTLE)
                quiet = machine.pss_kib(target.pid)
                _publish_to_all(target, count)
                time.sleep(SETTLE)
                heard = machine.pss_kib(target.pid)
            start = before[target.name]
            return {QUIET: (quiet - start) / count, HEARD: (heard - start) / count}

        alternate(targets, replace(options, rounds=1), sheet, once)  # later rounds reuse freed memory
    for what, cost in COSTS.items():
        ((replaying,), (live,)) = (sheet.values[what, name] for name in (GATEWAY, LIVE))
        sheet.add(GATEWAY, {cost: replaying - live})


def _catch_up(options: Options, sheet: Sheet) -> None:
    """The reader answers no Ping, so that each round begins where the first did."""
    events = options.scaled(EVENTS)
    with both() as (target, _):
        ((name, path),) = prepare.sockets(target, 1)
        with load.lines_file([f"{name}\t-"]) as file:
            what = {"subscribers": file, "stream": BINANCE.stream, "window": 4000, "batch": 500}
            head = load.run("stream", **target.options(), **what, events=events)["offset"]

        def once(target: Target) -> Mapping[str, float]:
            common = {"venue": target.venue, "server_pid": target.pid, "path": path}
            got = load.run("replay", **common, events=min(head, events), bare=1, pongs=0)
            return {"catch-up": got["events_per_s"]}

        alternate([target], options, sheet, once)


def measure(options: Options) -> Sheet:
    """One after the other, each with gateways of its own: what one publishes the next is not told."""
    sheet = Sheet(MEASURES)
    for part in (_fan_out, _latency, _handshakes, _memory, _catch_up):
        part(options, sheet)
    return sheet
