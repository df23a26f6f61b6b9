"""What tests of a relay need: its figures, its journal, and bots of yesterday."""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from typing import Any, Self

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.support.gateway import Gateway


def metric(gateway: Gateway, name: str) -> float:
    """A figure of the metrics page, of all upstreams together."""
    line = re.compile(rf"listenkey_{name}(?:{{[^}}]*}})? (\S+)")
    page = gateway.admin_call("GET", "/metrics").text
    return sum(float(found[1]) for found in map(line.fullmatch, page.splitlines()) if found)


def journal(gateway: Gateway, account: str, stream: str) -> list[dict[str, Any]]:
    """All messages that the journal has of a stream, but for the position at its end."""
    text = gateway.admin_call("GET", f"/v1/journal/{account}/{stream}").text
    return [each for line in text.splitlines() if "position" not in (each := json.loads(line))]


def cut(gateway: Gateway) -> None:
    """Break off every socket that is open."""
    for connection in gateway.admin_items("/v1/connections"):
        with suppress(AssertionError, httpx.HTTPError):
            gateway.admin_call("DELETE", f"/v1/connections/{connection['id']}")


class LegacyBot:
    """A program as they were written for USD-M: a listen key by POST, a socket at `/ws/KEY`, the same again
    whenever either fails. It knows nothing but the venue's own protocol."""

    def __init__(self, gateway: Gateway, api_key: str) -> None:
        self._rest = gateway.venue
        self._sockets = gateway.venue.replace("http", "ws", 1)
        self._api_key = api_key
        self._socket: ClientConnection | None = None
        self._over = threading.Event()
        self.open = threading.Event()
        self.events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(httpx.HTTPError, WebSocketException, OSError, KeyError, ValueError):
                self._read_once()
            self._over.wait(0.2)

    def _read_once(self) -> None:
        answer = httpx.post(
            f"{self._rest}/fapi/v1/listenKey",
            headers={"X-MBX-APIKEY": self._api_key},
            trust_env=False,
            timeout=30,
        )
        path = f"/ws/{answer.json()['listenKey']}"
        with connect(self._sockets + path, proxy=None) as self._socket:
            self.open.set()
            for message in self._socket:
                self.events.append(json.loads(message))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.open.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._socket is not None:
            self._socket.close()
        self._thread.join(20)
