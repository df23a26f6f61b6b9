"""Copies of a running store, and what becomes of them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from listenkey.base.errors import (
    Refused,
    SecretError,
    StoreDamaged,
    StoreError,
    StoreForeign,
    StoreLocked,
)
from listenkey.core.keylife import Issued
from listenkey.core.position import JournalView
from listenkey.core.records import StreamId
from listenkey.store.base import Appended, Submission
from listenkey.store.sqlite import open_sqlite, restore, verify_folder
from tests.conformance.making import START, api_key, listen_key, new_key
from tests.store.using import journal, mode_of, names_in, publish, start


def accept(value: bytes) -> None:
    """The master secret fits."""
    assert value == b"check value"


def put_back(
    backup: Path, folder: Path, *, check: Callable[[bytes], None] = accept, force: bool = False
) -> None:
    """Restore with a check of the secret."""
    restore(backup, folder, setting="check", check=check, force=force)


@pytest.fixture
async def backup(folder: Path, tmp_path: Path) -> Path:
    """A backup of a store with an account, a key and five events; two more came after it."""
    store = start(folder)
    await store.put_setting("check", b"check value", START)
    alice = await store.add_account("alice", START)
    holder = await store.add_api_key(api_key(alice, "one"), START)
    assert isinstance(await store.create_key(new_key(listen_key(1, holder, START), START)), Issued)
    await publish(store, alice, *[b"%d" % number for number in range(1, 5)])
    await store.append([Submission(StreamId(alice.id, "orders"), b"5", "five")], START)
    file = tmp_path / "backup"
    await store.backup(str(file))
    assert await publish(store, alice, b"6", b"7") == [6, 7]
    await store.close()
    return file


async def test_a_restored_store_continues_no_history(folder: Path, tmp_path: Path, backup: Path) -> None:
    """Everything up to the backup is there, past events under their epoch, and new ones under another."""
    store = start(folder)
    alice = store.find_account("alice")
    assert alice is not None
    orders = StreamId(alice.id, "orders")
    original = store.read_journal(orders)
    assert original is not None
    await store.close()
    put_back(backup, tmp_path / "new")
    store = start(tmp_path / "new")
    assert store.find_account("alice") == alice
    assert store.find_api_key("key-one") is not None
    assert [key.id for key in store.read_keys(None, None, None, 0, 10)] == [1]
    view = store.read_journal(orders)
    assert view is not None
    assert view == JournalView(view.epoch, 1, 0)
    assert view.epoch != original.epoch
    assert store.read_journal(orders, original.epoch) == JournalView(original.epoch, 1, 5)
    past = store.read_events(orders, original.epoch, 0, 10)
    assert [event.payload for event in past] == [b"1", b"2", b"3", b"4", b"5"]
    answers = await store.append([Submission(orders, b"5", "five"), Submission(orders, b"new")], START)
    assert answers == [Appended(original.epoch, 5, repeated=True), Appended(view.epoch, 1)]
    assert list(store.verify()) == []
    await store.close()


async def test_two_restores_are_two_histories(tmp_path: Path, backup: Path) -> None:
    """The same backup put back twice gives journals that cannot be taken for each other, empty ones too."""
    epochs: list[str] = []
    for name in ("one", "two"):
        put_back(backup, tmp_path / name)
        store = start(tmp_path / name)
        for stream in ("orders", "empty"):
            view = store.read_journal(StreamId(1, stream))
            assert view is not None
            epochs.append(view.epoch)
        await store.close()
        store = start(tmp_path / name)
        again = store.read_journal(StreamId(1, "orders"))
        assert again is not None
        assert again.epoch == epochs[-2]
        await store.close()
    assert len(set(epochs)) == 4


async def test_a_backup_is_of_one_moment(folder: Path, tmp_path: Path) -> None:
    """While events keep coming, a backup holds all that was acked before it began, and is sound."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    going = True
    count = 0

    async def keep_publishing() -> None:
        nonlocal count
        while going:
            await publish(store, alice, *[b"x" * 1_000] * 100)
            count += 100

    publishing = asyncio.create_task(keep_publishing())
    for number in range(3):
        before = count
        await store.backup(str(tmp_path / f"backup-{number}"))
        put_back(tmp_path / f"backup-{number}", tmp_path / f"restored-{number}")
        assert list(verify_folder(tmp_path / f"restored-{number}")) == []
        restored = open_sqlite(tmp_path / f"restored-{number}")
        (size,) = [row[0] for row in restored._db.rows("SELECT count(*) FROM log")]
        assert before <= size <= count + 100
        await restored.close()
    going = False
    await publishing
    await store.close()


