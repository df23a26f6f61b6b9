"""One value, from TOML or from text, to the type that its setting declares; and how types are written."""

from typing import Annotated, Any, get_args, get_origin

import msgspec

from listenkey.config.fields import Field

_YES, _NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


class UnfitError(ValueError):
    """The value does not fit; the message says what it should be. Never repeats a secret."""

    def __init__(self, field: Field, value: object) -> None:
        self.remedy = "see `listenkey config doc`"
        super().__init__(f"is {_shown(field, value)}, must be {describe(field)}")


def from_value(field: Field, value: object) -> object:
    """A value of the file or of the command line, checked."""
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        raise UnfitError(field, value) from None


def from_text(field: Field, text: str) -> object:
    """A value of the environment: lists by commas, tables as `name=number` by commas."""
    origin = get_origin(field.plain_type) or field.plain_type
    value: object = text
    if origin is bool:
        lower = text.strip().lower()
        value = True if lower in _YES else False if lower in _NO else text
    elif origin is int:
        value = _number(text)
    elif origin is float:
        value = _fraction(text)
    elif origin is tuple:
        value = [part.strip() for part in text.split(",") if part.strip()]
    elif origin is dict:
        pairs = (part.partition("=") for part in text.split(",") if part.strip())
        value = {name.strip(): _number(number) for name, _, number in pairs}
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        raise UnfitError(field, text) from None


def _number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _fraction(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def describe(field: Field) -> str:
    """What a value of the setting is, in words: `a whole number, 1 to 3600`."""
    if field.choices:
        return " or ".join(f'"{choice}"' for choice in field.choices)
    return _WORDS[get_origin(field.plain_type) or field.plain_type] + _bounds(field.type)


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list of texts",
    dict: "a table of whole numbers, each at least 1",
}


def _bounds(declared: Any) -> str:
    meta = next((part for part in get_args(declared) if isinstance(part, msgspec.Meta)), None)
    if meta is None or get_origin(declared) is not Annotated:
        return ""
    if meta.ge is not None:
        return f", {meta.ge} to {meta.le}" if meta.le is not None else f", at least {meta.ge}"
    return ", not empty" if meta.min_length else ""


def _shown(field: Field, value: object) -> str:
    if field.secret:
        return "of the wrong kind"
    if isinstance(value, dict | list | tuple):
        return "not right"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
