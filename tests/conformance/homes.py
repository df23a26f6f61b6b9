"""The stores that the suite is run over, each with the places where it lives.

The tests know a store through `store.base` alone; what only one kind of store can say is said here.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event as Signal
from typing import Protocol

from listenkey.core.records import Event, StreamId
from listenkey.store.base import EndedKey, Store
from listenkey.store.sqlite import open_sqlite
from listenkey.store.sqlite.database import Durability
from listenkey.store.sqlite.pace import Pace
from listenkey.store.sqlite.transaction import Transaction


class Home(Protocol):
    """Where a store lives while it is opened and closed."""

    keeps_epochs: bool
    """Whether a journal's history goes on after an end that was not clean."""

    def open(self) -> Store:
        """Open the store, made where there is none."""
        ...

    def after_kill(self) -> "Home":
        """What is found if the process were killed now; the store that is open is left alone."""
        ...


class SqliteHome:
    """A data folder."""

    def __init__(self, folder: Path, durability: Durability, pace: Pace) -> None:
        self._folder = folder
        self._durability = durability
        self._pace = pace
        self._kills = 0
        self.keeps_epochs = durability == "full"

    def open(self) -> Store:
        self._store = open_sqlite(self._folder, durability=self._durability, pace=self._pace)
        return self._store

    def after_kill(self) -> "SqliteHome":
        self._kills += 1
        found = self._folder.with_name(f"{self._folder.name}-{self._kills}")
        copied = Signal()

        def copy(_: Transaction) -> None:
            # Only while both threads hold still are the files those of one moment. A killed process leaves
            # them as they are, and no lock; its shared memory is of no use to others.
            with self._store._checkpointer._working:
                leave = shutil.ignore_patterns("*-shm", "*.reserve")
                shutil.copytree(self._folder, found, ignore=leave, dirs_exist_ok=True)
            copied.set()

        self._store._submit(copy, 0)
        assert copied.wait(60)
        return SqliteHome(found, self._durability, self._pace)


HASTY = Pace(
    batch_weight=4,
    batches_a_slice=1,
    idle_seconds=0.001,
    index_events=3,
    index_slice=2,
    trim_journals=1,
    trim_rows=20,
    trim_scattered_rows=20,
    trim_ids=2,
    log_pages=24,
    move_pages=2,
    move_pause=0.0,
    stall_pages=6,
    reserve_bytes=4096,
    small_file_pages=0,
)
"""Everything in small pieces and at once, so that a short test meets what takes a store hours."""

HOMES: dict[str, Callable[[Path], Home]] = {
    "sqlite": lambda folder: SqliteHome(folder / "data", "full", Pace()),
    "sqlite-hasty": lambda folder: SqliteHome(folder / "data", "full", HASTY),
    "sqlite-relaxed": lambda folder: SqliteHome(folder / "data", "relaxed", HASTY),
}


class Recorder:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[StreamId, str, Event] | EndedKey] = []

    def appended(self, stream: StreamId, epoch: str, events: Sequence[Event]) -> None:
        assert events
        self.told += [(stream, epoch, event) for event in events]

    def keys_ended(self, ended: Sequence[EndedKey]) -> None:
        assert ended
        self.told += ended

    def ended(self) -> list[tuple[int, str]]:
        """Ids of the keys that ended, and why."""
        return [(item.key.id, item.cause) for item in self.told if isinstance(item, EndedKey)]

    def offsets(self, stream: StreamId) -> list[int]:
        """Offsets of a stream's events, as told."""
        return [item[2].offset for item in self.told if isinstance(item, tuple) and item[0] == stream]
