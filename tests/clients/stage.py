"""What the plays share: starting a driver, a stream's whole life, and a witness for silence."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients import page
from tests.clients.cast import Client
from tests.clients.events import Event, round_of
from tests.clients.play import PATIENCE, Play
from tests.support.gateway import Gateway

INSTALLED = Path(__file__).parents[2] / ".venv-clients"
DRIVERS = Path(__file__).parent / "drivers"
HOUR = 3_600_000
SLACK = 250  # ms between the test's clock and the gateway's, which may write a stamp a little later
GRACE = 0.3  # seconds for what should not come, after the witness had it


class Bot:
    """An API key of an account, and what the account's events are."""

    def __init__(self, gateway: Gateway, account: str) -> None:
        self.gateway = gateway
        self.name = account
        self.key_id, self.key, self.secret = gateway.add_api_key(account)

    def listen_key(self) -> dict[str, Any]:
        """The only listen key of the account."""
        (key,) = self.gateway.listen_keys(self.name)
        return key

    def publish(self, stream: str, events: list[Event]) -> int:
        """Publish, and return the last offset."""
        answers = self.gateway.publish(self.name, stream, events)
        assert all("offset" in answer for answer in answers), answers
        return int(answers[-1]["offset"])

    def await_subscription(self, stream: str, sockets: int = 1) -> None:
        """Wait until so many sockets of the account are subscribed."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._subscriptions()[self.name, stream] >= sockets:
                return
            time.sleep(0.05)
        raise AssertionError(f"no socket was ever subscribed to {stream} of {self.name}")

    def _subscriptions(self) -> Counter[tuple[str, str]]:
        connections = self.gateway.admin_items("/v1/connections")
        return Counter(
            (each["account"], each["stream"]) for one in connections for each in one["subscriptions"]
        )


class Account(Bot):
    """An account with an API key of its own."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        super().__init__(gateway, gateway.add_account(name.lower().replace(":", "-").replace("_", "-")[:64]))


def start(
    client: Client,
    stream: str,
    account: Bot,
    venue: str,
    more: Mapping[str, str] | None = None,
    *,
    authority: Path | None = None,
) -> Play:
    """Start a client's driver with its lines of the page, pointed at `venue`, trusting `authority`; `more` is
    told to the driver."""
    given = dict(more or {}) | {
        "API_KEY": account.key,
        "API_SECRET": account.secret,
        "STREAM": stream,
        "PAGE_BLOCK": page.block(client.name, client.after, venue, authority),
    }
    if authority is not None:
        given |= page.environment(authority)
    home = INSTALLED / client.home
    if not (home / ".installed").is_file():
        pytest.skip(f"{client.home} is not installed: run tests/clients/setup")
    program = "node" if client.home == "node" else home / "bin" / "python"
    return Play([program, DRIVERS / client.driver], given, home)


def handed(client: Client, events: list[Event]) -> list[Any]:
    """What a client's handler is given for these events."""
    return [seen for event in events if (seen := client.sees(event)) is not None]


def whole_life(client: Client, stream: str, account: Account, play: Play) -> None:
    """Open, be given events, extend, be given more, close, and be given nothing more."""
    first, second, third = (round_of(stream, number) for number in (1, 2, 3))
    play.opened()
    account.await_subscription(stream)
    account.publish(stream, first)
    seen = handed(client, first)
    assert play.wait_for(len(seen)) == seen

    extend(account, play)
    account.publish(stream, second)
    seen += handed(client, second)
    assert play.wait_for(len(seen)) == seen

    with witness(account, stream) as control:
        if client.closes:
            play.order("close")
        else:
            account.gateway.admin_json("DELETE", f"/v1/listen-keys/{account.listen_key()['id']}")
        assert account.listen_key()["state"] == "closed"
        control.wait_for(account.publish(stream, third))
    time.sleep(GRACE)
    events = play.leave()
    notices = [
        event for event in events[len(seen) :] if "listenKey" in event or event.get("e") == "listenKeyExpired"
    ]
    assert events == seen + notices
    assert len(notices) <= 1


def extend(account: Account, play: Play) -> None:
    """Have the client extend its key, and see that it lives an hour from then."""
    before = account.listen_key()
    asked = time.time_ns() // 1_000_000
    play.order("extend")
    after = account.listen_key()
    answered = time.time_ns() // 1_000_000
    assert after["id"] == before["id"]
    assert after["expires_at"] > before["expires_at"]
    assert asked + HOUR - SLACK <= after["expires_at"] <= answered + HOUR + SLACK


class Witness:
    """A native stream, which needs no listen key: the positive control of a silence.

    It is opened before the events are published; what it has read was given out to all open subscriptions.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._messages = (
            json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")
        )

    def ready(self) -> None:
        """Return when the stream has said where it starts."""
        assert "position" in next(self._messages)

    def wait_for(self, offset: int) -> None:
        """Return when the event with this offset came by."""
        assert any(message.get("offset") == offset for message in self._messages), "the witness was cut off"


@contextlib.contextmanager
def witness(account: Account, stream: str) -> Iterator[Witness]:
    """Open a native stream as server-sent events with an API key."""
    headers = {"Authorization": f"Bearer {account.key}", "Accept": "text/event-stream"}
    url, params = f"{account.gateway.venue}/lk/v1/stream", {"stream": stream}
    with (
        httpx.Client(trust_env=False, timeout=10, verify=account.gateway.tls) as client,
        client.stream("GET", url, params=params, headers=headers) as response,
    ):
        assert response.status_code == httpx.codes.OK, response.read()
        opened = Witness(response.iter_lines())
        opened.ready()
        yield opened
