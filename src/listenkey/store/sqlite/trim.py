"""Forgetting: events that are too old or too many, what went with an account, and keys that ended long ago.

First a journal's `oldest` moves, committed and told; its rows go later, a few at a time, so that no commit
has to wait for them. Should the program end in between, the next trim goes on where this one stopped.
"""

from bisect import bisect_left
from functools import partial
from typing import Final

from listenkey.base.clock import Micros
from listenkey.core.records import KeyState
from listenkey.store.sqlite.consumers import forget_passing
from listenkey.store.sqlite.database import Database, Value
from listenkey.store.sqlite.indexing import index_slices
from listenkey.store.sqlite.journal import unpack
from listenkey.store.sqlite.pace import Pace
from listenkey.store.sqlite.reading import Journals
from listenkey.store.sqlite.transaction import FIRST_ID, Memory, Transaction
from listenkey.store.sqlite.work import Slices

_LAST_ID: Final = (2**63 - 1, "", "")


def trim_slices(
    memory: Memory, journals: Journals, older_than: Micros, max_events: int, now: Micros
) -> Slices[int]:
    """Trim everything; how many events were forgotten."""
    pace = memory.pace
    yield from index_slices(memory)
    tx = yield
    # What came since the index was completed is for the next trim, however old it says it is.
    cutoff = min(_first_seq_since(tx.db, older_than), memory.indexed + 1)
    forgotten = after = 0
    while rows := tx.db.rows(
        "SELECT id, account, stream, state, head, oldest, swept FROM journal"
        " WHERE id > ? ORDER BY id LIMIT ?",
        (after, pace.trim_journals),
    ):
        for row in rows:
            forgotten += _move_oldest(tx, journals, row, cutoff, max_events)
        after = rows[-1][0]
        tx = yield
    yield from _delete_by_age(pace, cutoff)
    yield from _sweep(pace)
    yield from _drop_runs(memory)
    yield from _forget_event_ids(memory, min(older_than, now - pace.ids_kept))
    yield from forget_passing(pace, min(older_than, now - pace.places_kept))
    for forget in (_forget_ended_keys, _forget_bans, _forget_accounts):
        yield from forget(pace, now - pace.ended_kept)
    return forgotten


