import asyncio
import hashlib
import hmac

import pytest
from msgspec.structs import replace

from listenkey.base.clock import SECOND, to_millis
from listenkey.base.errors import StoreError, StoreFull
from tests.service.house import BINGX, DIALECTS, ISOLATED, SPOT, USDM

AWAY = "198.51.100.7"


def signed(house, secret, query="", *, ahead=0):
    """A query with a timestamp and the signature that belongs to it."""
    stamp = to_millis(house.clock.wall() + ahead)
    text = f"{query}&timestamp={stamp}".lstrip("&")
    return f"{text}&signature={hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"


# Who may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, key, status, code",
    [
        (USDM, None, 401, -2014),
        (USDM, "", 401, -2014),
        (USDM, "not a key", 401, -2014),
        (USDM, "nobody-s", 401, -2015),
        (SPOT, None, 401, -2014),
        (SPOT, "nobody-s", 401, -2015),
        (BINGX, None, 200, 100413),
        (BINGX, "not a key", 200, 100413),
        (BINGX, "nobody-s", 200, 100413),
    ],
)
async def test_callers_without_a_known_api_key_are_refused(house, path, key, status, code):
    """Each venue's own answer, and nothing is made."""
    answer = await house.call("POST", path, key)
    assert (answer.status, answer.code) == (status, code)
    assert sum(house.store.count_keys().values()) == 0


@pytest.mark.parametrize("path, code", [(USDM, -2015), (BINGX, 100419)])
async def test_an_allow_list_holds_for_calls(house, path, code):
    """From an address that is not on the list the key is as good as none."""
    await house.gateway.accounts.add("alice")
    api_key = await house.api_key("alice", ip_allow=(AWAY, "2001:db8::/32"))
    assert (await house.call("POST", path, api_key)).code == code
    for address in (AWAY, f"::ffff:{AWAY}", "2001:db8::1"):
        assert (await house.call("POST", path, api_key, address=address)).status == 200


@pytest.mark.parametrize("path, code", [(USDM, -2015), (BINGX, 100004)])
async def test_reading_has_to_be_permitted(house, path, code):
    """An API key that may only trade opens no stream."""
    await house.gateway.accounts.add("alice")
    trader = await house.api_key("alice", permissions=("trade",))
    assert (await house.call("POST", path, trader)).code == code


async def test_a_revoked_api_key_is_unknown_at_once(house):
    """The cache in front of the store forgets before the administrator has the answer."""
    api_key = await house.account()
    await house.create(USDM, api_key)
    await house.gateway.accounts.revoke_api_key(api_key.id)
    for method in ("POST", "PUT", "DELETE"):
        assert (await house.call(method, USDM, api_key)).code == -2015


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_an_api_key_that_goes_while_its_call_is_on_its_way(house, method):
    """What was admitted before the revocation was committed finds no API key when its turn comes."""
    api_key = await house.account()
    await house.create(USDM, api_key)
    stale = house.gateway.credentials.find(api_key.key)
    await house.gateway.accounts.revoke_api_key(api_key.id)
    house.gateway.credentials.find = lambda _: stale
    assert (await house.call(method, USDM, api_key)).code == -2015
    assert house.store.count_keys()["active"] == 0


# Signatures --------------------------------------------------------------------------------------------


async def test_binance_s_key_only_calls_ignore_a_signature(house):
    """Clients that sign everything are not punished for a stale timestamp or a wrong secret."""
    api_key = await house.account()
    assert (await house.call("POST", SPOT, api_key, "timestamp=1&signature=00")).status == 200


async def test_a_signature_that_is_sent_to_bingx_has_to_be_right(house):
    """A right one passes; a wrong one is 100001, also where the call would have had nothing to do."""
    api_key = await house.account()
    assert (await house.call("POST", BINGX, api_key, signed(house, api_key.secret))).status == 200
    wrong = await house.call("POST", BINGX, api_key, signed(house, "another secret"))
    assert (wrong.status, wrong.code) == (200, 100001)
    nothing = await house.call("PUT", BINGX, api_key, signed(house, "another secret"))
    assert nothing.code == 100001
    assert (await house.call("PUT", BINGX, api_key, signed(house, api_key.secret))).status == 204
    late = await house.call("POST", BINGX, api_key, signed(house, api_key.secret, ahead=-6 * SECOND))
    assert late.code == 100421


