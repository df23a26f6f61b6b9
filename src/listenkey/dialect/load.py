"""A dialect from TOML: read, laid over what it extends, made a model, checked.

Tables are laid over tables. Of arrays of tables, a row with the same identity as one below (`_IDENTITY`)
takes its place, field by field; other rows come after. Everything else is replaced.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from listenkey.base.errors import DialectError
from listenkey.dialect.lint import problems
from listenkey.dialect.model import Dialect

Raw: TypeAlias = dict[str, Any]

_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "apis": ("path",),
    "buckets": ("name",),
    "closes": ("kind",),
    "controls": ("stream",),
    "errors": ("kind",),
    "failures": ("kind",),
    "operations": ("method", "path"),
    "public_calls": ("method", "path"),
    "sockets": ("path", "stream"),
    "streams": ("name",),
    "token_calls": ("method", "path"),
    "unknown_paths": ("prefix",),
}

_OWN: Final = ("name", "hosts", "eras", "events", "past_events", "catalogues", "history", "histories")
"""What a file says of itself alone, and nobody takes over."""
_LEAD: Final = frozenset({"extends", "without", *_OWN})


def read_file(path: Path) -> Raw:
    """A file's tables. Errors: `DialectError` naming the file, and what `read_tables` raises."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DialectError(
            f"{path}: cannot be read: {error.strerror}", "check the path and its mode"
        ) from error
    return read_tables(data, str(path))


def read_tables(data: bytes, where: str) -> Raw:
    """The tables of a TOML text. Errors: `DialectError` with the line."""
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError(f"{where}: is not TOML: {error}", "mend that place") from error


def extend(raw: Raw, find: Callable[[str], Raw | None], where: str) -> Raw:
    """The tables laid over those that they extend, down to the ground."""
    layers = [raw]
    seen: list[object] = []
    while "extends" in layers[-1]:
        name = layers[-1]["extends"]
        below = find(name) if isinstance(name, str) and name not in seen else None
        if below is None:
            why = "itself, round about" if name in seen else "what is not there"
            raise DialectError(
                f"{where}: extends {name}, {why}", "name a built-in dialect or one of your files"
            )
        seen.append(name)
        layers.append(below)
    merged: Raw = {}
    for layer in reversed(layers):
        for part in _left_behind(layer, merged, where):
            del merged[part]
        merged = _lay_over(merged, {name: value for name, value in layer.items() if name not in _LEAD})
    return {**merged, **{name: raw[name] for name in _OWN if name in raw}}


def _left_behind(layer: Raw, below: Raw, where: str) -> list[str]:
    parts = layer.get("without", [])
    if not isinstance(parts, list) or any(part not in below or parts.count(part) > 1 for part in parts):
        raise DialectError(
            f"{where}: without {parts}: that is not below", "list names of tables, each in quotes"
        )
    return parts


class _Catalogue(msgspec.Struct, forbid_unknown_fields=True):
    """A mention of a shared file of events: the streams that carry them, and which, if not all. `until`: they
    are past, since the era of this name."""

    file: str
    streams: tuple[str, ...]
    types: tuple[str, ...] = ()
    until: str = ""


def gather(raw: Raw, find: Callable[[str], Raw | None], where: str) -> Raw:
    """The tables with the events of the catalogues that they name in place of the names. Errors:
    `DialectError`."""
    try:
        named = msgspec.convert(raw.get("catalogues", []), list[_Catalogue])
    except msgspec.ValidationError as error:
        raise DialectError(f"{where}: catalogues: {_at(error)}", "give each a file and streams") from error
    gathered = {name: value for name, value in raw.items() if name != "catalogues"}
    for one in named:
        events = _take(one, find(one.file), where)
        into = "past_events" if one.until else "events"
        gathered[into] = [*gathered.get(into, []), *events]
    return gathered


def _take(named: _Catalogue, catalogue: Raw | None, where: str) -> list[Raw]:
    there = {event["type"]: event for event in catalogue["events"]} if catalogue else {}
    missing = sorted(set(named.types) - there.keys())
    if catalogue is None or missing:
        what = f"{', '.join(missing)} is not in {named.file}" if catalogue else f"there is no {named.file}"
        raise DialectError(f"{where}: catalogues: {what}", "see the files in listenkey/dialect/data/events")
    common = {"documentation": catalogue["documentation"], "streams": list(named.streams)}
    if named.until:
        common["until"] = named.until
    return [{**common, **there[name]} for name in named.types or there]


class _HistoryFile(msgspec.Struct, forbid_unknown_fields=True):
    """A mention of a shared file of history, and the stream that it is of."""

    file: str
    stream: str


def gather_history(raw: Raw, find: Callable[[str], Raw | None], where: str) -> Raw:
    """The tables with the histories of the files that they name in place of the names. Errors:
    `DialectError`."""
    try:
        named = msgspec.convert(raw.get("histories", []), list[_HistoryFile])
    except msgspec.ValidationError as error:
        raise DialectError(f"{where}: histories: {_at(error)}", "give each a file and a stream") from error
    rows = list(raw.get("history", []))
    for one in named:
        tables = find(one.file)
        if tables is None:
            raise DialectError(
                f"{where}: histories: there is no {one.file}",
                "see the files in listenkey/dialect/data/history",
            )
        rows.append({**extend(tables, find, one.file), "stream": one.stream})
    kept = {name: value for name, value in raw.items() if name != "histories"}
    return {**kept, "history": rows} if rows else kept


def build(raw: Raw, where: str) -> Dialect:
    """The dialect that complete tables say. Errors: `DialectError`, one line a problem."""
    try:
        dialect = msgspec.convert(raw, Dialect)
    except msgspec.ValidationError as error:
        raise DialectError(
            f"{where}: {_at(error)}", "mend that field; `docs/how-to/add-a-venue.md` names all"
        ) from error
    found = problems(dialect)
    if found:
        raise DialectError("\n".join(f"{where}: {problem}" for problem in found), "mend these places")
    return dialect


def _at(error: msgspec.ValidationError) -> str:
    """`failures[3].status: Expected int, got str`."""
    what, _, place = str(error).replace("`", "").partition(" - at ")
    place = place.removeprefix("$").removeprefix(".")
    return f"{place}: {what}" if place else what


def _lay_over(below: Raw, above: Raw) -> Raw:
    merged = dict(below)
    for name, value in above.items():
        merged[name] = _merge(name, merged.get(name), value)
    return merged


def _merge(name: str, below: object, above: object) -> object:
    if isinstance(below, dict) and isinstance(above, dict):
        return _lay_over(below, above)
    identity = _IDENTITY.get(name)
    if identity and isinstance(below, list) and isinstance(above, list):
        return _merge_rows(identity, below, above)
    return above


def _merge_rows(identity: tuple[str, ...], below: list[Any], above: list[Any]) -> list[Any]:
    def key(row: object) -> tuple[object, ...]:
        return tuple(str(row.get(field, "")) for field in identity) if isinstance(row, dict) else ()

    merged = list(below)
    free = {key(row): place for place, row in enumerate(below) if isinstance(row, dict)}
    for row in above:
        place = free.pop(key(row), None)
        if place is None:
            merged.append(row)
        else:
            merged[place] = _lay_over(merged[place], row)
    return merged
