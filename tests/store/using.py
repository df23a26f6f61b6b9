"""What the tests of one store do again and again."""

import shutil
import stat
from pathlib import Path

from listenkey.core.records import Account, StreamId
from listenkey.store.base import Appended, NotAppended, Store, Submission
from listenkey.store.sqlite import SqliteStore, open_sqlite
from listenkey.store.sqlite.database import Durability
from listenkey.store.sqlite.pace import DEFAULT, Pace
from tests.conformance.homes import Recorder
from tests.conformance.making import START


def start(
    folder: Path, durability: Durability = "full", *, vfs: str | None = None, pace: Pace = DEFAULT
) -> SqliteStore:
    """Open the store of a folder and have it begin."""
    store = open_sqlite(folder, durability=durability, vfs=vfs, pace=pace)
    store.start(Recorder())
    return store


def names_in(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(file.name for file in folder.iterdir())


def mode_of(path: Path) -> int:
    """Who may do what with a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def files_now(folder: Path) -> Path:
    """A copy of the files of a store, as a crash at this moment would leave them."""
    copy = folder.with_name(f"{folder.name}-found")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm", "*.reserve"))
    return copy


async def publish(store: Store, account: Account, *payloads: bytes) -> list[int | str]:
    """Append to the account's journal; offsets, or codes of refusals."""
    stream = StreamId(account.id, "orders")
    answers = await store.append([Submission(stream, payload) for payload in payloads], START)
    return [_said(answer) for answer in answers]


def _said(answer: Appended | NotAppended) -> int | str:
    return answer.offset if isinstance(answer, Appended) else answer.code


def journal(store: Store, account: Account) -> list[bytes]:
    """The payloads of the account's journal."""
    stream = StreamId(account.id, "orders")
    view = store.read_journal(stream)
    assert view is not None
    return [event.payload for event in store.read_events(stream, view.epoch, 0, 100_000)]
