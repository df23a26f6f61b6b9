"""Writing down where the events of each journal lie: many events at a time, off the path of commits."""

from array import array
from functools import partial
from typing import Final

from listenkey.base.errors import StoreDamaged
from listenkey.store.sqlite.journal import Journal, pack, split_runs
from listenkey.store.sqlite.transaction import Memory, Transaction
from listenkey.store.sqlite.work import Slices

JOURNALS_A_SLICE: Final = 64


def index_slices(memory: Memory) -> Slices[None]:
    """Index everything that is committed by now."""
    tx = yield
    upto = memory.seq
    journals = list(memory.unindexed)
    for number, journal in enumerate(journals, 1):
        _index(tx, journal)
        if number % JOURNALS_A_SLICE == 0:
            tx = yield
    if upto != memory.indexed:
        tx.db.write_meta("indexed", upto)
        tx.on_commit.append(partial(setattr, memory, "indexed", upto))


def _index(tx: Transaction, journal: Journal) -> None:
    seqs = journal.unindexed[:]
    last = journal.next - 1
    write_runs(tx, journal.id, last - len(seqs) + 1, seqs)
    tx.on_commit.append(partial(_drop_indexed, tx.memory, journal, len(seqs)))
    tx.on_loop.append(partial(_show_indexed, journal, last))


def write_runs(tx: Transaction, journal_id: int, first_offset: int, seqs: "array[int]") -> None:
    """Put rows of consecutive offsets into the index, and the journal's head with them."""
    offset = first_offset
    for run in split_runs(seqs):
        tx.db.execute(
            "INSERT INTO log_run(journal, last_offset, first_offset, first_seq, last_seq, seqs)"
            " VALUES(?, ?, ?, ?, ?, ?)",
            (journal_id, offset + len(run) - 1, offset, run[0], run[-1], pack(run)),
        )
        offset += len(run)
    tx.db.execute("UPDATE journal SET head = ? WHERE id = ?", (offset - 1, journal_id))


def _drop_indexed(memory: Memory, journal: Journal, count: int) -> None:
    del journal.unindexed[:count]
    if not journal.unindexed:
        memory.unindexed.pop(journal, None)


def _show_indexed(journal: Journal, last: int) -> None:
    del journal.tail[: last - journal.indexed]
    journal.indexed = last


def index_at_start(tx: Transaction) -> None:
    """Index what the last run left over. Errors: `StoreDamaged` where an event is missing."""
    heads: dict[int, int] = {}
    rows: dict[int, array[int]] = {}
    for seq, journal_id, offset in tx.db.rows(
        "SELECT seq, journal, offset FROM log WHERE seq > ? ORDER BY seq", (tx.memory.indexed,)
    ):
        head = heads.get(journal_id)
        if head is None:
            found = tx.db.rows("SELECT head FROM journal WHERE id = ?", (journal_id,))
            head = found[0][0] if found else offset - 1
        # A run may be ahead of the mark that says how far all of them reach.
        if offset > head:
            if offset != head + 1:
                raise StoreDamaged(
                    f"journal {journal_id} has no event {head + 1} before {offset}", "restore a backup"
                )
            rows.setdefault(journal_id, array("q")).append(seq)
            head = offset
        heads[journal_id] = head
    for journal_id, seqs in rows.items():
        write_runs(tx, journal_id, heads[journal_id] - len(seqs) + 1, seqs)
    tx.db.write_meta("indexed", tx.memory.seq)
    tx.on_commit.append(partial(setattr, tx.memory, "indexed", tx.memory.seq))
