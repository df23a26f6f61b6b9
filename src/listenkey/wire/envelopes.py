"""Events that a venue wraps although the socket has them bare."""

from collections.abc import Hashable

from listenkey.core.records import Event
from listenkey.wire.frames import Variant, event_type


class Enveloped:
    """A variant of two: events of some types go out by one, all others by the other."""

    __slots__ = ("_others", "_these", "_types", "key")

    def __init__(self, types: tuple[str, ...], these: Variant, others: Variant) -> None:
        self.key: Hashable = ("enveloped", types, these.key, others.key)
        self._types = frozenset(types)
        self._these = these
        self._others = others

    def encode(self, epoch: str, event: Event) -> bytes | None:
        """As `Variant.encode`."""
        return self._for(event.payload).encode(epoch, event)

    def wrap(self, payload: bytes) -> bytes:
        """As `Variant.wrap`."""
        return self._for(payload).wrap(payload)

    def _for(self, payload: bytes) -> Variant:
        return self._these if event_type(payload) in self._types else self._others
