"""Opening a store: who may, whether the file is sound, and what the last run left to be done."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from listenkey.base.errors import StoreDamaged, StoreError, StoreFull
from listenkey.store.sqlite.checkpoint import Checkpointer, prepare_log
from listenkey.store.sqlite.database import Database, Durability, Reader, configure, connect, translate
from listenkey.store.sqlite.epochs import start_new_epochs
from listenkey.store.sqlite.indexing import index_at_start
from listenkey.store.sqlite.lock import RESERVE_FILE, STORE_FILE, FolderLock, make_folder
from listenkey.store.sqlite.pace import DEFAULT, Pace
from listenkey.store.sqlite.reserve import Reserve, free_reserve
from listenkey.store.sqlite.schema import check_sound, identify, make_private, migrate
from listenkey.store.sqlite.store import SqliteStore
from listenkey.store.sqlite.transaction import Memory, Transaction
from listenkey.store.sqlite.verify import verify
from listenkey.store.sqlite.writer import Writer


def open_sqlite(
    folder: Path,
    *,
    durability: Durability = "full",
    vfs: str | None = None,
    pace: Pace = DEFAULT,
) -> SqliteStore:
    """Open the store in a data folder, made where missing, and lock the folder.

    With durability `relaxed` a power cut may take the last commits along; each journal then begins a new
    epoch.
    Errors: `StoreLocked`, `StoreReadOnly`, `StoreForeign`, `StoreDamaged`, `StoreFull`, `StoreError`.
    """
    make_folder(folder)
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(FolderLock(folder))
        path = folder / STORE_FILE
        make_private(path)
        try:
            db, memory = _begin(path, durability, vfs, pace)
        except StoreFull:
            # Who crashed on a full disk finds the reserve as that run left it: it is for this, too.
            if not free_reserve(folder / RESERVE_FILE):
                raise
            db, memory = _begin(path, durability, vfs, pace)
        undo.callback(db.close)
        with _translated(path):
            if vfs is None:
                prepare_log(path, pace.log_pages)
            reader = Reader(str(path), vfs=vfs)
            undo.callback(reader.close)
            configure(reader, durability, pace.reader_cache_kib)
        checkpointer = Checkpointer(path, durability, vfs, pace)
        reserve = Reserve(folder / RESERVE_FILE, pace.reserve_bytes)
        store = SqliteStore(
            path,
            vfs,
            lock,
            reader,
            memory,
            checkpointer,
            lambda deliver: Writer(db, memory, checkpointer, reserve, deliver),
        )
        undo.pop_all()
    return store


def _begin(path: Path, durability: Durability, vfs: str | None, pace: Pace) -> tuple[Database, Memory]:
    """The writer's connection to a sound file of the newest version, with the last run's work finished."""
    with _translated(path), contextlib.ExitStack() as undo:
        # That a run began has to outlast a power cut in any case.
        db = connect(path, "full", vfs, pace.writer_cache_kib)
        undo.callback(db.close)
        check_and_migrate(db, path, pace)
        memory = take_up(db, durability, pace)
        db.set_durability(durability)
        undo.pop_all()
    return db, memory


def check_and_migrate(db: Database, path: Path, pace: Pace) -> None:
    """See that the file is ours and sound, and bring it to the newest version."""
    version = identify(db, path)
    if version:
        check_sound(db, path, pace.small_file_pages)
    db.pragma("journal_mode", "wal")
    migrate(db, version)


def take_up(db: Database, durability: Durability, pace: Pace) -> Memory:
    """Finish what the last run left, and note that a run began."""
    memory = Memory(db, pace)
    tx = Transaction(db, memory)
    tx.begin()
    try:
        index_at_start(tx)
        if not db.read_meta("clean", 1) and db.read_meta("relaxed"):
            start_new_epochs(db, memory)
        db.write_meta("clean", 0)
        db.write_meta("relaxed", int(durability == "relaxed"))
        tx.commit()
    except BaseException:
        tx.rollback()
        raise
    return memory


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise translate(error, path) from error
    except (TypeError, ValueError, OverflowError) as error:  # no text, no number: nobody wrote that
        raise StoreDamaged(
            f"{path} is damaged: what was read cannot have been written",
            "run `journal verify`, or restore a backup",
        ) from error


def verify_folder(folder: Path) -> Iterator[str]:
    """What is wrong with the store of a data folder that nobody runs, a line each. Nothing of it is changed.
    Errors: `StoreLocked`, `StoreForeign`, `StoreReadOnly`; `StoreError` where there is none."""
    path = folder / STORE_FILE
    if not path.exists():
        raise StoreError(f"{folder} has no store", "name the data folder of one")
    with FolderLock(folder):
        yield from verify(path)
