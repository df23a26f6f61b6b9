"""Bots of one account, each with a listen key string of its own: what ends for one goes on for the others."""

import pytest

from listenkey.base.clock import HOUR, MINUTE
from tests.service.house import SPOT

STREAM = "binance-spot"


class Bot:
    """An API key, its string and an open socket."""

    def __init__(self, api_key, string, watcher):
        self.api_key, self.string, self.watcher = api_key, string, watcher

    @property
    def numbers(self):
        """Of the events that came."""
        return [payload["n"] for payload in self.watcher.payloads]


@pytest.fixture
async def bots(house):
    """Three bots of alice."""
    api_keys = [await house.account(), await house.api_key(), await house.api_key()]
    strings = [await house.create(SPOT, each) for each in api_keys]
    return [Bot(key, text, house.watch(text)) for key, text in zip(api_keys, strings, strict=True)]


async def publish(house, number):
    """One event, to whoever hears it."""
    await house.publish("alice", STREAM, {"e": "executionReport", "n": number})


def listed(house):
    """State of each API key's string, as an operator sees them."""
    keys = house.store.read_keys("alice", None, None, 0, 9)
    assert len(keys) == 3
    return {key.user: key.state for key in keys}


def all_but(bots, ended, state):
    """What is to be listed where one of them ended."""
    return {bot.api_key.id: state if bot is ended else "active" for bot in bots}


async def test_strings_run_out_one_by_one(house, bots):
    """Who stops extending is silenced at the end of its own hour; the others hear on."""
    idle, *extending = bots
    for _ in range(3):
        house.clock.advance(20 * MINUTE)
        for bot in extending:
            answer = await house.call("PUT", SPOT, bot.api_key, f"listenKey={bot.string}")
            assert answer.status == 200
    assert await house.gateway.keys.expire_due() == 1
    assert listed(house) == all_but(bots, idle, "expired")
    await publish(house, 1)
    assert [bot.numbers for bot in bots] == [[], [1], [1]]
    assert idle.watcher.reasons == ["expired"]


async def test_revoking_ends_the_strings_of_that_holder_alone(house, bots):
    """An operator takes one bot's API key away, and no other bot notices."""
    revoked = bots[1]
    await house.gateway.accounts.revoke_api_key(revoked.api_key.id)
    assert listed(house) == all_but(bots, revoked, "closed")
    await publish(house, 1)
    assert [bot.numbers for bot in bots] == [[1], [], [1]]


async def test_when_the_last_one_is_gone_nothing_of_it_is(house, bots):
    """Each comes back to a new string, and to what it missed meanwhile; a closed string opens nothing."""
    await publish(house, 1)
    for bot in bots:
        assert (await house.call("DELETE", SPOT, bot.api_key, f"listenKey={bot.string}")).status == 200
    await publish(house, 2)
    house.clock.advance(MINUTE)
    for bot in bots:
        assert bot.numbers == [1]
        assert house.resolve(bot.string) is None
        again = house.watch(string := await house.create(SPOT, bot.api_key))
        await house.drain()
        assert string not in {each.string for each in bots}
        assert [payload["n"] for payload in again.payloads] == [1, 2]


async def test_who_is_away_longest_ends_nobody_else(house, bots):
    """Two hours without a sign of two of them: the third one's string is still the one that it had."""
    living = bots[2]
    for _ in range(4):
        house.clock.advance(HOUR // 2)
        assert await house.create(SPOT, living.api_key) == living.string
    await house.gateway.keys.expire_due()
    assert sorted(listed(house).values()) == ["active", "expired", "expired"]
    await publish(house, 1)
    assert living.numbers == [1]
