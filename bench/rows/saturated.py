"""How many events a second are published durably when the publishers never wait for the clock."""

from __future__ import annotations

from collections.abc import Mapping

from bench import load, prepare
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "durable publish, saturated: 8 publishers, 100 events a POST, 8,192 events under way, 1,000 sockets"
ACCOUNTS = 1000
WINDOW = 8192
MEASURES = (
    Measure("acked events", "/s", "higher", 50_000),
    Measure("published to read, p50", "ms", "lower"),
    Measure("published to read, p99", "ms", "lower"),
    Measure("load CPU", "cores", "lower"),
)


def measure(options: Options) -> Sheet:
    """Alternate the targets."""
    with (
        running(options.chosen("listenkey", "node", "c+fdatasync")) as targets,
        prepare.subscribers(targets, options.scaled(ACCOUNTS)) as files,
    ):

        def once(target: Target) -> Mapping[str, float]:
            what = {"subscribers": files[target.name], "stream": prepare.BINANCE.stream, "window": WINDOW}
            got = load.run("stream", **target.options(), **what, seconds=options.seconds)
            return {
                "acked events": got["acked_per_s"],
                "published to read, p50": got["p50_ms"],
                "published to read, p99": got["p99_ms"],
                "load CPU": got["load_cpu"],
            }

        return alternate(targets, options, Sheet(MEASURES), once)
