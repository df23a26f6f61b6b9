"""A disk that fails or is full when told to."""

from collections.abc import Callable
from pathlib import Path

import apsw

Fault = Callable[[Path], Exception | None]


def no_fault(_: Path) -> Exception | None:
    """All goes well."""
    return None


class FaultyVFS(apsw.VFS):
    """SQLite's own files, with errors in between. `on_write` and `on_sync` say which, by file."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.on_write: Fault = no_fault
        self.on_sync: Fault = no_fault

    def heal(self) -> None:
        """From now on all goes well."""
        self.on_write = self.on_sync = no_fault

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        assert name is not None
        return _FaultyFile(self, name, flags)

    def excepthook(self, kind: type[BaseException], error: BaseException, trace: object) -> None:
        """The errors are meant."""


class _FaultyFile(apsw.VFSFile):
    def __init__(self, vfs: FaultyVFS, name: str | apsw.URIFilename, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._vfs = vfs
        self._path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if (error := self._vfs.on_write(self._path)) is not None:
            raise error
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if (error := self._vfs.on_sync(self._path)) is not None:
            raise error
        super().xSync(flags)

    def excepthook(self, kind: type[BaseException], error: BaseException, trace: object) -> None:
        """The errors are meant."""


class Room:
    """A disk with so many bytes for the files of a store, and for its reserve."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.size = size

    def free(self) -> int:
        """What is left."""
        used = sum(file.stat().st_size for file in self._folder.iterdir() if file.suffix != ".db-shm")
        return self.size - used

    def refuse_growth(self, path: Path) -> Exception | None:
        """The error for whoever writes while nothing is left."""
        return apsw.FullError("no room") if self.free() < 4096 else None
