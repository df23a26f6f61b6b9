"""Events against their field tables. What a table does not name is no fault unless that is asked for."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from listenkey.dialect.model import Event, Field, FieldKind

DECIMAL: Final = r"-?[0-9]+(\.[0-9]+)?"
"""An amount as text."""
_DECIMAL: Final = re.compile(DECIMAL, re.ASCII)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_decimal(value: object) -> bool:
    if isinstance(value, str):
        return _DECIMAL.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: Final[Mapping[FieldKind, Callable[[object], bool]]] = {
    "text": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "decimal": _is_decimal,
    "boolean": lambda value: isinstance(value, bool),
    "time_ms": _is_integer,
    "time_us": _is_integer,
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "any": lambda value: True,
}
Parts: TypeAlias = dict[str, "Node"]


class Node(msgspec.Struct, frozen=True):
    """A field with what lies in it: for an object its parts, for a list those of each item."""

    field: Field
    parts: Parts
    is_text: bool = False
    """Whether the sample shows an amount, and each time as text."""


def table_of(event: Event) -> Parts:
    """An event's fields as a tree, by name. Its paths are as the lint wants them."""
    root: Parts = {}
    sample = msgspec.json.decode(event.sample)
    for field in event.fields:
        *above, name = field.path.split(".")
        parts = root
        for step in above:
            parts = parts[step.removesuffix("[]")].parts
        shown = list(_shown(sample, field.path.split("."))) if field.kind == "decimal" else []
        parts[name] = Node(field, {}, bool(shown) and all(isinstance(value, str) for value in shown))
    return root


def _shown(sample: Any, steps: Sequence[str]) -> Iterator[Any]:
    """What a sample has at a path, without nulls."""
    if isinstance(sample, list):
        for item in sample:
            yield from _shown(item, steps)
    elif not steps:
        if sample is not None:
            yield sample
    elif isinstance(sample, dict):
        yield from _shown(sample.get(steps[0].removesuffix("[]")), steps[1:])


def faults(table: Parts, value: dict[str, Any], *, unknown: bool) -> Iterator[str]:
    """What in an event is not as its table says, each as `PATH: what`; with `unknown`, also what the table
    does not name."""
    return _in_object(table, value, "", unknown)


def _in_object(parts: Parts, value: dict[str, Any], where: str, unknown: bool) -> Iterator[str]:
    for name, node in parts.items():
        given = value.get(name)
        if given is None:
            if not node.field.optional:
                yield f"{where}{name}: is missing" if name not in value else f"{where}{name}: is null"
        else:
            yield from _in_field(node, given, where + name, unknown)
    if unknown:
        for name in value.keys() - parts.keys():
            yield f"{where}{name}: is not in the table"


def _in_field(node: Node, value: Any, where: str, unknown: bool) -> Iterator[str]:
    kind = node.field.kind
    if not _FITS[kind](value):
        yield f"{where}: is not of the kind {kind}"
    elif node.is_text and not isinstance(value, str):
        yield f"{where}: is a number, and the venue sends text"
    elif kind == "object" and node.parts:
        yield from _in_object(node.parts, value, f"{where}.", unknown)
    elif kind == "list" and node.parts:
        for place, item in enumerate(value):
            if isinstance(item, dict):
                yield from _in_object(node.parts, item, f"{where}[{place}].", unknown)
            else:
                yield f"{where}[{place}]: is not of the kind object"
