import asyncio
import logging

import pytest
from msgspec.structs import replace

from listenkey.base.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND, to_millis
from listenkey.base.errors import Refused, StoreFull
from tests.service.house import BINGX, DIALECTS, SPOT, USDM

AWAY = "198.51.100.7"
UNKNOWN = "nobody-s-key"


def with_limit(dialect, **limits):
    """All dialects, of which one has other numbers."""
    rules = DIALECTS[dialect].limits
    buckets = tuple(
        replace(row, limit=limits.get(row.name.replace("-", "_"), row.limit)) for row in rules.buckets
    )
    changed = replace(DIALECTS[dialect], limits=replace(rules, buckets=buckets))
    return {**DIALECTS, dialect: changed}


FIVE = with_limit("binance-usdm", weight=5)


async def calls(house, count, api_key, path=USDM, method="PUT", **more):
    """The answers to so many equal calls, one after the other."""
    return [await house.call(method, path, api_key, **more) for _ in range(count)]


def statuses(answers):
    return [answer.status for answer in answers]


# Binance: weights --------------------------------------------------------------------------------------


@pytest.fixture
async def five(make_house):
    """A house where a minute has room for five calls of USD-M."""
    return await make_house(limits="account", dialects=FIVE)


async def test_the_used_weight_is_on_every_answer(five):
    """Clients steer by this header, on refused calls as on admitted ones."""
    api_key = await five.account()
    await five.create(USDM, api_key)
    answers = await calls(five, 5, api_key)
    used = [answer.headers["x-mbx-used-weight-1m"] for answer in answers]
    assert used == ["2", "3", "4", "5", "5"]
    assert statuses(answers) == [200, 200, 200, 200, 429]


async def test_a_weight_may_be_more_than_one(make_house):
    """An `exchangeInfo` of spot costs as much as twenty of `time`; what no longer fits is refused whole."""
    house = await make_house(limits="account", dialects=with_limit("binance-spot", weight=25))
    assert (await house.call("GET", "/api/v3/exchangeInfo", None)).headers["x-mbx-used-weight-1m"] == "20"
    assert (await house.call("GET", "/api/v3/exchangeInfo", None)).status == 429
    assert (await house.call("GET", "/api/v3/time", None)).headers["x-mbx-used-weight"] == "21"


async def test_a_full_window_says_when_to_come_back(five):
    """429 with the seconds to the end of the clock's minute, and the venue's text with the limit."""
    api_key = await five.account()
    five.clock.advance(18 * SECOND + 1)
    await calls(five, 5, api_key)
    answer = await five.call("PUT", USDM, api_key)
    assert (answer.status, answer.code) == (429, -1003)
    assert "current limit is 5 requests per minute" in answer.json["msg"]
    assert answer.headers["retry-after"] == "42"
    five.clock.advance(42 * SECOND - 2)
    assert (await five.call("PUT", USDM, api_key)).status == 429
    five.clock.advance(1)
    assert (await five.call("PUT", USDM, api_key)).status == 400


async def test_windows_follow_the_clock_s_minutes(five):
    """Five calls at the end of a minute and five at the start of the next are within the limit."""
    api_key = await five.account()
    five.clock.advance(59 * SECOND)
    before = await calls(five, 5, api_key)
    five.clock.advance(SECOND)
    after = await calls(five, 5, api_key)
    assert 429 not in statuses(before + after)


# Binance: bans -----------------------------------------------------------------------------------------


async def banned(house, api_key, **more):
    """Go on until the ban; how long it is."""
    answers = await calls(house, 26, api_key, **more)
    assert statuses(answers)[5:] == [429] * 20 + [418], (
        "the first refusal is free, and twenty more are too many"
    )
    assert answers[-1].headers["x-mbx-used-weight-1m"] == "5", "no call is too bad to be told what it used"
    until = house.clock.wall() + int(answers[-1].headers["retry-after"]) * SECOND
    assert str(to_millis(until)) in answers[-1].json["msg"]
    return until - house.clock.wall()


