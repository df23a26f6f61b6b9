"""A relay through cuts and kills: bots get every fill that the venue gave it, and every hole is told."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from listenkey.client import blocking
from listenkey.client.items import Event, Gap
from tests.process.relaying import LegacyBot, cut, journal, metric
from tests.process.serving import listenkey, wait_for
from tests.support.gateway import Gateway

STREAM = "binance-usdm"
SECONDS = 6.0
SLOW = 90.0
Relays = Callable[..., Gateway]


def fill(number: int) -> dict[str, Any]:
    """A fill, which its trade id tells from every other."""
    now = time.time_ns() // 1_000_000
    order = {"s": "BTCUSDT", "c": f"bot-{number}", "x": "TRADE", "X": "FILLED", "i": number, "t": number}
    return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": {**order, "l": "0.1", "z": "0.1", "T": now}}


def fills_of(events: list[dict[str, Any]]) -> list[int]:
    """Their trade ids."""
    return [event["o"]["t"] for event in events if event["e"] == "ORDER_TRADE_UPDATE"]


def had(relay: Gateway) -> list[int]:
    """The fills in the relay's journal."""
    return fills_of([each["event"] for each in journal(relay, "desk", STREAM) if "event" in each])


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Gateway]:
    """The venue of today: no listen keys for spot, and for futures as ever."""
    (tmp_path / "venue.toml").write_text('era = "2026-03-01"\n', encoding="ascii")
    with Gateway(tmp_path / "venue", args=["--config", str(tmp_path / "venue.toml")]) as venue:
        venue.add_account("master")
        yield venue


@pytest.fixture
def make_relay(tmp_path: Path) -> Relays:
    """A relay, not started, of what its table says."""

    def make(name: str, table: str) -> Gateway:
        text = f'[upstream.main]\nstream = "{STREAM}"\naccount = "desk"\n{table}\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="ascii")
        return Gateway(tmp_path / name, args=["--config", str(tmp_path / f"{name}.toml")])

    return make


def of_venue(venue: Gateway) -> str:
    """The table of an upstream at the venue."""
    _, key, _ = venue.add_api_key("master")
    return f'api_key = "{key}"\nbase_url = "{venue.venue}"'


def is_open(relay: Gateway) -> bool:
    """Whether it reads its upstream."""
    return metric(relay, "upstreams_open") == 1


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_bots_get_every_fill_through_cuts_and_kills(venue: Gateway, make_relay: Relays, seed: int) -> None:
    """Fills come all the while; the relay is killed, its upstream is cut, and the bots' sockets too, whenever
    chance says. Each bot has every fill in the end, and the relay's journal has each once and in order."""
    chance, published, over = random.Random(seed), [0], threading.Event()

    def publish() -> None:
        while not over.is_set():
            first = published[0] + 1
            venue.publish("master", STREAM, [fill(number) for number in range(first, first + 20)])
            published[0] = first + 19
            over.wait(0.05)

    with make_relay("relay", of_venue(venue)) as relay:
        keys = [relay.add_api_key("desk")[1] for _ in range(2)]
        wait_for(lambda: is_open(relay), SLOW)
        with LegacyBot(relay, keys[0]) as one, LegacyBot(relay, keys[1]) as other:
            publisher = threading.Thread(target=publish)
            publisher.start()
            end = time.monotonic() + SECONDS
            kills = 0
            while time.monotonic() < end or kills < 2:
                time.sleep(chance.uniform(0.3, 1.5))
                what = chance.choice(("kill", "cut upstream", "cut bots"))
                if what == "kill":
                    relay.restart(kill=True)
                    kills += 1
                else:
                    cut(venue if what == "cut upstream" else relay)
            over.set()
            publisher.join()
            wanted = list(range(1, published[0] + 1))
            wait_for(lambda: len(had(relay)) >= len(wanted), SLOW)
            assert had(relay) == wanted
            for bot in (one, other):
                wait_for(lambda bot=bot: set(fills_of(bot.events)) >= set(wanted), SLOW)  # type: ignore[misc]


def test_a_hole_is_told_to_native_readers_wherever_they_read(
    venue: Gateway, make_relay: Relays, tmp_path: Path
) -> None:
    """Over the native stream, through a relay of the relay, in the journal's pages, its export and
    `listenkey tail`; what came after the hole follows it, and bots of yesterday are sent no such thing."""
    with make_relay("relay", of_venue(venue)) as relay:
        _, key, _ = relay.add_api_key("desk")
        table = f'gateway = "{relay.venue}"\napi_key = "{key}"'
        with make_relay("second", table) as second, LegacyBot(relay, key) as bot:
            wait_for(lambda: is_open(relay) and is_open(second), SLOW)
            venue.publish("master", STREAM, [fill(1)])
            wait_for(lambda: had(second) == [1], SLOW)
            relay_gaps = metric(relay, "upstream_gaps_total")
            cut(venue)
            wait_for(lambda: metric(relay, "upstream_gaps_total") > relay_gaps, SLOW)
            wait_for(lambda: is_open(relay), SLOW)
            venue.publish("master", STREAM, [fill(2)])
            wait_for(lambda: had(second) == [1, 2], SLOW)
            second.restart(kill=True)
            venue.publish("master", STREAM, [fill(3)])
            wait_for(lambda: had(second) == [1, 2, 3], SLOW)
            wait_for(lambda: set(fills_of(bot.events)) == {1, 2, 3}, SLOW)
            assert not [event for event in bot.events if "gap" in event]
            for gateway in (relay, second):
                assert_told(gateway, tmp_path)
            first, again = (journal(gateway, "desk", STREAM) for gateway in (relay, second))
            assert [each.get("event") for each in first] == [each.get("event") for each in again]


def assert_told(gateway: Gateway, tmp_path: Path) -> None:
    """The hole stands between the first two fills, with an offset of its own and what is known of it."""
    told = journal(gateway, "desk", STREAM)
    assert [fills_of([each["event"]])[0] if "event" in each else "gap" for each in told] == [1, "gap", 2, 3]
    gap = told[1]["gap"]
    assert (gap["from"], gap["to"], gap["reason"], gap["cause"]) == (2, 2, "upstream", "disconnected")
    assert 0 < gap["since"] <= gap["until"]
    admin = ("--admin", gateway.admin, "--token", gateway.token)
    file = tmp_path / f"{gateway.data.name}.ndjson"
    assert listenkey("journal", "export", *admin, "desk", STREAM, str(file)).stdout == "exported 3 events\n"
    assert [json.loads(line) for line in file.read_text().splitlines()][1] == told[1]
    _, key, _ = gateway.add_api_key("desk")
    start = f"{gap['epoch']}:0"
    with blocking.open_stream(STREAM, gateway=gateway.venue, api_key=key, since=start) as stream:
        items = list(stream_items(stream, 4))
    assert [isinstance(item, Gap) for item in items] == [False, True, False, False]
    assert (items[1].reason, items[1].cause, items[1].since_ms) == ("upstream", "disconnected", gap["since"])
    tailed = listenkey(
        "tail", STREAM, "--gateway", gateway.venue, "--since", start, "--until-idle",
        env={"LISTENKEY_API_KEY": key},
    )  # fmt: skip
    lines = [json.loads(line) for line in tailed.stdout.splitlines()]
    assert [next(iter(line)) for line in lines] == ["offset", "gap", "offset", "offset"]
    assert lines[1]["gap"]["since"] == gap["since"]


def stream_items(stream: Any, count: int) -> Iterator[Any]:
    """So many events and gaps."""
    for item in stream:
        if isinstance(item, Event | Gap):
            yield item
            count -= 1
            if not count:
                return
