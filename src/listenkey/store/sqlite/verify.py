"""Looking for what is wrong in a store: one line for each thing found."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import apsw

from listenkey.base.errors import StoreDamaged
from listenkey.store.sqlite.database import Database, connect, translate
from listenkey.store.sqlite.journal import unpack
from listenkey.store.sqlite.schema import identify

_ROWS_AT_ONCE: Final = 1_000


def verify(path: Path, vfs: str | None = None) -> Iterator[str]:
    """Everything that is wrong, nothing where all is well, as of one moment; others may go on writing. Takes
    as long as reading the whole file. Errors: `StoreError`."""
    try:
        db = connect(path, "full", vfs)
        try:
            identify(db, path)
            db.execute("BEGIN")
            yield from _check(db)
        finally:
            # A statement that met damage would have its say once more.
            db.close(force=True)
    except (apsw.CorruptError, StoreDamaged) as error:
        # Damage that leaves no way in.
        yield f"file: {error}"
    except apsw.Error as error:
        raise translate(error, path) from error


def _check(db: Database) -> Iterator[str]:
    for part in (_check_file, _check_journals, _check_keys):
        try:
            yield from part(db)
        except apsw.CorruptError as error:
            yield f"file: {error}"


def _check_file(db: Database) -> Iterator[str]:
    for (line,) in db.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"file: {line}"


def _check_journals(db: Database) -> Iterator[str]:
    indexed = db.read_meta("indexed")
    heads: dict[int, int] = {}
    names: dict[int, str] = {}
    for journal, account, stream, head, oldest in db.rows(
        "SELECT id, account, stream, head, oldest FROM journal WHERE state <> 'gone' ORDER BY id"
    ):
        heads[journal], names[journal] = head, f"journal {journal} (account {account}, {stream})"
        yield from _check_index(db, names[journal], journal, head, oldest)
    yield from _check_tail(db, heads, names, indexed)
    yield from _check_event_ids(db, heads)


def _check_index(db: Database, name: str, journal: int, head: int, oldest: int) -> Iterator[str]:
    if not 1 <= oldest <= head + 1:
        yield f"{name}: oldest offset {oldest} does not fit head {head}"
    expected = oldest
    for first, last, first_seq, last_seq, packed in db.rows(
        "SELECT first_offset, last_offset, first_seq, last_seq, seqs FROM log_run"
        " WHERE journal = ? AND last_offset >= ? ORDER BY last_offset",
        (journal, oldest),
    ):
        if first > expected or (first < expected and expected != oldest):
            yield f"{name}: the entry after offset {expected - 1} begins at {first}"
        count = last - first + 1
        fits = count > 0 and len(packed) in {0, 4 * count}
        seqs = unpack(first_seq, count, packed) if fits else ()
        if not seqs or seqs[-1] != last_seq:
            yield f"{name}: the entry for offsets {first} to {last} does not fit its rows"
        else:
            start = max(first, expected)
            yield from _check_rows(db, name, journal, start, seqs[start - first :])
        expected = last + 1
    if expected != head + 1:
        yield f"{name}: offsets {expected} to {head} have no entry"


def _check_rows(db: Database, name: str, journal: int, first: int, seqs: Sequence[int]) -> Iterator[str]:
    """Whether each event is in the row that the index names."""
    for start in range(0, len(seqs), _ROWS_AT_ONCE):
        part = seqs[start : start + _ROWS_AT_ONCE]
        there = {
            seq: (owner, offset)
            for seq, owner, offset in db.rows_of_each(
                "SELECT seq, journal, offset FROM log WHERE seq = ?", [(seq,) for seq in part]
            )
        }
        for offset, seq in enumerate(part, first + start):
            if there.get(seq) != (journal, offset):
                yield f"{name}: event {offset} is missing from row {seq}"


def _check_tail(db: Database, heads: dict[int, int], names: dict[int, str], indexed: int) -> Iterator[str]:
    """Whether the events that no entry knows yet go on where the entries end. Moves `heads` on to theirs."""
    entries = dict(heads)
    after = indexed
    while rows := db.rows(
        "SELECT seq, journal, offset FROM log WHERE seq > ? ORDER BY seq LIMIT ?", (after, _ROWS_AT_ONCE)
    ):
        for seq, journal, offset in rows:
            if journal not in heads or offset <= entries[journal]:
                continue
            if offset != heads[journal] + 1:
                yield f"{names[journal]}: event {offset} in row {seq} follows event {heads[journal]}"
            heads[journal] = offset
        after = rows[-1][0]


def _check_event_ids(db: Database, heads: dict[int, int]) -> Iterator[str]:
    for journal, offset, event_id in db.rows(
        "SELECT j.id, max(e.offset), e.id FROM event_id e JOIN journal j USING(account, stream, epoch)"
        " GROUP BY j.id"
    ):
        if journal in heads and offset > heads[journal]:
            yield f"journal {journal}: id {event_id!r} names event {offset}, the head is {heads[journal]}"


def _check_keys(db: Database) -> Iterator[str]:
    for (key_id,) in db.rows(
        "SELECT id FROM listen_key k WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = k.account)"
    ):
        yield f"listen key {key_id}: its account is missing"
    for (key_id,) in db.rows(
        "SELECT DISTINCT key FROM key_user u WHERE NOT EXISTS"
        " (SELECT 1 FROM listen_key k WHERE k.id = u.key AND k.state = 'active')"
    ):
        yield f"listen key {key_id}: used by an API key, but not live"
