"""Two bots of one account, an API key each, at venues that have one listen key for an account."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.cast import CAST, SPOT, USDM, Client
from tests.clients.events import Event, round_of
from tests.clients.play import Play
from tests.clients.stage import GRACE, Account, Bot, handed, start, witness
from tests.support.gateway import Gateway

BY_NAME = {client.name: client for client in CAST}
PAIRS = [
    pytest.param("python-binance-1.0.19", "binance-connector-js", SPOT, id="spot"),  # DELETE names the key
    pytest.param("binance-sdk-usds-futures", "python-binance", USDM, id="usdm"),  # DELETE names nothing
]


@pytest.fixture(scope="module")
def venue_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that closes as the venues do."""
    file = tmp_path_factory.mktemp("venue") / "listenkey.toml"
    file.write_text('[streams]\nclose = "venue"\n', encoding="ascii")
    with Gateway(limits=None, args=["--config", str(file)]) as running:
        yield running


def is_news(event: Any) -> bool:
    """Whether an event is not about a key's end."""
    return "listenKey" not in event and event.get("e") != "error"


class Two:
    """Both bots on one stream, which have heard the first round."""

    def __init__(self, bots: tuple[Client, Client], stream: str, account: Account) -> None:
        self.closing, self.staying = bots
        self.stream = stream
        self.account = account
        self.other = Bot(account.gateway, account.name)

    def play(self) -> Iterator[tuple[Play, Play]]:
        """Both as they run."""
        venue = self.account.gateway.venue
        with (
            start(self.closing, self.stream, self.account, venue) as closing,
            start(self.staying, self.stream, self.other, venue) as staying,
        ):
            closing.opened()
            staying.opened()
            self.account.await_subscription(self.stream, sockets=2)
            yield closing, staying

    def publish(self, number: int) -> list[Event]:
        """One round, which everybody with an open stream has been sent when this returns."""
        events = round_of(self.stream, number)
        with witness(self.account, self.stream) as control:
            control.wait_for(self.account.publish(self.stream, events))
        return events

    def states(self) -> dict[str, str]:
        """The state of the listen keys, by API key."""
        keys = self.account.gateway.listen_keys(self.account.name)
        return {key["api_key"]: key["state"] for key in keys}


@pytest.mark.parametrize(("closing", "staying", "stream"), PAIRS)
def test_a_close_ends_the_stream_of_its_holder_alone(
    closing: str, staying: str, stream: str, gateway: Gateway
) -> None:
    """One bot says DELETE and hears nothing more; the other's stream goes on without a break."""
    two = Two((BY_NAME[closing], BY_NAME[staying]), stream, Account(gateway, f"holders-{stream}"))
    for leaver, stayer in two.play():
        first = two.publish(1)
        leaver.wait_for_last(handed(two.closing, first)[-1])
        leaver.order("close")
        assert two.states() == {two.account.key_id: "closed", two.other.key_id: "active"}
        second = two.publish(2)
        seen = handed(two.staying, first + second)
        stayer.wait_for_last(seen[-1])
        time.sleep(GRACE)
        assert stayer.leave() == seen
        assert list(filter(is_news, leaver.leave())) == handed(two.closing, first)


@pytest.mark.parametrize(("closing", "staying", "stream"), PAIRS)
def test_as_at_the_venue_a_close_ends_everyones_stream(
    closing: str, staying: str, stream: str, venue_like: Gateway
) -> None:
    """With `close = "venue"` there is one key, and the DELETE of one bot silences both."""
    two = Two((BY_NAME[closing], BY_NAME[staying]), stream, Account(venue_like, f"venue-{stream}"))
    for leaver, stayer in two.play():
        first = two.publish(1)
        for bot, client in ((leaver, two.closing), (stayer, two.staying)):
            bot.wait_for_last(handed(client, first)[-1])
        leaver.order("close")
        assert list(two.states().values()) == ["closed"]
        two.publish(2)
        time.sleep(GRACE)
        for bot, client in ((leaver, two.closing), (stayer, two.staying)):
            assert list(filter(is_news, bot.leave())) == handed(client, first)
