"""How many sockets of a kind may be open at a time."""

from collections import Counter
from typing import Self


class Places:
    """Places for sockets: so many for one address, and so many in all."""

    def __init__(self, an_address: int, in_all: int | None = None) -> None:
        """`in_all`: None where an address's own bound is enough."""
        self._an_address = an_address
        self._in_all = in_all
        self._taken: Counter[str] = Counter()
        self._count = 0

    def take(self, address: str) -> bool:
        """Count one more socket, if its address may have another."""
        if self._taken[address] >= self._an_address or self._count == self._in_all:
            return False
        self._taken[address] += 1
        self._count += 1
        return True

    def give_back(self, address: str) -> None:
        """One of them is gone, or is of this kind no more."""
        self._count -= 1
        self._taken[address] -= 1
        if self._taken[address] <= 0:
            del self._taken[address]


class Seat:
    """A place that one socket has, until it gives it back."""

    __slots__ = ("_places", "_who")

    def __init__(self, places: Places, who: str) -> None:
        self._places: Places | None = places
        self._who = who

    @classmethod
    def take(cls, places: Places, who: str) -> Self | None:
        """A place, if there is one left."""
        return cls(places, who) if places.take(who) else None

    def give_back(self) -> None:
        """It is free again; saying so twice does not matter."""
        if self._places is not None:
            self._places.give_back(self._who)
            self._places = None


class Seats:
    """The places of one socket: one for as long as it is open, one for as long as it has no key."""

    __slots__ = ("_lasting", "_without_key")

    def __init__(self, lasting: Seat | None = None, without_key: Seat | None = None) -> None:
        self._lasting = lasting
        self._without_key = without_key

    def has_key(self) -> None:
        """The socket does not wait for a key any more."""
        if self._without_key is not None:
            self._without_key.give_back()
            self._without_key = None

    def give_back(self) -> None:
        """The socket is gone."""
        self.has_key()
        if self._lasting is not None:
            self._lasting.give_back()
