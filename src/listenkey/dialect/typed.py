"""Events as structures, made from their field tables: money as `Decimal`, all else as the venue sends it.

Attributes have the venue's own names, with `_` after those that are words of Python (`or_`). What the venue
did not send is `UNSET`, which is not what it sent as null. What a table does not name is passed over.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from keyword import iskeyword
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from listenkey.dialect.events import DECIMAL, Node, Parts, table_of
from listenkey.dialect.model import Event, FieldKind

_PLAIN: Final[Mapping[FieldKind, Any]] = {
    "text": str,
    "integer": int,
    "boolean": bool,
    "time_ms": int,
    "time_us": int,
    "any": Any,
}
_MONEY: Final = Decimal
_TEXT_MONEY: Final = Annotated[str, msgspec.Meta(pattern=f"^{DECIMAL}$")]
_CHECKED_MONEY: Final = _TEXT_MONEY | int | float


class Typed:
    """One kind of event: read into a structure of its own, and written as the venue writes it."""

    def __init__(self, event: Event) -> None:
        """`event`: a row of the catalogue that passed the lint."""
        self.structure = _structure(event.type, table_of(event), _MONEY, forbid=False)
        self.read: Callable[[bytes], Struct] = msgspec.json.Decoder(self.structure).decode
        """The event. Errors: `msgspec.ValidationError` where it is not as the table says."""
        self._numbers = _has_numbers(table_of(event), msgspec.json.decode(event.sample))

    def write(self, value: Struct) -> bytes:
        """The event as compact JSON: amounts digit by digit as they were read, as text or as numbers."""
        plain = msgspec.to_builtins(value, builtin_types=(Decimal,))
        return msgspec.json.encode(self._spell_out(plain))

    def _spell_out(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._spell_out(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._spell_out(each) for each in value]
        if not isinstance(value, Decimal):
            return value
        digits = format(value, "f")
        return msgspec.Raw(digits.encode()) if self._numbers else digits


def checker(event: Event, *, forbid: bool) -> Callable[[bytes], object]:
    """A quick look at whether a payload is as the table says: raises `msgspec.DecodeError` where it may not
    be. `forbid`: also for what the table does not name."""
    structure = _structure(event.type, table_of(event), _CHECKED_MONEY, forbid=forbid)
    return msgspec.json.Decoder(structure).decode


def _structure(name: str, parts: Parts, money: Any, *, forbid: bool) -> type[Struct]:
    fields: list[Any] = []
    rename = {}
    for field, node in parts.items():
        attribute = f"{field}_" if iskeyword(field) or not field.isidentifier() else field
        kind = _type(f"{name}_{field}", node, money, forbid=forbid)
        if node.field.optional:
            fields.append((attribute, kind | None | UnsetType, UNSET))
        else:
            fields.append((attribute, kind))
        rename[attribute] = field
    return msgspec.defstruct(
        name, fields, rename=rename, frozen=True, kw_only=True, forbid_unknown_fields=forbid, gc=False
    )


def _type(name: str, node: Node, money: Any, *, forbid: bool) -> Any:
    kind = node.field.kind
    if kind == "decimal":
        return _TEXT_MONEY if node.is_text and money is _CHECKED_MONEY else money
    if kind not in {"object", "list"}:
        return _PLAIN[kind]
    inner: Any = _structure(name, node.parts, money, forbid=forbid) if node.parts else Any
    if kind == "list":
        return list[inner]
    return inner if node.parts else dict[str, Any]


def _has_numbers(parts: Parts, sample: Any) -> bool:
    """Whether the sample has an amount that is a number; a venue writes those of one kind of event alike."""
    for name, node in parts.items():
        value = sample.get(name)
        if node.field.kind == "decimal" and value is not None:
            return not isinstance(value, str)
        inner = value if isinstance(value, list) else [value]
        if any(_has_numbers(node.parts, each) for each in inner if isinstance(each, dict)):
            return True
    return False
