import asyncio

import pytest

from listenkey.base.clock import DAY, HOUR, MINUTE, SECOND
from listenkey.base.errors import Refused, StoreError, StoreFull
from tests.service.house import BINGX, DIALECTS, ISOLATED, SPOT, USDM

LIFETIME = HOUR


def keys_of(house, account="alice"):
    return house.store.read_keys(account, None, None, 0, 1000)


# Create, extend, close ---------------------------------------------------------------------------------


async def test_a_binance_key_is_the_same_until_it_ends(house):
    """A create while a key lives returns it and starts its hour again."""
    api_key = await house.account()
    first = await house.create(USDM, api_key)
    house.clock.advance(30 * MINUTE)
    assert await house.create(USDM, api_key) == first
    (key,) = keys_of(house)
    assert key.expires_at == house.clock.wall() + LIFETIME


async def test_each_holder_has_a_string_of_its_own(house):
    """Bots of one account share nothing: closing one's string leaves the other's, naming it is -1125."""
    one, two = await house.account(), await house.api_key()
    mine, yours = await house.create(SPOT, one), await house.create(SPOT, two)
    assert mine != yours
    for method in ("PUT", "DELETE"):
        assert (await house.call(method, SPOT, one, f"listenKey={yours}")).code == -1125
    assert (await house.call("DELETE", SPOT, one, f"listenKey={mine}")).status == 200
    assert house.resolve(mine) is None
    assert house.resolve(yours)


async def test_as_the_venue_an_account_has_one_key(make_house):
    """Where closing is the venue's way, whichever API key of the account asks gets the key of all."""
    house = await make_house(close=dict.fromkeys(DIALECTS, "venue"))
    one = await house.account()
    two = await house.api_key()
    first = await house.create(USDM, one)
    house.clock.advance(30 * MINUTE)
    assert await house.create(USDM, two) == first
    (key,) = keys_of(house)
    assert key.expires_at == house.clock.wall() + LIFETIME


async def test_a_bingx_key_is_a_new_one_each_time(house):
    """Each create mints another key, and the earlier ones live on."""
    api_key = await house.account()
    strings = [await house.create(BINGX, api_key) for _ in range(3)]
    assert len(set(strings)) == 3
    assert all(house.resolve(string) for string in strings)


async def test_keys_of_different_products_are_different(house):
    """One account's spot, margin and futures keys, and each isolated symbol's, are keys of their own."""
    api_key = await house.account()
    strings = {
        await house.create(SPOT, api_key),
        await house.create(USDM, api_key),
        await house.create("/sapi/v1/userDataStream", api_key),
        await house.create(ISOLATED, api_key, "symbol=BTCUSDT"),
        await house.create(ISOLATED, api_key, "symbol=ETHUSDT"),
    }
    assert len(strings) == 5
    assert len(keys_of(house)) == 5


async def test_the_string_in_the_answer_opens_the_stream(house):
    """What the caller got is what a socket takes, and no other string is."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    live = house.resolve(string)
    assert (live.key.account, live.key.key_space) == ("alice", "binance-usdm")
    assert house.resolve(string.swapcase()) is None
    assert house.resolve("") is None


async def test_an_extension_moves_the_expiry(house):
    """Sixty minutes from the extension, not from the creation."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    house.clock.advance(59 * MINUTE)
    answer = await house.call("PUT", SPOT, api_key, f"listenKey={string}")
    assert (answer.status, answer.body) == (200, b"{}")
    house.clock.advance(59 * MINUTE)
    assert house.resolve(string)
    assert keys_of(house)[0].expires_at == house.clock.wall() + MINUTE


async def test_a_futures_extension_answers_with_the_key(house):
    """The API key says whose key is meant, and the answer which key that is."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    answer = await house.call("PUT", USDM, api_key)
    assert answer.json == {"listenKey": string}


async def test_a_closed_key_is_gone_for_good(house):
    """I2: it opens nothing, cannot be extended or closed again, and the next create gives another string."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    assert (await house.call("DELETE", SPOT, api_key, f"listenKey={string}")).status == 200
    assert house.resolve(string) is None
    for method in ("PUT", "DELETE"):
        answer = await house.call(method, SPOT, api_key, f"listenKey={string}")
        assert (answer.status, answer.code) == (400, -1125)
    assert await house.create(SPOT, api_key) != string


