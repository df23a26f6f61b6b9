import pytest

from listenkey.base.errors import Refused
from listenkey.core.records import Account, ApiKey, StreamId
from listenkey.store.base import NotAppended, Store, Submission
from tests.conformance.homes import Home, Recorder
from tests.conformance.making import START, api_key, key_request, listen_key, new_key


async def test_an_account_is_found_by_its_name(store: Store, alice: Account) -> None:
    """What was made is found, under an id of its own; other names are not."""
    bob = await store.add_account("bob", START + 1)
    assert store.find_account("alice") == alice == Account(alice.id, "alice", START)
    assert store.find_account("bob") == bob
    assert bob.id != alice.id
    assert store.find_account("carol") is None


async def test_a_name_is_taken_once(store: Store, alice: Account) -> None:
    """A second account of a name is refused, also where both are asked for at once; the first stays."""
    first, second = store.add_account("bob", START), store.add_account("bob", START)
    assert (await first).name == "bob"
    for taken in (second, store.add_account("alice", START + 1)):
        with pytest.raises(Refused) as refusal:
            await taken
        assert refusal.value.code == "account_exists"
    assert store.find_account("alice") == alice


async def test_lists_go_on_where_they_stopped(store: Store) -> None:
    """Pages of accounts and API keys, put together, have each one once and in order."""
    for name in ("b", "d", "a", "c"):
        account = await store.add_account(name, START)
        for number in (2, 1):
            await store.add_api_key(api_key(account, f"{name}{number}"), START)
    names: list[str] = []
    while page := store.read_accounts(names[-1] if names else "", 3):
        names += [account.name for account in page]
    assert names == ["a", "b", "c", "d"]
    ids: list[str] = []
    while keys := store.read_api_keys(None, ids[-1] if ids else "", 3):
        ids += [key.id for key in keys]
    assert ids == [f"id-{name}{number}" for name in "abcd" for number in (1, 2)]
    assert [key.id for key in store.read_api_keys("c", "", 10)] == ["id-c1", "id-c2"]
    assert [key.id for key in store.read_api_keys("c", "id-c1", 10)] == ["id-c2"]
    assert store.read_api_keys("nobody", "", 10) == []


async def test_an_api_key_keeps_everything(store: Store, one: ApiKey, two: ApiKey) -> None:
    """An API key is found by the key that callers send, with its secret, permissions and allow-list."""
    assert store.find_api_key(one.key) == one
    assert store.find_api_key(two.key) == two
    assert store.find_api_key(one.id) is None


async def test_an_api_key_is_taken_once(store: Store, alice: Account, one: ApiKey) -> None:
    """Neither a key nor an id is given to a second one, nor an API key to an account that is not there."""
    bob = await store.add_account("bob", START)
    other = api_key(bob, "other")
    clashes = [
        (ApiKey("id-x", bob.id, "bob", one.key, b"", "", (), (), START), "api_key_exists"),
        (ApiKey(one.id, bob.id, "bob", "key-x", b"", "", (), (), START), "api_key_exists"),
        (api_key(Account(99, "carol", START), "x"), "unknown_account"),
        (api_key(Account(alice.id, "bob", START), "x"), "unknown_account"),
    ]
    for clash, code in clashes:
        with pytest.raises(Refused) as refusal:
            await store.add_api_key(clash, START)
        assert refusal.value.code == code
    await store.add_api_key(other, START)
    assert store.read_api_keys(None, "", 10) == [one, other]


async def test_a_revoked_api_key_is_gone(store: Store, alice: Account, one: ApiKey) -> None:
    """A revoked API key is not found or revoked again, and can neither create nor extend nor close."""
    key = (await store.create_key(new_key(listen_key(1, one, START), START))).key  # type: ignore[union-attr]
    revoked = store.revoke_api_key(one.id, START)
    late = [
        store.create_key(new_key(listen_key(2, one, START), START)),
        store.extend_key(key_request(key, START)),
        store.close_key(key_request(key, START)),
        store.revoke_api_key(one.id, START),
    ]
    assert await revoked == alice.id
    for refused in late:
        with pytest.raises(Refused) as refusal:
            await refused
        assert refusal.value.code == "unknown_api_key"
    assert store.find_api_key(one.key) is None
    assert store.read_api_keys(None, "", 10) == []