async def test_who_goes_on_after_a_refusal_is_banned(five):
    """418 for two minutes, whatever the caller does; then everything is as before."""
    api_key = await five.account()
    assert await banned(five, api_key) == 2 * MINUTE
    five.clock.advance(2 * MINUTE - 1)
    answer = await five.call("POST", USDM, api_key)
    assert (answer.status, answer.headers["retry-after"]) == (418, "1")
    assert answer.headers["x-mbx-used-weight-1m"] == "0"
    five.clock.advance(1)
    assert (await five.call("POST", USDM, api_key)).status == 200


async def test_bans_grow_to_three_days_and_are_forgotten(five):
    """Each ban is longer than the last, up to three days; after a long quiet time they begin anew."""
    api_key = await five.account()
    lengths = []
    for _ in range(6):
        lengths.append(await banned(five, api_key))
        five.clock.advance(lengths[-1])
        five.clock.advance(MINUTE)
    assert lengths == sorted(lengths)
    assert lengths[0] == 2 * MINUTE
    assert lengths[1] > lengths[0]
    assert lengths[-1] == 3 * DAY
    five.clock.advance(30 * DAY)
    assert await banned(five, api_key) == 2 * MINUTE


async def test_refusals_of_different_minutes_do_not_add_up(five):
    """Twenty calls too many are a ban within one window, not over a day."""
    api_key = await five.account()
    for _ in range(3):
        assert 418 not in statuses(await calls(five, 25, api_key))
        five.clock.advance(MINUTE)


async def test_a_ban_outlasts_a_crash(five):
    """I6: neither a restart nor kill -9 lets anybody in early, and the next ban still is the second."""
    api_key = await five.account()
    first = await banned(five, api_key)
    await five.crash(away=MINUTE)
    assert (await five.call("POST", USDM, api_key)).status == 418
    await five.restart(away=MINUTE)
    assert (await five.call("POST", USDM, api_key)).status == 200
    five.clock.advance(MINUTE)
    second = await banned(five, api_key)
    assert second > first
    await five.crash(away=second - 1)
    assert (await five.call("POST", USDM, api_key)).status == 418
    assert len(five.store.read_bans()) == 1


async def test_another_bot_behind_the_same_address_is_not_banned(five):
    """Under `account`, a ban is the API key's at its address: others there, and it elsewhere, go on."""
    alice, bob = await five.account("alice"), await five.account("bob")
    second = await five.api_key("alice")
    await banned(five, alice)
    assert (await five.call("POST", USDM, bob)).status == 200
    assert (await five.call("POST", USDM, second)).status == 200
    assert (await five.call("POST", USDM, alice, address=AWAY)).status == 200
    assert (await five.call("POST", USDM, None)).status == 401
    assert (await five.call("POST", USDM, alice)).status == 418


async def test_callers_without_a_known_key_share_their_address(five):
    """Under `account`, who shows no key or an unknown one is counted by address, and shuts out only such."""
    alice = await five.account()
    await calls(five, 3, None)
    assert statuses(await calls(five, 3, UNKNOWN)) == [401, 401, 429]
    assert (await five.call("GET", "/fapi/v1/time", None)).status == 429
    assert (await five.call("GET", "/fapi/v1/time", None, address=AWAY)).status == 200
    assert (await five.call("POST", USDM, alice)).status == 200


async def test_as_the_venue_all_behind_an_address_share(make_house):
    """Under `venue`, one bot's calls shut its neighbours out, and nobody elsewhere."""
    house = await make_house(limits="venue", dialects=FIVE)
    alice, bob = await house.account("alice"), await house.account("bob")
    await banned(house, alice)
    assert (await house.call("POST", USDM, bob)).status == 418
    assert (await house.call("POST", USDM, None)).status == 418
    assert (await house.call("POST", USDM, alice, address=AWAY)).status == 200


async def test_products_are_counted_apart(five):
    """A ban on futures is none on spot."""
    api_key = await five.account()
    await banned(five, api_key)
    assert (await five.call("POST", SPOT, api_key)).status == 200


