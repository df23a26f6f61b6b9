"""How a language spells what programs consist of: all of it is data, in `languages/*.toml`.

Templates have `{name}` places. Tables go by the kind of what is written (`string`, `int`, `bool`, `object`,
`void`), with `any` for those that a table does not name.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec

ByKind = Mapping[str, str]
Evidence = Literal["listen_key", "page", "source", "inferred", "memory"]
_PLACE: Final = re.compile(r"\{(\w+)\}")


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to write a string. Control characters without an escape need `code`, or another form."""

    open: str
    close: str
    escapes: dict[str, str] = {}
    forbids: str = ""
    """A pattern of what cannot be written so."""
    code: str = ""
    """A character by its number: `{dec}`, `{oct}` or `{hex}`."""


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One language of Chilkat's binding."""

    name: str
    title: str
    lexer: str
    file: str
    needs: str
    evidence: Evidence
    executed: str = ""
    """With what the tests run its programs, where they run in the language itself."""
    note: str = ""
    """What a reader has to know about the evidence, in a sentence."""

    frame: str
    """Lines around the program, with a line each for `{includes}`, `{declarations}` and `{steps}`."""
    include: str = ""
    units: str = ""
    """What stands for a class in a list of units, `{units}` in the frame."""
    comment: str
    names: ByKind
    """A variable, from `{name}` (`listenKey`) or `{Name}` (`ListenKey`)."""
    types: ByKind = {}
    ref: str = "{var}"
    """How a variable is read."""
    on: ByKind = msgspec.field(default_factory=lambda: {"any": "{ref}."})
    """What stands before a member: of an object that was `created`, or one that a call `returned`."""
    spelled: dict[str, str] = {}
    """Members whose spelling follows no rule."""
    argument: ByKind = msgspec.field(default_factory=lambda: {"any": "{value}"})
    separator: str = ","
    label: str = ""
    """Before each argument but the first."""
    opening: str = ""
    """Before the first argument, if there is one."""
    openings: dict[str, str] = {}
    """The same for some members."""

    call: ByKind
    get: ByKind
    put: str
    void: str
    """A call whose result nobody takes."""
    drop_unasked: bool = False
    """Whether a truth that is not tested is better not kept."""
    let: ByKind
    first: ByKind = {}
    """The same for a variable that appears here first; without it, as any other time."""
    let_call: ByKind = {}
    """Languages in which a call is no expression take its result with this."""
    let_get: ByKind = {}
    temps: ByKind = {}
    """There, the variables through which properties are shown and tested."""
    pass_object: str = ""
    """A statement before a call that gets an object."""
    declare: ByKind = {}
    """At the top, for each variable: by kind, or `created`, `returned`, `passed`."""
    new: str
    test_new: str = ""
    test_new_of: Literal["none", "first", "each"] = "none"
    dispose: ByKind = {}
    dispose_failed: bool = True
    """Whether objects are given back before leaving early, too."""
    leave: str
    show: ByKind

    literals: tuple[Form, ...]
    char: str = ""
    """A character by its number, as an expression."""
    limit: int = 0
    """The longest literal."""
    true: str
    false: str
    concat: str = ""
    """Between strings; empty where strings are joined with a StringBuilder."""
    joined: str = "{parts}"

    signs: ByKind
    compare: str = "{left} {sign} {right}"
    if_then: str
    if_else: str
    if_end: str
    loop: str
    loop_end: str
    count: str


def fill(template: str, places: Mapping[str, str]) -> str:
    """The template with its places filled. Errors: `KeyError` for a place that there is not."""
    parts = _parts(template)
    if len(parts) == 1:
        return template
    return "".join(places[part] if place % 2 else part for place, part in enumerate(parts))


@lru_cache(maxsize=4096)
def _parts(template: str) -> tuple[str, ...]:
    """Text at even places, names at odd ones."""
    return tuple(_PLACE.split(template))


def of_kind(table: ByKind, kind: str) -> str:
    """The entry for a kind."""
    return table[kind] if kind in table else table.get("any", "")


@lru_cache(maxsize=1)
def languages() -> tuple[Language, ...]:
    """All languages, in the order in which people see them."""
    raw: dict[str, dict[str, Any]] = {}
    folder = files("listenkey.reference.chilkat").joinpath("languages")
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            raw |= tomllib.loads(file.read_text(encoding="utf-8"))
    found = [
        msgspec.convert(_whole(raw, name) | {"name": name}, Language)
        for name in raw
        if not raw[name].get("abstract")
    ]
    return tuple(sorted(found, key=lambda each: (each.name != "purebasic", each.title.lower())))


def _whole(raw: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """A language with all that it takes from another; tables are merged, all else is replaced. With what it
    was run is true of itself alone."""
    own = {key: value for key, value in raw[name].items() if key not in ("extends", "abstract")}
    base = _whole(raw, raw[name]["extends"]) if "extends" in raw[name] else {}
    base = {key: value for key, value in base.items() if key not in ("executed", "note")}
    return base | {
        key: base[key] | value if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in own.items()
    }
