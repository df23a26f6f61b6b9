"""What the plays share: starting a driver, knowing that it is subscribed, and a witness for silence."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients import page
from tests.clients.cast import Client
from tests.clients.play import Play
from tests.support.gateway import Gateway

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".venv-clients"
DRIVERS = Path(__file__).parent / "drivers"


def start(client: Client, stream: str, venue: str, credentials: tuple[str, str], **env: str) -> Play:
    """Start a client's driver, its lines of the page pointed at `venue`."""
    key, secret = credentials
    given = {
        "API_KEY": key,
        "API_SECRET": secret,
        "STREAM": stream,
        "PAGE_BLOCK": page.block(client.name, venue),
    }
    home = INSTALLED / client.home
    if not home.is_dir():
        pytest.skip(f"{client.home} is not installed: run tests/clients/setup")
    program = "node" if client.home == "node" else home / "bin" / "python"
    return Play([program, DRIVERS / client.driver], given | env, home)


def await_subscription(gateway: Gateway, account: str, stream: str) -> None:
    """Wait until a socket of the account is subscribed; what is published before that is not for it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for connection in gateway.admin_items("/v1/connections"):
            if any(
                each["account"] == account and each["stream"] == stream
                for each in connection["subscriptions"]
            ):
                return
        time.sleep(0.05)
    raise AssertionError(f"no socket was ever subscribed to {stream} of {account}")


class Witness:
    """A native stream, which needs no listen key: the positive control of a silence.

    It is opened before the events are published; what it has read was given out to all open subscriptions.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def wait_for(self, offset: int) -> None:
        """Return when the event with this offset came by."""
        for message in self._messages():
            if message.get("offset") == offset:
                return
        raise AssertionError(f"the native stream ended before {offset}")

    def ready(self) -> None:
        """Return when the stream has said where it starts."""
        assert "position" in next(self._messages())

    def _messages(self) -> Iterator[dict[str, Any]]:
        for line in self._lines:
            if line.startswith("data:"):
                yield json.loads(line.removeprefix("data:"))


@contextlib.contextmanager
def witness(venue: str, key: str, stream: str) -> Iterator[Witness]:
    """Open a native stream as server-sent events with an API key."""
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    url, params = f"{venue}/lk/v1/stream", {"stream": stream}
    with (
        httpx.Client(trust_env=False, timeout=10) as client,
        client.stream("GET", url, params=params, headers=headers) as response,
    ):
        assert response.status_code == httpx.codes.OK, response.read()
        opened = Witness(response.iter_lines())
        opened.ready()
        yield opened