async def test_off_means_off(make_house):
    """Under `off` nobody is refused, and the headers that clients read are there all the same."""
    house = await make_house(limits="off", dialects=with_limit("binance-usdm", weight=1))
    api_key = await house.account()
    await house.create(USDM, api_key)
    answers = await calls(house, 60, api_key)
    assert set(statuses(answers)) == {200}
    assert answers[-1].headers["x-mbx-used-weight-1m"] == "1"
    bingx = await calls(house, 60, api_key, BINGX, "POST")
    assert {answer.code for answer in bingx} == {None}
    errors = await calls(house, 60, UNKNOWN, BINGX, "POST")
    assert {answer.code for answer in errors} == {100413}


async def test_unknown_paths_count_too(five):
    """A client that loops on a wrong path is told to stop like any other."""
    answers = [await five.call("GET", "/fapi/v1/nothing", None) for _ in range(6)]
    assert statuses(answers) == [404] * 5 + [429]


# Over restarts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["restart", "crash"])
async def test_a_window_goes_on_over_a_restart(make_house, end):
    """I6: what was answered before counts afterwards; a window may count too much, never too little."""
    house = await make_house(limits="account", dialects=with_limit("binance-usdm", weight=80))
    api_key = await house.account()
    await house.create(USDM, api_key)
    admitted = 1 + statuses(await calls(house, 30, api_key)).count(200)
    await getattr(house, end)()
    answers = await calls(house, 60, api_key)
    assert int(answers[0].headers["x-mbx-used-weight-1m"]) > admitted
    assert admitted + statuses(answers).count(200) <= 80
    assert statuses(answers)[0] == 200
    house.clock.advance(MINUTE)
    assert (await house.call("PUT", USDM, api_key)).headers["x-mbx-used-weight-1m"] == "1"


async def test_an_answer_waits_until_its_blocks_are_durable(make_house, monkeypatch):
    """I6: a call that needs a block of one bucket, and shares one that is on its way, waits for both."""
    house = await make_house(limits="account")
    api_key = await house.account()
    real, held = house.store.reserve, []

    def hold(reservations, now):
        future = asyncio.get_running_loop().create_future()
        held.append((reservations, now, future))
        return future

    def let_go(item):
        reservations, now, future = item
        real(reservations, now).add_done_callback(lambda done: future.set_result(done.result()))

    monkeypatch.setattr(house.store, "reserve", hold)
    first = asyncio.ensure_future(house.call("PUT", BINGX, api_key))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(house.call("DELETE", BINGX, api_key))
    await asyncio.wait([first, second], timeout=0.05)
    assert not first.done()
    assert not second.done()
    buckets = [{row.bucket.split("|")[1] for row in reservations} for reservations, _, _ in held]
    assert {"uid", "ip", "ip-call"} <= set.union(*buckets)
    late = [item for item in held if any(row.bucket.endswith("DELETE " + BINGX) for row in item[0])]
    for item in [item for item in held if item not in late]:
        let_go(item)
    await asyncio.wait([first], timeout=5)
    assert first.done(), "its own blocks are durable, another call's are not its business"
    await asyncio.wait([second], timeout=0.05)
    assert not second.done()
    for item in late:
        let_go(item)
    assert (await second).status == 204


async def test_a_full_disk_keeps_nobody_out(five, monkeypatch, caplog):
    """Calls are answered while blocks cannot be persisted; once they can, they are again."""
    api_key = await five.account()
    await five.create(USDM, api_key)
    real = five.store.reserve

    def full(*_):
        future = asyncio.get_running_loop().create_future()
        future.set_exception(StoreFull("the disk has no room"))
        return future

    monkeypatch.setattr(five.store, "reserve", full)
    with caplog.at_level(logging.ERROR):
        assert statuses(await calls(five, 2, api_key)) == [200, 200]
    monkeypatch.setattr(five.store, "reserve", real)
    assert (await five.call("PUT", USDM, api_key)).status == 200
    await five.crash()
    assert (await five.call("PUT", USDM, api_key)).headers["x-mbx-used-weight-1m"] == "5"
    assert (await five.call("PUT", USDM, api_key)).status == 429


