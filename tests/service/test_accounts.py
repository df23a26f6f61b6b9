import asyncio

import pytest

from listenkey.base.errors import Refused
from listenkey.core.records import StreamId
from listenkey.service.accounts import NewApiKey
from listenkey.service.keys import Held
from listenkey.service.streams import LiveKey
from tests.service.house import BINGX, HOME, MASTER_SECRET, SPOT, USDM, Watcher

PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""


async def refused(awaitable):
    """The code of the refusal that this ends in."""
    with pytest.raises(Refused) as refusal:
        await awaitable
    assert refusal.value.remedy
    return refusal.value.code


# Accounts ----------------------------------------------------------------------------------------------


async def test_an_account_is_made_once(house):
    """Two with one name would be one journal for two people."""
    made = await house.gateway.accounts.add("alice")
    assert (made.name, made.created_at) == ("alice", house.clock.wall())
    assert await refused(house.gateway.accounts.add("alice")) == "account_exists"
    race = [house.gateway.accounts.add("bob") for _ in range(5)]
    outcomes = await asyncio.gather(*race, return_exceptions=True)
    assert sum(not isinstance(outcome, Refused) for outcome in outcomes) == 1


@pytest.mark.parametrize("name", ["", "Alice", "a b", "a" * 65, "../x", "."])
async def test_a_name_has_its_alphabet(house, name):
    """Names go into paths and lines."""
    assert await refused(house.gateway.accounts.add(name)) == "bad_name"


async def test_the_name_demo_is_for_the_demonstration(make_house):
    """Without `--demo` nobody can have an account whose API key the whole world knows."""
    house = await make_house()
    assert await refused(house.gateway.accounts.add("demo")) == "bad_name"
    house = await make_house("demonstration", demo=True)
    assert (await house.gateway.accounts.add("demo")).name == "demo"


async def test_accounts_are_listed_by_name_page_by_page(house):
    """A page goes on after the last name of the one before."""
    for name in ("carol", "alice", "bob"):
        await house.gateway.accounts.add(name)
    page = house.gateway.accounts.page
    assert [account.name for account in page("", 2)] == ["alice", "bob"]
    assert [account.name for account in page("bob", 2)] == ["carol"]


async def test_removing_takes_everything_along(house):
    """API keys, listen keys and journals of the account are gone, over a restart too; others keep theirs."""
    alice, bob = await house.account("alice"), await house.account("bob")
    kept = await house.create(USDM, bob)
    await house.create(USDM, alice)
    await house.publish("alice", "binance-usdm", {"e": "x"})
    await house.gateway.accounts.remove("alice")
    assert await refused(house.gateway.accounts.remove("alice")) == "unknown_account"
    for _ in range(2):
        assert (await house.call("POST", USDM, alice)).code == -2015
        assert house.store.find_account("alice") is None
        assert house.store.read_journal(StreamId(1, "binance-usdm")) is None
        assert house.store.count_keys() == {"active": 1, "closed": 1, "expired": 0}
        assert house.resolve(kept)
        await house.crash()


async def test_removing_an_account_while_its_bots_are_busy(house):
    """After the answer nothing of the account works, whatever was on its way."""
    alice = await house.account()
    calls = [asyncio.ensure_future(house.call("POST", BINGX, alice)) for _ in range(20)]
    publishing = [asyncio.ensure_future(house.publish("alice", "bingx-swap", {"e": "x"})) for _ in range(20)]
    removing = asyncio.ensure_future(house.gateway.accounts.remove("alice"))
    calls += [asyncio.ensure_future(house.call("POST", BINGX, alice)) for _ in range(20)]
    await removing
    answers = await asyncio.gather(*calls)
    await asyncio.gather(*publishing)
    assert {answer.code for answer in answers} <= {None, 100413}
    assert house.store.count_keys()["active"] == 0
    made = [answer.json["listenKey"] for answer in answers if answer.code is None]
    assert not any(house.resolve(string) for string in made)


# API keys ----------------------------------------------------------------------------------------------


async def test_what_is_left_out_is_made_up(house):
    """A key and a secret nobody can guess, and permission to read."""
    await house.gateway.accounts.add("alice")
    one, two = await house.api_key(), await house.api_key()
    assert one.key != two.key
    assert one.secret != two.secret
    assert len(one.key) == len(one.secret) == 64
    (found, _) = sorted(house.gateway.accounts.api_keys("alice", "", 9), key=lambda key: key.id != one.id)
    assert (found.permissions, found.ip_allow, found.public_key) == (("read",), (), "")
    assert house.gateway.credentials.secret(found) == one.secret.encode()