async def test_a_futures_key_that_is_not_there_cannot_be_closed(house):
    """Without a living key of the caller's own the answer is the venue's."""
    api_key = await house.account()
    for method in ("PUT", "DELETE"):
        assert (await house.call(method, USDM, api_key)).code == -1125


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_key_of_another_account_does_not_exist(house, method):
    """Nobody extends or closes what is not theirs, and nobody learns that it is there."""
    alice, bob = await house.account("alice"), await house.account("bob")
    string = await house.create(SPOT, alice)
    before = keys_of(house)
    answer = await house.call(method, SPOT, bob, f"listenKey={string}")
    missing = await house.call(method, SPOT, bob, f"listenKey={'x' * 64}")
    assert (answer.status, answer.body) == (missing.status, missing.body) == (400, answer.body)
    assert keys_of(house) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_key_of_another_product_does_not_exist(house, method):
    """A margin key is nothing to spot; one isolated symbol's key is nothing to another's."""
    api_key = await house.account()
    margin = await house.create("/sapi/v1/userDataStream", api_key)
    bitcoin = await house.create(ISOLATED, api_key, "symbol=BTCUSDT")
    assert (await house.call(method, SPOT, api_key, f"listenKey={margin}")).code == -1125
    wrong = await house.call(method, ISOLATED, api_key, f"symbol=ETHUSDT&listenKey={bitcoin}")
    assert wrong.code == -1125
    right = await house.call(method, ISOLATED, api_key, f"symbol=btcusdt&listenKey={bitcoin}")
    assert right.status == 200


async def test_an_administrator_closes_a_key_by_its_id(house):
    """The id of a listing is enough; what is no id of a living key is refused."""
    api_key = await house.account()
    string = await house.create(USDM, api_key)
    (key,) = keys_of(house)
    assert (await house.gateway.keys.close_by_id(str(key.id))).state == "closed"
    assert house.resolve(string) is None
    for wrong in (str(key.id), "0", "-1", "9" * 30, "x", "", "²"):
        with pytest.raises(Refused) as refusal:
            await house.gateway.keys.close_by_id(wrong)
        assert refusal.value.code == "unknown_listen_key"


# Expiry ------------------------------------------------------------------------------------------------


async def test_a_key_dies_at_its_expiry_and_not_before(house):
    """I5: the last microsecond is good for everything, the next for nothing, with no help from any upkeep."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    house.clock.advance(LIFETIME - 1)
    assert house.resolve(string)
    house.clock.advance(1)
    assert house.resolve(string) is None
    assert (await house.call("PUT", SPOT, api_key, f"listenKey={string}")).code == -1125
    assert [key.state for key in keys_of(house)] == ["expired"]


async def test_expiry_is_recorded_and_told(house):
    """I5: an expired key is a transition in the store with its time, and its sockets hear the reason."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    watcher = house.watch(string)
    house.clock.advance(LIFETIME)
    assert await house.gateway.keys.expire_due() == 1
    (key,) = keys_of(house)
    assert (key.state, key.ended_at) == ("expired", house.clock.wall())
    assert watcher.reasons == ["expired"]
    assert watcher.subscriptions == []


async def test_more_keys_than_a_batch_expire_together(house):
    """However many run out at once, one round ends them all."""
    api_key = await house.account()
    await asyncio.gather(*(house.create(BINGX, api_key) for _ in range(1100)))
    house.clock.advance(LIFETIME)
    assert await house.gateway.keys.expire_due() == 1100
    assert house.store.count_keys() == {"active": 0, "closed": 0, "expired": 1100}


async def test_what_ran_out_while_the_process_was_down_is_expired_at_start(house):
    """I5: the first thing a process does is to end what should have ended."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    await house.restart(away=LIFETIME)
    assert [key.state for key in keys_of(house)] == ["expired"]
    assert house.resolve(string) is None


async def test_what_ran_out_before_a_stop_is_expired_by_it(house):
    """I5: the record says when the key ended, not when somebody started the gateway again."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    house.clock.advance(LIFETIME)
    stopped = house.clock.wall()
    await house.restart(away=LIFETIME)
    (key,) = keys_of(house)
    assert (key.state, key.ended_at) == ("expired", stopped)
    assert house.resolve(string) is None


async def test_keys_outlast_a_restart(house):
    """I1: the same string opens the same stream, and the hour goes on where it was."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    await house.restart(away=LIFETIME - SECOND)
    assert house.resolve(string)
    assert await house.create(SPOT, api_key) == string


async def test_keys_outlast_a_crash(house):
    """I1: an answered create, extension and close are there after kill -9."""
    api_key = await house.account()
    kept, closed = await house.create(SPOT, api_key), await house.create(BINGX, api_key)
    house.clock.advance(50 * MINUTE)
    await house.call("PUT", SPOT, api_key, f"listenKey={kept}")
    await house.call("DELETE", BINGX, api_key, f"listenKey={closed}")
    await house.crash(away=50 * MINUTE)
    assert house.resolve(kept)
    assert house.resolve(closed) is None


async def test_a_clock_set_back_over_a_restart_revives_nobody(house):
    """I5: the service clock starts no earlier than the last time that was persisted."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    house.clock.advance(LIFETIME)
    await house.gateway.keys.expire_due()
    await house.restart(away=-DAY)
    assert house.resolve(string) is None
    assert house.gateway.clock.now() >= keys_of(house)[0].ended_at