# BingX: buckets ----------------------------------------------------------------------------------------


@pytest.fixture
async def bingx(make_house):
    """A house with BingX's own limits."""
    return await make_house(limits="account")


async def test_two_calls_a_second_each_for_an_account(bingx):
    """Per UID and call: a second API key of the account shares, another account and another call do not."""
    alice, bob = await bingx.account("alice"), await bingx.account("bob")
    second = await bingx.api_key("alice")
    answers = [
        await bingx.call("POST", BINGX, alice),
        await bingx.call("POST", BINGX, second, address=AWAY),
        await bingx.call("POST", BINGX, alice),
    ]
    assert [answer.code for answer in answers] == [None, None, 100410]
    assert answers[-1].json["msg"] == "rate limited"
    assert answers[-1].status == 200
    assert (await bingx.call("POST", BINGX, bob)).code is None
    assert (await bingx.call("PUT", BINGX, alice)).status == 204
    bingx.clock.advance(SECOND)
    assert (await bingx.call("POST", BINGX, alice)).code is None


async def test_the_second_begins_with_the_first_call(bingx):
    """The windows of BingX are not the clock's seconds."""
    api_key = await bingx.account()
    bingx.clock.advance(900 * MILLISECOND)
    assert [answer.code for answer in await calls(bingx, 2, api_key, BINGX, "POST")] == [None, None]
    bingx.clock.advance(999 * MILLISECOND)
    assert (await bingx.call("POST", BINGX, api_key)).code == 100410
    bingx.clock.advance(MILLISECOND)
    assert (await bingx.call("POST", BINGX, api_key)).code is None