async def test_what_is_given_is_taken(house):
    """A bot's own key and secret move in as they are; entries of the list are put in order."""
    await house.gateway.accounts.add("alice")
    made = await house.api_key(
        "alice",
        key="my-key",
        secret="my secret",
        permissions=("trade", "read", "trade"),
        ip_allow=("192.0.2.77/24",),
    )
    assert (made.key, made.secret) == ("my-key", "my secret")
    (found,) = house.gateway.accounts.api_keys(None, "", 9)
    assert (found.permissions, found.ip_allow) == (("trade", "read"), ("192.0.2.0/24",))
    assert house.gateway.credentials.secret(found) == b"my secret"


async def test_a_public_key_needs_no_secret(house):
    """Who signs with a key pair keeps the private half; then there is no secret to show."""
    await house.gateway.accounts.add("alice")
    made = await house.api_key("alice", public_key=PUBLIC_KEY)
    assert made.secret is None
    (found,) = house.gateway.accounts.api_keys("alice", "", 9)
    assert found.public_key == PUBLIC_KEY
    assert house.gateway.credentials.secret(found) == b""


@pytest.mark.parametrize(
    "wanted, code",
    [
        ({"permissions": ("read", "withdraw")}, "bad_permission"),
        ({"ip_allow": ("not an address",)}, "bad_ip_allow"),
        ({"key": ""}, "bad_api_key"),
        ({"key": "a b"}, "bad_api_key"),
        ({"key": "x" * 129}, "bad_api_key"),
        ({"public_key": "-----BEGIN PUBLIC KEY-----"}, "bad_public_key"),
        ({"public_key": ""}, "bad_public_key"),
    ],
)
async def test_an_api_key_that_cannot_be(house, wanted, code):
    """Refused by its rule, and nothing is kept."""
    await house.gateway.accounts.add("alice")
    assert await refused(house.api_key("alice", **wanted)) == code
    assert house.gateway.accounts.api_keys(None, "", 9) == []


async def test_an_api_key_is_one_account_s(house):
    """The same key for two accounts would open one's stream with the other's credential."""
    await house.gateway.accounts.add("alice")
    await house.gateway.accounts.add("bob")
    await house.api_key("alice", key="same")
    assert await refused(house.api_key("bob", key="same")) == "api_key_exists"
    assert await refused(house.api_key("carol")) == "unknown_account"


async def test_an_api_key_that_was_revoked_may_be_made_again(house):
    """For whom it is then, and with what it then may; the cache does not remember the old one."""
    await house.gateway.accounts.add("alice")
    await house.gateway.accounts.add("bob")
    old = await house.api_key("alice", key="same", secret="old")
    assert house.gateway.credentials.secret(house.gateway.credentials.find("same")) == b"old"
    await house.gateway.accounts.revoke_api_key(old.id)
    assert house.gateway.credentials.find("same") is None
    await house.api_key("bob", key="same", secret="new")
    found = house.gateway.credentials.find("same")
    assert (found.account, house.gateway.credentials.secret(found)) == ("bob", b"new")


async def test_revoking_what_is_not_there(house):
    """Said so, twice as well."""
    api_key = await house.account()
    assert await refused(house.gateway.accounts.revoke_api_key("nothing")) == "unknown_api_key"
    await house.gateway.accounts.revoke_api_key(api_key.id)
    assert await refused(house.gateway.accounts.revoke_api_key(api_key.id)) == "unknown_api_key"


async def test_secrets_outlast_a_restart(house):
    """The next process opens what this one sealed."""
    api_key = await house.account()
    await house.restart()
    found = house.gateway.credentials.find(api_key.key)
    assert house.gateway.credentials.secret(found) == api_key.secret.encode()


async def test_the_memory_of_credentials_is_bounded(house, monkeypatch):
    """More API keys than are remembered work all the same."""
    monkeypatch.setattr("listenkey.service.credentials._REMEMBERED", 3)
    await house.gateway.accounts.add("alice")
    made = [await house.api_key() for _ in range(6)]
    for _ in range(2):
        for api_key in made:
            found = house.gateway.credentials.find(api_key.key)
            assert house.gateway.credentials.secret(found) == api_key.secret.encode()
            assert len(house.gateway.credentials._remembered) <= 3
    assert house.gateway.credentials.find("unknown") is None


