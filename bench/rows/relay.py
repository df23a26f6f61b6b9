"""What a relay adds: publish at a venue to read by a bot, at the venue itself and behind a relay of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import load, machine, prepare
from bench.prepare import BINANCE
from bench.report import GATEWAY, Measure, Options, Sheet, alternate
from bench.targets import PinnedGateway, Target, address_of, of_gateway
from tests.support.gateway import Gateway

TITLE = "publish at a venue -> read by a bot, one account: at the venue, and behind a relay"
DIRECT = "direct"
RATE = 5_000
ACCOUNT = prepare.account_names(1)[0]
ADDS_P50, ADDS_P99 = "the relay adds, p50", "the relay adds, p99"
MEASURES = (
    Measure("p50", "ms", "lower"),
    Measure("p99", "ms", "lower"),
    Measure("server CPU", "cores", "lower"),
    Measure(ADDS_P50, "ms", "lower"),
    Measure(ADDS_P99, "ms", "lower", 1.0),
)


class _Venue(Gateway):
    """It shares the load's core: the relay has the server's to itself. And it does not sync its disk: what
    the relay adds is its own durable commit and all else."""

    def command(self) -> list[str]:
        return machine.pinned(machine.LOAD_CORE, *super().command())


@contextmanager
def _relay_of(venue: Gateway) -> Iterator[Gateway]:
    text = (
        f'[[upstream]]\nstream = "{BINANCE.stream}"\naccount = "{ACCOUNT}"\n'
        f'api_key = "{prepare.api_key_of(ACCOUNT)}"\nbase_url = "{venue.venue}"\n'
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = Path(folder, "relay.toml")
        config.write_text(text, encoding="ascii")
        with PinnedGateway(args=["--config", str(config)]) as relay:
            relay.admin_json("POST", f"/v1/accounts/{ACCOUNT}/api-keys", {"key": prepare.api_key_of(ACCOUNT)})
            deadline = time.monotonic() + 30
            while "listenkey_upstreams_open 1.0" not in relay.admin_call("GET", "/metrics").text:
                if time.monotonic() > deadline:
                    raise load.LoadError("the relay does not open its upstream")
                time.sleep(0.1)
            yield relay


def measure(options: Options) -> Sheet:
    """The relay is the target; the venue alone is its anchor. Both get what is published at the venue."""
    sheet = Sheet(MEASURES)
    with _Venue(env={"LISTENKEY_DURABILITY": "relaxed"}) as venue:
        at_venue = of_gateway(venue)
        prepare.accounts(at_venue, 1)
        with _relay_of(venue) as relay:
            targets = [
                Target(DIRECT, at_venue.venue, at_venue.admin, venue.token, venue.pid),
                Target(GATEWAY, address_of(relay.venue), at_venue.admin, venue.token, relay.pid),
            ]
            latest: dict[str, Mapping[str, float]] = {}

            def once(target: Target) -> Mapping[str, float]:
                (key,) = prepare.create(target, [ACCOUNT], BINANCE).listen_keys()
                with load.lines_file([f"{ACCOUNT}\t{BINANCE.socket.format(key=key)}"]) as file:
                    what = {"subscribers": file, "stream": BINANCE.stream, "rate": RATE}
                    got = load.run("stream", **target.options(), **what, seconds=options.seconds)
                found = {"p50": got["p50_ms"], "p99": got["p99_ms"], "server CPU": got["server_cpu"]}
                latest[target.name] = found
                if target.name == DIRECT:
                    return found
                added = {each: found[each] - latest[DIRECT][each] for each in ("p50", "p99")}
                return {**found, ADDS_P50: added["p50"], ADDS_P99: added["p99"]}

            alternate(targets, options, sheet, once)
    return sheet
