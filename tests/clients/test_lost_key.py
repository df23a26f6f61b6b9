"""A bot whose listen key ended, by its own hand or by the clock, makes a new one and goes on where it was."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.cast import CAST, SPOT, SWAP, USDM, Client
from tests.clients.events import round_of
from tests.clients.play import Play
from tests.clients.stage import Account, handed, start
from tests.support.gateway import Gateway

BY_NAME = {client.name: client for client in CAST}


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose keys live three seconds."""
    file = tmp_path_factory.mktemp("brief") / "listenkey.toml"
    spaces = ("binance-spot", "binance-usdm", "bingx")
    file.write_text("".join(f"[dialect.{each}]\nlifetime_seconds = 3\n" for each in spaces), encoding="ascii")
    with Gateway(limits=None, args=["--config", str(file)]) as running:
        yield running


def is_notice(event: Any) -> bool:
    """Whether an event is about a key's end."""
    return "listenKey" in event


class Reader:
    """One bot on a stream, and what it was given."""

    def __init__(self, name: str, stream: str, gateway: Gateway, why: str) -> None:
        self.client: Client = BY_NAME[name]
        self.stream = stream
        self.account = Account(gateway, f"{why}-{name}")

    def start(self) -> Play:
        """As it is started."""
        return start(self.client, self.stream, self.account, self.account.gateway.venue)

    def publish(self, number: int) -> list[Any]:
        """A round of events, as the bot's handler is to be given them."""
        events = round_of(self.stream, number)
        self.account.publish(self.stream, events)
        return handed(self.client, events)

    def states(self) -> list[str]:
        """Of the account's listen keys."""
        return sorted(key["state"] for key in self.account.gateway.listen_keys(self.account.name))

    def check(self, given: list[Any], rounds: list[list[Any]]) -> None:
        """Everything came, in order; what came before the key's end may be repeated, the rest came once."""
        events = [event for event in given if not is_notice(event)]
        wanted = [event for each in rounds for event in each]
        assert [event for at, event in enumerate(events) if event not in events[:at]] == wanted
        assert events[-len(wanted) + len(rounds[0]) :] == wanted[len(rounds[0]) :]


@pytest.mark.parametrize(
    ("name", "stream"),
    [("binance-connector-js", SPOT), ("binance-sdk-usds-futures", USDM), ("bingx-api", SWAP)],
)
def test_what_came_between_a_close_and_the_next_key(name: str, stream: str, gateway: Gateway) -> None:
    """The bot closes its key, events come while it has none, it makes another: they are the next it hears."""
    reader = Reader(name, stream, gateway, "closes")
    with reader.start() as play:
        play.opened()
        reader.account.await_subscription(stream)
        rounds = [reader.publish(1)]
        play.wait_for_last(rounds[0][-1])
        if reader.client.closes:
            play.order("close")
        else:
            gateway.admin_json("DELETE", f"/v1/listen-keys/{reader.account.listen_key()['id']}")
        assert reader.states() == ["closed"]
        rounds.append(reader.publish(2))
        play.order("open")
        assert reader.states() == ["active", "closed"]
        play.wait_for_last(rounds[1][-1])
        rounds.append(reader.publish(3))
        play.wait_for_last(rounds[2][-1])
        reader.check(play.leave(), rounds)


@pytest.mark.parametrize(("name", "stream"), [("binance-connector-js", SPOT), ("bingx-api", SWAP)])
def test_what_came_between_an_expiry_and_the_next_key(name: str, stream: str, brief: Gateway) -> None:
    """Told that its key ran out, the bot makes another, and hears what came in between."""
    reader = Reader(name, stream, brief, "expires")
    with reader.start() as play:
        play.opened()
        reader.account.await_subscription(stream)
        rounds = [reader.publish(1)]
        play.until(lambda: any(map(is_notice, play.events)), "say that the key ran out")
        assert reader.states() == ["expired"]
        rounds.append(reader.publish(2))
        play.order("open")
        play.wait_for_last(rounds[1][-1])
        rounds.append(reader.publish(3))
        play.wait_for_last(rounds[2][-1])
        reader.check(play.leave(), rounds)


def test_a_client_that_renews_by_itself_misses_nothing(brief: Gateway) -> None:
    """One of the clients makes a new key when told; what comes while it does so is there for it."""
    reader = Reader("binance-js", USDM, brief, "renews")
    with reader.start() as play:
        play.opened()
        reader.account.await_subscription(USDM)
        rounds = [reader.publish(1)]
        play.until(lambda: any(map(is_notice, play.events)), "say that the key ran out")
        rounds.append(reader.publish(2))
        play.wait_for_last(rounds[1][-1])
        rounds.append(reader.publish(3))
        play.wait_for_last(rounds[2][-1])
        reader.check([*play.events], rounds)
