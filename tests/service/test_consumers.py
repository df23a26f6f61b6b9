"""What of consumers is written down, and who is let go."""

import asyncio

import pytest

from listenkey.base.errors import StoreError
from listenkey.core.position import Position
from tests.service.house import HOME, USDM

EVENTS = [{"e": "ORDER_TRADE_UPDATE"}] * 50


@pytest.fixture
def written(house, monkeypatch):
    """The cursors that are put into the store."""
    put, found = house.store.put_cursors, []

    def spy(cursors, now):
        found.extend(cursor.confirmed for _, cursor in cursors)
        return put(cursors, now)

    monkeypatch.setattr(house.store, "put_cursors", spy)
    return found


def confirm_all(house, watcher):
    """The socket surely has all that it was sent."""
    (subscription,) = watcher.subscriptions
    place = Position(subscription.epoch, subscription.next - 1)
    house.gateway.streams.confirm(subscription, place, 0, 0)


def leave(house, watcher):
    """The socket is gone."""
    for subscription in tuple(watcher.subscriptions):
        house.gateway.streams.cancel(subscription)


async def test_coming_and_going_writes_nothing_and_holds_nothing(house, written):
    """A storm of reconnects on quiet streams costs no write, and leaves nobody in memory."""
    string = await house.create(USDM, await house.account())
    consumers = house.gateway.streams._consumers
    for _ in range(3):
        watcher = house.watch(string)
        await consumers.keep()
        assert len(consumers._open) == 1
        leave(house, watcher)
        await consumers.keep()
        assert not consumers._open
    assert written == []


async def test_what_was_confirmed_is_written_once(house, written):
    """However often cursors are kept; and it is where the next socket goes on, less the overlap."""
    string = await house.create(USDM, await house.account())
    consumers = house.gateway.streams._consumers
    watcher = house.watch(string)
    await house.publish("alice", "binance-usdm", *EVENTS)
    confirm_all(house, watcher)
    await consumers.keep()
    await consumers.keep()
    leave(house, watcher)
    await consumers.keep()
    assert written == [50]


async def test_what_could_not_be_written_is_tried_again(house, monkeypatch):
    """A store that fails for a while loses no cursor."""
    string = await house.create(USDM, await house.account())
    consumers = house.gateway.streams._consumers
    watcher = house.watch(string)
    await house.publish("alice", "binance-usdm", *EVENTS)
    confirm_all(house, watcher)
    refused = asyncio.get_running_loop().create_future()
    refused.set_exception(StoreError("the disk is full", "make room"))
    with monkeypatch.context() as patched:
        patched.setattr(house.store, "put_cursors", lambda cursors, now: refused)
        await consumers.keep()
    leave(house, watcher)
    await consumers.keep()
    assert not consumers._open
    (consumer_id,) = consumers.ids_of(1, ("binance-usdm",), house.resolve(string).key.user, HOME)
    assert house.store.find_place(consumer_id).cursor.confirmed == 50
