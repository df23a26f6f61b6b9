"""Cursors of consumers, inside the writer's transaction and as read."""

from collections.abc import Sequence

from listenkey.core.consumer import ConsumerId, Cursor
from listenkey.store.sqlite.database import Database
from listenkey.store.sqlite.journal import Journal
from listenkey.store.sqlite.transaction import Transaction


def find(db: Database, consumer: ConsumerId) -> Cursor | None:
    """Where a consumer is. A topic without a cursor is where the consumer began."""
    rows = db.rows(
        "SELECT topic, epoch, begin, confirmed, settled FROM consumer"
        " WHERE account = ? AND stream = ? AND holder = ? AND topic IN (?, '') ORDER BY topic DESC LIMIT 1",
        (consumer.account_id, consumer.stream, consumer.holder, consumer.topic),
    )
    if not rows:
        return None
    topic, epoch, begin, confirmed, settled = rows[0]
    if topic != consumer.topic:
        return Cursor(epoch, begin, begin, begin)
    return Cursor(epoch, begin, confirmed, settled)


def ensure(tx: Transaction, consumers: Sequence[tuple[ConsumerId, Journal]]) -> None:
    """Let those who are new begin at the head of their journals."""
    for consumer, journal in consumers:
        head = journal.next - 1
        tx.db.execute(
            "INSERT INTO consumer VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                consumer.account_id,
                consumer.stream,
                consumer.holder,
                consumer.topic,
                journal.epoch,
                head,
                head,
                head,
            ),
        )


def put(tx: Transaction, cursors: Sequence[tuple[ConsumerId, Cursor]]) -> None:
    """Keep where consumers are, of API keys that are still there."""
    for consumer, cursor in cursors:
        tx.db.execute(
            "INSERT OR REPLACE INTO consumer SELECT ?, ?, ?, ?, ?, ?, ?, ?"
            " WHERE EXISTS (SELECT 1 FROM api_key WHERE id = ?)",
            (consumer.account_id, consumer.stream, consumer.holder, consumer.topic, cursor.epoch,
             cursor.begin, cursor.confirmed, cursor.settled, consumer.holder.partition("@")[0]),
        )  # fmt: skip


def remove_holder(tx: Transaction, account: int, api_key_id: str) -> None:
    """Forget the consumers of an API key, also those that are told apart by address."""
    tx.db.execute(
        "DELETE FROM consumer WHERE account = ?1"
        " AND (holder = ?2 OR substr(holder, 1, length(?2) + 1) = ?2 || '@')",
        (account, api_key_id),
    )
