"""A journal as both threads see it, and how a run of it is written down.

`Journal` objects are made on the event loop's thread; the writer gives them rows. Each field belongs to one
thread, as said beside it.
"""

import sys
from array import array
from hashlib import blake2b
from typing import Final, TypeAlias

from listenkey.core.position import JournalView

RUN_EVENTS: Final = 240
"""Events in a run whose rows are scattered: so many fit a row of `log_run` without overflow pages."""
WHOLE_RUN_EVENTS: Final = 4096
"""Events in a run whose rows lie side by side, which needs no list of them."""


EventId: TypeAlias = tuple[int, int, bytes]


class Journal:
    """The current epoch of one journal."""

    __slots__ = (
        "account",
        "epoch",
        "head",
        "id",
        "indexed",
        "next",
        "oldest",
        "recent",
        "stream",
        "tail",
        "unindexed",
    )

    def __init__(
        self, account: int, stream: str, epoch: str, row: int = 0, head: int = 0, oldest: int = 1
    ) -> None:
        self.account = account
        self.stream = stream
        self.epoch = epoch

        # The event loop's: what was notified; `tail` has the rows of the offsets above `indexed`.
        self.head = head
        self.oldest = oldest
        self.indexed = head
        self.tail = array("q")

        # The writer's: the journal's row (0 until it has one), the offset to give out next, and of the
        # committed events that are not indexed yet the rows, and offset, time and payload's digest by id.
        self.id = row
        self.next = head + 1
        self.unindexed = array("q")
        self.recent: dict[str, EventId] = {}

    def view(self) -> JournalView:
        """What the event loop may say of the journal."""
        return JournalView(self.epoch, self.oldest, self.head)


def digest_of(payload: bytes) -> bytes:
    """What tells whether an event comes again or another one comes under its id."""
    return blake2b(payload, digest_size=16).digest()


def pack(seqs: "array[int]") -> bytes:
    """A run's rows as differences to its first one; empty where they lie side by side."""
    first = seqs[0]
    if seqs[-1] - first == len(seqs) - 1:
        return b""
    return _little_endian(array("I", [seq - first for seq in seqs])).tobytes()


def unpack(first_seq: int, count: int, packed: bytes) -> "array[int] | range":
    """The rows of a run, in order."""
    if not packed:
        return range(first_seq, first_seq + count)
    steps = array("I")
    steps.frombytes(packed)
    return array("q", [first_seq + step for step in _little_endian(steps)])


def _little_endian(values: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        values.byteswap()
    return values


def split_runs(seqs: "array[int]") -> "list[array[int]]":
    """Cut rows into runs, each of a length that fits one row of `log_run`."""
    size = WHOLE_RUN_EVENTS if seqs[-1] - seqs[0] == len(seqs) - 1 else RUN_EVENTS
    return [seqs[start : start + size] for start in range(0, len(seqs), size)]