async def test_a_signature_that_is_required_has_to_be_there(make_house):
    """`require_signature`: without one, and with another API key's, nothing is done."""
    dialect = DIALECTS["binance-usdm"]
    strict = replace(dialect, auth=replace(dialect.auth, signature="required"))
    house = await make_house(dialects={**DIALECTS, "binance-usdm": strict})
    one, two = await house.account("alice"), await house.account("bob")
    assert (await house.call("POST", USDM, one)).code == -1102
    assert (await house.call("POST", USDM, one, signed(house, two.secret))).code == -1022
    assert house.store.count_keys()["active"] == 0
    assert (await house.call("POST", USDM, one, signed(house, one.secret))).status == 200


# Symbols -----------------------------------------------------------------------------------------------


async def test_isolated_symbols_that_exist(make_house):
    """Where the symbols are configured, another one is -1121; elsewhere any well-formed one is taken."""
    house = await make_house(symbols={"binance-margin-isolated": frozenset({"BTCUSDT"})})
    api_key = await house.account()
    assert (await house.call("POST", ISOLATED, api_key, "symbol=btcusdt")).status == 200
    assert (await house.call("POST", ISOLATED, api_key, "symbol=ETHUSDT")).code == -1121


# Trouble -----------------------------------------------------------------------------------------------


def failing(error):
    def verb(*_):
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    return verb


@pytest.mark.parametrize("error", [StoreFull("no room"), StoreError("gone")])
@pytest.mark.parametrize("path, status, code", [(USDM, 500, -1000), (BINGX, 500, 100500)])
async def test_a_store_that_fails_is_our_fault_and_said_so(house, monkeypatch, error, path, status, code):
    """The venue's own internal error; a client tries again later, and then it works."""
    api_key = await house.account()
    with monkeypatch.context() as broken:
        broken.setattr(house.store, "create_key", failing(error))
        answer = await house.call("POST", path, api_key)
        assert (answer.status, answer.code) == (status, code)
    assert (await house.call("POST", path, api_key)).status == 200


async def test_a_fault_of_ours_has_the_venue_s_words(house, monkeypatch):
    """I8: whatever breaks inside, the client gets -1000 and nothing of what broke."""
    api_key = await house.account()

    def fault(*_):
        raise ValueError("something private")

    monkeypatch.setattr(house.store, "create_key", fault)
    answer = await house.call("POST", USDM, api_key)
    assert (answer.status, answer.code) == (500, -1000)
    assert b"private" not in answer.body
    assert house.gateway.metrics.internal_errors == 1


async def test_a_key_space_that_is_full_refuses(make_house):
    """Under `refuse_over`, one more than may live is turned away, and what lives is untouched."""
    dialect = DIALECTS["bingx"]
    space = replace(dialect.key_space, issue="refuse_over", max_live=2)
    house = await make_house(dialects={**DIALECTS, "bingx": replace(dialect, key_space=space)})
    api_key = await house.account()
    strings = [await house.create(BINGX, api_key) for _ in range(2)]
    assert (await house.call("POST", BINGX, api_key)).code == 100410
    assert all(house.resolve(string) for string in strings)


# Public calls ------------------------------------------------------------------------------------------


async def test_public_calls_need_no_key(house):
    """Clients ask for the time before they have anything to show; it is the service's time."""
    house.clock.advance(1_234_567)
    answer = await house.call("GET", "/fapi/v1/time", None)
    assert answer.json == {"serverTime": to_millis(house.gateway.clock.now())}
    assert (await house.call("GET", "/api/v3/ping", None)).json == {}


@pytest.mark.parametrize(
    "method, path, status", [("GET", "/fapi/v1/nothing", 404), ("GET", USDM, 404), ("GET", "/", 404)]
)
async def test_what_is_nobody_s_path_is_answered(house, method, path, status):
    """Unknown paths and methods get the venue's own error."""
    assert (await house.call(method, path, None)).status == status


async def test_answers_are_counted_by_dialect_operation_and_status(house):
    """The metrics tell operations apart, and say nothing of accounts, keys or addresses."""
    api_key = await house.account()
    await house.create(USDM, api_key)
    await house.call("PUT", USDM, None)
    await house.call("GET", "/fapi/v1/time", None)
    assert house.gateway.metrics.requests == {
        ("binance-usdm", "create", 200): 1,
        ("binance-usdm", "extend", 401): 1,
        ("binance-usdm", "other", 200): 1,
    }