async def test_rate_headers_say_what_is_left_and_until_when(bingx):
    """As BingX writes them, and no `Retry-After`, which it does not."""
    api_key = await bingx.account()
    until = str(to_millis(bingx.clock.wall() + SECOND))
    answers = await calls(bingx, 3, api_key, BINGX, "POST")
    assert [answer.headers["x-ratelimit-requests-remain"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["x-ratelimit-requests-expire"] for answer in answers} == {until}
    assert all("retry-after" not in answer.headers for answer in answers)


async def spread(house, count, api_key, method="POST", **more):
    """Calls half a second apart, which no account's bucket minds."""
    answers = []
    for _ in range(count):
        answers.append(await house.call(method, BINGX, api_key, **more))
        house.clock.advance(500 * MILLISECOND)
    return answers


async def test_an_address_s_full_bucket_disables_the_call_for_a_while(make_house):
    """The call that overflows is `rate limited`; from then on the text names the disabled period's end."""
    house = await make_house(limits="account", dialects=with_limit("bingx", ip_call=3))
    api_key = await house.account()
    answers = await spread(house, 4, api_key)
    disabled_until = to_millis(house.clock.wall() - 500 * MILLISECOND + 5 * MINUTE)
    assert [answer.code for answer in answers] == [None, None, None, 100410]
    assert answers[-1].json["msg"] == "rate limited"
    (later,) = await spread(house, 1, api_key)
    assert later.json["msg"] == (
        "code:100410:The endpoint trigger frequency limit rule is currently in the disabled period "
        f"and will be unblocked after {disabled_until}"
    )
    assert (await house.call("PUT", BINGX, api_key)).status == 204, "the bucket is the call's own"
    house.clock.advance(disabled_until * MILLISECOND - 1 - house.clock.wall())
    assert "disabled period" in (await house.call("POST", BINGX, api_key)).json["msg"]
    house.clock.advance(1)
    assert (await house.call("POST", BINGX, api_key)).code is None


async def test_a_penalty_outlasts_a_crash(make_house):
    """I6: the disabled period ends when it was said to end."""
    house = await make_house(limits="account", dialects=with_limit("bingx", ip_call=3))
    api_key = await house.account()
    await spread(house, 4, api_key)
    await house.crash(away=MINUTE)
    assert "disabled period" in (await house.call("POST", BINGX, api_key)).json["msg"]
    await house.restart(away=4 * MINUTE)
    assert (await house.call("POST", BINGX, api_key)).code is None


async def test_all_calls_of_an_address_share_the_group(make_house):
    """The group's bucket counts create, extend and close together, and its penalty shuts all of them."""
    house = await make_house(limits="account", dialects=with_limit("bingx", ip=3))
    alice, bob = await house.account("alice"), await house.account("bob")
    for method in ("POST", "PUT", "DELETE"):
        assert (await house.call(method, BINGX, alice)).code is None
    assert (await house.call("POST", BINGX, alice)).json["msg"] == "rate limited"
    assert "disabled period" in (await house.call("DELETE", BINGX, alice)).json["msg"]
    assert (await house.call("POST", BINGX, bob)).code is None, (
        "another bot behind the address is not shut out"
    )


async def test_as_the_venue_the_group_is_the_address_s(make_house):
    """Under `venue` bots behind one address share its bucket and its penalty."""
    house = await make_house(limits="venue", dialects=with_limit("bingx", ip=2))
    alice, bob = await house.account("alice"), await house.account("bob")
    await house.call("POST", BINGX, alice)
    await house.call("POST", BINGX, alice)
    assert (await house.call("POST", BINGX, bob)).json["msg"] == "rate limited"
    assert "disabled period" in (await house.call("POST", BINGX, alice)).json["msg"]
    assert (await house.call("POST", BINGX, alice, address=AWAY)).code == 100410, (
        "its account's own second is full"
    )
    house.clock.advance(SECOND)
    assert (await house.call("POST", BINGX, alice, address=AWAY)).code is None


# BingX: the error breaker ------------------------------------------------------------------------------


@pytest.fixture
async def locked_out(bingx):
    """An account whose API key may not be used from home: each call from there is an error 100419."""
    await bingx.gateway.accounts.add("alice")
    return await bingx.api_key("alice", ip_allow=(AWAY,))


async def test_over_twenty_of_one_error_shut_the_call(bingx, locked_out):
    """Twenty errors are answered as they are; the answer to the next is the penalty, and it starts there."""
    answers = await spread(bingx, 21, locked_out)
    assert [answer.code for answer in answers[:20]] == [100419] * 20
    tripped_at = bingx.clock.wall() - 500 * MILLISECOND
    text = (
        "over 20 error code:100419 requests within 480000 ms for this api, please verify and fix it ,"
        f"can retry after time: {to_millis(tripped_at + 5 * MINUTE)}"
    )
    assert (answers[20].code, answers[20].json["msg"]) == (100410, text)
    assert (await bingx.call("POST", BINGX, locked_out)).json["msg"] == text, "the same text until it is over"
    assert (await bingx.call("POST", BINGX, locked_out, address=AWAY)).json["msg"] == text, "it is the UID's"
    assert (await bingx.call("PUT", BINGX, locked_out, address=AWAY)).status == 204, "and the call's"
    bingx.clock.advance(tripped_at + 5 * MINUTE - bingx.clock.wall())
    assert (await bingx.call("POST", BINGX, locked_out, address=AWAY)).code is None


async def test_the_breaker_starts_again_after_its_penalty(bingx, locked_out):
    """The next penalty takes as many errors as the first, and the upkeep in between does not stumble."""
    await spread(bingx, 21, locked_out)
    bingx.gateway.limiter.sweep(bingx.gateway.clock.now())
    bingx.clock.advance(5 * MINUTE)
    answers = await spread(bingx, 21, locked_out)
    assert [answer.code for answer in answers] == [100419] * 20 + [100410]


async def test_errors_are_counted_by_code_and_by_call(bingx, locked_out):
    """Twenty of one code and twenty of another, and twenty of one call and of another, trip nothing."""
    for _ in range(10):
        answers = await spread(bingx, 2, locked_out)
        answers += await spread(bingx, 2, locked_out, address=AWAY, query="timestamp=1&signature=00")
        answers += await spread(bingx, 2, locked_out, method="PUT")
        assert [answer.code for answer in answers] == [100419, 100419, 100421, 100421, 100419, 100419]


async def test_errors_are_forgotten_after_their_window(bingx, locked_out):
    """Twenty errors in eight minutes are not too many, however long it goes on."""
    for _ in range(4):
        assert {answer.code for answer in await spread(bingx, 20, locked_out)} == {100419}
        bingx.clock.advance(480 * SECOND)


async def test_being_limited_is_not_an_error_that_counts(bingx):
    """100410 itself never trips the breaker: a client that is merely fast is told so, not shut out."""
    api_key = await bingx.account()
    for _ in range(15):
        answers = await calls(bingx, 5, api_key, BINGX, "PUT")
        assert statuses(answers) == [204, 204, 200, 200, 200]
        assert {answer.json["msg"] for answer in answers[2:]} == {"rate limited"}
        bingx.clock.advance(SECOND)


async def test_callers_without_an_account_have_no_breaker(bingx):
    """Whose errors they would be nobody knows; their address's buckets hold them."""
    assert {answer.code for answer in await spread(bingx, 60, UNKNOWN)} == {100413}


async def test_an_open_breaker_outlasts_a_crash(bingx, locked_out):
    """I6: it names the same code and the same end after kill -9."""
    answers = await spread(bingx, 21, locked_out)
    await bingx.crash(away=MINUTE)
    assert (await bingx.call("POST", BINGX, locked_out)).json["msg"] == answers[-1].json["msg"]


# Upkeep and administration -----------------------------------------------------------------------------


async def test_a_ban_can_be_seen_and_lifted(five):
    """An administrator sees who is shut out, lets them in, and they have a clean sheet."""
    api_key = await five.account()
    await banned(five, api_key)
    limiter, clock = five.gateway.limiter, five.gateway.clock
    (ban,) = limiter.bans(clock.now())
    assert (ban.dialect, ban.until - ban.since, ban.strikes) == ("binance-usdm", 2 * MINUTE, 1)
    assert api_key.key not in ban.bucket
    await limiter.lift(ban.id, clock.now())
    assert limiter.bans(clock.now()) == []
    assert (await five.call("POST", USDM, api_key)).status == 429, "the window is still full, and that is all"
    five.clock.advance(MINUTE)
    assert await banned(five, api_key) == 2 * MINUTE
    with pytest.raises(Refused) as refusal:
        await limiter.lift(ban.id, clock.now())
    assert refusal.value.code == "unknown_ban"


async def test_a_ban_that_is_over_is_not_listed(five):
    """The list is of who is shut out now."""
    api_key = await five.account()
    await banned(five, api_key)
    five.clock.advance(2 * MINUTE)
    assert five.gateway.limiter.bans(five.gateway.clock.now()) == []


async def test_memory_is_bounded_by_who_called_lately(bingx, locked_out):
    """Windows and error counts that are over are forgotten, so that callers who come once cost nothing."""
    for number in range(50):
        await bingx.call("POST", BINGX, None, address=f"203.0.113.{number}")
    await spread(bingx, 3, locked_out)
    limiter = bingx.gateway.limiter
    assert len(limiter._quota) > 50
    bingx.clock.advance(HOUR)
    limiter.sweep(bingx.gateway.clock.now())
    assert len(limiter._quota) == 0
    assert limiter._errors == {}


async def test_past_bans_are_forgotten_in_the_end(five):
    """Strikes count for a month at most; nobody is remembered for ever."""
    api_key = await five.account()
    await banned(five, api_key)
    limiter, clock = five.gateway.limiter, five.gateway.clock
    five.clock.advance(29 * DAY)
    limiter.sweep(clock.now())
    assert len(limiter._bans) == 1
    five.clock.advance(2 * DAY)
    limiter.sweep(clock.now())
    assert limiter._bans == {}


async def test_refusals_are_counted(five):
    """The metrics say how many were refused, and how."""
    api_key = await five.account()
    await banned(five, api_key)
    assert five.gateway.metrics.refused_by_limit == {"rate_limited": 20, "banned": 1}
