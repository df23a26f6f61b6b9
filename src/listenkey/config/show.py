"""Settings as they are in force, secrets masked."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from listenkey.config.fields import NAME, Field, Section, sections
from listenkey.config.load import Loaded
from listenkey.config.settings import Settings

MASK = "***"


def as_mapping(settings: Settings) -> dict[str, Any]:
    """All settings as nested plain values, secrets masked where they are set."""
    shown: dict[str, Any] = {}
    for section, path in _tables(settings):
        table = shown
        for part in path:
            table = table.setdefault(part, {})
        for field in section.fields:
            table[field.path[-1]] = _shown(settings, path, field)
    return shown


def as_toml(loaded: Loaded) -> str:
    """The same as TOML, each given value with where it came from; unset settings are left out."""
    blocks = []
    for section, path in _tables(loaded.settings):
        lines = [f"[{'.'.join(path)}]"] if path else []
        for field in section.fields:
            value = _shown(loaded.settings, path, field)
            if value is None:
                continue
            origin = loaded.origins.get(".".join((*path, field.path[-1])))
            lines.append(f"{field.path[-1]} = {toml_value(value)}" + (f"  # {origin}" if origin else ""))
        if len(lines) > bool(path):
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def toml_value(value: object) -> str:
    """One value as TOML writes it."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(key)} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    # A JSON text is a TOML basic string too, except that TOML has no surrogate pairs.
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("-", "").replace("_", "").isalnum() else json.dumps(key)


def _tables(settings: Settings) -> Iterator[tuple[Section, tuple[str, ...]]]:
    for section in sections():
        if NAME in section.path:
            yield from ((section, (section.path[0], name)) for name in getattr(settings, section.path[0]))
        else:
            yield section, section.path


def _shown(settings: Settings, path: tuple[str, ...], field: Field) -> object:
    value: Any = settings
    for part in (*path, field.path[-1]):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    if field.secret:
        return MASK if value else value
    return msgspec.to_builtins(value)
