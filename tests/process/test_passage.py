"""The bot changes one base address: its listen key, its socket, its orders and its markets all go to the
gateway, with the API key and the secret that it has at the venue."""

import hashlib
import hmac
import time
from functools import partial
from urllib.parse import urlencode

import httpx
import pytest
from websockets.sync.client import connect

from tests.process.relaying import metric
from tests.process.serving import listenkey, receive_until, wait_for
from tests.support.desk import MARKETS, Desk, between, venue_of_today


class Bot:
    """A program of 2024, which knows one address and signs what it orders."""

    def __init__(self, url, key, secret):
        self._url, self._key, self._secret = url, key, secret

    def call(self, method, path, **request):
        """A REST call with its API key."""
        headers = {"X-MBX-APIKEY": self._key}
        options = {"trust_env": False, "timeout": 60, "verify": False}
        return httpx.request(method, self._url + path, headers=headers, **options, **request)

    def listen_key(self):
        """As it always made it."""
        return self.call("POST", "/api/v3/userDataStream")

    def stream(self, listen_key):
        """As it always opened it."""
        return connect(f"ws{self._url[4:]}/ws/{listen_key}", compression=None, proxy=None, ping_interval=None)

    def buy(self, name):
        """A signed order."""
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
        text = urlencode(order | {"newClientOrderId": name, "timestamp": int(time.time() * 1000)})
        signature = hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return self.call("POST", "/api/v3/order", content=f"{text}&signature={signature}")


@pytest.fixture
def venue(tmp_path):
    """The venue, whose listen keys are gone."""
    with venue_of_today(tmp_path) as venue:
        yield venue


@pytest.fixture
def bots_key(venue):
    """What the bot has at the venue: key and secret."""
    return venue.add_api_key("master", ["read", "trade"])[1:]


@pytest.fixture
def desk(venue, bots_key):
    """Where the venue takes orders."""
    with Desk(venue, *bots_key).open() as desk:
        yield desk


@pytest.fixture
def start(tmp_path, venue, desk, bots_key):
    """Makes the gateway between both."""
    return partial(between, tmp_path, venue, desk, *bots_key)


def test_a_dead_bot_orders_and_hears_of_its_fill(venue, desk, start, bots_key):
    """With one address changed. Its markets come by the same one, its limits are the venue's."""
    assert Bot(venue.venue, *bots_key).listen_key().status_code == httpx.codes.GONE
    with start() as gateway:
        bot = Bot(gateway.venue, *bots_key)
        wait_for(lambda: metric(gateway, "upstreams_open") == 1, 90)
        assert bot.call("GET", "/api/v3/exchangeInfo").json()["symbols"] == MARKETS
        with bot.stream(bot.listen_key().json()["listenKey"]) as socket:
            for number in (1, 2):
                answer = bot.buy(f"order-{number}")
                assert (answer.json()["status"], answer.headers["x-mbx-order-count-10s"]) == (
                    "FILLED",
                    str(number),
                )
                got = receive_until(socket, lambda event: event["e"] == "executionReport")[-1]
                assert (got["c"], got["I"]) == (f"order-{number}", number)
        forged = Bot(gateway.venue, bots_key[0], "another secret").buy("forged")
        assert forged.json()["code"] == -1022
        assert desk.calls["orders"] == 2
        assert (
            'listenkey_passed_calls_total{dialect="binance-spot",status="400"} 1.0'
            in httpx.get(f"{gateway.admin}/metrics", trust_env=False).text
        )
        assert bots_key[0] not in gateway.stderr
        assert bots_key[1] not in gateway.stderr


def test_a_bots_key_outlives_restarts_and_goes_with_the_configuration(start, bots_key):
    """A kill costs the bot nothing; taken out of the file, its key opens nothing any more."""
    with start() as gateway:
        listen_key = Bot(gateway.venue, *bots_key).listen_key().json()["listenKey"]
        gateway.kill()
    with start() as gateway:
        bot = Bot(gateway.venue, *bots_key)
        assert bot.listen_key().json()["listenKey"] == listen_key
        [shown] = gateway.admin_items("/v1/api-keys")
        assert shown["key"] == f"{bots_key[0][:4]}…{bots_key[0][-4:]}"
    with start(accepts=False) as gateway:
        bot = Bot(gateway.venue, *bots_key)
        assert bot.listen_key().json()["code"] == -2015
        assert gateway.admin_items("/v1/api-keys") == []
        with pytest.raises(Exception, match="401"):
            bot.stream(listen_key)


def test_a_key_of_another_account_ends_the_start(tmp_path, start, bots_key):
    """With its remedy in the line."""
    with start(accepts=False) as gateway:
        gateway.add_account("floor")
        gateway.add_api_key("floor", key=bots_key[0], secret="s")
    with (
        pytest.raises(AssertionError, match="is an API key of the account floor, not desk; name floor"),
        start(),
    ):
        pass


def test_the_configuration_is_checked_before(tmp_path):
    """`config check` says what `serve` would."""
    file = tmp_path / "listenkey.toml"
    file.write_text(
        '[passage.binance-spot]\nrest = "http://api.example.com"\n[[accept_api_keys]]\n', encoding="ascii"
    )
    checked = listenkey("config", "check", "--config", str(file))
    assert checked.returncode == 1
    assert "passage.binance-spot.rest: to api.example.com API keys and orders" in checked.stdout
    assert "accept_api_keys.1.account is not set" in checked.stdout
