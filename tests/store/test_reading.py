"""Reading while the writer is ahead of what the event loop was told."""

from pathlib import Path

import pytest

from listenkey.base.errors import StoreDamaged
from listenkey.core.records import StreamId
from tests.conformance.making import START
from tests.store.using import publish, start


async def test_a_reader_that_was_not_told_of_a_trim_gets_no_hole(folder: Path) -> None:
    """Where rows are gone before the event loop has heard of it, a read begins at the oldest that is left."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    orders = StreamId(alice.id, "orders")
    await publish(store, alice, *[b"%d" % number for number in range(1, 1_001)])
    await store.trim_journals(0, 10, START)
    view = store.read_journal(orders)
    journal = store._journals.find(alice.id, "orders")
    assert view is not None
    assert journal is not None
    journal.oldest = 1
    events = store.read_events(orders, view.epoch, 0, 1_000)
    assert [event.offset for event in events] == list(range(991, 1_001))
    assert store.read_journal(orders) == view
    await store.close()


async def test_missing_events_are_no_answer(folder: Path) -> None:
    """Where an event is missing for no reason, a read fails as damage; it does not go on after the hole."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    await publish(store, alice, *[b"x"] * 10)
    store._db.execute("DELETE FROM log WHERE offset = 5")
    view = store.read_journal(StreamId(alice.id, "orders"))
    assert view is not None
    with pytest.raises(StoreDamaged):
        store.read_events(StreamId(alice.id, "orders"), view.epoch, 0, 10)
    await store.close()
