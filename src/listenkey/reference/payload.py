"""An event's field table as the JSON Schema of the event."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from listenkey.dialect.model import Event, Field, FieldKind
from listenkey.reference.shapes import Json

DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_PLAIN: Final[dict[FieldKind, Json]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "boolean": {"type": "boolean"},
    "time_ms": {"type": "integer", "format": "int64", "x-unit": "milliseconds since 1970 UTC"},
    "time_us": {"type": "integer", "format": "int64", "x-unit": "microseconds since 1970 UTC"},
    "any": {},
}


class _Node:
    """A field with what lies below it: named parts, or what the items of a list are."""

    def __init__(self) -> None:
        self.field: Field | None = None
        self.parts: dict[str, _Node] = {}
        self.items: _Node | None = None

    def at(self, path: Iterable[str]) -> "_Node":
        """The node of a path below this one, made if need be."""
        node = self
        for step in path:
            name = step.rstrip("[]")
            if name:
                node = node.parts.setdefault(name, _Node())
            for _ in range(step.count("[]")):
                node.items = node.items or _Node()
                node = node.items
        return node


def event_schema(event: Event) -> Json:
    """The schema of an event as it is published, bare. What the venue may add is allowed; what its table
    names has to be there unless it may lack."""
    root = _Node()
    for field in event.fields:
        root.at(field.path.split(".")).field = field
    schema = _schema(root, [json.loads(event.sample)])
    if "e" in schema.get("properties", {}):
        schema["properties"]["e"] |= {"const": event.type}
    return {"title": event.type, "description": event.meaning, **schema}


def _schema(node: _Node, seen: Sequence[Any]) -> Json:
    """`seen`: what the sample has here. It tells which decimals are sent as numbers, and what as null."""
    schema = _of_kind(node, [each for each in seen if each is not None])
    if None in seen and "type" in schema:
        schema["type"] = [*_types(schema), "null"]
    if node.field is not None and node.field.meaning:
        schema["description"] = node.field.meaning
    return schema


def _of_kind(node: _Node, seen: Sequence[Any]) -> Json:
    kind = node.field.kind if node.field is not None else "list" if node.items is not None else "object"
    if kind == "object":
        return _object(node, [each for each in seen if isinstance(each, dict)])
    if kind == "list":
        items = [item for each in seen if isinstance(each, list) for item in each]
        return (
            {"type": "array"}
            if node.items is None
            else {"type": "array", "items": _schema(node.items, items)}
        )
    return _decimal(seen) if kind == "decimal" else dict(_PLAIN[kind])


def _object(node: _Node, seen: Sequence[dict[str, Any]]) -> Json:
    schema: Json = {"type": "object"}
    required = [name for name, part in node.parts.items() if part.field is None or not part.field.optional]
    if required:
        schema["required"] = required
    if node.parts:
        schema["properties"] = {
            name: _schema(part, [each[name] for each in seen if name in each])
            for name, part in node.parts.items()
        }
    return schema


def _decimal(seen: Sequence[Any]) -> Json:
    types = {"string" if isinstance(each, str) else "number" for each in seen} or {"string"}
    schema: Json = {"type": types.pop() if len(types) == 1 else sorted(types)}
    if schema["type"] != "number":
        schema["pattern"] = DECIMAL
    return {**schema, "x-unit": "decimal"}


def _types(schema: Json) -> list[str]:
    kinds = schema["type"]
    return [kinds] if isinstance(kinds, str) else kinds
