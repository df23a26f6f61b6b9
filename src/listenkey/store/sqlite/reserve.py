"""Disk space kept back, so that keys can still be made and closed for a while when the disk is full."""

import contextlib
import os
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 512
"""What `st_blocks` counts, whatever the file system's own blocks are."""


def free_reserve(path: Path) -> bool:
    """Free the blocks of a reserve that nobody holds; False where there are none."""
    try:
        held = path.stat().st_size > 0
        os.truncate(path, 0)
    except OSError:
        return False
    return held


class Reserve:
    """A file of allocated blocks, given up when the disk is full and taken again when there is room."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self.held = False
        self.take()

    def take(self) -> bool:
        """Allocate the reserve; False where there is no room for it."""
        if not self._has_room():
            return False
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(file, 0, self._size)
            self.held = True
        except OSError:
            # Half a reserve would eat up what little room there is.
            with contextlib.suppress(OSError):
                os.ftruncate(file, 0)
        finally:
            os.close(file)
        return self.held

    def _has_room(self) -> bool:
        """A guess that costs little: this is asked before each commit while the disk is full."""
        try:
            free = os.statvfs(self._path.parent)
            held = self._path.stat().st_blocks * _BLOCK_BYTES if self._path.exists() else 0
        except OSError:
            return False
        return free.f_bavail * free.f_frsize >= self._size - held

    def give_up(self) -> bool:
        """Free the blocks; False where that was done before."""
        if not self.held:
            return False
        self.held = False
        try:
            os.truncate(self._path, 0)
        except OSError:
            return False
        return True
