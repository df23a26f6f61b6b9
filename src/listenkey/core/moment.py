"""Up to when a venue's own stream is whole. Venues give no offsets; what they all share is time."""

import re
from typing import Final

import msgspec

_MOMENT: Final = re.compile(r"[1-9][0-9]{11,13}\Z")


class Moment(msgspec.Struct, frozen=True, order=True):
    """Everything that the venue published up to here was had, or was named missing."""

    at_ms: int
    """The venue's wall clock, in milliseconds since 1970."""

    def __str__(self) -> str:
        return str(self.at_ms)


def parse_moment(text: str) -> Moment | None:
    """The moment that a number of milliseconds names, or None where it names none."""
    return Moment(int(text)) if _MOMENT.match(text) else None
