"""What a folder may hold when a store is to be opened in it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from listenkey.base.errors import (
    StoreDamaged,
    StoreError,
    StoreForeign,
    StoreLocked,
    StoreReadOnly,
)
from listenkey.core.records import StreamId
from listenkey.store.sqlite import open_sqlite, schema, verify_folder
from listenkey.store.sqlite.database import Durability
from listenkey.store.sqlite.pace import DEFAULT
from tests.conformance.making import START
from tests.store.faulty import FaultyVFS
from tests.store.using import files_now, journal, mode_of, names_in, publish, start

HOLD = """
import sys
from pathlib import Path
from listenkey.store.sqlite import open_sqlite
store = open_sqlite(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


async def filled(folder: Path) -> None:
    """Leave a store with something in it."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    for number in range(100):
        await publish(store, alice, b"%d " % number * 300)
    await store.close()


def files(folder: Path) -> dict[str, bytes]:
    """What is in the store's files."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix == ".db"}


def test_one_process_at_a_time(folder: Path) -> None:
    """A second process is refused and told who is there; when that one is killed, the folder is free."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        for attempt in (lambda: open_sqlite(folder), lambda: list(verify_folder(folder))):
            with pytest.raises(StoreLocked) as refusal:
                attempt()
            assert f"process {holder.pid} on {socket.gethostname()} since 20" in refusal.value.message
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert list(verify_folder(folder)) == []


async def test_one_store_at_a_time_in_a_process(folder: Path) -> None:
    """A folder that is open in this process is not opened again, and is free once it is closed."""
    store = open_sqlite(folder)
    with pytest.raises(StoreLocked):
        open_sqlite(folder)
    await store.close()
    await open_sqlite(folder).close()


async def test_files_are_for_their_owner_only(folder: Path) -> None:
    """Whatever the process's mask, nobody else can look into the folder or its files, open or not."""
    before = os.umask(0)
    try:
        store = start(folder)
        await store.add_account("alice", START)
        modes = {name: mode_of(folder / name) for name in names_in(folder)}
    finally:
        os.umask(before)
    await store.close()
    assert mode_of(folder) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"listenkey.db", "listenkey.db-wal", "listenkey.lock"} <= modes.keys()


def _write_text(path: Path) -> None:
    path.write_text("Dear diary, " * 1_000)


