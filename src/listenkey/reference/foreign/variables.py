"""The variables of a collection, filled in as far as the file itself knows them, within bounds."""

import re
from collections import ChainMap
from collections.abc import Mapping
from typing import Final

import msgspec

_NAMED: Final = re.compile(r"\{\{([^{}]{1,80})\}\}")
_ROUNDS: Final = 8
_LONGEST: Final = 16_384
_IN_ALL: Final = 4 * 1024 * 1024


class _Allowance(msgspec.Struct):
    """How many characters may still be gone through for the variables of a file."""

    left: int = _IN_ALL


class Variables(msgspec.Struct, frozen=True):
    """The variables of a folder on top of those of what it lies in."""

    known: ChainMap[str, str]
    allowance: _Allowance

    def inner(self, values: Mapping[str, str]) -> "Variables":
        """The same with more of them, for what lies below."""
        return Variables(self.known.new_child(dict(values)), self.allowance)

    def fill(self, text: str) -> str:
        """The text with each `{{name}}` that is known in its place. Names that go round in a circle, and
        values that would grow without end, are left as they were written."""
        if "{{" not in text or self.allowance.left < 0:
            return text
        filled = text
        for _ in range(_ROUNDS):
            following = _NAMED.sub(lambda match: self.known.get(match[1].strip(), match[0]), filled)
            self.allowance.left -= len(following)
            if len(following) > _LONGEST or self.allowance.left < 0:
                return text
            if following == filled:
                return filled
            filled = following
        return text


def no_variables() -> Variables:
    """Where nothing is known yet, with a whole allowance."""
    return Variables(ChainMap(), _Allowance())
