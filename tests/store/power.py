"""A disk that loses power: what was written and not synced is dropped, torn or kept, by chance.

`Disk` is what survives; `PowerVFS` has SQLite read and write real files and tells the disk of every write.
Once the disk is cut, nothing that happens any more reaches it, though the program goes on as if nothing were.
"""

import threading
from pathlib import Path
from random import Random
from typing import TypeAlias

import apsw

SECTOR = 512

Change: TypeAlias = tuple[int, bytes | None]
"""Bytes written at an offset, or None where the file was cut off there."""


class DiskFile:
    """What is on the disk of one file, and what was written since the last sync."""

    def __init__(self, content: bytes) -> None:
        self.synced = bytearray(content)
        self.changes: list[Change] = []

    def sync(self) -> None:
        """All that was written is safe."""
        for change in self.changes:
            _apply(self.synced, change)
        self.changes = []

    def after_cut(self, random: Random) -> bytes:
        """What the next process finds: of each change since the sync nothing, a part or all, as it falls."""
        found = bytearray(self.synced)
        keeps = random.random()
        for offset, data in self.changes:
            if data is None:
                if random.random() < keeps:
                    _apply(found, (offset, None))
                continue
            for start in range(0, len(data), SECTOR):
                if random.random() < keeps:
                    _apply(found, (offset + start, data[start : start + SECTOR]))
        return bytes(found)


def _apply(content: bytearray, change: Change) -> None:
    offset, data = change
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Disk:
    """The files of a store, cut off from power after so many writes and syncs."""

    def __init__(self, cut_after: int) -> None:
        self._left = cut_after
        self._lock = threading.Lock()
        self._files: dict[str, DiskFile] = {}
        self.is_cut = False

    def _goes_on(self) -> bool:
        if self._left <= 0:
            self.is_cut = True
        self._left -= 1
        return not self.is_cut

    def opened(self, name: str) -> None:
        """A file came into use; what it has by now is taken for safe."""
        with self._lock:
            if not self.is_cut and name not in self._files:
                path = Path(name)
                self._files[name] = DiskFile(path.read_bytes() if path.exists() else b"")

    def changed(self, name: str, change: Change) -> None:
        """A file was written to or cut off."""
        with self._lock:
            if self._goes_on():
                self._files[name].changes.append(change)

    def synced(self, name: str) -> None:
        """The program was told that a file is safe."""
        with self._lock:
            if self._goes_on():
                self._files[name].sync()

    def deleted(self, name: str) -> None:
        """A file was removed. That it stays so after a cut is not promised, only likely."""
        with self._lock:
            if self._goes_on():
                self._files.pop(name, None)

    def leave(self, folder: Path, random: Random) -> None:
        """Put what the next process finds into a folder."""
        with self._lock:
            self.is_cut = True
            folder.mkdir()
            for name, file in self._files.items():
                folder.joinpath(Path(name).name).write_bytes(file.after_cut(random))


class _PowerFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str, name_or_uri: str | apsw.URIFilename, flags: list[int]) -> None:
        super().__init__("", name_or_uri, flags)
        self._disk = disk
        self._name = name

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        super().xWrite(data, offset)
        self._disk.changed(self._name, (offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        super().xTruncate(newsize)
        self._disk.changed(self._name, (newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        # The real disk need not wait: what counts is what the other one was told.
        self._disk.synced(self._name)


class PowerVFS(apsw.VFS):
    """SQLite's own files, with a disk that hears of everything."""

    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, "")
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        assert name is not None
        plain = name.filename() if isinstance(name, apsw.URIFilename) else name
        file = _PowerFile(self._disk, plain, name, flags)
        self._disk.opened(plain)
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's
        super().xDelete(filename, syncdir)
        self._disk.deleted(filename)