def _first_seq_since(db: Database, since: Micros) -> int:
    """The first row that is not too old. Times never fall from row to row, so halving finds it."""
    # One aggregate a query: only so does SQLite look at one end of the table and not at all of it.
    low = db.value("SELECT coalesce(min(seq), 0) FROM log")
    high = db.value("SELECT coalesce(max(seq) + 1, 0) FROM log")
    while low < high:
        middle = (low + high) // 2
        seq, at = db.rows("SELECT seq, time FROM log WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,))[0]
        if at < since:
            low = int(seq) + 1
        else:
            high = middle
    return int(low)


def _move_oldest(
    tx: Transaction,
    journals: Journals,
    row: tuple[int, int, str, str, int, int, int],
    cutoff: int,
    max_events: int,
) -> int:
    row_id, account, stream, state, head, oldest, swept = row
    by_age = _first_offset_from(tx.db, row_id, head, oldest, cutoff)
    kept_from = head + 1 if state == "gone" else max(oldest, by_age, head - max_events + 1)
    # Rows below `by_age` are deleted by their age, all journals' together.
    swept = max(swept, by_age)
    if kept_from != oldest or swept != row[-1]:
        tx.db.execute("UPDATE journal SET oldest = ?, swept = ? WHERE id = ?", (kept_from, swept, row_id))
        if state == "current":
            tx.on_loop.append(partial(journals.show_oldest, account, stream, row_id, kept_from))
    return kept_from - oldest


def _first_offset_from(db: Database, journal: int, head: int, oldest: int, cutoff: int) -> int:
    """The journal's first offset whose row is not below `cutoff`, from `oldest` on."""
    runs = db.rows(
        "SELECT first_offset, last_offset, first_seq, seqs FROM log_run"
        " WHERE journal = ? AND last_offset >= ? AND last_seq >= ? ORDER BY last_offset LIMIT 1",
        (journal, oldest, cutoff),
    )
    if not runs:
        return max(oldest, head + 1)
    first, last, first_seq, packed = runs[0]
    return max(oldest, int(first) + bisect_left(unpack(first_seq, last - first + 1, packed), cutoff))


def _delete_by_age(pace: Pace, cutoff: int) -> Slices[None]:
    tx = yield
    while True:
        (lowest,) = tx.db.rows("SELECT min(seq) FROM log")[0]
        if lowest is None or lowest >= cutoff:
            return
        tx.db.execute("DELETE FROM log WHERE seq < ?", (min(cutoff, lowest + pace.trim_rows),))
        tx = yield


def _sweep(pace: Pace) -> Slices[None]:
    """Delete the rows of what journals may not show any more."""
    tx = yield
    room = pace.trim_scattered_rows
    while found := tx.db.rows("SELECT id, oldest, swept FROM journal WHERE swept < oldest LIMIT 1"):
        journal, oldest, swept = found[0]
        upto = _delete_rows_between(tx.db, journal, swept, min(oldest, swept + room), oldest)
        tx.db.execute("UPDATE journal SET swept = ? WHERE id = ?", (upto, journal))
        room -= upto - swept
        if room <= 0:
            tx, room = (yield), pace.trim_scattered_rows


def _delete_rows_between(db: Database, journal: int, first: int, end: int, oldest: int) -> int:
    """Delete rows from offset `first` on, of one run and none from `end` on; where that ended."""
    runs = db.rows(
        "SELECT first_offset, last_offset, first_seq, seqs FROM log_run"
        " WHERE journal = ? AND last_offset >= ? ORDER BY last_offset LIMIT 1",
        (journal, first),
    )
    if not runs or runs[0][0] >= oldest:
        return oldest
    run_first, run_last, first_seq, packed = runs[0]
    start, end = max(first, run_first), min(end, run_last + 1)
    seqs = unpack(first_seq, run_last - run_first + 1, packed)[start - run_first : end - run_first]
    db.executemany("DELETE FROM log WHERE seq = ?", [(seq,) for seq in seqs])
    return int(max(start, end))


def _drop_runs(memory: Memory) -> Slices[None]:
    """Delete the index of what is deleted, and journals that are over and empty."""
    tx = yield
    pace = memory.pace
    after = 0
    while rows := tx.db.rows(
        "SELECT id, swept, state <> 'current' AND swept > head FROM journal WHERE id > ? ORDER BY id LIMIT ?",
        (after, pace.trim_journals),
    ):
        for journal, swept, is_over in rows:
            changed = pace.trim_rows
            while changed == pace.trim_rows:
                tx.db.execute(
                    "DELETE FROM log_run WHERE journal = ?1 AND last_offset IN"
                    " (SELECT last_offset FROM log_run WHERE journal = ?1 AND last_offset < ?2 LIMIT ?3)",
                    (journal, swept, pace.trim_rows),
                )
                changed = tx.db.changes()
                if changed == pace.trim_rows:
                    tx = yield
            # One that went meanwhile, with its account, may have events that only the next trim can forget.
            if is_over and journal not in {unindexed.id for unindexed in memory.unindexed}:
                tx.db.execute("DELETE FROM journal WHERE id = ?", (journal,))
        after = rows[-1][0]
        tx = yield


def _delete_in_slices(pace: Pace, statement: str, *values: Value) -> Slices[None]:
    """Run a DELETE until it finds nothing; its last place holds how many rows it may delete at once."""
    changed = 1
    while changed:
        tx = yield
        tx.db.execute(statement, (*values, pace.trim_rows))
        changed = tx.db.changes()


def _forget_event_ids(memory: Memory, before: Micros) -> Slices[None]:
    """Forget old ids, in the table's own order, so that nothing has to be kept in the order of time. A large
    table is gone through in several trims."""
    tx = yield
    for _ in range(memory.pace.trim_id_slices):
        start = memory.ids_seen
        ends = tx.db.rows(
            "SELECT account, stream, id FROM event_id WHERE (account, stream, id) > (?, ?, ?)"
            " ORDER BY account, stream, id LIMIT 1 OFFSET ?",
            (*start, memory.pace.trim_ids),
        )
        end = ends[0] if ends else _LAST_ID
        tx.db.execute(
            "DELETE FROM event_id WHERE (account, stream, id) > (?, ?, ?)"
            " AND (account, stream, id) <= (?, ?, ?) AND time < ?",
            (*start, *end, before),
        )
        memory.ids_seen = end if ends else FIRST_ID
        if not ends:
            return
        tx = yield


def _forget_ended_keys(pace: Pace, before: Micros) -> Slices[None]:
    """Drop keys that ended long ago; never the newest one, whose id says which come next."""
    states: tuple[KeyState, ...] = ("closed", "expired")
    for state in states:
        changed = 1
        while changed:
            tx = yield
            tx.db.execute(
                "DELETE FROM listen_key WHERE id IN"
                " (SELECT id FROM listen_key WHERE state = ? AND state <> 'active'"
                " AND ended_at < ? AND id < (SELECT max(id) FROM listen_key) LIMIT ?)",
                (state, before, pace.trim_rows),
            )
            changed = tx.db.changes()
            tx.count(state, -changed)


def _forget_bans(pace: Pace, before: Micros) -> Slices[None]:
    return _delete_in_slices(
        pace, "DELETE FROM ban WHERE id IN (SELECT id FROM ban WHERE until < ? LIMIT ?)", before
    )


def _forget_accounts(pace: Pace, before: Micros) -> Slices[None]:
    return _delete_in_slices(
        pace,
        "DELETE FROM account WHERE id IN (SELECT id FROM account WHERE removed_at < ?"
        " AND NOT EXISTS (SELECT 1 FROM listen_key k WHERE k.account = account.id) LIMIT ?)",
        before,
    )
