"""A venue of today that takes orders: a gateway set to the day after the removal of listen keys, which has
the streams, and before it a desk, which has the orders. And the gateway between it and a bot of yesterday.
"""

import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.gateway import Gateway

TODAY = 'era = "2026-03-01"\n'
MARKETS = [{"symbol": "BTCUSDT"}]


class Desk:
    """Takes signed orders and fills each at once: the venue's stream says so, as the answer does."""

    def __init__(self, venue: Gateway, key: str, secret: str) -> None:
        self.calls: Counter[str] = Counter()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                query = urlsplit(self.path).query
                self.reply(*desk.order(self.headers["X-MBX-APIKEY"], query + body))

            def do_GET(self) -> None:
                desk.calls[self.path] += 1
                self.reply(200, {"serverTime": int(time.time() * 1000), "symbols": MARKETS})

            def reply(self, status: int, answer: Any) -> None:
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("X-MBX-ORDER-COUNT-10S", str(desk.calls["orders"]))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._venue, self._key, self._secret = venue, key, secret
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def order(self, key: str | None, signed: str) -> tuple[int, Any]:
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
    def open(self) -> "Iterator[Desk]":
        """Accept orders for a while."""
        thread = Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join(10)


@contextmanager
def venue_of_today(folder: Path) -> Iterator[Gateway]:
    """The venue's streams, with an account `master`."""
    (folder / "venue.toml").write_text(TODAY, encoding="ascii")
    with Gateway(folder / "venue", args=["--config", str(folder / "venue.toml")]) as venue:
        venue.add_account("master")
        yield venue


def between(
    folder: Path, venue: Gateway, desk: Desk, key: str, secret: str, *, accepts: bool = True
) -> Gateway:
    """The gateway between both and the bot, with the three tables that a user writes."""
    (folder / "key").write_text(f"{key}\n", encoding="ascii")
    (folder / "secret").write_text(f"{secret}\n", encoding="ascii")
    upstream = (
        f'[[upstream]]\nstream = "binance-spot"\naccount = "desk"\napi_key_file = "{folder}/key"\n'
        f'api_secret_file = "{folder}/secret"\nbase_url = "{venue.venue}"\nby = "subscription"\n'
    )
    accepted = f'[[accept_api_keys]]\naccount = "desk"\nkeys_file = "{folder}/key"\n'
    passage = f'[passage.binance-spot]\nrest = "{desk.url}"\nsockets = ""\napi = ""\n'
    file = folder / "gateway.toml"
    file.write_text(upstream + accepted * accepts + passage, encoding="ascii")
    return Gateway(folder / "gateway", args=["--config", str(file)])
