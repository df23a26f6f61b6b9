"""Copies of a store: written while it runs, and put in the place of one that does not run."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkstemp
from typing import Final

import apsw

from listenkey.base.errors import Refused, StoreError, StoreForeign
from listenkey.store.sqlite.database import Database, connect, translate
from listenkey.store.sqlite.epochs import start_new_epochs
from listenkey.store.sqlite.indexing import index_at_start
from listenkey.store.sqlite.lock import STORE_FILE, FolderLock, make_folder, unwritable
from listenkey.store.sqlite.pace import DEFAULT
from listenkey.store.sqlite.schema import check_sound, identify, make_private, migrate
from listenkey.store.sqlite.small import read_setting
from listenkey.store.sqlite.transaction import Memory, Transaction

_PART: Final = ".part"
_PATHS_FAULT: Final = {
    errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EISDIR, errno.EROFS, errno.ELOOP,
    errno.ENAMETOOLONG, errno.EINVAL,
}  # fmt: skip
"""What is wrong with where somebody wants a copy, not with the store."""


def write_backup(source: Path, target: Path, vfs: str | None = None) -> None:
    """Copy the store, as committed at one moment, to a new file. Other threads may go on writing.
    Errors: `Refused("file_exists")`, `Refused("bad_path")`, `StoreFull`, `StoreReadOnly`, `StoreError`."""
    try:
        if target.exists():
            raise _exists(target)
        with _new_part(target) as part:
            _copy(source, part, vfs)
            # A link, unlike a rename, refuses to replace what somebody put there meanwhile.
            os.link(part, target)
        _sync_folder(target.parent)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        if error.errno in _PATHS_FAULT:
            what = f"{target} cannot be written: {error.strerror}"
            remedy = "name a file in a folder that is there and that the gateway may write to"
            raise Refused(what, remedy, code="bad_path") from error
        raise unwritable(target, error) from error


@contextlib.contextmanager
def _new_part(target: Path) -> Iterator[Path]:
    """A private file beside the target, of a name that nobody else has, for as long as it is needed."""
    file, name = mkstemp(_PART, f"{target.name}.", target.parent)
    os.close(file)
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _exists(target: Path) -> Refused:
    return Refused(f"{target} exists already", "name a file that does not exist", code="file_exists")


def _copy(source: Path, part: Path, vfs: str | None = None) -> None:
    try:
        reader = connect(source, "full", vfs)
        copy = connect(part, "full")
        try:
            with copy.backup("main", reader, "main") as backup:
                # In one step: a copy in steps begins anew whenever somebody commits.
                backup.step(-1)
            copy.pragma("journal_mode", "delete")
            copy.write_meta("backup", 1)
        finally:
            copy.close()
            reader.close()
    except apsw.Error as error:
        raise translate(error, part) from error


def restore(
    backup: Path, folder: Path, *, setting: str, check: Callable[[bytes], None], force: bool = False
) -> None:
    """Put a backup in the place of a folder's store, with a new epoch for each journal: what happened after
    the backup was taken is no part of its history.

    `check` is handed the value of `setting` in the backup and raises where the master secret at hand does not
    fit it; a store that never had a secret has none. A store that is replaced is kept under another name.
    Errors: those of `check`; `Refused("store_exists")` where there is a store and no `force`;
    `StoreForeign` for a file that is no backup; `StoreDamaged`, `StoreLocked`, `StoreReadOnly`, `StoreFull`.
    """
    _check_backup(backup, setting, check)
    make_folder(folder)
    with FolderLock(folder):
        path = folder / STORE_FILE
        if path.exists() and path.stat().st_size and not force:
            raise Refused(
                f"{folder} has a store already", "name another data folder, or force", code="store_exists"
            )
        part = path.with_name(path.name + _PART)
        part.unlink(missing_ok=True)
        make_private(part)
        try:
            _copy(backup, part)
            _begin_anew(part)
            _set_aside(path)
            part.replace(path)
            _sync_folder(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
        finally:
            part.unlink(missing_ok=True)


def _check_backup(backup: Path, setting: str, check: Callable[[bytes], None]) -> None:
    if not backup.is_file():
        raise StoreError(f"there is no file {backup}", "name a file that `store backup` wrote")
    try:
        db = Database(
            f"{backup.absolute().as_uri()}?immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
        try:
            version = identify(db, backup)
            if version == 0 or not db.read_meta("backup"):
                raise StoreForeign(
                    f"{backup} is not a backup of listenkey", "name a file that `store backup` wrote"
                )
            check_sound(db, backup, None)
            value = read_setting(db, setting)
            if value is not None:
                check(value)
        finally:
            db.close()
    except apsw.Error as error:
        raise translate(error, backup) from error


def _begin_anew(part: Path) -> None:
    """Make of a copy a store that continues no history."""
    db = connect(part, "full")
    try:
        migrate(db, identify(db, part))
        memory = Memory(db, DEFAULT)
        tx = Transaction(db, memory)
        tx.begin()
        try:
            index_at_start(tx)
            start_new_epochs(db, memory)
            db.execute("DELETE FROM meta WHERE name = 'backup'")
            db.write_meta("clean", 1)
            tx.commit()
        except BaseException:
            tx.rollback()
            raise
    except apsw.Error as error:
        raise translate(error, part) from error
    finally:
        db.close()


def _set_aside(path: Path) -> None:
    """Give the old store another name beside its own, which the new one then takes from it. Its write-ahead
    log, which must not meet the new file, goes into it first."""
    if not path.exists():
        return
    number = 1
    while (aside := path.with_name(f"{path.name}.replaced-{number}")).exists():
        number += 1
    with contextlib.suppress(apsw.Error):
        db = connect(path, "full")
        try:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            db.close()
    os.link(path, aside)
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        # Only a damaged store keeps one; whoever wants to look into it needs both.
        log.replace(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
