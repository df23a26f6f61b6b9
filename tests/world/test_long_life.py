import asyncio
from random import Random

import pytest

from listenkey.base.clock import HOUR, MINUTE, SECOND
from tests.service.house import BINGX, SPOT, USDM, House

HOURS = 10_000


async def start(folder):
    house = await House(folder / "house").open()
    return house, await house.account()


async def live_on(folder):
    """A key for ten thousand hours: extended in time, now and then too late, twice over a restart."""
    random = Random(1)
    house, api_key = await start(folder)
    begun = house.clock.wall()
    string, end, made, expired = await house.create(SPOT, api_key), begun + HOUR, 1, 0
    watcher = house.watch(string)
    while house.clock.wall() - begun < HOURS * HOUR:
        spare = random.choice([1, 1, SECOND, MINUTE, 10 * MINUTE, 30 * MINUTE] * 8 + [0, -1])
        house.clock.advance(end - spare - house.clock.wall())
        answer = await house.call("PUT", SPOT, api_key, f"listenKey={string}")
        assert (answer.status == 200) is (spare > 0), "I5: in time by a microsecond is in time"
        assert (house.resolve(string) is not None) is (spare > 0)
        assert watcher.reasons == ([] if spare > 0 else ["expired"])
        if spare <= 0:
            following = await house.create(SPOT, api_key)
            assert following != string
            string, made, expired = following, made + 1, expired + 1
            watcher = house.watch(string)
        end = house.clock.wall() + HOUR
        if random.random() < 0.0002:
            await house.crash(away=30 * MINUTE)
            assert house.resolve(string)
            watcher = house.watch(string)
    counts = house.store.count_keys()
    await house.close()
    return made, expired, counts


def test_ten_thousand_hours_of_a_key_s_life(folder):
    """I1, I5: a bot that is in time keeps its key, one that is late by nothing gets another."""
    made, expired, counts = asyncio.run(live_on(folder))
    assert made > 100
    assert counts == {"active": 1, "closed": 0, "expired": expired}


@pytest.mark.parametrize("late", [-1, 0, 1])
@pytest.mark.parametrize("order", ["extend expire", "expire extend", "expire extend expire"])
@pytest.mark.parametrize("path", [SPOT, USDM, BINGX])
def test_expiry_races_extend_at_the_same_microsecond(folder, path, order, late):
    """I5: one of them wins, the answer says which, and the record and the socket agree with the answer."""

    async def race():
        house, api_key = await start(folder)
        string = await house.create(path, api_key)
        watcher = house.watch(string)
        query = "" if path == USDM else f"listenKey={string}"
        house.clock.advance(HOUR + late)
        steps = {
            "extend": lambda: house.call("PUT", path, api_key, query),
            "expire": house.gateway.keys.expire_due,
        }
        outcomes = await asyncio.gather(*(steps[step]() for step in order.split()))
        (answer,) = [outcome for outcome in outcomes if not isinstance(outcome, int)]
        (key,) = house.store.read_keys("alice", None, None, 0, 9)
        won = answer.status == 200
        now = house.clock.wall()
        assert won is (late < 0)
        assert (key.state, key.expires_at) == (("active", now + HOUR) if won else ("expired", now - late))
        assert watcher.reasons == ([] if won else ["expired"])
        assert (house.resolve(string) is not None) is won
        await house.close()

    asyncio.run(race())
