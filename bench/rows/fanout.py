"""How many frames a second leave when each event goes to several sockets; plain, and gzip as on BingX."""

from __future__ import annotations

from collections.abc import Mapping

from bench import load, prepare
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "fan-out of batched publishes (100 a POST): 50 accounts x 20 sockets plain, 50 x 4 gzip"
ACCOUNTS = 50
WINDOW = 2000  # events, each owed to every socket of its account
PLAIN = "plain frames, 50 x 20"
GZIP = "gzip frames, 50 x 4"
MEASURES = (
    Measure(PLAIN, "/s", "higher", 150_000, against="node", ratio=1.2),
    Measure(f"{PLAIN}, load CPU", "cores", "lower"),
    Measure(GZIP, "/s", "higher", 80_000),
    Measure(f"{GZIP}, load CPU", "cores", "lower"),
)


def _alternate(
    name: str, venue: prepare.Venue, each: int, anchors: tuple[str, ...], options: Options, sheet: Sheet
) -> None:
    with (
        running(options.chosen("listenkey", *anchors)) as targets,
        prepare.subscribers(targets, ACCOUNTS, each, venue) as files,
    ):

        def once(target: Target) -> Mapping[str, float]:
            what = {"subscribers": files[target.name], "stream": venue.stream, "window": WINDOW}
            gzip = int(venue is prepare.BINGX)
            got = load.run("stream", **target.options(), **what, gzip=gzip, seconds=options.seconds)
            return {name: got["frames_per_s"], f"{name}, load CPU": got["load_cpu"]}

        alternate(targets, options, sheet, once)


def measure(options: Options) -> Sheet:
    """Plain first, then gzip, each with servers of its own."""
    sheet = Sheet(MEASURES)
    _alternate(PLAIN, prepare.BINANCE, 20, ("node", "c"), options, sheet)
    _alternate(GZIP, prepare.BINGX, 4, ("node",), options, sheet)
    return sheet
