"""The dialects at hand: those that come with the program, and the user's own files."""

from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from listenkey.base.errors import DialectError
from listenkey.dialect.load import Raw, build, extend, gather, gather_history, read_file, read_tables
from listenkey.dialect.model import Dialect

_SUFFIX: Final = ".toml"
_PACKAGE: Final = "listenkey.dialect.data"
_EVENTS: Final = "events"
_HISTORY: Final = "history"


def load_dialects(files: Iterable[str] = ()) -> dict[str, Dialect]:
    """All dialects by name: the built-in ones in their order, then those of the files, which may extend any
    of them. Errors: `DialectError` for a file that breaks the model or its lint, and for a name that is
    taken."""
    dialects = dict(_builtin())
    own = {path: read_file(Path(path)) for path in files}
    known = {
        **_raw_builtin(),
        **{raw["name"]: raw for raw in own.values() if isinstance(raw.get("name"), str)},
    }
    for path, raw in own.items():
        dialect = build(_whole(extend(raw, known.get, path), path), path)
        _check_names(dialect, dialects, path)
        dialects[dialect.name] = dialect
    return dialects


def _whole(raw: Raw, where: str) -> Raw:
    """The tables with what they name of shared files."""
    return gather_history(gather(raw, _catalogues().get, where), _histories().get, where)


def _check_names(dialect: Dialect, others: dict[str, Dialect], path: str) -> None:
    """A name stands for one thing, be it a dialect or a stream."""
    taken = {name for other in others.values() for name in _names(other)}
    for name in sorted(_names(dialect) & taken):
        raise DialectError(
            f"{path}: the name {name} is taken", "choose another for the dialect and its streams"
        )


def _names(dialect: Dialect) -> set[str]:
    return {dialect.name, *(stream.name for stream in dialect.streams)}


@lru_cache(maxsize=1)
def _raw_builtin() -> dict[str, Raw]:
    """The shipped files by name; those that only others extend begin with `_`."""
    return _read_folder(resources.files(_PACKAGE))


@lru_cache(maxsize=1)
def _catalogues() -> dict[str, Raw]:
    """The shipped files of events by name, which several dialects share."""
    return _read_folder(resources.files(_PACKAGE).joinpath(_EVENTS))


@lru_cache(maxsize=1)
def _histories() -> dict[str, Raw]:
    """The shipped files of history by name."""
    return _read_folder(resources.files(_PACKAGE).joinpath(_HISTORY))


def _read_folder(folder: Traversable) -> dict[str, Raw]:
    files = [file for file in folder.iterdir() if file.name.endswith(_SUFFIX)]
    tables = {file.name.removesuffix(_SUFFIX): read_tables(file.read_bytes(), file.name) for file in files}
    return dict(sorted(tables.items()))


@lru_cache(maxsize=1)
def _builtin() -> dict[str, Dialect]:
    raw = _raw_builtin()
    return {
        name: build(_whole(extend(tables, raw.get, name), name), name)
        for name, tables in raw.items()
        if not name.startswith("_")
    }
