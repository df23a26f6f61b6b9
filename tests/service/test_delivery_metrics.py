"""What is counted of delivery: how far sockets are behind, what nobody confirmed, what came late."""

import pytest

from listenkey.base.clock import HOUR
from listenkey.core.consumer import Reach
from listenkey.core.position import Position
from listenkey.service.consumers import Delivery, DeliveryRules
from tests.service.house import USDM

STREAM = "binance-usdm"


@pytest.fixture
async def house(make_house):
    """A house whose replays go back three events, and never further than twenty."""
    reach = Reach(overlap=0, overlap_events=3, most_events=20)
    return await make_house(delivery=DeliveryRules(Delivery(reach=reach)))


@pytest.fixture
async def string(house):
    """A listen key."""
    return await house.create(USDM, await house.account())


async def publish(house, count):
    """So many events."""
    await house.publish("alice", STREAM, *({"e": "ORDER_TRADE_UPDATE", "n": each} for each in range(count)))


def shown(house, *names):
    """Values on the page of metrics."""
    lines = house.gateway.metrics_page().render().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return [float(values[f"listenkey_events_{name}"]) for name in names]


def confirm(house, watcher):
    """The socket has had for long what it was sent."""
    (each,) = watcher.subscriptions
    for at in (0, HOUR, 2 * HOUR):
        house.gateway.streams.confirm(each, Position(each.epoch, each.next - 1), at, at)


def leave(house, watcher):
    """The socket is gone."""
    (each,) = watcher.subscriptions
    house.gateway.streams.cancel(each)


async def test_what_nobody_confirmed_is_shown_until_it_is(house, string):
    """An operator sees that a client takes events and never says so."""
    watcher = house.watch(string)
    await publish(house, 5)
    assert shown(house, "unsent", "unconfirmed") == [0, 5]
    confirm(house, watcher)
    assert shown(house, "unsent", "unconfirmed") == [0, 0]
    await publish(house, 2)
    leave(house, watcher)
    assert shown(house, "unsent", "unconfirmed") == [0, 0], "nobody is behind where nobody reads"


async def test_a_replay_is_a_lag_until_it_has_caught_up(house, string):
    """How far sockets are behind, what they are sent again or late, and what they are not sent at all."""
    watcher = house.watch(string)
    await publish(house, 5)
    confirm(house, watcher)
    leave(house, watcher)
    await publish(house, 7)
    watcher = house.watch(string)
    assert shown(house, "unsent", "replayed_total", "passed_over_total") == [10, 10, 0]
    await house.drain()
    assert shown(house, "unsent", "unconfirmed", "replayed_total") == [0, 7, 10]
    leave(house, watcher)
    await publish(house, 30)
    house.watch(string)
    assert shown(house, "unsent", "replayed_total", "passed_over_total") == [20, 30, 17]


async def test_a_reader_that_crosses_epochs_is_behind_by_both(make_house):
    """After a restore or an unclean start the end of the old history comes first: an operator sees all that
    is still to be sent, not the difference of two offsets that have nothing to do with each other."""
    house = await make_house(durability="relaxed")
    string = await house.create(USDM, await house.account())
    await publish(house, 100)
    await house.crash()
    await publish(house, 3)
    watcher = house.watch(string)
    assert shown(house, "unsent", "unconfirmed") == [103, 0]
    await house.drain()
    assert len(watcher.offsets) == 103
    assert shown(house, "unsent", "unconfirmed") == [0, 3]
