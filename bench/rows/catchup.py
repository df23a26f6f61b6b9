"""How fast one reader of the native stream catches up from the start of a long journal."""

from __future__ import annotations

from collections.abc import Mapping

from bench import load, prepare
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "catch-up of the native stream (WebSocket) from a journal of 200,000 events"
EVENTS = 200_000
MEASURES = (
    Measure("events", "/s", "higher", 100_000),
    Measure("first event", "ms", "lower"),
    Measure("load CPU", "cores", "lower"),
)


def _fill(target: Target, events: int) -> str:
    """Publish so many events to one account; where its journal begins."""
    (name,) = prepare.accounts(target, 1)
    with load.lines_file([f"{name}\t-"]) as file:
        what = {"subscribers": file, "stream": prepare.BINANCE.stream, "window": 4000, "batch": 500}
        got = load.run("stream", **target.options(), **what, events=events)
    if got["offset"] < events:
        raise load.LoadError(f"{target.name}: journal ends at {got['offset']}")
    return f"{got['epoch']}:0"


def measure(options: Options) -> Sheet:
    """Fill a journal at each target, then alternate readers."""
    events = options.scaled(EVENTS)
    with running(options.chosen("listenkey", "node")) as targets:
        since = {target.name: _fill(target, events) for target in targets}
        key = prepare.api_key_of(prepare.account_names(1)[0])

        def once(target: Target) -> Mapping[str, float]:
            path = f"/lk/v1/stream?stream={prepare.BINANCE.stream}&since={since[target.name]}"
            common = {"venue": target.venue, "server_pid": target.pid, "events": events}
            got = load.run("replay", **common, path=path, header=f"Authorization: Bearer {key}")
            return {
                "events": got["events_per_s"],
                "first event": got["first_ms"],
                "load CPU": got["load_cpu"],
            }

        return alternate(targets, options, Sheet(MEASURES), once)