@pytest.mark.parametrize("error", [StoreError("not now"), ValueError("a fault of ours")])
async def test_expiring_by_itself_survives_a_failure(house, monkeypatch, error):
    """What fails for a while costs nobody the expiry that comes after."""
    api_key = await house.account()
    watcher = house.watch(await house.create(SPOT, api_key))
    house.clock.advance(LIFETIME)
    real, failures = house.store.read_next_expiry, [error]

    def flaky():
        if failures:
            raise failures.pop()
        return real()

    monkeypatch.setattr(house.store, "read_next_expiry", flaky)
    monkeypatch.setattr("listenkey.service.keys._LONGEST_NAP", 1)
    task = asyncio.create_task(house.gateway.keys.keep_expiring())
    await asyncio.wait_for(watcher.over.wait(), 10)
    task.cancel()
    assert watcher.reasons == ["expired"]


# Leaps of the clock ------------------------------------------------------------------------------------


async def test_a_leap_of_the_clock_gives_grace(house):
    """I5: keys that the leap would end live a minute more, on record; later ones are left alone."""
    api_key = await house.account()
    short = await house.create(SPOT, api_key)
    house.clock.advance(30 * MINUTE)
    long = await house.create(USDM, api_key)
    house.clock.jump(45 * MINUTE)
    await house.settle_jump()
    now = house.gateway.clock.now()
    assert now == house.clock.wall()
    assert {key.key_space: key.expires_at - now for key in keys_of(house)} == {
        "binance-spot": MINUTE,
        "binance-usdm": 15 * MINUTE,
    }
    assert house.gateway.metrics.clock_jumps == 1
    house.clock.advance(MINUTE - 1)
    assert house.resolve(short)
    house.clock.advance(1)
    assert house.resolve(short) is None
    assert house.resolve(long)


async def test_grace_is_given_a_batch_at_a_time(house, monkeypatch):
    """A leap with a million keys must not keep the one writer for seconds; each of them gets its grace."""
    monkeypatch.setattr("listenkey.service.keys._GRACE_BATCH", 3)
    api_key = await house.account()
    strings = await asyncio.gather(*(house.create(BINGX, api_key) for _ in range(10)))
    real, batches = house.store.grant_grace, []

    async def counted(*arguments):
        batches.append(await real(*arguments))
        return batches[-1]

    monkeypatch.setattr(house.store, "grant_grace", counted)
    house.clock.jump(DAY)
    await house.settle_jump()
    assert batches == [3, 3, 3, 1, 0]
    assert all(house.resolve(string) for string in strings)
    house.clock.advance(MINUTE)
    assert not any(house.resolve(string) for string in strings)


async def test_grace_brings_no_dead_key_back(house):
    """I5: a key whose time was up before the leap stays dead."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    house.clock.advance(LIFETIME)
    assert house.resolve(string) is None
    house.clock.jump(DAY)
    await house.settle_jump()
    assert house.resolve(string) is None
    await house.gateway.keys.expire_due()
    assert [key.state for key in keys_of(house)] == ["expired"]


async def test_a_key_made_while_the_leap_is_dealt_with_gets_grace_too(house):
    """I5: a create with the time before the leap that is committed after the grace is not dead on arrival."""
    api_key = await house.account()
    await house.create(SPOT, api_key)
    house.clock.jump(DAY)
    house.gateway.clock.now()  # the leap is noticed, and dealt with from the next turn of the loop on
    strings = []
    for _ in range(20):
        strings.append(asyncio.ensure_future(house.create(BINGX, api_key)))
        await asyncio.sleep(0)
    strings = await asyncio.gather(*strings)
    await house.settle_jump()
    assert house.gateway.clock.now() == house.clock.wall()
    assert all(house.resolve(string) for string in strings)


async def test_a_leap_that_the_store_cannot_record_is_not_followed(house, monkeypatch):
    """I5: while the grace cannot be recorded, time goes on as if there were no leap; it is tried again."""
    api_key = await house.account()
    string = await house.create(SPOT, api_key)
    before = house.gateway.clock.now()
    real = house.store.grant_grace

    def full(*_):
        future = asyncio.get_running_loop().create_future()
        future.set_exception(StoreFull("the disk has no room"))
        return future

    monkeypatch.setattr(house.store, "grant_grace", full)
    monkeypatch.setattr("listenkey.service.clock._SECONDS_TO_RETRY", 0)
    house.clock.jump(DAY)
    await house.settle_jump()
    assert house.gateway.clock.now() == before
    assert house.resolve(string)
    monkeypatch.setattr(house.store, "grant_grace", real)
    await house.settle_jump()
    await house.settle_jump()
    assert house.gateway.clock.now() == house.clock.wall()
    assert house.resolve(string)
