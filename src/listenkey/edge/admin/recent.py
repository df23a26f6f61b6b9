"""The last errors that were logged, kept for the page of what runs."""

from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import msgspec

_KEPT: Final = 20
_SHOWN: Final = 200
_LEFT_OUT: Final = frozenset({"event", "level", "timestamp", "exception", "exc_info", "stack"})


class RecentError(msgspec.Struct, frozen=True):
    """One line of the log, shortened."""

    when: str
    event: str
    detail: str


class RecentErrors:
    """A processor of structlog: remembers errors as they pass, and changes nothing. What it is given is what
    the log gets, and so has no secrets."""

    def __init__(self) -> None:
        self._errors: deque[RecentError] = deque(maxlen=_KEPT)

    def __call__(
        self, logger: object, method: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Called by structlog for each line."""
        if method in {"error", "critical", "exception"}:
            self._errors.append(
                RecentError(str(line.get("timestamp", "")), str(line.get("event", "")), _detail(line))
            )
        return line

    def newest_first(self) -> list[RecentError]:
        """What is remembered."""
        return list(reversed(self._errors))


def _detail(line: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in line.items() if name not in _LEFT_OUT)[:_SHOWN]


recent_errors: Final = RecentErrors()
"""Those of this process; the log's set-up puts it among its processors, after the time stamp."""