def _make_other_database(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE diary(page); INSERT INTO diary VALUES('dear')")
    db.close()


def _make_other_application(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("PRAGMA application_id = 77; CREATE TABLE diary(page)")
    db.close()


def _make_newer(path: Path) -> None:
    db = apsw.Connection(str(path))
    newer = len(schema.MIGRATIONS) + 1
    header = f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {newer}"
    db.execute(f"{header}; CREATE TABLE diary(page)")
    db.close()


@pytest.mark.parametrize("make", [_write_text, _make_other_database, _make_other_application, _make_newer])
def test_files_of_others_are_left_alone(folder: Path, make: object) -> None:
    """A file that is not a store, or of a newer version, is refused as such and not changed by a byte."""
    folder.mkdir()
    make(folder / "listenkey.db")  # type: ignore[operator]
    before = files(folder)
    for attempt in (lambda: open_sqlite(folder), lambda: list(verify_folder(folder))):
        with pytest.raises(StoreForeign):
            attempt()
    assert files(folder) == before


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
async def test_a_damaged_file_is_not_used(folder: Path, share: float) -> None:
    """Damage is found at the start, wherever it is, and the file left alone; verifying tells what."""
    await filled(folder)
    file = folder / "listenkey.db"
    content = bytearray(file.read_bytes())
    start_ = int(len(content) * share) // 4096 * 4096
    content[start_ : start_ + 8192] = bytes(range(256)) * 32
    file.write_bytes(content)
    with pytest.raises(StoreDamaged):
        open_sqlite(folder)
    assert file.read_bytes() == content
    assert list(verify_folder(folder)) != []


async def test_a_number_that_is_none_is_damage(folder: Path) -> None:
    """What SQLite finds sound and nobody can have written is damage with a remedy, not a program's error."""
    await filled(folder)
    with apsw.Connection(str(folder / "listenkey.db")) as db:
        db.execute("INSERT INTO meta VALUES('time', 'noon') ON CONFLICT DO UPDATE SET value = excluded.value")
    db.close()
    with pytest.raises(StoreDamaged):
        open_sqlite(folder)


async def test_a_file_that_was_cut_off_is_not_used(folder: Path) -> None:
    """Half a file is a damaged one."""
    await filled(folder)
    file = folder / "listenkey.db"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(StoreDamaged):
        open_sqlite(folder)


async def test_a_journal_with_a_hole_is_found(folder: Path) -> None:
    """An event that is missing, in the file or from the index, makes a line; without it there is none."""
    await filled(folder)
    assert list(verify_folder(folder)) == []
    db = apsw.Connection(str(folder / "listenkey.db"))
    db.execute("DELETE FROM log WHERE offset = 50")
    assert [line for line in verify_folder(folder) if "event 50 is missing" in line]
    db.execute("DELETE FROM log_run")
    assert [line for line in verify_folder(folder) if "offsets 1 to 100 have no entry" in line]
    db.close()


async def test_a_hole_that_a_crash_would_hide_is_found_at_the_start(folder: Path) -> None:
    """Events that were not indexed yet are counted at the start; one that is missing stops it."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    await publish(store, alice, *[b"x"] * 10)
    found = files_now(folder)
    await store.close()
    db = apsw.Connection(str(found / "listenkey.db"))
    db.execute("DELETE FROM log WHERE offset = 5")
    db.close()
    with pytest.raises(StoreDamaged, match="no event 5"):
        open_sqlite(found)


def test_a_folder_that_cannot_be_written_is_said_so() -> None:
    """Where no folder can be made, or no file in it, the error says which and that it is about writing."""
    for place in ("/sys/listenkey-test", "/sys/kernel"):
        with pytest.raises(StoreReadOnly, match="/sys"):
            open_sqlite(Path(place))


async def test_a_file_that_turns_read_only_is_said_so(folder: Path, vfs: FaultyVFS) -> None:
    """Where SQLite is refused to write, whoever wanted something hears that, and it goes on later."""
    store = start(folder, vfs=vfs.name)
    vfs.on_write = lambda _: apsw.ReadOnlyError("mounted anew")
    with pytest.raises(StoreReadOnly):
        await store.add_account("alice", START)
    vfs.heal()
    assert (await store.add_account("alice", START)).name == "alice"
    await store.close()


def test_a_file_is_no_data_folder(folder: Path) -> None:
    """A path that leads to a file is refused, and so is verifying a folder without a store."""
    folder.write_text("not a folder")
    with pytest.raises(StoreError, match="not a folder"):
        open_sqlite(folder)
    with pytest.raises(StoreError, match="no store"):
        list(verify_folder(folder.parent))


async def test_an_older_file_is_brought_up_to_date(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each missing step is made once, what was stored stays, and the older program refuses the file."""
    await filled(folder)
    older = schema.MIGRATIONS
    newer = (*older, "CREATE TABLE extra(x); INSERT INTO extra VALUES(1)", "UPDATE extra SET x = x + 1")
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    for _ in range(2):
        store = start(folder)
        alice = store.find_account("alice")
        assert alice is not None
        assert len(journal(store, alice)) == 100
        await store.close()
    db = apsw.Connection(str(folder / "listenkey.db"))
    assert (db.pragma("user_version"), db.execute("SELECT x FROM extra").get) == (len(older) + 2, 2)
    db.close()
    monkeypatch.setattr(schema, "MIGRATIONS", older)
    with pytest.raises(StoreForeign, match="newer"):
        open_sqlite(folder)


async def test_a_step_that_fails_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If bringing a file up to date fails half-way, it is as before and opens with the older program."""
    await filled(folder)
    older = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*older, "CREATE TABLE extra(x)", "SELECT no_such_thing()"))
    with pytest.raises(StoreError):
        open_sqlite(folder)
    monkeypatch.setattr(schema, "MIGRATIONS", older)
    store = start(folder)
    assert store.find_account("alice") is not None
    await store.close()
    db = apsw.Connection(str(folder / "listenkey.db"))
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").get == 0
    db.close()


@pytest.mark.parametrize(
    "ran, crashed, then, goes_on",
    [
        ("full", True, "full", True),
        ("full", True, "relaxed", True),
        ("relaxed", False, "relaxed", True),
        ("relaxed", False, "full", True),
        ("relaxed", True, "relaxed", False),
        ("relaxed", True, "full", False),
    ],
)
async def test_history_goes_on_where_nothing_can_be_missing(
    folder: Path,
    ran: Durability,
    crashed: bool,
    then: Durability,
    goes_on: bool,
) -> None:
    """A new epoch begins after a run below full durability that ended badly, and at no other start."""
    store = start(folder, ran)
    alice = await store.add_account("alice", START)
    await publish(store, alice, b"1")
    orders, empty = StreamId(alice.id, "orders"), StreamId(alice.id, "empty")
    before = [store.read_journal(stream) for stream in (orders, empty)]
    found = files_now(folder)
    await store.close()
    store = start(found if crashed else folder, then)
    after = [store.read_journal(stream) for stream in (orders, empty)]
    for old, new in zip(before, after, strict=True):
        assert old is not None
        assert new is not None
        assert (old.epoch == new.epoch) == goes_on
    await store.close()


async def test_the_log_stays_short_under_load(folder: Path) -> None:
    """However much is written, the write-ahead log begins anew before long."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    log, longest = folder / "listenkey.db-wal", 0
    for _ in range(60):
        await publish(store, alice, *[b"x" * 2_000] * 500)
        longest = max(longest, log.stat().st_size)
    written = 60 * 500 * 2_000
    bound = (DEFAULT.overdue_pages + 1_000) * 4_120
    assert longest < bound < written
    await store.close()
    assert not log.exists()


async def test_a_start_does_not_wait_for_what_was_not_indexed(folder: Path) -> None:
    """A store that was killed with events beyond its index serves them from the first read."""
    store = start(folder)
    alice = await store.add_account("alice", START)
    for first in range(0, 2_000, 500):
        await publish(store, alice, *[b"%d" % number for number in range(first, first + 500)])
    found = files_now(folder)
    await store.close()
    store = open_sqlite(found)
    assert journal(store, alice) == [b"%d" % number for number in range(2_000)]
    await store.close()
