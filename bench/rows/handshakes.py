"""How many sockets a second can be opened, each naming a listen key that has to be looked up."""

from __future__ import annotations

from collections.abc import Mapping

from bench import load, prepare
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "handshakes, 4,000 sockets with a listen key each, 256 under way at once"
SOCKETS = 4000
MEASURES = (
    Measure("first round", "/s", "higher", 8000),
    Measure("reconnect storm", "/s", "higher", 8000),
    Measure("reconnect storm, p99", "ms", "lower"),
    Measure("refused: unknown key", "/s", "higher"),
)


def measure(options: Options) -> Sheet:
    """Alternate the targets; a storm is all sockets reset at once and dialled again."""
    count = options.scaled(SOCKETS)
    with (
        running(options.chosen("listenkey", "node", "c")) as targets,
        prepare.socket_paths(targets, count) as known,
        load.lines_file(f"/ws/{'x' * 60}{i:04d}" for i in range(count)) as unknown,
    ):

        def once(target: Target) -> Mapping[str, float]:
            common = {"venue": target.venue, "server_pid": target.pid, "count": count, "sources": 4}
            first, storm = load.run("dial", **common, paths=known[target.name])["rounds"]
            (refused,) = load.run("dial", **common, paths=unknown, expect=401, rounds=1)["rounds"]
            return {
                "first round": first["handshakes_per_s"],
                "reconnect storm": storm["handshakes_per_s"],
                "reconnect storm, p99": storm["p99_ms"],
                "refused: unknown key": refused["handshakes_per_s"],
            }

        return alternate(targets, options, Sheet(MEASURES), once)
