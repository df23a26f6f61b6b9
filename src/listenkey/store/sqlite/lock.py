"""Who may use a data folder: the lock that one process at a time holds, and the folder itself.

Opens no database.
"""

import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from listenkey.base.errors import StoreError, StoreLocked, StoreReadOnly

LOCK_FILE: Final = "listenkey.lock"
STORE_FILE: Final = "listenkey.db"
RESERVE_FILE: Final = "listenkey.reserve"


class _Holder(msgspec.Struct):
    """What the lock file says about who holds it; when it was taken is the file's own time."""

    pid: int
    host: str


def make_folder(folder: Path) -> None:
    """Make a missing data folder, for its owner only. Errors: `StoreReadOnly`, `StoreError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise StoreError(f"{folder} is not a folder", "name a folder for the data") from None
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(path: Path, error: OSError) -> StoreReadOnly:
    """The error for a file or folder that could not be made or opened for writing."""
    return StoreReadOnly(
        f"{path} cannot be written: {error.strerror or error}", "check its owner, its mode and the mount"
    )


class FolderLock:
    """The exclusive lock on a data folder. It ends with the process, however that ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Errors: `StoreLocked`, naming the holder; `StoreReadOnly`."""
        self._path = folder / LOCK_FILE
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StoreLocked(
                f"{folder} is in use by {self._describe()}", "stop that process, or name another data folder"
            ) from error
        self._sign()

    def _sign(self) -> None:
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, msgspec.json.encode(_Holder(os.getpid(), socket.gethostname())), 0)
        except OSError:
            # On a full disk the lock holds all the same; it merely cannot say who holds it.
            return

    def _describe(self) -> str:
        try:
            holder = msgspec.json.decode(self._path.read_bytes(), type=_Holder)
            since = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except (OSError, msgspec.DecodeError):
            return "another process"
        return f"process {holder.pid} on {holder.host} since {since:%Y-%m-%d %H:%M:%S} UTC"

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files of one name."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
