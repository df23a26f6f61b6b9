"""A connection to the store's file, as the rest of the store uses it."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import apsw

from listenkey.base.errors import StoreDamaged, StoreError, StoreForeign, StoreFull, StoreReadOnly

_FEW_ROWS: Final = 8
"""Rows are counted in portions: that costs next to nothing, and no more than a portion is read too much."""

Durability: TypeAlias = Literal["full", "relaxed"]
Value: TypeAlias = int | str | bytes | None


class Database(apsw.Connection):
    """One connection, used by one thread."""

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run a statement to its end; its rows. One left open would hold up checkpoints."""
        return self.execute(sql, values).fetchall()

    def rows_of_each(self, sql: str, values: Sequence[Sequence[Value]]) -> list[tuple[Any, ...]]:
        """Run a statement once for each set of values; all their rows."""
        return self.executemany(sql, values).fetchall()

    def rows_within(
        self, most_bytes: int, sql: str, values: Sequence[Sequence[Value]]
    ) -> tuple[list[tuple[Any, ...]], int]:
        """The same, until the last columns of the rows are so large together, one row at least; and how many
        bytes are left."""
        found: list[tuple[Any, ...]] = []
        rows = self.executemany(sql, values)
        try:
            while most_bytes > 0 or not found:
                few = list(islice(rows, _FEW_ROWS))
                if not few:
                    break
                sizes = [len(row[-1]) for row in few]
                if sum(sizes) > most_bytes:
                    few = few[: bisect_left(list(accumulate(sizes)), most_bytes) + 1]
                most_bytes -= sum(sizes)
                found += few
        finally:
            rows.close(True)
        return found, most_bytes

    def value(self, sql: str, values: Sequence[Value] = ()) -> Any:
        """The only value of a statement's only row."""
        return self.rows(sql, values)[0][0]

    def read_meta(self, name: str, default: int = 0) -> int:
        """A number that the store keeps about itself."""
        found = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return int(found[0][0]) if found else default

    def write_meta(self, name: str, value: int) -> None:
        """Keep a number about the store itself."""
        self.execute(
            "INSERT INTO meta VALUES(?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value)
        )

    def set_durability(self, durability: Durability) -> None:
        """Say whether each commit is on the disk before it is called one."""
        self.pragma("synchronous", "FULL" if durability == "full" else "NORMAL")


class Reader(Database):
    """The connection that answers callers directly, and so in the errors they know."""

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run a statement to its end. Errors: `StoreError`."""
        try:
            return super().rows(sql, values)
        except apsw.Error as error:
            raise translate(error) from error

    def rows_of_each(self, sql: str, values: Sequence[Sequence[Value]]) -> list[tuple[Any, ...]]:
        """Run a statement once for each set of values. Errors: `StoreError`."""
        try:
            return super().rows_of_each(sql, values)
        except apsw.Error as error:
            raise translate(error) from error

    def rows_within(
        self, most_bytes: int, sql: str, values: Sequence[Sequence[Value]]
    ) -> tuple[list[tuple[Any, ...]], int]:
        """Run a statement for each set of values until it is enough. Errors: `StoreError`."""
        try:
            return super().rows_within(most_bytes, sql, values)
        except apsw.Error as error:
            raise translate(error) from error


def connect(path: Path, durability: Durability, vfs: str | None = None, cache_kib: int = 2048) -> Database:
    """A connection with this store's settings, for one of its threads."""
    db = Database(str(path), vfs=vfs)
    configure(db, durability, cache_kib)
    return db


def configure(db: Database, durability: Durability, cache_kib: int) -> None:
    """Give a connection this store's settings. It never checkpoints on its own."""
    # Where another connection of this process is just recovering or resetting the write-ahead log.
    db.set_busy_timeout(10_000)
    # Otherwise each statement that might use a partial index is planned anew whenever its values change.
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    db.pragma("wal_autocheckpoint", 0)
    db.set_durability(durability)
    db.pragma("temp_store", "MEMORY")
    db.pragma("cache_size", -cache_kib)


def _index_cannot_grow(error: BaseException) -> bool:
    """Whether the index of the write-ahead log found no room: SQLite calls a full disk an input/output error
    there."""
    code = getattr(error, "extendedresult", None)
    return isinstance(error, apsw.IOError) and code == apsw.SQLITE_IOERR_SHMSIZE


def translate(error: BaseException, path: Path | str = "the store") -> StoreError:
    """The error that a caller gets for one of SQLite's."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, apsw.NotADBError):
        return StoreForeign(f"{path} is not a database", "name another data folder")
    if isinstance(error, apsw.CorruptError):
        return StoreDamaged(f"{path} is damaged: {error}", "run `journal verify`, or restore a backup")
    if isinstance(error, apsw.FullError) or _index_cannot_grow(error):
        return StoreFull("the disk has no room", "make room; nothing needs to be restarted")
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return StoreReadOnly(f"{path} cannot be written", "check its owner, its mode and the mount")
    return StoreError(f"the store failed: {type(error).__name__}: {error}", "see whether the disk is healthy")
