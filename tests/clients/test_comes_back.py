"""What a published client does when its socket breaks in the middle: it comes back and hears what is next.

The clients that are cut hundreds of times are in test_cuts.py; here each of the others is cut once.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients.cast import (
    BINGX_SPOT,
    CAST,
    DELIVERY,
    ISOLATED,
    MARGIN,
    OPTIONS,
    PM,
    RISK,
    SPOT,
    US,
    USDM,
    Client,
)
from tests.clients.events import Event, round_of
from tests.clients.play import Play
from tests.clients.stage import Account, handed, start
from tests.support.fault_proxy import FaultProxy
from tests.support.gateway import Gateway

BY_NAME = {client.name: client for client in CAST}
PARTS = (
    ("python-binance-api", SPOT),
    ("python-binance-api", ISOLATED),
    ("python-binance-us", US),
    ("ccxt-binance", SPOT),
    ("ccxt-binance", MARGIN),
    ("binance-sdk-coin-futures", DELIVERY),
    ("binance-sdk-options", OPTIONS),
    ("binance-sdk-portfolio-margin", PM),
    ("binance-sdk-margin-trading", RISK),
    ("binance-sdk-spot", SPOT),
    ("binance-sdk-spot-ed25519", SPOT),
    ("unicorn", SPOT),
    ("unicorn", USDM),
    ("unicorn", PM),
    ("binance-js-api", SPOT),
    ("binance-js-api", MARGIN),
    ("node-ccxt-binance", SPOT),
    ("node-ccxt-binance", MARGIN),
    ("node-ccxt-bingx", BINGX_SPOT),
    ("binance-sdk-usds-futures-js", USDM),
    ("binance-sdk-coin-futures-js", DELIVERY),
    ("binance-sdk-portfolio-margin-js", PM),
    ("binance-sdk-spot-js", SPOT),
)
AT_ONCE = 8
"""So many at once; a machine with two cores is slow to start more."""


@dataclass
class Cut:
    """One client behind a network of its own."""

    client: Client
    stream: str
    account: Account
    proxy: FaultProxy
    play: Play

    def opened(self) -> None:
        """It is subscribed and has heard the first round."""
        self.play.opened()
        self.account.await_subscription(self.stream)
        self.publish(1)

    def cut(self) -> frozenset[str]:
        """Break its newest socket; the ids of those that it had."""
        sockets = frozenset(self.account.sockets(self.stream))
        self.proxy.cut("reset", "down", after=1 << 30, patience=0.0).result(20)
        return sockets

    def is_back(self, before: frozenset[str]) -> None:
        """It is subscribed on another socket, and hears the second round."""
        self.account.await_subscription(self.stream, other_than=before)
        self.publish(2)

    def publish(self, number: int) -> None:
        """A round of events, which comes whole and in order; what came before the cut may come again."""
        events: list[Event] = round_of(self.stream, number)
        self.account.publish(self.stream, events)
        wanted = handed(self.client, events)
        given = self.play.wait_for_last(wanted[-1])
        assert [event for event in without_repeats(given) if event in wanted] == wanted


def without_repeats(events: list[Any]) -> Iterator[Any]:
    """Each event where it came first."""
    return (event for at, event in enumerate(events) if event not in events[:at])


def enter(stack: ExitStack, gateway: Gateway, name: str, stream: str) -> Cut:
    """Start a client."""
    client = BY_NAME[name]
    account = Account(gateway, f"back-{name}-{stream}", ed25519=client.ed25519)
    proxy = stack.enter_context(FaultProxy(gateway.venue))
    play = stack.enter_context(start(client, stream, account, proxy.url, {"RECONNECT_MS": "50"}))
    return Cut(client, stream, account, proxy, play)


@pytest.mark.every_client
@pytest.mark.parametrize("first", range(0, len(PARTS), AT_ONCE))
def test_a_client_that_is_cut_off_comes_back(first: int, gateway: Gateway) -> None:
    """Several clients at once; the one that comes back the last needs ten seconds."""
    with ExitStack() as stack:
        cuts = [enter(stack, gateway, *part) for part in PARTS[first : first + AT_ONCE]]
        for each in cuts:
            each.opened()
        before = [each.cut() for each in cuts]
        for each, sockets in zip(cuts, before, strict=True):
            each.is_back(sockets)
