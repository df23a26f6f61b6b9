"""`python -m bench NAME...`: measure one row of the table or more. See bench/README.md."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import build, load, machine, report

ROWS = (
    "latency", "saturated", "fanout", "rest", "websocket_api", "handshakes", "memory", "catchup", "consumers",
    "relay", "client", "million",
)  # fmt: skip


def measure(name: str, options: report.Options) -> dict[str, Any]:
    """Run one row and print its table; the same as a dictionary."""
    row = importlib.import_module(f"bench.rows.{name}")
    print(f"{name}: {row.TITLE}", file=sys.stderr, flush=True)
    sheet: report.Sheet = row.measure(options)
    rows = sheet.rows()
    print(report.table(f"\n{name}: {row.TITLE}", rows), flush=True)
    return {"row": name, "title": row.TITLE, "figures": rows}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "name", nargs="+", choices=[*ROWS, "all"], metavar="NAME", help=", ".join([*ROWS, "all"])
    )
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs of each target (3)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a timed run (5)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="a part of the accounts, sockets and events: 0.1"
    )
    parser.add_argument("--targets", default="", help="only these, by comma: listenkey,node,c,c+fdatasync")
    parser.add_argument(
        "--json", type=Path, default=build.BUILD / "figures.json", help="where the figures go too"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Measure what was asked for; 1 when something was wrong, whatever the speed."""
    given = arguments(argv)
    names = ROWS if "all" in given.name else tuple(dict.fromkeys(given.name))
    targets = tuple(filter(None, given.targets.split(",")))
    options = report.Options(given.rounds, given.seconds, given.scale, targets)
    try:
        machine.check_cores()
        build.build_all()
        machine.raise_fd_limit()
        result = {"machine": machine.description(), "rows": [measure(name, options) for name in names]}
    except (build.MissingToolError, load.LoadError, OSError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
