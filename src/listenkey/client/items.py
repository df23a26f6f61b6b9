"""What a stream gives its reader: events, gaps, and how the stream is."""

import builtins
import re
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from listenkey.client.typed import read_into, typed
from listenkey.core.keeper import StreamState
from listenkey.core.position import Position

_T = TypeVar("_T")
Source = Literal["stream", "backfill"]
_SENT_AT: Final = re.compile(rb'"E"\s*:\s*"?(\d{13})')


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of the venue."""

    type: str
    """The venue's name for its kind, such as `executionReport`."""
    raw: bytes
    """The event as the venue sent it, out of every wrapping."""
    position: Position | None = None
    """Where in the gateway's journal it is; None on a venue's own stream."""
    source: Source = "stream"
    """`backfill` for what was fetched from the venue's history after a break."""
    stream: str = ""
    """The name of its stream, for who reads several."""

    @property
    def data(self) -> Any:
        """The event, decoded anew each time it is asked for."""
        return msgspec.json.decode(self.raw)

    @property
    def typed(self) -> Any:
        """The event as a structure with the venue's names, amounts as `Decimal` and what was not sent as
        `msgspec.UNSET`; None for a kind that the catalogue does not know. Decoded anew each time. Errors:
        `UnfitEvent` where it is not as the catalogue says."""
        return typed(self.stream, self.type, self.raw)

    def read_as(self, wanted: builtins.type[_T]) -> _T:
        """The event as a type of your own: a `msgspec.Struct`, a dataclass, a `TypedDict`. Errors:
        `UnfitEvent` where it does not fit."""
        return read_into(wanted, self.type, self.raw)


class Gap(msgspec.Struct, frozen=True):
    """Something may be missing here, or surely is."""

    reason: str
    """`disconnected`, `overflow`, `unreadable` for a frame, or of a gateway `retention`, `epoch`, `ahead`,
    `upstream`, or `left_out` where one does not name what it does not give."""
    first: Position | None = None
    """The first that is missing, where that is known."""
    last: Position | None = None
    """The last that is missing, where that is known."""
    since_ms: int = 0
    """The last moment at which nothing was missing, where positions are not known: wall clock, in ms."""
    until_ms: int = 0
    """And the first at which nothing is again."""
    symbols: tuple[str, ...] = ()
    """Of which symbols the history was fetched nevertheless: what it holds of them was given out."""
    differs: tuple[str, ...] = ()
    """Assets and positions of which the venue's snapshot says other than the events do."""
    why: str = ""
    """Why the history could not fill it, for people."""
    cause: str = ""
    """Of a gateway's `upstream`: the reason that its own source gave."""


class State(msgspec.Struct, frozen=True):
    """How the stream is from here on."""

    state: StreamState
    reason: str = ""


Item: TypeAlias = Event | Gap | State


def sent_at_ms(raw: bytes) -> int:
    """When the venue sent an event; 0 where it does not say."""
    found = _SENT_AT.search(raw)
    return int(found[1]) if found else 0
