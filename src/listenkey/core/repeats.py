"""Repeats told from news, by what the venue itself tells events apart with.

Ids alone are not trusted: two amendments of one order in one millisecond share them. What differs in anything
but the time of its sending is news.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping
from typing import Final

import msgspec

from listenkey.dialect.model import Event

_MOST: Final = 1024
_SENT_AT: Final = "E"
_SENT_AT_MARK: Final = b'"E":'
_HEAD: Final = 160
"""Bytes within which venues say when they sent an event."""


class NaturalIds:
    """What tells one fact from every other of its kind; events that have no such thing have none."""

    def __init__(self, events: tuple[Event, ...]) -> None:
        self._paths = {
            event.type: tuple(tuple(path.split(".")) for path in event.natural_id)
            for event in events
            if event.natural_id and not any("[]" in path for path in event.natural_id)
        }

    @property
    def kinds(self) -> Collection[str]:
        """Those whose events have ids."""
        return self._paths.keys()

    def of(self, kind: str, payload: bytes) -> tuple[object, ...] | None:
        """The identity of an event: its kind, its ids, and a digest of the rest; None where it has none."""
        paths = self._paths.get(kind)
        if paths is None:
            return None
        try:
            event = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        identity = (kind, *(_at(event, path) for path in paths))
        return None if None in identity else (*identity, _digest(event))


class Repeats:
    """Remembers the last facts. State has no natural id and is no repeat: the newest rules."""

    def __init__(self, events: tuple[Event, ...], most: int = _MOST) -> None:
        self._ids = NaturalIds(events)
        self._kinds = self._ids.kinds
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._most = most

    def is_repeat(self, kind: str, payload: bytes) -> bool:
        """Whether this event was seen before; if not, it is from now on."""
        if kind not in self._kinds:
            return False
        # Venues say when they sent an event near its beginning; the rest of its bytes need not be decoded.
        at = payload.find(_SENT_AT_MARK, 0, _HEAD)
        after = payload.find(b",", at)
        if at < 0 or after < 0 or payload.find(b"{", 1, at) > 0:
            return self._is_known(self._ids.of(kind, payload))
        mark = hash(payload[:at] + payload[after:])
        if mark not in self._seen:
            self._remember(mark)
            return False
        # Equal bytes have equal ids, if they have any.
        return self._ids.of(kind, payload) is not None and self._is_known(mark)

    def _is_known(self, mark: Hashable) -> bool:
        if mark is None:
            return False
        if mark in self._seen:
            self._seen.move_to_end(mark)
            return True
        self._remember(mark)
        return False

    def _remember(self, mark: Hashable) -> None:
        self._seen[mark] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)


def _digest(event: dict[str, object]) -> str:
    content = msgspec.json.encode({name: value for name, value in event.items() if name != _SENT_AT})
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _at(event: object, path: tuple[str, ...]) -> object:
    for name in path:
        if not isinstance(event, Mapping):
            return None
        event = event.get(name)
    return event if isinstance(event, str | int | float) else None
