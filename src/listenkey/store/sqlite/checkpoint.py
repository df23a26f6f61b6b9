"""Moving what was committed from the write-ahead log into the file, off the path of commits."""

import threading
from pathlib import Path
from typing import Final

import apsw

from listenkey.store.sqlite.database import Database, Durability, connect

START_PAGES: Final = 1_000
"""A log of so many pages not yet moved has the thread go to work."""
LIMIT_PAGES: Final = 16_000
"""A log of so many pages is to begin anew, which it can only once all of it is moved."""
OVERDUE_PAGES: Final = 64_000
"""At so many the writer moves whatever is left, however long that takes."""


class Checkpointer:
    """The thread, and what the writer does for it.

    The thread copies pages while the writer adds new ones, so alone it never quite catches up under load,
    and the log would grow for good. Once it is long, the writer copies the last few pages between commits.
    """

    def __init__(self, path: Path, durability: Durability, vfs: str | None = None) -> None:
        self._open = (path, durability, vfs)
        self._wake = threading.Condition()
        self._asked = False
        self._closing = False
        self._busy = False
        self._pages = 0
        self._moved = 0
        self._thread = threading.Thread(target=self._main, name="listenkey-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            with self._wake:
                self._closing = True
                self._wake.notify()
            self._thread.join()

    def note_size(self, db: apsw.Connection, name: str, pages: int) -> int:
        """SQLite's hook after each commit, on the writer's thread: how many pages the log has."""
        if pages < self._pages:
            self._moved = 0
        self._pages = pages
        if pages - self._moved >= START_PAGES and not self._busy and not self._asked:
            with self._wake:
                self._asked = True
                self._wake.notify()
        return apsw.SQLITE_OK

    def help(self, db: Database) -> None:
        """On the writer's thread, between commits: move the rest of a long log where little is left."""
        if self._pages < LIMIT_PAGES or self._busy or self._asked:
            return
        if self._pages - self._moved <= START_PAGES or self._pages >= OVERDUE_PAGES:
            self._move(db)

    def _main(self) -> None:
        path, durability, vfs = self._open
        db = connect(path, durability, vfs)
        try:
            while self._wait():
                self._move(db)
                self._busy = False
        finally:
            db.close()

    def _wait(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._asked or self._closing)
            self._busy, self._asked = True, False
            return not self._closing

    def _move(self, db: Database) -> None:
        try:
            _, self._moved = db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            # The disk is full or failing: commits find that out by themselves, and this is tried again later.
            return
