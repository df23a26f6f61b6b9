"""Repeats told from news, by what the venue itself tells events apart with.

Ids alone are not trusted: two amendments of one order in one millisecond share them. What differs in anything
but the time of its sending is news.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Mapping
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

    def has(self, kind: str) -> bool:
        """Whether events of this kind have ids at all."""
        return kind in self._paths

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
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._most = most

    def is_repeat(self, kind: str, payload: bytes) -> bool:
        """Whether this event was seen before; if not, it is from now on."""
        if not self._ids.has(kind):
            return False
        without_time = _without_time(payload)
        mark: Hashable = self._ids.of(kind, payload) if without_time is None else hash(without_time)
        if mark is None:
            return False
        if mark in self._seen:  # equal bytes have equal ids, if they have any
            if without_time is not None and self._ids.of(kind, payload) is None:
                return False
            self._seen.move_to_end(mark)
            return True
        self._seen[mark] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return False


def _without_time(payload: bytes) -> bytes | None:
    """An event's bytes but for the time of its sending, which need not be decoded for it; None where it
    is not written as venues do."""
    at = payload.find(_SENT_AT_MARK, 0, _HEAD)
    if at < 0 or payload.find(b"{", 1, at) > 0:
        return None
    after = payload.find(b",", at)
    return None if after < 0 else payload[:at] + payload[after:]


def _digest(event: dict[str, object]) -> str:
    content = msgspec.json.encode({name: value for name, value in event.items() if name != _SENT_AT})
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _at(event: object, path: tuple[str, ...]) -> object:
    for name in path:
        if not isinstance(event, Mapping):
            return None
        event = event.get(name)
    return event if isinstance(event, str | int | float) else None
