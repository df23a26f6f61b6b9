"""The whole life of a user-data stream under programs that nobody here wrote.

Each client makes a listen key, opens its stream, is given what is published for its account, extends the
key, closes it, and hears nothing more. All it was told is what the how-to page tells its reader.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.cast import CAST, Client
from tests.clients.events import Event, round_of
from tests.clients.stage import await_subscription, start, witness
from tests.support.gateway import Gateway
from tests.support.tap import Tap

HOUR = 3_600_000
GRACE = 0.3  # seconds for what should not come, after the witness had it


def parts() -> Iterator[Any]:
    """Every client on every stream of its own; those beyond `make test` are marked."""
    for client in CAST:
        for stream in client.streams:
            marks = () if stream in client.short else (pytest.mark.every_client,)
            yield pytest.param(client, stream, id=f"{client.name}-{stream}", marks=marks)


def key_of(gateway: Gateway, account: str) -> dict[str, Any]:
    """The only listen key of an account."""
    (key,) = gateway.listen_keys(account)
    return key


def publish(gateway: Gateway, account: str, stream: str, events: list[Event]) -> int:
    """Publish, and return the last offset."""
    answers = gateway.publish(account, stream, events)
    assert all("offset" in answer for answer in answers), answers
    return int(answers[-1]["offset"])


@pytest.mark.parametrize(("client", "stream"), list(parts()))
def test_whole_life(client: Client, stream: str, gateway: Gateway, request: pytest.FixtureRequest) -> None:
    account = gateway.add_account(request.node.callspec.id.lower().replace(":", "-"))
    _, *credentials = gateway.add_api_key(account)
    first, second, third = (round_of(stream, number) for number in (1, 2, 3))
    seen = [handed for event in first if (handed := client.sees(event)) is not None]
    then = [handed for event in second if (handed := client.sees(event)) is not None]

    with Tap(gateway.venue) as tap, start(client, stream, tap.url, (credentials[0], credentials[1])) as play:
        play.opened()
        await_subscription(gateway, account, stream)
        publish(gateway, account, stream, first)
        assert play.wait_for(len(seen)) == seen

        before = key_of(gateway, account)
        asked = time.time_ns() // 1_000_000
        play.order("extend")
        after = key_of(gateway, account)
        assert after["id"] == before["id"]
        assert after["expires_at"] > before["expires_at"]
        assert asked + HOUR - 100 <= after["expires_at"] <= time.time_ns() // 1_000_000 + HOUR + 100

        publish(gateway, account, stream, second)
        assert play.wait_for(len(seen + then)) == seen + then

        with witness(gateway.venue, credentials[0], stream) as control:
            if client.closes:
                play.order("close")
            else:
                gateway.admin_json("DELETE", f"/v1/listen-keys/{after['id']}")
            assert key_of(gateway, account)["state"] == "closed"
            control.wait_for(publish(gateway, account, stream, third))
        time.sleep(GRACE)
        events = play.leave()

    notices = [event for event in events[len(seen + then) :] if "listenKey" in event]
    assert events == seen + then + notices
    assert len(notices) <= 1
    assert not [status for status in tap.statuses if status >= 500], tap.requests
