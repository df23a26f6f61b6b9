"""Writing down where the events of each journal lie, and under which ids they came: many at a time, off the
path of commits."""

from array import array
from collections.abc import Iterable
from functools import partial
from typing import Final

from listenkey.base.errors import StoreDamaged
from listenkey.store.sqlite.database import Database
from listenkey.store.sqlite.journal import EventId, Journal, digest_of, pack, split_runs
from listenkey.store.sqlite.transaction import Memory, Transaction
from listenkey.store.sqlite.work import Slices

ENTRIES_A_RUN: Final = 4
"""A journal's run costs about as much as so many ids."""


def index_slices(memory: Memory) -> Slices[None]:
    """Index everything that is committed by now."""
    tx = yield
    size = memory.pace.index_slice
    upto, room = memory.seq, size
    for journal in list(memory.unindexed):
        for ids in _chunks(list(journal.recent.items()), size):
            _index_ids(tx, journal, ids)
            room -= len(ids)
            if room <= 0:
                tx, room = (yield), size
        _index_rows(tx, journal)
        room -= ENTRIES_A_RUN
        if room <= 0:
            tx, room = (yield), size
    if upto != memory.indexed:
        tx.db.write_meta("indexed", upto)
        tx.on_commit.append(partial(setattr, memory, "indexed", upto))


def _chunks(items: list[tuple[str, EventId]], size: int) -> Iterable[list[tuple[str, EventId]]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _index_ids(tx: Transaction, journal: Journal, ids: list[tuple[str, EventId]]) -> None:
    write_ids(tx.db, (journal.account, journal.stream, journal.epoch), ids)
    tx.on_commit.append(partial(_forget_recent, journal, ids))


def _forget_recent(journal: Journal, ids: list[tuple[str, EventId]]) -> None:
    for event_id, _ in ids:
        del journal.recent[event_id]


def _index_rows(tx: Transaction, journal: Journal) -> None:
    seqs = journal.unindexed[:]
    if not seqs:
        return
    last = journal.next - 1
    write_runs(tx.db, journal.id, last - len(seqs) + 1, seqs)
    tx.on_commit.append(partial(_drop_indexed, tx.memory, journal, len(seqs)))
    tx.on_loop.append(partial(_show_indexed, journal, last))


def _drop_indexed(memory: Memory, journal: Journal, count: int) -> None:
    del journal.unindexed[:count]
    if not journal.unindexed and not journal.recent:
        memory.unindexed.pop(journal, None)


def _show_indexed(journal: Journal, last: int) -> None:
    del journal.tail[: last - journal.indexed]
    journal.indexed = last


def write_runs(db: Database, journal_id: int, first_offset: int, seqs: "array[int]") -> None:
    """Put rows of consecutive offsets into the index, and the journal's head with them."""
    offset = first_offset
    for run in split_runs(seqs):
        db.execute(
            "INSERT INTO log_run(journal, last_offset, first_offset, first_seq, last_seq, seqs)"
            " VALUES(?, ?, ?, ?, ?, ?)",
            (journal_id, offset + len(run) - 1, offset, run[0], run[-1], pack(run)),
        )
        offset += len(run)
    db.execute("UPDATE journal SET head = ? WHERE id = ?", (offset - 1, journal_id))


def write_ids(db: Database, journal: tuple[int, str, str], ids: list[tuple[str, EventId]]) -> None:
    """Put ids into the index; `journal` is its account, stream and epoch. Some may be there already, where
    the program ended before it could note how far it had come."""
    account, stream, epoch = journal
    db.executemany(
        "INSERT INTO event_id(account, stream, id, epoch, offset, time, digest) VALUES(?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(account, stream, event_id, epoch, *entry) for event_id, entry in ids],
    )


class _Leftover:
    """What the last run left unindexed of one journal."""

    def __init__(self, db: Database, row: int) -> None:
        self.row = row
        found = db.rows("SELECT account, stream, epoch, head FROM journal WHERE id = ?", (row,))
        if not found:
            raise StoreDamaged(f"journal {row} has events, but no row", "restore a backup")
        account, stream, epoch, self.head = found[0]
        self.name: tuple[int, str, str] = account, stream, epoch
        self.seqs = array("q")
        self.ids: list[tuple[str, EventId]] = []

    def add(self, seq: int, offset: int) -> None:
        # A journal may be indexed beyond the mark that says how far all of them are.
        if offset <= self.head:
            return
        if offset != self.head + 1:
            raise StoreDamaged(
                f"journal {self.row} has no event {self.head + 1} before {offset}", "restore a backup"
            )
        self.seqs.append(seq)
        self.head = offset


def index_at_start(tx: Transaction) -> None:
    """Index what the last run left over. Errors: `StoreDamaged` where an event is missing."""
    leftovers: dict[int, _Leftover] = {}
    for seq, row, offset, at, event_id, payload in tx.db.execute(
        "SELECT seq, journal, offset, time, id, iif(id IS NULL, NULL, payload) FROM log"
        " WHERE seq > ? ORDER BY seq",
        (tx.memory.indexed,),
    ):
        leftover = leftovers.get(row)
        if leftover is None:
            leftover = leftovers[row] = _Leftover(tx.db, row)
        leftover.add(seq, offset)
        if event_id is not None:
            leftover.ids.append((event_id, (offset, at, digest_of(payload))))
    for leftover in leftovers.values():
        write_ids(tx.db, leftover.name, leftover.ids)
        if leftover.seqs:
            write_runs(tx.db, leftover.row, leftover.head - len(leftover.seqs) + 1, leftover.seqs)
    tx.db.write_meta("indexed", tx.memory.seq)
    tx.on_commit.append(partial(setattr, tx.memory, "indexed", tx.memory.seq))
