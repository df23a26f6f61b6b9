"""How many listen-key calls a second, over keep-alive connections that each wait for their answer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import load, prepare
from bench.prepare import BINANCE, api_key_of
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "listen-key calls over 64 keep-alive connections, 8,000 accounts"
ACCOUNTS = 8000
CONNECTIONS = 64
MEASURES = (
    Measure("create", "/s", "higher"),
    Measure("extend", "/s", "higher", 10_000),
    Measure("extend, p99", "ms", "lower"),
    Measure("refused", "/s", "higher", 20_000),
    Measure("close", "/s", "higher"),
)


def _requests(names: list[str]) -> dict[str, list[str]]:
    return {
        "create": [BINANCE.request("POST", api_key_of(name)) for name in names],
        "extend": [BINANCE.request("PUT", api_key_of(name)) for name in names],
        "refused": [BINANCE.request("PUT", f"not-a-key-{name}", "401") for name in names],
        "close": [BINANCE.request("DELETE", api_key_of(name)) for name in names],
    }


def measure(options: Options) -> Sheet:
    """Alternate the targets; each round creates all keys, extends, is refused, and closes all keys."""
    with running(options.chosen("listenkey", "node", "c")) as targets, ExitStack() as stack:
        names = prepare.account_names(options.scaled(ACCOUNTS))
        for target in targets:
            prepare.accounts(target, len(names))
        files: dict[str, Path] = {
            what: stack.enter_context(load.lines_file(lines)) for what, lines in _requests(names).items()
        }

        def once(target: Target) -> Mapping[str, float]:
            common = {"server": target.venue, "connections": CONNECTIONS, "server_pid": target.pid}
            figures = {}
            for what, file in files.items():
                timed = {"seconds": options.seconds} if what in {"extend", "refused"} else {}
                got = load.run("calls", **common, requests=file, **timed)
                figures[what] = got["requests_per_s"]
                if what == "extend":
                    figures["extend, p99"] = got["p99_ms"]
                if got["reconnects"]:
                    raise load.LoadError(
                        f"{target.name} closed {got['reconnects']} keep-alive connections at {what}"
                    )
            return figures

        return alternate(targets, options, Sheet(MEASURES), once)
