"""`listenkey tail --record`: the file that a stream is written to."""

import os
import time
from pathlib import Path
from typing import Final

from listenkey.base.errors import Refused
from listenkey.client.items import Item
from listenkey.client.record import heading, item_line

_SYNC_SECONDS: Final = 1.0


class Recording:
    """Lines at the end of a file, each written at once and whole; on the disk a second later at most."""

    def __init__(self, path: Path, stream: str) -> None:
        """Errors: `Refused` for a file that cannot be written."""
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._refused(error) from error
        self._synced = 0.0
        size = os.fstat(self._file).st_size
        torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        self._write((b"\n" if torn else b"") + heading(stream, _wall_ms()))

    def add(self, item: Item) -> None:
        """Write an item down. Errors: `Refused`, where there is no room."""
        self._write(item_line(item, _wall_ms()))

    def _write(self, line: bytes) -> None:
        left = memoryview(line + b"\n")
        try:
            while left:
                left = left[os.write(self._file, left) :]
            if time.monotonic() - self._synced >= _SYNC_SECONDS:
                os.fdatasync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """The last lines reach the disk."""
        os.fdatasync(self._file)
        os.close(self._file)

    def _refused(self, error: OSError) -> Refused:
        return Refused(
            f"cannot write {self._path}: {error.strerror}", "check the path, its mode and the disk"
        )


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
