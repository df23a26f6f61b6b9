"""When a socket is asked for a receipt, and what its answers prove.

A protocol Ping goes out after the frames that it asks about, at most one a second and one at a time. Its
answer comes after the client's library took those frames. What a client sends unasked, doubled or altered
proves nothing.
"""

from typing import Final, Generic, Literal, TypeVar

from listenkey.base.clock import SECOND, Micros

Proof = Literal["echo", "empty"]
"""`echo`: only the exact payload counts. `empty`: for clients that a payload breaks; any Pong to the one Ping
that is out, once the next Ping was answered too, and as long as the socket has not sent more Pongs than it
got Pings. A Pong that came unasked just then shows by that: the one that was asked for is one too many."""
EVERY: Final[Micros] = SECOND
PATIENCE: Final[Micros] = 30 * SECOND
"""An unanswered Ping with a payload is given up after this, and the next one asks again."""

Mark = TypeVar("Mark")
"""What is had once the receipt is there."""


class Receipts(Generic[Mark]):
    """One socket's receipts."""

    __slots__ = ("_asked_at", "_likely", "_mark", "_payload", "_proof", "_surplus")

    def __init__(self, proof: Proof) -> None:
        self._proof = proof
        self._payload: bytes | None = None
        self._mark: Mark | None = None
        self._likely: Mark | None = None  # answered, if the Pong was no stray one
        self._asked_at: Micros | None = None
        self._surplus = 0  # Pings less Pongs; below zero nothing is believed any more

    @property
    def trusted(self) -> bool:
        """Whether Pongs of this socket prove anything."""
        return self._proof == "echo" or self._surplus >= 0

    def asks_at(self) -> Micros | None:
        """When the next Ping may go out, None for never or not before an answer."""
        if not self.trusted:
            return None
        if self._asked_at is None:
            return 0
        if self._payload is None:
            return self._asked_at + EVERY
        return self._asked_at + PATIENCE if self._proof == "echo" else None

    def ask(self, mark: Mark, now: Micros) -> bytes:
        """A Ping goes out now, after everything that `mark` stands for; its payload."""
        self._asked_at = now
        self._payload = b"%d" % now if self._proof == "echo" else b""
        self._mark = mark
        self._surplus += 1
        return self._payload

    def answered(self, payload: bytes) -> Mark | None:
        """A Pong came; what it proves to be had."""
        self._surplus -= 1
        if self._payload is None or (payload != self._payload and self._proof == "echo") or not self.trusted:
            return None
        mark, self._mark, self._payload = self._mark, None, None
        if self._proof == "empty":
            mark, self._likely = self._likely, mark
        return mark
