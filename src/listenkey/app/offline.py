"""The store without a server: for commands that take the data folder's lock themselves."""

from pathlib import Path

from listenkey.app.compose import open_store, open_vault
from listenkey.config import Settings
from listenkey.service.gateway import MASTER_CHECK
from listenkey.store import sqlite
from listenkey.store.base import Store


def offline_store(settings: Settings) -> Store:
    """The configured store. Errors: `StoreLocked` while `serve` runs on the folder."""
    return open_store(settings)


def restore_store(settings: Settings, backup: Path) -> None:
    """Put a backup in the place of the configured store, which is kept under another name; every journal gets
    a new epoch.

    Errors: `StoreError` where the file is no backup or the folder is in use, `SecretError` where the master
    secret is missing or is not the one the backup was made with.
    """
    vault = open_vault(settings, make_secret=False)
    sqlite.restore(backup, Path(settings.data), setting=MASTER_CHECK, check=vault.verify, force=True)
