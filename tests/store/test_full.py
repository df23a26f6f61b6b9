"""A disk that is full or failing: nobody is acked in vain, and the store recovers by itself."""

import asyncio
from pathlib import Path

import apsw
import msgspec
import pytest

from listenkey.base.errors import StoreError, StoreFull
from listenkey.core.keylife import Changed, Issued
from listenkey.core.records import StreamId
from listenkey.store.base import Submission
from listenkey.store.sqlite.pace import DEFAULT
from listenkey.store.sqlite.reserve import Reserve
from tests.conformance.homes import HASTY
from tests.conformance.making import START, api_key, key_request, listen_key, new_key
from tests.store.faulty import FaultyVFS, Room
from tests.store.using import files_now, journal, publish, start

SMALL = msgspec.structs.replace(
    DEFAULT, log_pages=100, move_pages=20, stall_pages=50, reserve_bytes=1_000_000
)


@pytest.fixture
def room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A disk of two megabytes, as the store's reserve sees it."""
    room = Room(folder, 3_000_000)
    monkeypatch.setattr(Reserve, "_has_room", lambda reserve: room.free() >= SMALL.reserve_bytes)
    return room


async def test_a_full_disk_refuses_events_and_lets_keys_go_on(
    folder: Path, vfs: FaultyVFS, room: Room
) -> None:
    """Events that find no room are refused, keys are made and closed all the same, and nothing is lost."""
    store = start(folder, vfs=vfs.name, pace=SMALL)
    vfs.on_write = room.refuse_growth
    alice = await store.add_account("alice", START)
    holder = await store.add_api_key(api_key(alice, "one"), START)
    acked: list[bytes] = []
    while True:
        payload = b"%d" % len(acked) * 2_000
        (said,) = await publish(store, alice, payload)
        if said == "store_full":
            break
        acked.append(payload)
        assert said == len(acked)
    assert len(acked) > 50
    for number in range(1, 30):
        key = listen_key(number, holder, START, key_space=f"space-{number}")
        assert isinstance(await store.create_key(new_key(key, START)), Issued)
        assert isinstance(await store.extend_key(key_request(key, START + 1)), Changed)
        assert isinstance(await store.close_key(key_request(key, START + 1)), Changed)
        assert await publish(store, alice, b"a", b"b") == ["store_full", "store_full"]
    assert journal(store, alice) == acked
    room.size += 10_000_000
    assert await publish(store, alice, b"again") == [len(acked) + 1]
    assert journal(store, alice) == [*acked, b"again"]
    assert list(store.verify()) == []
    await store.close()


async def test_without_reserve_keys_are_refused_as_full(folder: Path, vfs: FaultyVFS) -> None:
    """Where not even the reserve helps, a create fails as what it is, and goes well once there is room."""
    store = start(folder, vfs=vfs.name, pace=HASTY)
    alice = await store.add_account("alice", START)
    vfs.on_write = lambda _: apsw.FullError("no room")
    with pytest.raises(StoreFull):
        await store.add_account("bob", START)
    assert await publish(store, alice, b"a") == ["store_full"]
    assert store.find_account("bob") is None
    vfs.heal()
    assert (await store.add_account("bob", START)).name == "bob"
    assert await publish(store, alice, b"b") == [1]
    await store.close()


async def test_a_failed_sync_acks_nobody(folder: Path, vfs: FaultyVFS) -> None:
    """What could not be made durable fails for all who shared the commit, and leaves nothing behind."""
    store = start(folder, vfs=vfs.name)
    alice = await store.add_account("alice", START)
    assert await publish(store, alice, b"1") == [1]
    vfs.on_sync = lambda path: apsw.IOError("broken") if path.name.endswith("-wal") else None
    calls = [
        store.append([Submission(StreamId(alice.id, "orders"), b"lost", "id")], START),
        store.add_account("bob", START),
        store.put_setting("x", b"lost", START),
    ]
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(answer, StoreError)
        assert not isinstance(answer, StoreFull)
    assert journal(store, alice) == [b"1"]
    assert (store.find_account("bob"), store.read_setting("x")) == (None, None)
    vfs.heal()
    assert await publish(store, alice, b"2", b"3") == [2, 3]
    assert journal(store, alice) == [b"1", b"2", b"3"]
    await store.close()


async def test_a_crash_does_not_bring_back_what_was_refused(folder: Path, vfs: FaultyVFS) -> None:
    """Once an event was answered as not journaled, no crash makes it appear, though it had been written."""
    store = start(folder, vfs=vfs.name)
    alice = await store.add_account("alice", START)
    assert await publish(store, alice, b"1") == [1]
    faults = iter([apsw.IOError("once"), apsw.IOError("twice")])
    vfs.on_sync = lambda path: next(faults, None) if path.name.endswith("-wal") else None
    with pytest.raises(StoreError):
        await publish(store, alice, b"refused" * 3_000)
    found = start(files_now(folder))
    assert journal(found, alice) == [b"1"]
    assert list(found.verify()) == []
    await found.close()
    await store.close()


async def test_a_disk_that_cannot_be_read_is_said_so(folder: Path) -> None:
    """A page that turns out to be damaged while running fails who needs it, with a word on what to do."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    for number in range(200):
        await publish(store, alice, b"%d " % number * 1_000)
    await store.close()
    file = folder / "listenkey.db"
    content = bytearray(file.read_bytes())
    broken = msgspec.structs.replace(DEFAULT, small_file_pages=0)
    content[len(content) // 2 : len(content) // 2 + 40_960] = b"\xa5" * 40_960
    file.write_bytes(content)
    store = start(folder, pace=broken)
    with pytest.raises(StoreError) as failure:
        journal(store, alice)
    assert failure.value.code in {"store_damaged", "store"}
    assert any(line.startswith(("file:", "journal")) for line in store.verify())
    assert (await store.add_account("bob", START)).name == "bob"
    await store.close()