async def test_a_backup_replaces_nothing(folder: Path, tmp_path: Path) -> None:
    """A file that is there stays as it is, and nothing half-made is left of one that cannot be written."""
    store = start(folder)
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(Refused) as refusal:
        await store.backup(str(there))
    assert refusal.value.code == "file_exists"
    assert there.read_text() == "mine"
    with pytest.raises(Refused) as refusal:
        await store.backup(str(tmp_path / "missing" / "file"))
    assert refusal.value.code == "bad_path"
    assert names_in(tmp_path) == ["data", "there"]
    await store.backup(str(tmp_path / "fine"))
    assert mode_of(tmp_path / "fine") == 0o600
    assert names_in(tmp_path) == ["data", "fine", "there"]
    await store.close()


def test_only_a_sound_backup_is_put_back(folder: Path, tmp_path: Path, backup: Path) -> None:
    """What is missing, foreign, damaged or a store's own file is refused, and no folder is made for it."""
    damaged, foreign = tmp_path / "damaged", tmp_path / "foreign"
    content = bytearray(backup.read_bytes())
    content[8192:16384] = b"\xa5" * 8192
    damaged.write_bytes(content)
    foreign.write_text("Dear diary, " * 1_000)
    for file, error in (
        (damaged, StoreDamaged),
        (foreign, StoreForeign),
        (folder / "listenkey.db", StoreForeign),
        (tmp_path / "missing", StoreError),
        (tmp_path, StoreError),
    ):
        with pytest.raises(error):
            put_back(file, tmp_path / "new")
        assert not (tmp_path / "new").exists()


async def test_the_master_secret_has_to_fit(tmp_path: Path, backup: Path) -> None:
    """A secret that is missing or another one stops the restore before anything is made."""

    def refuse(value: bytes) -> None:
        raise SecretError("the master secret is another one")

    with pytest.raises(SecretError):
        put_back(backup, tmp_path / "new", check=refuse)
    assert not (tmp_path / "new").exists()


async def test_a_store_that_is_there_is_not_lost(folder: Path, backup: Path) -> None:
    """Over a store nothing is put back unless forced; then the old one is kept under another name."""
    with pytest.raises(Refused) as refusal:
        put_back(backup, folder)
    assert refusal.value.code == "store_exists"
    for number in (1, 2):
        put_back(backup, folder, force=True)
        assert (folder / f"listenkey.db.replaced-{number}").exists()
    store = start(folder)
    alice = store.find_account("alice")
    assert alice is not None
    assert journal(store, alice) == []
    await store.close()
    old = folder.with_name("old")
    old.mkdir()
    (folder / "listenkey.db.replaced-1").rename(old / "listenkey.db")
    store = start(old)
    assert [int(payload) for payload in journal(store, alice)] == list(range(1, 8))
    await store.close()


async def test_a_crashed_store_is_kept_with_its_last_commits(
    folder: Path, tmp_path: Path, backup: Path
) -> None:
    """Where the store that is replaced was killed, what was only in its write-ahead log is kept too."""
    store = start(folder)
    alice = store.find_account("alice")
    assert alice is not None
    await publish(store, alice, b"8")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("listenkey.db", "listenkey.db-wal"):
        (crashed / name).write_bytes((folder / name).read_bytes())
    await store.close()
    put_back(backup, crashed, force=True)
    assert not (crashed / "listenkey.db-wal").exists()
    (crashed / "listenkey.db.replaced-1").replace(crashed / "listenkey.db")
    store = start(crashed)
    assert journal(store, alice)[-1] == b"8"
    await store.close()


async def test_a_folder_in_use_is_not_restored_into(folder: Path, backup: Path) -> None:
    """Restoring wants the folder for itself."""
    store = open_sqlite(folder)
    with pytest.raises(StoreLocked):
        put_back(backup, folder, force=True)
    await store.close()
