"""Attempts to connect, as the limiter counts them."""

import pytest

from listenkey.base.clock import MINUTE
from listenkey.service.limits import Call, Caller, Opening
from tests.service.house import HOME, SPOT
from tests.service.test_limits import AWAY, calls, with_limit


def attempt(house, api_key=None, *, opens="stream", address=HOME, pools=None, weight=1):
    """An attempt to open a socket of spot."""
    pools = pools or {"stream": ("connections",), "api": ("api-connections",)}[opens]
    caller = None if api_key is None else Caller(api_key.id, house.store.find_account("alice").id)
    return Call(house.dialects["binance-spot"], "", pools, weight, address, caller, opens)


def tried(house, count, api_key=None, **more):
    """How so many attempts to connect are answered."""
    verdicts = [
        house.gateway.limiter.admit(attempt(house, api_key, **more), house.clock.wall()) for _ in range(count)
    ]
    return [verdict.fault and verdict.fault.kind for verdict in verdicts]


TWO = {"connections": 2, "api_connections": 2}


async def test_attempts_to_connect_are_counted_apart_from_calls(make_house):
    """Two of two succeed, the next is told when to come back; calls and the other host do not notice."""
    house = await make_house(limits="venue", dialects=with_limit("binance-spot", **TWO))
    assert tried(house, 3) == [None, None, "too_many_connections"]
    verdict = house.gateway.limiter.admit(attempt(house), house.clock.wall())
    assert dict(verdict.headers) == {b"Retry-After": b"300"}
    assert (await house.call("GET", "/api/v3/time", None)).status == 200
    assert tried(house, 1, opens="api") == [None]
    assert tried(house, 1, address=AWAY) == [None]
    house.clock.advance(5 * MINUTE)
    assert tried(house, 1) == [None]


@pytest.mark.parametrize("limits", ["account", "venue"])
async def test_who_goes_on_connecting_is_banned_from_streams_alone(make_house, limits):
    """418 outlasts a crash, its lifting clears the count, and REST calls go on, as on a host of their own."""
    house = await make_house(limits=limits, dialects=with_limit("binance-spot", **TWO))
    alice = await house.account()
    answers = tried(house, 23, alice)
    assert answers == [None] * 2 + ["too_many_connections"] * 20 + ["banned"]
    await house.crash()
    assert tried(house, 1, alice) == ["banned"]
    assert (await house.call("POST", SPOT, alice)).status == 200
    (ban,) = house.gateway.limiter.bans(house.clock.wall())
    await house.gateway.limiter.lift(ban.id, house.clock.wall())
    assert tried(house, 1, alice) == ["too_many_connections"], "the window is as full as before"


async def test_a_bots_attempts_are_its_own(make_house):
    """Under `account` an API key that connects too often shuts out neither others behind its address nor
    those who have shown no key; nor does the ban that follows."""
    house = await make_house(limits="account", dialects=with_limit("binance-spot", **TWO))
    alice, second = await house.account(), await house.api_key("alice")
    assert tried(house, 30, alice)[-1] == "banned"
    assert tried(house, 1, second) == [None]
    assert tried(house, 1) == [None]
    assert tried(house, 1, alice, address=AWAY) == [None]


@pytest.mark.parametrize("opens", ["stream", "api"])
async def test_nobody_is_banned_for_attempts_that_show_no_key(make_house, opens):
    """Under `account` one bot in a loop gets every other a 429 for these minutes at worst, never a ban; nor
    do calls without a key that were banned keep anybody from connecting."""
    house = await make_house(limits="account", dialects=with_limit("binance-spot", weight=1, **TWO))
    assert set(tried(house, 100, opens=opens)[2:]) == {"too_many_connections"}
    await calls(house, 30, None, "/api/v3/time", "GET")
    assert (await house.call("GET", "/api/v3/time", None)).status == 418
    house.clock.advance(5 * MINUTE)
    assert tried(house, 1, opens=opens) == [None]


def opened(house, **more):
    """An attempt that was admitted."""
    call, now = attempt(house, opens="api", **more), house.clock.wall()
    verdict = house.gateway.limiter.admit(call, now)
    assert verdict.fault is None
    return Opening(call, verdict, now)


async def test_an_attempt_moves_to_the_key_that_is_shown(make_house):
    """Connections to a WebSocket API begin without a key: once one is shown they make room for others."""
    house = await make_house(limits="account", dialects=with_limit("binance-spot", **TWO))
    limiter, now = house.gateway.limiter, house.clock.wall()
    alice, bob = await house.account("alice"), await house.account("bob")
    keys = [house.gateway.credentials.find(each.key) for each in (alice, bob)]
    for key in keys * 2:
        assert limiter.claim(opened(house), key, now).fault is None
    claimed = limiter.claim(opened(house), keys[0], now)
    assert claimed.fault.kind == "too_many_connections", "its own two are used up"
    late = opened(house)
    house.clock.advance(5 * MINUTE)
    assert limiter.claim(late, keys[0], house.clock.wall()).fault is None


async def test_a_connection_weighs_on_the_key_that_is_shown(make_house):
    """And on nobody before: bots behind one address connect however much others ask there without a key."""
    house = await make_house(limits="account", dialects=with_limit("binance-spot", weight=5))
    alice = await house.account()
    key = house.gateway.credentials.find(alice.key)
    await calls(house, 6, None, "/api/v3/time", "GET")
    pools = ("api-connections", "weight")
    opening = opened(house, pools=pools, weight=2)
    claimed = house.gateway.limiter.claim(opening, key, house.clock.wall())
    assert {limit.name: used for limit, used in claimed.used}["weight"] == 2
    assert (await house.call("PUT", SPOT, alice)).headers["x-mbx-used-weight-1m"] == "4"
    late = opened(house, pools=pools, weight=2)
    house.clock.advance(MINUTE)
    assert house.gateway.limiter.claim(late, key, house.clock.wall()).fault is None
    assert (await house.call("PUT", SPOT, alice)).headers["x-mbx-used-weight-1m"] == "2"


@pytest.mark.parametrize("limits", ["venue", "off"])
async def test_an_attempt_stays_where_addresses_count(make_house, limits):
    """As at the venue it does not matter who connects; and without limits, nothing does."""
    house = await make_house(limits=limits, dialects=with_limit("binance-spot", **TWO))
    key = house.gateway.credentials.find((await house.account()).key)
    for _ in range(2):
        assert house.gateway.limiter.claim(opened(house), key, house.clock.wall()).fault is None
    assert tried(house, 1, opens="api") == ["too_many_connections" if limits == "venue" else None]


@pytest.mark.parametrize("end", ["restart", "crash"])
async def test_attempts_count_on_over_a_restart(make_house, end):
    """I6: who used up its attempts has none after a restart either."""
    house = await make_house(limits="account", dialects=with_limit("binance-spot", **TWO))
    alice = await house.account()
    tried(house, 2, alice)
    await getattr(house, end)()
    assert tried(house, 1, alice) == ["too_many_connections"]


async def test_unknown_paths_do_not_use_up_attempts_to_connect(make_house):
    """A client that loops on a wrong path can still open its stream."""
    house = await make_house(limits="venue", dialects=with_limit("binance-spot", **TWO))
    for _ in range(3):
        assert (await house.call("GET", "/api/v3/nothing", None)).status == 404
    assert tried(house, 1) == [None]
