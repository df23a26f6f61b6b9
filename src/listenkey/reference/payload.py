"""An event's field table as the JSON Schema of the event."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from listenkey.dialect.events import Node, Parts, table_of
from listenkey.dialect.model import Event, FieldKind
from listenkey.reference.shapes import Json

_DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_PLAIN: Final[dict[FieldKind, Json]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "boolean": {"type": "boolean"},
    "time_ms": {"type": "integer", "format": "int64", "x-unit": "milliseconds since 1970 UTC"},
    "time_us": {"type": "integer", "format": "int64", "x-unit": "microseconds since 1970 UTC"},
    "any": {},
}


def event_schema(event: Event) -> Json:
    """The schema of an event as it is published, bare. What its table names has to be there unless it is
    optional; what the venue adds is no fault. The sample tells whether decimals are text or numbers."""
    table, sample = table_of(event), [json.loads(event.sample)]
    forms = sorted(set(_forms(table, sample))) or ["string"]
    schema = _object(table, sample, forms)
    if "e" in table:
        schema["properties"]["e"]["const"] = event.type
    return {"title": event.type, "description": event.meaning, **schema}


def _object(parts: Parts, seen: Sequence[Any], forms: list[str]) -> Json:
    """`seen`: what the sample has in this place. `forms`: of decimals that it has nowhere."""
    schema: Json = {"type": "object"}
    if required := [name for name, node in parts.items() if not node.field.optional]:
        schema["required"] = required
    if parts:
        schema["properties"] = {name: _field(node, _below(seen, name), forms) for name, node in parts.items()}
    return schema


def _below(seen: Sequence[Any], name: str) -> list[Any]:
    return [each[name] for each in seen if isinstance(each, dict) and each.get(name) is not None]


def _items(seen: Sequence[Any]) -> list[Any]:
    return [item for each in seen if isinstance(each, list) for item in each]


def _field(node: Node, seen: Sequence[Any], forms: list[str]) -> Json:
    schema = _of_kind(node, seen, forms)
    if node.field.optional and "type" in schema:
        kinds = schema["type"]
        schema["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
    if node.field.meaning:
        schema["description"] = node.field.meaning
    return schema


def _of_kind(node: Node, seen: Sequence[Any], forms: list[str]) -> Json:
    kind = node.field.kind
    if kind == "object":
        return _object(node.parts, seen, forms)
    if kind == "list":
        return {
            "type": "array",
            "items": _object(node.parts, _items(seen), forms) if node.parts else {},
        }
    if kind == "decimal":
        return _decimal(sorted({_form(each) for each in seen}) or forms)
    return dict(_PLAIN[kind])


def _decimal(forms: list[str]) -> Json:
    schema: Json = {"type": forms[0] if len(forms) == 1 else forms}
    if "string" in forms:
        schema["pattern"] = _DECIMAL
    return {**schema, "x-unit": "decimal"}


def _form(value: object) -> str:
    return "string" if isinstance(value, str) else "number"


def _forms(parts: Parts, seen: Sequence[Any]) -> Iterator[str]:
    for name, node in parts.items():
        below = _below(seen, name)
        if node.field.kind == "decimal":
            yield from map(_form, below)
        yield from _forms(node.parts, _items(below) if node.field.kind == "list" else below)
