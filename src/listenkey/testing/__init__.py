"""For the tests of programs that use listenkey, and for its own: time that stands until it is moved."""

from listenkey.testing.clock import VirtualClock

__all__ = ["VirtualClock"]
