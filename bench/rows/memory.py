"""What an idle socket costs: the server's memory before and after 10,000 of them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bench import load, machine, prepare
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "memory of an idle socket: 10,000 sockets, a listen key each (PSS; kernel buffers not counted)"
SOCKETS = 10_000
SETTLE = 3.0  # seconds until a figure is read: pings armed, garbage collected
MEASURES = (
    Measure("a socket", "KiB", "lower", 6.0),
    Measure("process before", "MiB", "lower"),
    Measure("process with all sockets", "MiB", "lower"),
    Measure("process after all closed", "MiB", "lower"),
)


def measure(options: Options) -> Sheet:
    """Keys are made before, so that the difference is the sockets' alone; later rounds reuse freed memory."""
    count = options.scaled(SOCKETS)
    if machine.raise_fd_limit() < count + 500:
        raise OSError(f"a hard limit of at least {count + 500} open files is wanted (ulimit -Hn)")
    with (
        running(options.chosen("listenkey", "node", "c")) as targets,
        prepare.socket_paths(targets, count) as files,
    ):
        before = {target.name: machine.pss_kib(target.pid) for target in targets}

        def once(target: Target) -> Mapping[str, float]:
            with load.held(venue=target.venue, paths=files[target.name], sources=4):
                time.sleep(SETTLE)
                full = machine.pss_kib(target.pid)
            time.sleep(SETTLE)
            start = before[target.name]
            return {
                "a socket": (full - start) / count,
                "process before": start / 1024,
                "process with all sockets": full / 1024,
                "process after all closed": machine.pss_kib(target.pid) / 1024,
            }

        return alternate(targets, options, Sheet(MEASURES), once)
