"""Gaps in the file: those of a file from before there were any, and in a copy."""

from pathlib import Path

import pytest

from listenkey.core.records import StreamId
from listenkey.store.base import Submission
from listenkey.store.sqlite import restore, schema, verify_folder
from tests.conformance.making import START
from tests.store.using import publish, start


async def test_a_file_from_before_gaps_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events are events, indexed or not, and a gap finds its place after them."""
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
        store = start(folder)
        alice = await store.add_account("alice", START)
        await publish(store, alice, b"1", b"2")
        await store.close()
    store = start(folder)
    await store.append([Submission(StreamId(alice.id, "orders"), b"{}", gap=True)], START)
    assert await publish(store, alice, b"4") == [4]
    view = store.read_journal(StreamId(alice.id, "orders"))
    assert view is not None
    events = store.read_events(StreamId(alice.id, "orders"), view.epoch, 0, 10)
    assert [event.gap for event in events] == [False, False, True, False]
    await store.close()
    assert list(verify_folder(folder)) == []


async def test_a_copy_has_its_gaps(folder: Path, tmp_path: Path) -> None:
    """Restored from a backup, a hole is still no event."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    orders = StreamId(alice.id, "orders")
    await store.append([Submission(orders, b"1"), Submission(orders, b"{}", gap=True)], START)
    view = store.read_journal(orders)
    assert view is not None
    await store.backup(str(tmp_path / "backup"))
    await store.close()
    restore(tmp_path / "backup", tmp_path / "new", setting="check", check=lambda _: None)
    store = start(tmp_path / "new")
    assert [event.gap for event in store.read_events(orders, view.epoch, 0, 10)] == [False, True]
    await store.close()
