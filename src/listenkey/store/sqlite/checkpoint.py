"""Moving what was committed from the write-ahead log into the file, off the path of commits."""

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

import apsw

from listenkey.store.sqlite.database import Database, Durability, connect
from listenkey.store.sqlite.pace import Pace

_FRAME_BYTES: Final = 4_096 + 24
_CHUNK: Final = bytes(1024 * 1024)


def prepare_log(store: Path, pages: int) -> None:
    """Fill the write-ahead log up with zeros to the length that it reaches anyway: a file that is written
    over syncs several times faster than one that grows. Wants that nobody writes meanwhile."""
    log = store.with_name(store.name + "-wal")
    with contextlib.suppress(OSError), log.open("r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            for start in range(size, pages * _FRAME_BYTES, len(_CHUNK)):
                os.pwrite(file.fileno(), _CHUNK, start)
            os.fsync(file.fileno())
        except OSError:
            # No room: so the log grows as it can.
            file.truncate(size)


class Checkpointer:
    """The thread, and what the writer does for it.

    The thread copies pages while the writer adds new ones, so alone it never quite catches up under load,
    and the log would grow for good. Once it is long, the writer copies the last few pages between commits.
    """

    def __init__(self, path: Path, durability: Durability, vfs: str | None, pace: Pace) -> None:
        self._open = (path, durability, vfs)
        self._pace = pace
        self._wake = threading.Condition()
        self._working = threading.Lock()
        self._asked = False
        self._closing = False
        self._pages = 0
        self._moved = 0
        self._thread = threading.Thread(target=self._main, name="listenkey-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def note_size(self, db: apsw.Connection, name: str, pages: int) -> int:
        """SQLite's hook after each commit, on the writer's thread: how many pages the log has."""
        if pages < self._pages:
            self._moved = 0
        self._pages = pages
        return apsw.SQLITE_OK

    def help(self, db: Database) -> None:
        """On the writer's thread, between commits: have a log that grew long moved."""
        rest = self._pages - self._moved
        if rest < self._pace.move_pages and self._pages < self._pace.log_pages:
            return
        if self._pages >= self._pace.overdue_pages:
            with self._working:
                self._move(db)
        elif self._pages < self._pace.log_pages or rest > self._pace.stall_pages:
            self._ask()
        elif self._working.acquire(blocking=False):
            try:
                self._move(db)
            finally:
                self._working.release()

    def _ask(self) -> None:
        if not self._asked or self._pages >= self._pace.log_pages:
            with self._wake:
                self._asked = True
                self._wake.notify()

    def _main(self) -> None:
        path, durability, vfs = self._open
        db = connect(path, durability, vfs)
        try:
            while self._wait():
                with self._working:
                    self._move(db)
                self._pause()
                self._asked = False
        finally:
            db.close()

    def _wait(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._asked or self._closing)
            return not self._closing

    def _pause(self) -> None:
        with self._wake:
            self._wake.wait_for(
                lambda: self._closing or self._pages >= self._pace.log_pages, self._pace.move_pause
            )

    def _move(self, db: Database) -> None:
        try:
            _, self._moved = db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            # The disk is full or failing: commits find that out by themselves, and this is tried again later.
            return
