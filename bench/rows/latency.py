"""How long from a publish being due to the client having read the event, at fixed rates, durable."""

from __future__ import annotations

from collections.abc import Mapping

from bench import load, prepare
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "publish -> read, 1,000 accounts with a socket each, open loop"
ACCOUNTS = 1000
GOALS = {20_000: (1.0, 10.0), 5_000: (None, 3.0)}  # p50 and p99 in ms
FIGURES = {"p50": "p50_ms", "p99": "p99_ms", "p99.9": "p999_ms", "server CPU": "server_cpu"}


def measures(rate: int) -> list[Measure]:
    """What is reported for a rate."""
    p50, p99 = GOALS[rate]
    return [
        Measure(f"{rate:,}/s p50", "ms", "lower", p50),
        Measure(f"{rate:,}/s p99", "ms", "lower", p99),
        Measure(f"{rate:,}/s p99.9", "ms", "lower"),
        Measure(f"{rate:,}/s server CPU", "cores", "lower"),
    ]


def measure(options: Options) -> Sheet:
    """Alternate the targets, one rate after the other."""
    sheet = Sheet([each for rate in GOALS for each in measures(rate)])
    with (
        running(options.chosen("listenkey", "node", "c+fdatasync")) as targets,
        prepare.subscribers(targets, options.scaled(ACCOUNTS)) as files,
    ):
        for rate in GOALS:

            def once(target: Target, rate: int = rate) -> Mapping[str, float]:
                what = {"subscribers": files[target.name], "stream": prepare.BINANCE.stream, "rate": rate}
                got = load.run("stream", **target.options(), **what, seconds=options.seconds)
                return {f"{rate:,}/s {name}": got[key] for name, key in FIGURES.items()}

            alternate(targets, options, sheet, once)
    return sheet
