"""The writer: one thread that runs everything that changes the store, many members a commit.

A batch is run on the bet that all goes well. Where anything breaks, it is taken back whole and its members
run again, each in a transaction of its own, so that one cannot harm another; what is refused by a rule breaks
nothing.
"""

import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import apsw

from listenkey.base.errors import Refused, StoreError, StoreFull
from listenkey.store.sqlite.checkpoint import Checkpointer
from listenkey.store.sqlite.database import Database, translate
from listenkey.store.sqlite.indexing import index_slices
from listenkey.store.sqlite.reserve import Reserve
from listenkey.store.sqlite.transaction import Memory, Transaction
from listenkey.store.sqlite.work import Errand, Outcome, Work


class Writer:
    """The thread and its queue."""

    def __init__(
        self,
        db: Database,
        memory: Memory,
        checkpointer: Checkpointer,
        reserve: Reserve,
        deliver: Callable[[Outcome], None],
    ) -> None:
        self._db = db
        self._memory = memory
        self._pace = memory.pace
        self._checkpointer = checkpointer
        self._reserve = reserve
        self._deliver = deliver
        self._loop: AbstractEventLoop | None = None
        self._queue: SimpleQueue[Work[Any] | Errand[Any] | None] = SimpleQueue()
        self._errands: deque[Errand[Any]] = deque()
        self._batches = 0
        self._closing = False
        self._failed_commit = False
        self._thread = threading.Thread(target=self._main, name="listenkey-writer", daemon=True)
        db.set_wal_hook(checkpointer.note_size)

    def start(self, loop: AbstractEventLoop) -> None:
        """Begin; outcomes are delivered on `loop`."""
        self._loop = loop
        self._thread.start()

    def submit(self, work: "Work[Any] | Errand[Any]") -> None:
        """Have something done. Order: work is done in the order of submission, errands in between."""
        self._queue.put(work)

    def finish(self) -> None:
        """Have the thread end once everything submitted before is done."""
        self._queue.put(None)

    def join(self) -> None:
        """Wait for the thread's end."""
        self._thread.join()

    def abandon(self) -> None:
        """End without having been started."""
        self._wind_up()

    # The thread -----------------------------------------------------------------------------------

    def _main(self) -> None:
        while True:
            batch = self._take()
            if self._closing and not batch:
                break
            try:
                self._turn(batch)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not leave everybody waiting
                self._complain(error)
        self._wind_up()

    def _turn(self, batch: "list[Work[Any]]") -> None:
        """Write a batch, then give other work its share."""
        if batch:
            self._write(batch)
            self._batches += 1
        self._plan_indexing(idle=False)
        if self._errands and (not batch or self._batches % self._pace.batches_a_slice == 0):
            self._run_slice()
        self._checkpointer.help(self._db)

    def _complain(self, error: Exception) -> None:
        """Have the event loop report a fault."""
        if self._loop is not None and not self._loop.is_closed():
            context = {"message": "the store's writer failed", "exception": error}
            self._loop.call_soon_threadsafe(self._loop.call_exception_handler, context)

    def _take(self) -> "list[Work[Any]]":
        """The next batch; empty when there is time for something else."""
        batch: list[Work[Any]] = []
        weight = 0
        try:
            item = self._queue.get(block=not self._errands and not self._closing, timeout=self._patience())
            while True:
                if item is None:
                    self._closing = True
                elif isinstance(item, Errand):
                    self._errands.append(item)
                else:
                    batch.append(item)
                    weight += item.weight
                    if weight >= self._pace.batch_weight:
                        break
                item = self._queue.get_nowait()
        except Empty:
            if not batch and not self._errands and not self._closing:
                self._plan_indexing(idle=True)
        return batch

    def _patience(self) -> float | None:
        return self._pace.idle_seconds if self._memory.unindexed else None

    def _plan_indexing(self, *, idle: bool) -> None:
        memory = self._memory
        if (
            memory.unindexed
            and not self._errands
            and (idle or memory.seq - memory.indexed >= self._pace.index_events)
        ):
            self._errands.append(Errand(index_slices(memory), memory.time, None))

    # Batches --------------------------------------------------------------------------------------

    def _write(self, batch: "list[Work[Any]]") -> None:
        outcome = Outcome(batch)
        # What the reserve left free is for keys; events wait until there is room for the reserve again.
        if not self._reserve.held and not self._reserve.take():
            batch = [work for work in batch if not _put_off(work)]
        try:
            if batch:
                self._attempt(batch, outcome)
        except Exception:  # noqa: BLE001 - whatever broke, each member is now tried by itself
            for work in batch:
                self._write_alone(work, outcome)
        self._erase_failed()
        self._report(outcome)

    def _attempt(self, batch: "list[Work[Any]]", outcome: Outcome) -> None:
        tx = Transaction(self._db, self._memory)
        try:
            tx.begin()
            for work in batch:
                work.error = None
                tx.at(work.now)
                try:
                    work.result = work.run(tx)
                except Refused as refusal:
                    work.error = refusal
            self._commit(tx)
        except BaseException:
            tx.rollback()
            raise
        outcome.add(tx)

    def _commit(self, tx: Transaction) -> None:
        self._failed_commit = True
        tx.commit()
        self._failed_commit = False

    def _erase_failed(self) -> None:
        """Write over what a failed commit may have left in the write-ahead log: if all of it got there before
        something else failed, a crash would now bring back what is about to be answered as not done."""
        while self._failed_commit:
            tx = Transaction(self._db, self._memory)
            try:
                tx.begin()
                self._db.write_meta("erased", self._db.read_meta("erased") + 1)
                self._commit(tx)
            except Exception as error:  # noqa: BLE001 - it is tried again after the next batch
                tx.rollback()
                if not (isinstance(translate(error), StoreFull) and self._reserve.give_up()):
                    return

    def _write_alone(self, work: "Work[Any]", outcome: Outcome) -> None:
        error = self._failure_of(work, outcome)
        if isinstance(error, StoreFull) and work.instead is None and self._reserve.give_up():
            error = self._failure_of(work, outcome)
        if isinstance(error, StoreFull) and _put_off(work):
            error = None
        work.error = work.error if error is None else error

    def _failure_of(self, work: "Work[Any]", outcome: Outcome) -> StoreError | None:
        try:
            self._attempt([work], outcome)
        except Exception as error:  # noqa: BLE001 - becomes the answer of the one who asked
            return translate(error)
        return None

    def _report(self, outcome: Outcome) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, outcome)
        except RuntimeError:
            # The loop is closed: nobody is left to be told, and what was committed stays committed.
            return

    # Long work ------------------------------------------------------------------------------------

    def _run_slice(self) -> None:
        """Give the first errand one transaction."""
        errand = self._errands[0]
        outcome = Outcome([])
        tx = Transaction(self._db, self._memory)
        try:
            tx.begin()
            tx.at(errand.now)
            try:
                errand.slices.send(tx)
            except StopIteration as stop:
                outcome.works = [errand.ended(stop.value)]
            self._commit(tx)
            outcome.add(tx)
        except Exception as error:  # noqa: BLE001 - becomes the answer of the one who asked
            tx.rollback()
            outcome.works = [errand.failed(translate(error))]
            self._erase_failed()
        if outcome.works:
            self._errands.popleft()
        self._report(outcome)

    def _wind_up(self) -> None:
        """All members are written: index what is not, and say that the end was in order. Whatever else takes
        long is left to the next run."""
        outcome = Outcome([errand.failed(StoreError("the store is closing")) for errand in self._errands])
        self._errands = deque([Errand(index_slices(self._memory), self._memory.time, None)])
        self._report(outcome)
        while self._errands:
            self._run_slice()
        try:
            self._db.write_meta("clean", 1)
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error:
            # The next start takes this for an unclean end, which costs it some care and nothing else.
            return
        finally:
            self._db.close()


def _put_off(work: "Work[Any]") -> bool:
    """Answer work as on a full disk; False where it is of a kind that is tried all the same."""
    if work.instead is None:
        return False
    work.result = work.instead()
    return True
