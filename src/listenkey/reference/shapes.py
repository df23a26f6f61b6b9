"""The dialects' templates as JSON Schema and as examples: what a body looks like, and one that does.

A place of a template is filled with a number that occurs nowhere else; after decoding, where the numbers are
found again says what is open and what is fixed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from listenkey.dialect.model import KeySpace
from listenkey.dialect.template import fill_json, places

Json: TypeAlias = dict[str, Any]

SAMPLE_TIME: Final = 1_700_000_000_000
"""A moment in November 2023, in milliseconds."""
_FIRST: Final = 7_316_548_290_000
_TOKEN: Final = re.compile(r"7316548290[0-9]{3}")
_SPECIAL: Final = re.compile(r"([\\^$.|?*+()\[\]{}])")
_TIME: Final[Json] = {"type": "integer", "format": "int64", "description": "Milliseconds since 1970 UTC."}
_BARE: Final[dict[str, Json]] = {
    "now_ms": _TIME,
    "expires_at_ms": _TIME,
    "id": {"type": ["integer", "string", "null"], "description": "The request's own."},
    "result": {"type": ["null", "boolean", "array"], "items": {"type": "string"}},
}
"""What stands in a place outside of quotes."""
_NUMBERS: Final = frozenset({"until_ms", "limit", "count", "code", "window_ms", "line", "column"})
_SAMPLES: Final[dict[str, object]] = {
    "now_ms": SAMPLE_TIME, "expires_at_ms": SAMPLE_TIME + 3_600_000, "until_ms": SAMPLE_TIME + 120_000,
    "id": 1, "result": None, "code": 100001, "count": 20, "window_ms": 480000, "line": 1, "column": 18,
    "iso_time": "2023-11-15T06:13:20.000+0800", "name": "unknown",
    "reason": "invalid type, expected a sequence for `params`",
}  # fmt: skip


def values(more: Mapping[str, object]) -> dict[str, object]:
    """A value for every place that templates have, those given first."""
    return {**_SAMPLES, **more}


def example(template: str, more: Mapping[str, object]) -> Any:
    """The JSON that a template stands for, with made-up values in its places."""
    return json.loads(fill_json(template, values(more)))


def shape(template: str, known: Mapping[str, Json]) -> Json:
    """The JSON Schema of what a template may become. `known`: schemas of places that fill a
    whole value."""
    names = dict(enumerate(sorted(places(template)), _FIRST))
    filled = fill_json(template, {name: number for number, name in names.items()})
    return _schema(json.loads(filled), names, known)


def _schema(value: Any, names: dict[int, str], known: Mapping[str, Json]) -> Json:
    if isinstance(value, dict):
        return closed_object({name: _schema(each, names, known) for name, each in value.items()})
    if isinstance(value, list):
        items = [_schema(each, names, known) for each in value]
        return {"type": "array", "prefixItems": items} if items else {"type": "array", "items": {}}
    if isinstance(value, str):
        return _text(value, names, known)
    if isinstance(value, int) and value in names:
        return known.get(names[value]) or _BARE[names[value]]
    return {"type": _type_of(value), "const": value}


def closed_object(properties: dict[str, Json]) -> Json:
    """An object that has all of these; one of none is empty, so that it is told from every other."""
    if not properties:
        return {"type": "object", "maxProperties": 0}
    return {"type": "object", "required": list(properties), "properties": properties}


def _text(text: str, names: dict[int, str], known: Mapping[str, Json]) -> Json:
    found = [names[int(token)] for token in _TOKEN.findall(text)]
    if not found:
        return {"type": "string", "const": text}
    literals = _TOKEN.split(text)
    if len(found) == 1 and literals == ["", ""]:
        return known.get(found[0], {"type": "string"})
    return {"type": "string", "pattern": "".join(_pattern(literals, found))}


def _pattern(literals: list[str], found: list[str]) -> Iterator[str]:
    yield "^"
    for literal, name in zip(literals, [*found, ""], strict=True):
        yield quote(literal)
        if name:
            yield "[0-9]+" if name in _NUMBERS else ".*"
    yield "$"


def quote(literal: str) -> str:
    """Text as a regular expression that means just that, in every flavour."""
    return _SPECIAL.sub(r"\\\1", literal)


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    return "integer" if isinstance(value, int) else "number"


def listen_key(space: KeySpace) -> Json:
    """The schema of a listen key as it is minted."""
    return {
        "type": "string",
        "description": f"A listen key: {space.length} characters, good for {space.lifetime_s // 60} minutes.",
        "pattern": f"^[{_ranges(space.alphabet)}]{{{space.length}}}$",
    }


def _ranges(alphabet: str) -> str:
    """Characters as the inside of a character class, runs of three and more shortened."""
    runs: list[list[int]] = []
    for code in sorted(map(ord, set(alphabet))):
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(_run(*run) for run in runs)


def _run(first: int, last: int) -> str:
    if last - first > 1:
        return f"{_class(first)}-{_class(last)}"
    return "".join(map(_class, range(first, last + 1)))


def _class(code: int) -> str:
    return rf"\{chr(code)}" if chr(code) in r"\]^-[" else chr(code)
