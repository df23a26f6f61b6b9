"""What a peer may cost before it is shown the door."""

import msgspec

from listenkey.base.clock import SECOND, Micros


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on time (seconds) and size (bytes); all of them are settings."""

    head_seconds: float = 10
    """A request's head has to be there within this, counted from its first byte or from the connection's
    start."""
    head_bytes: int = 32_768
    body_seconds: float = 30
    body_bytes: int = 65_536
    publish_body_bytes: int = 67_108_864
    event_bytes: int = 1_048_576
    """Longest event that can be published."""
    message_bytes: int = 1_048_576
    """Longest incoming WebSocket message; a longer one closes with 1009."""
    keep_alive_seconds: int = 75
    queue_bytes: int = 1_048_576
    """What may wait for one slow reader."""
    frames_per_second: int = 1_000
    """Incoming WebSocket frames of any kind, fragments and Pongs too."""
    closing: Micros = 3 * SECOND
    """How long a peer may take over its half of a closing handshake."""
