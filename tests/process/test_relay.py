"""The relay: a gateway that reads a venue of today, and bots of yesterday that go on with their listen keys.

The venue is a gateway too, set to the day after the listen keys were removed.
"""

import contextlib
import json
import threading
import time

import httpx
import pytest

from listenkey.client import blocking
from listenkey.client.items import Event, State
from tests.process.relaying import metric
from tests.support.gateway import Gateway

TODAY = 'era = "2026-03-01"\n'
STREAMS = ("binance-spot", "binance-margin", "binance-margin-isolated:BTCUSDT", "binance-usdm")


def fill(number):
    """An order that was matched."""
    return {"e": "executionReport", "s": "BTCUSDT", "I": number, "t": number, "c": "x"}


@pytest.fixture
def venue(tmp_path):
    """The venue as it is since the removal."""
    (tmp_path / "venue.toml").write_text(TODAY, encoding="ascii")
    with Gateway(tmp_path / "venue", args=["--config", str(tmp_path / "venue.toml")]) as venue:
        venue.add_account("master")
        yield venue


@pytest.fixture
def start_relay(tmp_path, venue):
    """Makes the relay's gateway, with the venue's key in files."""
    _, key, secret = venue.add_api_key("master")
    (tmp_path / "key").write_text(f"{key}\n", encoding="ascii")
    (tmp_path / "secret").write_text(secret, encoding="ascii")
    tables = [
        f'[[upstream]]\nstream = "{stream}"\naccount = "desk"\napi_key_file = "{tmp_path}/key"\n'
        f'api_secret_file = "{tmp_path}/secret"\nbase_url = "{venue.venue}"\n'
        + ('by = "subscription"\n' if stream != "binance-usdm" else "")
        for stream in STREAMS
    ]
    (tmp_path / "relay.toml").write_text("\n".join(tables), encoding="ascii")
    return lambda: Gateway(tmp_path / "relay", args=["--config", str(tmp_path / "relay.toml")])


def wait(what, seconds=60):
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


class Bot:
    """A program of yesterday: it knows listen keys and nothing else."""

    def __init__(self, relay, key, stream):
        self.numbers = []
        self._stream = blocking.open_stream(stream, api_key=key, base_url=relay.venue)
        self._stream.__enter__()
        self.open = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self.open.wait(30)

    def _read(self):
        with contextlib.suppress(Exception):
            for item in self._stream:
                if isinstance(item, State) and item.state == "open":
                    self.open.set()
                if isinstance(item, Event):
                    self.numbers.append(item.data["I"])

    def close(self):
        """Leave."""
        self._stream.close()
        self._thread.join(10)


def test_bots_of_yesterday_get_the_fills_of_today(venue, start_relay):
    """The venue answers 410 to their calls; the relay answers as it always did, to any number of them."""
    with start_relay() as relay:
        keys = [relay.add_api_key("desk")[1] for _ in range(2)]
        wait(lambda: metric(relay, "upstreams_open") == len(STREAMS))
        bots = {stream: [Bot(relay, key, stream) for key in keys] for stream in STREAMS}
        for stream in STREAMS:
            venue.publish("master", stream, [fill(number) for number in range(1, 21)])
        for bot in (bot for both in bots.values() for bot in both):
            wait(lambda bot=bot: len(bot.numbers) >= 20)
            assert bot.numbers == list(range(1, 21))
            bot.close()


def test_a_cut_upstream_is_counted_and_goes_on(venue, start_relay):
    """What may be missing is said; what comes later is not held up, and nothing is journaled twice."""
    with start_relay() as relay:
        _, key, _ = relay.add_api_key("desk")
        wait(lambda: metric(relay, "upstreams_open") == len(STREAMS))
        bot = Bot(relay, key, "binance-spot")
        venue.publish("master", "binance-spot", [fill(1)])
        wait(lambda: bot.numbers == [1])
        for connection in venue.admin_items("/v1/connections"):
            venue.admin_json("DELETE", f"/v1/connections/{connection['id']}")
        wait(lambda: metric(relay, "upstream_gaps_total") >= len(STREAMS))
        wait(lambda: metric(relay, "upstreams_open") == len(STREAMS))
        venue.publish("master", "binance-spot", [fill(2)])
        wait(lambda: 2 in bot.numbers)
        bot.close()
        assert [event["I"] for event in journal(relay, "binance-spot")] == [1, 2]


def journal(relay, stream):
    """All events that the relay has of a stream."""
    text = httpx.get(
        f"{relay.admin}/v1/journal/desk/{stream}",
        headers={"Authorization": f"Bearer {relay.token}"},
        trust_env=False,
    ).text
    return [each["event"] for line in text.splitlines() if "event" in (each := json.loads(line))]


def test_a_killed_relay_loses_its_bots_nothing_that_it_had(venue, start_relay):
    """Events that were journaled before the kill reach a bot that was away."""
    with start_relay() as relay:
        _, key, _ = relay.add_api_key("desk")
        wait(lambda: metric(relay, "upstreams_open") == len(STREAMS))
        bot = Bot(relay, key, "binance-usdm")
        venue.publish("master", "binance-usdm", [fill(1)])
        wait(lambda: bot.numbers == [1])
        bot.close()
        venue.publish("master", "binance-usdm", [fill(2)])
        wait(lambda: len(journal(relay, "binance-usdm")) == 2)
        relay.kill()
        relay.start()
        bot = Bot(relay, key, "binance-usdm")
        wait(lambda: 2 in bot.numbers)
        bot.close()


def test_a_relay_starts_without_its_venue_and_serves_when_it_comes(venue, start_relay):
    """A venue that is down keeps nobody from what is journaled already."""
    venue.stop()
    with start_relay() as relay:
        _, key, _ = relay.add_api_key("desk")
        bot = Bot(relay, key, "binance-spot")
        venue.start()
        wait(lambda: metric(relay, "upstreams_open") == len(STREAMS), 90)
        venue.publish("master", "binance-spot", [fill(7)])
        wait(lambda: bot.numbers == [7])
        bot.close()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('stream = "binance-spot"\napi_key = "k"', "upstream.1.account is not set"),
        ('account = "a"\nstream = "nowhere"\napi_key = "k"', "there is no stream nowhere"),
        ('account = "a"\nstream = "binance-spot"', "upstream.1.api_key is not set"),
        (
            'account = "a"\nstream = "bingx-swap"\napi_key = "k"\nby = "subscription"',
            "not delivered over a WebSocket API",
        ),
        ('account = "a"\nstream = "binance-spot"\napi_key_file = "/nowhere"', "cannot be read"),
    ],
)
def test_an_upstream_that_cannot_be_is_refused_at_the_start(tmp_path, table, says):
    """With the setting's name and what to do, not in the log of a night later."""
    (tmp_path / "relay.toml").write_text(f"[[upstream]]\n{table}\n", encoding="ascii")
    gateway = Gateway(tmp_path / "relay", args=["--config", str(tmp_path / "relay.toml")])
    with pytest.raises(AssertionError, match=says), gateway:
        pass
