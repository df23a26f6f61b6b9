import asyncio
from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from listenkey.base.clock import MINUTE, SECOND
from listenkey.service.limits import Call, Caller, settle
from tests.service.house import DIALECTS, HOME, USDM, House

LIMIT = 12
AWAY = "198.51.100.7"


def narrow():
    """All dialects, with room for a dozen calls of USD-M a minute and a dozen attempts to connect to spot in
    five, and bans for who goes on six times."""
    narrowed = dict(DIALECTS)
    for name in ("binance-usdm", "binance-spot"):
        dialect = DIALECTS[name]
        buckets = tuple(replace(bucket, limit=LIMIT) for bucket in dialect.limits.buckets)
        limits = replace(dialect.limits, buckets=buckets, bans=replace(dialect.limits.bans, after_refused=6))
        narrowed[name] = replace(dialect, limits=limits)
    return narrowed


class Rush:
    """Bots that call far too often at a gateway that keeps dying, and what they were answered."""

    def __init__(self, seed, folder):
        self.random = Random(seed)
        self.house = House(folder / "house", limits="account", dialects=narrow())
        self.admitted = Counter()  # answered calls by caller and minute
        self.connected = Counter()  # sockets opened by caller and five minutes
        self.shut_out = {}  # until when, by caller
        self.kept_away = {}  # the same, for connecting

    async def run(self):
        await self.house.open()
        try:
            callers = [(await self.house.account("alice"), HOME), (await self.house.account("bob"), HOME)]
            callers += [(callers[0][0], AWAY), (None, HOME)]
            for _ in range(110):
                await self.step(callers)
        finally:
            await self.house.close()

    async def step(self, callers):
        calls = [
            self.random.choice([self.call, self.connect])(*self.random.choice(callers))
            for _ in range(self.random.randint(1, 20))
        ]
        pick = self.random.random()
        if pick < 0.8:
            await asyncio.gather(*calls)
        else:
            tasks = [asyncio.ensure_future(call) for call in calls]
            await self.house.breathe(self.random.randint(1, 6))
            await self.house.crash(self.random.choice([0, 0, SECOND, MINUTE]), on_its_way=tasks)
        self.house.clock.advance(self.random.choice([0, 0, 0, SECOND, 20 * SECOND]))
        if self.random.random() < 0.03:
            await self.house.restart(self.random.choice([0, 2 * MINUTE]))

    async def call(self, api_key, address):
        now = self.house.clock.wall()
        caller = (api_key.id if api_key else "", address)
        answer = await self.house.call("POST", USDM, api_key, address=address)
        if answer.status == 418:
            self.shut_out[caller] = now + int(answer.headers["retry-after"]) * SECOND
            return
        assert now >= self.shut_out.get(caller, 0), "I6: a ban ends when it was said to end"
        if answer.status == 429:
            return
        minute = now // MINUTE
        self.admitted[caller, minute] += 1
        used = int(answer.headers["x-mbx-used-weight-1m"])
        assert self.admitted[caller, minute] <= used, "I6: what was answered counts, after a crash too"
        assert self.admitted[caller, minute] <= LIMIT, "I6: no window admits more than its limit"

    async def connect(self, api_key, address):
        """A handshake, as the edge counts it and answers once that is durable."""
        gateway, now = self.house.gateway, self.house.clock.wall()
        account = api_key and gateway.credentials.find(api_key.key).account_id
        caller = api_key and Caller(api_key.id, account)
        dialect = self.house.dialects["binance-spot"]
        verdict = gateway.limiter.admit(
            Call(dialect, "", ("connections",), 1, address, caller, "stream"), now
        )
        await settle(verdict.durable)
        who, window = (api_key.id if api_key else "", address), now // (5 * MINUTE)
        if verdict.fault is not None and verdict.fault.kind == "banned":
            assert api_key, "nobody is banned for connecting without a key"
            self.kept_away[who] = now + int(dict(verdict.headers)[b"Retry-After"]) * SECOND
        elif verdict.fault is None:
            assert now >= self.kept_away.get(who, 0), "I6: a ban ends when it was said to end"
            self.connected[who, window] += 1
            assert self.connected[who, window] <= LIMIT, "I6: no window admits more than its limit"


@pytest.mark.parametrize("seed", range(12))
def test_limits_hold_however_often_the_process_dies(seed, folder):
    """I6: with calls on their way at every end, nobody gets more than a window has, and nobody in early."""
    rush = Rush(seed, folder)
    asyncio.run(rush.run())
    assert max(rush.admitted.values()) >= LIMIT // 2
    assert max(rush.connected.values()) >= LIMIT // 2
    assert rush.shut_out
    assert rush.kept_away


@pytest.mark.soak
@pytest.mark.parametrize("first", range(12, 3_000, 12))
def test_limits_hold_in_many_more_rushes(first, folder):
    """The same for seeds that nobody has seen fail yet."""
    for seed in range(first, first + 12):
        asyncio.run(Rush(seed, folder / str(seed)).run())
