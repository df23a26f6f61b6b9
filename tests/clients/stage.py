"""What the plays share: starting a driver, a stream's whole life, and a witness for silence."""

import contextlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

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

    def __init__(self, gateway: Gateway, account: str, *, ed25519: bool = False) -> None:
        self.gateway = gateway
        self.name = account
        if ed25519:
            self.key_id, self.key, self.secret = key_pair(gateway, account)
        else:
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

    def await_subscription(self, stream: str, sockets: int = 1, other_than: Collection[str] = ()) -> None:
        """Wait until so many sockets of the account are subscribed, of those whose ids are not given."""
        await_(
            lambda: len(self.sockets(stream) - set(other_than)) >= sockets,
            f"no socket was ever subscribed to {stream} of {self.name}",
        )

    def await_end(self, stream: str, sockets: Collection[str]) -> None:
        """Wait until none of these sockets is subscribed to a stream of the account."""
        await_(lambda: not self.sockets(stream) & set(sockets), f"{self.name} stays subscribed to {stream}")

    def sockets(self, stream: str) -> set[str]:
        """The ids of the sockets that are subscribed to a stream of the account."""
        return {
            connection["id"]
            for connection in self.gateway.admin_items("/v1/connections")
            for each in connection["subscriptions"]
            if (each["account"], each["stream"]) == (self.name, stream)
        }


def await_(ready: Callable[[], bool], otherwise: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


class Account(Bot):
    """An account with an API key of its own."""

    def __init__(self, gateway: Gateway, name: str, *, ed25519: bool = False) -> None:
        account = gateway.add_account(name.lower().replace(":", "-").replace("_", "-")[:64])
        super().__init__(gateway, account, ed25519=ed25519)


def key_pair(gateway: Gateway, account: str) -> tuple[str, str, str]:
    """An API key that signs with a private key: its id, the key, and the private key in PEM."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    made = gateway.admin_json("POST", f"/v1/accounts/{account}/api-keys", {"public_key": public})
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return made["id"], made["key"], pem


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

    if stream not in client.keyless:
        extend(account, play)
    account.publish(stream, second)
    seen += handed(client, second)
    assert play.wait_for(len(seen)) == seen

    sockets = account.sockets(stream)
    with witness(account, stream) as control:
        if stream in client.keyless:
            play.order("close")
            account.await_end(stream, sockets)
        else:
            close_key(client, account, play)
        control.wait_for(account.publish(stream, third))
    time.sleep(GRACE)
    events = play.leave()
    assert events[: len(seen)] == seen, events
    notices = events[len(seen) :]
    assert len(notices) <= 1, notices
    assert all(is_notice(client, notice) for notice in notices), notices


def is_notice(client: Client, event: Any) -> bool:
    """Whether an event says that its stream is over."""
    said = "E" in event and client.sees({"e": "eventStreamTerminated", "E": event["E"]})
    return "listenKey" in event or event.get("e") == "listenKeyExpired" or event == said


def close_key(client: Client, account: Account, play: Play) -> None:
    """Have the client close its key, and see that it is closed."""
    if client.closes:
        play.order("close")
    else:
        account.gateway.admin_json("DELETE", f"/v1/listen-keys/{account.listen_key()['id']}")
    assert account.listen_key()["state"] == "closed"


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
