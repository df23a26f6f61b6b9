"""Epochs: which history a journal's offsets belong to.

The first epoch of a journal follows from the store's incarnation, a random number. So a journal without
events has an epoch that needs no row, and that no crash can change.
"""

from hashlib import blake2b
from typing import Final

from listenkey.base.ids import encode
from listenkey.store.sqlite.database import Database
from listenkey.store.sqlite.transaction import Memory

_EPOCH_BYTES: Final = 5


def first_epoch(incarnation: bytes, account: int, stream: str) -> str:
    """The epoch under which a journal begins."""
    seed = account.to_bytes(8, "big") + stream.encode()
    return encode(blake2b(seed, key=incarnation, digest_size=_EPOCH_BYTES).digest())


def start_new_epochs(db: Database, memory: Memory) -> None:
    """Let no journal continue its history. Wants all events indexed."""
    memory.incarnation = db.value(
        "UPDATE meta SET value = randomblob(16) WHERE name = 'incarnation' RETURNING value"
    )
    for row, account, stream, head in db.rows(
        "SELECT id, account, stream, head FROM journal WHERE state = 'current'"
    ):
        epoch = first_epoch(memory.incarnation, account, stream)
        if head == 0:
            db.execute("UPDATE journal SET epoch = ? WHERE id = ?", (epoch, row))
            continue
        memory.journal_id += 1
        db.execute("UPDATE journal SET state = 'past' WHERE id = ?", (row,))
        db.execute(
            "INSERT INTO journal VALUES(?, ?, ?, ?, 'current', 0, 1, 1)",
            (memory.journal_id, account, stream, epoch),
        )
    _rename_empty(db, memory.incarnation)


def _rename_empty(db: Database, incarnation: bytes) -> None:
    """An epoch without events leaves no trace but its name with those who began to read in it: they go on in
    the one that follows."""
    for account, stream, epoch in db.rows("SELECT DISTINCT account, stream, epoch FROM consumer"):
        if not db.rows(
            "SELECT 1 FROM journal WHERE account = ? AND stream = ? AND epoch = ?", (account, stream, epoch)
        ):
            db.execute(
                "UPDATE consumer SET epoch = ? WHERE account = ? AND stream = ? AND epoch = ?",
                (first_epoch(incarnation, account, stream), account, stream, epoch),
            )
