"""The variables of a collection, filled in as far as the file itself knows them, within bounds."""

import re
from collections.abc import Mapping
from typing import Final

_NAMED: Final = re.compile(r"\{\{\s*([^{}]{1,80}?)\s*\}\}")
_ROUNDS: Final = 8
_LONGEST: Final = 16_384


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with each `{{name}}` that is known in its place. Names that go round in a circle, and values
    that would grow without end, are left as they were written."""
    filled = text
    for _ in range(_ROUNDS):
        following = _NAMED.sub(lambda match: values.get(match[1], match[0]), filled)
        if following == filled:
            return filled
        if len(following) > _LONGEST:
            break
        filled = following
    return text
