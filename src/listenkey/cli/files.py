"""Files that commands read and write, with errors that a person can act on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from listenkey.base.errors import Refused

STDIN: Final = "-"
_LONGEST_TEXT: Final = 65_536


def read_small_text(file: str) -> str:
    """A secret or a key from a file, or from standard input for `-`, without the white space around it.
    Errors: `Refused("bad_file")`."""
    try:
        with open_input(file) as opened:
            content = opened.read(_LONGEST_TEXT + 1)
        text = content.decode().strip() if len(content) <= _LONGEST_TEXT else ""
    except UnicodeDecodeError:
        text = ""
    if not text:
        what = f"{file} is empty, too long or no text"
        raise Refused(what, "name a file with nothing else in it", code="bad_file")
    return text


def open_input(file: str) -> BinaryIO:
    """A file to read bytes from as they come; standard input for `-`. Errors: `Refused("bad_file")`."""
    try:
        descriptor = os.dup(sys.stdin.fileno()) if file == STDIN else os.open(file, os.O_RDONLY)
        # Unbuffered, so that a read brings what is there and does not wait for more.
        return cast("BinaryIO", os.fdopen(descriptor, "rb", buffering=0))
    except OSError as error:
        raise _refused(file, error) from None


@contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """A file that was not there before, and stays only if all of it could be written.
    Errors: `Refused("file_exists")`, `Refused("bad_file")`."""
    try:
        with file.open("xb") as opened:
            try:
                yield opened
            except BaseException:
                file.unlink()
                raise
    except FileExistsError:
        what = f"{file} is there already"
        raise Refused(what, "name another file, or remove it first", code="file_exists") from None
    except OSError as error:
        raise _refused(str(file), error) from None


def _refused(file: str, error: OSError) -> Refused:
    what = f"{file}: {error.strerror or error}"
    return Refused(what, "check the path, its permissions and the disk", code="bad_file")
