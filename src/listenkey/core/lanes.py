"""Several sockets of one stream at once: each event given out once and in order while one takes over.

The first socket is the main one, and its events are given out as they come. Those of a later one wait, until
the main one is gone; what both had is given out once. That nothing lies between the two is proven by an event
that both had, or by an answer of the main one to a question put after the later one was open.
"""

from collections import Counter

import msgspec

Told = tuple[str, bytes]


class _Lane(msgspec.Struct):
    opened_at: int
    ahead: list[Told] = []
    """Its events that the main one has not given yet."""
    behind: Counter[bytes] = msgspec.field(default_factory=Counter)
    """Events that the main one gave since it opened, and that it has not had yet itself."""
    is_joined: bool = False
    """Whether nothing lies between the main one and this."""


class Lanes:
    """The sockets that are open, by their numbers."""

    def __init__(self) -> None:
        self.main = 0
        """The number of the main one; 0 for none."""
        self._others: dict[int, _Lane] = {}
        self._behind: Counter[bytes] = Counter()
        """What was given out before the main one became it, and that it will have as well."""

    @property
    def is_plain(self) -> bool:
        """Whether every event is to be given out: one socket, and nothing twice."""
        return not self._others and not self._behind

    def opened(self, number: int, now: int) -> None:
        """A socket is open."""
        if self.main:
            self._others[number] = _Lane(now)
        else:
            self.main = number

    def event(self, number: int, kind: str, raw: bytes) -> list[Told]:
        """A socket had an event; what is to be given out."""
        lane = self._others.get(number)
        if lane is not None:
            if lane.behind[raw] > 0:
                lane.behind[raw] -= 1
                lane.is_joined = True
            else:
                lane.ahead.append((kind, raw))
            return []
        if number != self.main:  # it was said to give no more
            return [(kind, raw)]
        if self._behind[raw] > 0:
            self._behind -= Counter((raw,))
            return []
        self._note(kind, raw)
        return [(kind, raw)]

    def _note(self, kind: str, raw: bytes) -> None:
        """The main one gave an event out."""
        for lane in self._others.values():
            if (kind, raw) in lane.ahead:
                lane.ahead.remove((kind, raw))
                lane.is_joined = True
            else:
                lane.behind[raw] += 1

    def echoed(self, number: int, asked_at: int) -> None:
        """A socket answered what was asked then: it has given all that was published before."""
        if number == self.main:
            for lane in self._others.values():
                lane.is_joined = lane.is_joined or asked_at >= lane.opened_at

    def gone(self, number: int) -> tuple[list[Told], bool]:
        """A socket is gone, or gives no more. What is to be given out now, and whether events may be missing
        before that."""
        if number != self.main:
            self._others.pop(number, None)
            return [], False
        if not self._others:
            self.main = 0
            self._behind.clear()
            return [], False
        self.main = min(self._others)
        lane = self._others.pop(self.main)
        self._behind = +lane.behind
        for kind, raw in lane.ahead:
            self._note(kind, raw)
        return lane.ahead, not lane.is_joined
