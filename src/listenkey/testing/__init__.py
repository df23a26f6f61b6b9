"""For the tests of programs that use listenkey, and for its own: time that stands until it is moved, and a
small venue with streams, history and faults.

The venue is imported when it is asked for: it needs the server's extras.
"""

from typing import TYPE_CHECKING, Any

from listenkey.testing.clock import VirtualClock

if TYPE_CHECKING:
    from listenkey.testing.venue import TestingVenue

__all__ = ["TestingVenue", "VirtualClock"]


def __getattr__(name: str) -> Any:
    """The venue, from its module."""
    if name == "TestingVenue":
        from listenkey.testing.venue import TestingVenue

        return TestingVenue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
