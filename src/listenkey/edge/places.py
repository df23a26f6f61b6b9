"""How many sockets of a kind may be open at a time."""

from collections import Counter


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
