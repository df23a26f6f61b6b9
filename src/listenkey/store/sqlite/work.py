"""What is handed to the writer, and what comes back to the event loop's thread."""

from asyncio import Future
from collections.abc import Callable, Generator
from typing import Any, Generic, Never, TypeAlias, TypeVar

from listenkey.base.clock import Micros
from listenkey.base.errors import StoreError
from listenkey.core.records import KeyState
from listenkey.store.base import EndedKey
from listenkey.store.sqlite.transaction import Segment, Transaction

T = TypeVar("T")

Slices: TypeAlias = Generator[None, Transaction, T]
"""A long piece of work cut up: each `yield` asks for the next transaction."""


class Work(Generic[T]):
    """One verb: run inside a transaction, answered through its future.

    `run` may be called again, in a transaction of its own, where its batch failed; what it did before was
    taken back. It raises `Refused` before it writes anything, or not at all.
    """

    __slots__ = ("error", "future", "instead", "now", "result", "run", "weight")

    def __init__(
        self,
        run: Callable[[Transaction], T],
        now: Micros,
        future: "Future[T] | None",
        weight: int = 1,
        instead: Callable[[], T] | None = None,
    ) -> None:
        self.run = run
        self.now = now
        self.future = future
        self.weight = weight
        self.instead = instead
        """What to answer on a full disk; work without it is tried with the reserve and fails otherwise."""
        self.result: T | None = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """On the event loop's thread: answer whoever still waits."""
        future = self.future
        if future is None or future.done():
            return
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.result)  # type: ignore[arg-type]  # set wherever there is no error


class Errand(Generic[T]):
    """Long work that takes its turns between batches."""

    __slots__ = ("future", "now", "slices")

    def __init__(self, slices: Slices[T], now: Micros, future: "Future[T] | None") -> None:
        next(slices)
        self.slices = slices
        self.now = now
        self.future = future

    def ended(self, result: T) -> Work[T]:
        """What to tell the caller of errands that are done."""
        work: Work[T] = Work(_done, self.now, self.future)
        work.result = result
        return work

    def failed(self, error: StoreError) -> Work[T]:
        """What to tell the caller of errands that are not."""
        self.slices.close()
        work: Work[T] = Work(_done, self.now, self.future)
        work.error = error
        return work


def _done(tx: Transaction) -> Never:
    """Long work has run in its slices."""
    raise AssertionError


class Outcome:
    """What one commit, or the failure of one, brings to the event loop's thread."""

    __slots__ = ("counts", "news", "on_loop", "time", "works")

    def __init__(self, works: "list[Work[Any]]") -> None:
        self.works = works
        self.news: list[Segment | list[EndedKey]] = []
        self.on_loop: list[Callable[[], None]] = []
        self.counts: dict[KeyState, int] | None = None
        self.time: Micros = 0

    def add(self, tx: Transaction) -> None:
        """Take over what a committed transaction has to tell."""
        self.news += tx.news
        self.on_loop += tx.on_loop
        self.time = tx.memory.time
        if tx.counts:
            self.counts = dict(tx.memory.counts)
