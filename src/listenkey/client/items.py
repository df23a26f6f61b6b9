"""What a stream gives its reader: events, gaps, and how the stream is."""

from typing import Any, Literal, TypeAlias

import msgspec

from listenkey.core.position import Position

StateName = Literal["connecting", "open", "reconnecting", "failed", "closed"]


class Event(msgspec.Struct, frozen=True):
    """One event of the venue."""

    type: str
    """The venue's name for its kind, such as `executionReport`."""
    raw: bytes
    """The event as the venue sent it, out of every wrapping."""
    position: Position | None = None
    """Where in the gateway's journal it is; None on a venue's own stream."""

    @property
    def data(self) -> Any:
        """The event, decoded anew each time it is asked for."""
        return msgspec.json.decode(self.raw)


class Gap(msgspec.Struct, frozen=True):
    """Something may be missing here, or surely is."""

    reason: str
    """`disconnected`, `overflow`, `unreadable` for a frame, or of a gateway `retention`, `epoch`, `ahead`,
    `upstream`."""
    first: Position | None = None
    """The first that is missing, where that is known."""
    last: Position | None = None
    """The last that is missing, where that is known."""
    since_ms: int = 0
    """The last moment at which nothing was missing, where positions are not known: wall clock, in ms."""
    until_ms: int = 0
    """And the first at which nothing is again."""


class State(msgspec.Struct, frozen=True):
    """How the stream is from here on."""

    state: StateName
    reason: str = ""


Item: TypeAlias = Event | Gap | State
