"""Where values come from: defaults, the file, the environment, the command line. The last wins."""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec

from listenkey.base.errors import ConfigError
from listenkey.config.check import problems_of
from listenkey.config.convert import UnfitError, from_text, from_value
from listenkey.config.fields import COMMAND_VARIABLES, NAME, PREFIX, Field, all_fields
from listenkey.config.problem import Problem
from listenkey.config.settings import Settings

Path_ = tuple[str, ...]
_REFERENCE: Final = "`listenkey config doc` lists all settings"


class Loaded(msgspec.Struct, frozen=True):
    """Settings, and for each that was given, where: a file's name, a variable, or `command line`."""

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[str, ...] = ()


class _Reading:
    """Values collected so far, by path, with what was wrong on the way."""

    def __init__(self) -> None:
        self.values: dict[Path_, object] = {}
        self.origins: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def put(self, path: Path_, value: object, origin: str) -> None:
        self.values[path] = value
        self.origins[".".join(path)] = origin


def load(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, object] | None = None,
) -> Loaded:
    """The settings in force. `options` has values of the command line by dotted name.
    Errors: `ConfigError` with the first problem, saying how many more there are."""
    loaded, problems = examine(file, environ, options)
    if loaded is not None and not problems:
        return loaded
    first, more = problems[0], len(problems) - 1
    remedy = first.remedy + (f" ({more} more: `listenkey config check` lists them)" if more else "")
    raise ConfigError(f"{first.where}: {first.what}", remedy)


def examine(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, object] | None = None,
) -> tuple[Loaded | None, tuple[Problem, ...]]:
    """The settings, and all that is wrong with them; None where they cannot be put together."""
    reading = _Reading()
    if file is not None:
        _read_file(reading, file)
    _read_environment(reading, environ or {})
    for name, value in (options or {}).items():
        _take_value(reading, *_named(tuple(name.split("."))), value, "command line")
    if reading.problems:
        return None, tuple(reading.problems)
    settings = msgspec.convert(_nested(reading.values), Settings, strict=False)
    loaded = Loaded(settings, reading.origins, tuple(reading.warnings))
    return loaded, tuple(problems_of(settings, reading.origins))


def _named(path: Path_) -> tuple[Field, Path_]:
    field = _field_of(path)
    if field is None:
        raise KeyError(".".join(path))
    return field, path


def _nested(values: Mapping[Path_, object]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in values.items():
        table = nested
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = dict(value) if isinstance(value, dict) else value
    return nested


# The file -----------------------------------------------------------------------------------------------


def _read_file(reading: _Reading, file: Path) -> None:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        reading.problems.append(Problem(str(file), "there is no such file", "check --config"))
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        reading.problems.append(Problem(str(file), what, "check its permissions"))
    except UnicodeDecodeError:
        reading.problems.append(Problem(str(file), "is not UTF-8 text", "save it as UTF-8"))
    except tomllib.TOMLDecodeError as error:
        reading.problems.append(Problem(str(file), f"is not TOML: {error}", "mend the line"))
    else:
        _read_table(reading, {name: _by_name(value) for name, value in content.items()}, (), str(file))


def _by_name(value: object) -> object:
    """Tables of an array by their number, as if they had been named so."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        return value
    return {str(number): each for number, each in enumerate(value, 1)}


def _read_table(reading: _Reading, table: Mapping[str, object], above: Path_, origin: str) -> None:
    for key, value in table.items():
        path = (*above, key)
        field = _field_of(path)
        if field is not None:
            _take_value(reading, field, path, value, origin)
        elif not _is_section(path):
            reading.problems.append(_unknown(path, origin))
        elif isinstance(value, dict):
            if NAME in _pattern_of(path):  # a table of one's own counts even with nothing in it
                reading.values[path] = {}
            _read_table(reading, value, path, origin)
        else:
            where = f"{origin}: {'.'.join(path)}"
            reading.problems.append(Problem(where, "is a table, not a value", f"write [{'.'.join(path)}]"))


def _take_value(reading: _Reading, field: Field, path: Path_, value: object, origin: str) -> None:
    try:
        reading.put(path, from_value(field, value), origin)
    except UnfitError as error:
        reading.problems.append(Problem(f"{origin}: {'.'.join(path)}", str(error), error.remedy))


def _unknown(path: Path_, origin: str) -> Problem:
    depth = len(path) - 1
    siblings = sorted({other[depth] for other in _patterns() if _fits(path[:-1], other[:depth])})
    return Problem(f"{origin}: {'.'.join(path)}", "there is no such setting", _near(path[-1], siblings))


def _near(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else _REFERENCE


def _patterns() -> list[Path_]:
    return [field.path for field in all_fields()]


def _fits(path: Path_, pattern: Path_) -> bool:
    if len(path) != len(pattern):
        return False
    return all(want in (NAME, got) for got, want in zip(path, pattern, strict=True))


def _is_section(path: Path_) -> bool:
    return any(len(other) > len(path) and _fits(path, other[: len(path)]) for other in _patterns())


def _pattern_of(path: Path_) -> Path_:
    """The declared path of a section."""
    return next(other[: len(path)] for other in _patterns() if _fits(path, other[: len(path)]))


def _field_of(path: Path_) -> Field | None:
    return next((field for field in all_fields() if _fits(path, field.path)), None)


# The environment ----------------------------------------------------------------------------------------


def _read_environment(reading: _Reading, environ: Mapping[str, str]) -> None:
    known = {field.variable: field for field in all_fields() if NAME not in field.path}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in COMMAND_VARIABLES or not text:
            continue
        path = known[variable].path if variable in known else _path_of_named(variable)
        if path is None:
            # Not an error: an orchestrator that runs a service of this name sets variables of its own.
            remedy = _near_variable(variable, list(known))
            reading.warnings.append(f"{variable} in the environment is no setting; {remedy}")
            continue
        field, path = _named(path)
        try:
            reading.put(path, from_text(field, text), variable)
        except UnfitError as error:
            reading.problems.append(Problem(variable, str(error), error.remedy))


def _near_variable(variable: str, known: list[str]) -> str:
    # Without what all of them begin with, which would make every name a near one.
    close = get_close_matches(
        variable.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in known], n=1
    )
    return f"did you mean {PREFIX}{close[0]}?" if close else _REFERENCE


def _path_of_named(variable: str) -> Path_ | None:
    """`LISTENKEY_DIALECT_BINANCE_SPOT_ROOT` is `dialect.binance-spot.root`."""
    for path in (field.path for field in all_fields() if NAME in field.path):
        table, _, setting = path
        rest = variable.removeprefix(f"{PREFIX}{table.upper()}_")
        name = rest.removesuffix(f"_{setting.upper()}")
        if rest != variable and name not in (rest, ""):
            return (table, name.lower().replace("_", "-"), setting)
    return None