async def test_revoking_ends_the_keys_that_it_alone_used(
    store: Store, recorder: Recorder, one: ApiKey, two: ApiKey
) -> None:
    """A key that another API key created or extended lives on; one that nobody else uses ends as revoked."""
    for number, holder in ((1, one), (2, one), (3, two)):
        fresh = listen_key(number, holder, START, key_space=f"space-{number}")
        await store.create_key(new_key(fresh, START))
    shared = store.find_key(listen_key(2, one, START).digest)
    assert shared is not None
    await store.extend_key(key_request(shared, START, by=two.id))
    assert store.read_key_users(2) == [one, two]
    await store.revoke_api_key(one.id, START + 5)
    assert recorder.ended() == [(1, "revoked")]
    assert [key.state for key in store.read_keys(None, None, None, 0, 10)] == ["closed", "active", "active"]
    assert store.read_key_users(1) == []
    assert store.read_key_users(2) == [two]
    await store.revoke_api_key(two.id, START + 6)
    assert recorder.ended() == [(1, "revoked"), (2, "revoked"), (3, "revoked")]


async def test_a_removed_account_takes_everything_along(
    store: Store, recorder: Recorder, alice: Account, one: ApiKey
) -> None:
    """With an account go its API keys, live keys and journals, also for events already on their way."""
    stream = StreamId(alice.id, "orders")
    await store.create_key(new_key(listen_key(1, one, START), START))
    await store.append([Submission(stream, b"{}")], START)
    removed = store.remove_account("alice", START + 1)
    late = store.append([Submission(stream, b"{}")], START + 2)
    ended = await removed
    assert [(end.key.id, end.key.state, end.key.ended_at, end.cause) for end in ended] == [
        (1, "closed", START + 1, "revoked")
    ]
    assert recorder.ended() == [(1, "revoked")]
    (answer,) = await late
    assert isinstance(answer, NotAppended)
    assert answer.code == "unknown_account"
    assert recorder.offsets(stream) == [1]
    assert store.find_account("alice") is None
    assert store.find_api_key(one.key) is None
    assert store.read_journal(stream) is None
    assert store.read_events(stream, "anything", 0, 10) == []
    assert store.read_keys("alice", None, None, 0, 10) == []
    assert [key.account for key in store.read_keys(None, None, None, 0, 10)] == ["alice"]
    with pytest.raises(Refused) as refusal:
        await store.remove_account("alice", START + 3)
    assert refusal.value.code == "unknown_account"


async def test_an_account_made_again_is_another_one(store: Store, alice: Account) -> None:
    """A name that is used again brings back nothing: another id, another epoch, no events."""
    old = StreamId(alice.id, "orders")
    await store.append([Submission(old, b"{}")], START)
    before = store.read_journal(old)
    await store.remove_account("alice", START)
    again = await store.add_account("alice", START)
    view = store.read_journal(StreamId(again.id, "orders"))
    assert again.id != alice.id
    assert before is not None
    assert view is not None
    assert view.epoch != before.epoch
    assert view.head == 0
    assert store.read_journal(StreamId(again.id, "orders"), before.epoch) is None


async def test_ids_of_accounts_are_never_used_twice(home: Home) -> None:
    """The id of a removed account is not given to the next one, not even after a restart."""
    store = home.open()
    store.start(Recorder())
    gone = await store.add_account("alice", START)
    await store.remove_account("alice", START)
    await store.close()
    store = home.open()
    store.start(Recorder())
    assert (await store.add_account("alice", START)).id > gone.id
    await store.close()