# Tokens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope, may", [("admin", {"admin", "publish", "read"}), ("publish", {"publish"}), ("read", {"read"})]
)
async def test_a_token_may_what_its_scope_says(house, scope, may):
    """An administrator all, a publisher and a reader only their own; over a restart too."""
    made = await house.gateway.tokens.add(scope)
    for _ in range(2):
        tokens = house.gateway.tokens
        assert {wanted for wanted in ("admin", "publish", "read") if tokens.allows(made.key, wanted)} == may
        await house.crash()


@pytest.mark.parametrize("text", ["", "x", "\ud800", "é" * 1000])
async def test_any_other_text_may_nothing(house, text):
    """I8: whatever stands in the header."""
    await house.gateway.tokens.add("admin")
    assert not house.gateway.tokens.allows(text, "read")
    assert house.gateway.tokens.find(text) is None


async def test_a_revoked_token_may_nothing(house):
    """At once and for good."""
    keep, gone = await house.gateway.tokens.add("read"), await house.gateway.tokens.add("admin")
    await house.gateway.tokens.revoke(gone.id)
    assert not house.gateway.tokens.allows(gone.key, "admin")
    assert await refused(house.gateway.tokens.revoke(gone.id)) == "unknown_token"
    await house.restart()
    assert not house.gateway.tokens.allows(gone.key, "admin")
    assert [token.id for token in house.gateway.tokens.all()] == [keep.id]


async def test_a_token_of_a_given_text_is_kept_once(house):
    """The data folder's own token is known from its first start on, and not made again at each."""
    one = await house.gateway.tokens.keep("admin", "the folder's token")
    await house.restart()
    two = await house.gateway.tokens.keep("admin", "the folder's token")
    assert one == two
    assert len(house.gateway.tokens.all()) == 1


# Connections -------------------------------------------------------------------------------------------


async def test_sockets_can_be_listed_and_closed(house):
    """By their ids, oldest first; one that is gone cannot be closed."""
    connections = house.gateway.connections
    one, two = Watcher(), Watcher(HOME)
    connections.register(one)
    connections.register(two)
    assert connections.all() == [one, two]
    assert len(connections) == 2
    connections.close(one.id)
    assert (one.closed, two.closed) == (["operator"], [])
    connections.unregister(one)
    connections.unregister(one)
    with pytest.raises(Refused) as refusal:
        connections.close(one.id)
    assert refusal.value.code == "unknown_connection"
    connections.close_all("shutdown")
    assert (one.closed, two.closed) == (["operator"], ["shutdown"])


# At rest -----------------------------------------------------------------------------------------------


async def test_nothing_secret_lies_in_the_files(house):
    """I7: key strings, API secrets and tokens are in no file of the folder, however the process ended."""
    api_key = await house.account()
    given = await house.api_key("alice", secret="a secret of alice's own")
    secrets = [api_key.secret, given.secret, (await house.gateway.tokens.add("admin")).key]
    secrets += [await house.create(path, api_key) for path in (USDM, SPOT, BINGX)]
    for _ in range(2):
        for path in house.folder.rglob("*"):
            content = path.read_bytes()
            assert MASTER_SECRET not in content
            assert not [secret for secret in secrets if secret.encode() in content], path
        await house.crash()
    assert NewApiKey().secret is None


async def test_an_empty_secret_is_refused(house):
    """Somebody's variable was not set; a key with a secret that nobody knows would be made in its place."""
    await house.gateway.accounts.add("alice")
    wanted = NewApiKey(secret="")
    assert await refused(house.gateway.accounts.add_api_key("alice", wanted)) == "bad_secret"


async def test_records_do_not_show_what_is_secret(house):
    """I7, where something prints a record into a log or a traceback."""
    await house.gateway.accounts.add("alice")
    wanted = NewApiKey(key="k" * 20, secret="s" * 20)
    made = await house.gateway.accounts.add_api_key("alice", wanted)
    (kept,) = house.gateway.accounts.api_keys("alice", "", 10)
    held, live = Held(None, "l" * 20), LiveKey(None, house.gateway.dialects["bingx"], "l" * 20)
    shown = repr([wanted, made, kept, held, live])
    assert not any(secret * 8 in shown for secret in "ksl"), shown
