"""The venue's own API keys of the bots: what they may do here, and whose they are from start to start."""

import pytest
from msgspec.structs import replace

from listenkey.base.errors import ConfigError
from listenkey.dialect.registry import load_dialects
from listenkey.service.accepted import keep_accepted
from tests.service.house import BINGX, SPOT, USDM
from tests.service.test_calls import signed

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


async def keep(house, **wanted):
    """Start with these API keys accepted, each for the account before it."""
    accepted = {key: account for account, key in wanted.items()}
    await keep_accepted(house.store, house.gateway.accounts, accepted)


@pytest.mark.parametrize("path", [USDM, SPOT, BINGX])
async def test_a_bots_own_key_makes_listen_keys(house, path):
    """Nobody has to give the bot another API key; its account is made by the way."""
    await keep(house, desk=KEY)
    string = await house.create(path, KEY)
    assert (await house.call("PUT", path, KEY, f"listenKey={string}")).status == 200
    assert house.resolve(string).key.account == "desk"
    assert (await house.call("POST", path, KEY[:-1])).json != {"listenKey": string}


async def test_its_signatures_are_made_with_a_secret_that_is_not_here(make_house):
    """They are let pass where they are sent and demanded, and their time has to fit all the same."""
    dialects = load_dialects()
    usdm = dialects["binance-usdm"]
    dialects["binance-usdm"] = replace(usdm, auth=replace(usdm.auth, signature="required"))
    house = await make_house(dialects=dialects)
    await keep(house, desk=KEY)
    for path in (USDM, BINGX):
        assert (await house.call("POST", path, KEY, signed(house, "the venue's"))).status == 200
    assert (await house.call("POST", USDM, KEY)).code == -1102
    late = await house.call("POST", USDM, KEY, signed(house, "the venue's", ahead=-60_000_000))
    assert late.code == -1021


async def test_a_restart_changes_nothing(house):
    """The bot's listen key and its place in the stream outlive it."""
    await keep(house, desk=KEY)
    string = await house.create(USDM, KEY)
    await house.restart()
    await keep(house, desk=KEY)
    assert house.resolve(string) is not None
    assert await house.create(USDM, KEY) == string


async def test_what_is_taken_out_of_the_configuration_is_revoked(house):
    """Its listen keys are closed and its sockets end; another bot's go on."""
    other = "o" * 64
    await keep(house, desk=KEY, floor=other)
    ours, theirs = await house.create(USDM, KEY), await house.create(USDM, other)
    watcher = house.watch(ours)
    await keep(house, floor=other)
    assert watcher.reasons == ["revoked"]
    assert (house.resolve(ours), house.resolve(theirs) is None) == (None, False)
    assert (await house.call("POST", USDM, KEY)).code == -2015


async def test_a_key_that_moves_takes_nothing_along(house):
    """Named for another account it opens that account's stream, and the old one's no more."""
    await keep(house, desk=KEY)
    string = await house.create(USDM, KEY)
    await keep(house, floor=KEY)
    assert house.resolve(string) is None
    assert house.resolve(await house.create(USDM, KEY)).key.account == "floor"


async def test_a_key_of_another_account_is_not_taken_over(house):
    """The start ends with what to do, and nothing was changed by then."""
    api_key = await house.account("alice")
    await keep(house, desk=KEY)
    with pytest.raises(ConfigError) as error:
        await keep(house, desk=api_key.key)
    assert "is an API key of the account alice, not desk; name alice, or start" in str(error.value)
    assert api_key.key not in str(error.value)
    assert house.store.find_api_key(KEY) is not None


async def test_a_key_with_a_secret_stays_as_it_is(house):
    """Whoever gave the gateway the secret has its signatures checked still, and nothing is revoked later."""
    api_key = await house.account("alice")
    await keep(house, alice=api_key.key)
    wrong = await house.call("POST", BINGX, api_key, signed(house, "another secret"))
    assert wrong.code == 100001
    await keep(house)
    assert (await house.call("POST", USDM, api_key)).status == 200


async def test_more_than_a_page_of_them_is_revoked(house, monkeypatch):
    """However many there were."""
    monkeypatch.setattr("listenkey.service.accepted._PAGE", 2)
    await keep(house, **{f"a{number}": f"key-{number}" for number in range(5)})
    await keep(house)
    assert house.store.read_api_keys(None, "", 10) == []


async def test_the_account_of_the_demonstration_is_refused(house):
    """As everywhere without `--demo`."""
    with pytest.raises(ConfigError, match="demo is for"):
        await keep(house, demo=KEY)
