"""Text with `$name` places: how it is filled, and which places it has.

Three kinds of text are filled: plain text (a message, a header), JSON, where a string value is escaped as the
inside of a JSON string and `bytes` are JSON already, and bytes around an event's payload.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

_PLACE: Final = re.compile(r"\$([a-z][a-z0-9_]*)")
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def _parts(template: str) -> tuple[str, ...]:
    """Literal text at even places, names at odd ones."""
    return tuple(_PLACE.split(template))


def places(template: str) -> frozenset[str]:
    """The names of a template's places."""
    return frozenset(_parts(template)[1::2])


def fill_text(template: str, values: Mapping[str, object]) -> str:
    """The text with each value in its place as it is. A place without a value stays empty."""
    parts = _parts(template)
    if len(parts) == 1:
        return template
    filled = list(parts)
    for place in range(1, len(parts), 2):
        filled[place] = str(values.get(parts[place], ""))
    return "".join(filled)


def fill_json(template: str, values: Mapping[str, object]) -> str:
    """The text with each value in its place, written so that JSON stays JSON: strings escaped but not quoted,
    `bytes` as the JSON they are, all else as JSON writes it. A place without a value stays empty."""
    parts = _parts(template)
    if len(parts) == 1:
        return template
    filled = list(parts)
    for place in range(1, len(parts), 2):
        filled[place] = _json_inside(values.get(parts[place], ""))
    return "".join(filled)


def split_around(template: str, place: str) -> tuple[bytes, bytes]:
    """What stands before and after a place that occurs once."""
    before, _, after = template.partition(f"${place}")
    return before.encode(), after.encode()


def _json_inside(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        return _encode(value).decode()
    try:
        return _encode(value).decode()[1:-1]
    except UnicodeEncodeError:  # half a surrogate pair, from bytes that were no UTF-8
        return _encode(value.encode("utf-8", "replace").decode()).decode()[1:-1]
