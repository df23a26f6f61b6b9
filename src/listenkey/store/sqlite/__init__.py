"""The store in one SQLite file."""

from listenkey.store.sqlite.backup import restore
from listenkey.store.sqlite.opening import open_sqlite, verify_folder
from listenkey.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "open_sqlite", "restore", "verify_folder"]
