"""The bot changes one base address: its listen key, its socket, its orders and its markets all go to the
gateway, with the API key and the secret that it has at the venue.

The venue is a gateway set to the day after the removal of listen keys, and before it a desk that takes orders
and fills them.
"""

import hashlib
import hmac
import json
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from tests.process.relaying import metric
from tests.process.serving import listenkey, receive_until, wait_for
from tests.support.gateway import Gateway

TODAY = 'era = "2026-03-01"\n'


class Desk:
    """Takes signed orders and fills each at once: the venue's stream says so, as the answer does."""

    def __init__(self, venue, key, secret):
        self.calls = Counter()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                query = urlsplit(self.path).query
                self.reply(*desk.order(self.headers["X-MBX-APIKEY"], query + body))

            def do_GET(self):
                desk.calls[self.path] += 1
                self.reply(200, {"symbols": [{"symbol": "BTCUSDT"}]})

            def reply(self, status, answer):
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("X-MBX-ORDER-COUNT-10S", str(desk.calls["orders"]))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                """Say nothing."""

        self._venue, self._key, self._secret = venue, key, secret
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def order(self, key, signed):
        """An order, or why it is none."""
        text, _, signature = signed.rpartition("&signature=")
        right = hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if key != self._key or signature != right:
            return 400, {"code": -1022, "msg": "Signature for this request is not valid."}
        self.calls["orders"] += 1
        number, wanted = self.calls["orders"], dict(parse_qsl(text))
        report = {"e": "executionReport", "s": wanted["symbol"], "x": "TRADE", "I": number, "t": number}
        self._venue.publish("master", "binance-spot", [report | {"c": wanted["newClientOrderId"]}])
        return 200, {"orderId": number, "status": "FILLED"}

    @contextmanager
    def open(self):
        """Accept orders for a while."""
        thread = Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join(10)


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
    (tmp_path / "venue.toml").write_text(TODAY, encoding="ascii")
    with Gateway(tmp_path / "venue", args=["--config", str(tmp_path / "venue.toml")]) as venue:
        venue.add_account("master")
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
    """Makes the gateway between both; its three tables are all that a user writes."""
    key, secret = bots_key
    (tmp_path / "key").write_text(f"{key}\n", encoding="ascii")
    (tmp_path / "secret").write_text(f"{secret}\n", encoding="ascii")
    upstream = (
        f'[[upstream]]\nstream = "binance-spot"\naccount = "desk"\napi_key_file = "{tmp_path}/key"\n'
        f'api_secret_file = "{tmp_path}/secret"\nbase_url = "{venue.venue}"\nby = "subscription"\n'
    )
    accepted = f'[[accept_api_keys]]\naccount = "desk"\nkeys_file = "{tmp_path}/key"\n'
    passage = f'[passage.binance-spot]\nrest = "{desk.url}"\nsockets = ""\napi = ""\n'

    def make(*, accepts=True):
        file = tmp_path / "gateway.toml"
        file.write_text(upstream + accepted * accepts + passage, encoding="ascii")
        return Gateway(tmp_path / "gateway", args=["--config", str(file)])

    return make


def test_a_dead_bot_orders_and_hears_of_its_fill(venue, desk, start, bots_key):
    """With one address changed. Its markets come by the same one, its limits are the venue's."""
    assert Bot(venue.venue, *bots_key).listen_key().status_code == httpx.codes.GONE
    with start() as gateway:
        bot = Bot(gateway.venue, *bots_key)
        wait_for(lambda: metric(gateway, "upstreams_open") == 1, 90)
        assert bot.call("GET", "/api/v3/exchangeInfo").json()["symbols"] == [{"symbol": "BTCUSDT"}]
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
