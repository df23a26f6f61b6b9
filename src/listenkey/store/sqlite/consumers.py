"""Places of consumers, inside the writer's transaction and as read."""

from collections.abc import Sequence
from typing import Final

from listenkey.base.clock import HOUR, Micros
from listenkey.core.consumer import ConsumerId, Cursor
from listenkey.store.base import Place
from listenkey.store.sqlite.database import Database
from listenkey.store.sqlite.journal import Journal
from listenkey.store.sqlite.pace import Pace
from listenkey.store.sqlite.transaction import Transaction
from listenkey.store.sqlite.work import Slices

_TOUCHED_EVERY: Final[Micros] = HOUR
"""A place that is found to be there is noted as used no more often than this."""


def find(db: Database, consumer: ConsumerId) -> Place | None:
    """A place of a consumer."""
    rows = db.rows(
        "SELECT epoch, begin, confirmed, settled, used_at FROM consumer"
        " WHERE account = ? AND stream = ? AND holder = ? AND place = ?",
        (consumer.account_id, consumer.stream, consumer.holder, consumer.place),
    )
    return Place(Cursor(*rows[0][:4]), rows[0][4]) if rows else None


def select(db: Database, consumer: ConsumerId) -> dict[str, Cursor]:
    """All places of the same reader on the same stream, by name."""
    rows = db.rows(
        "SELECT place, epoch, begin, confirmed, settled FROM consumer"
        " WHERE account = ? AND stream = ? AND holder = ?",
        (consumer.account_id, consumer.stream, consumer.holder),
    )
    return {place: Cursor(*cursor) for place, *cursor in rows}


def ensure(
    tx: Transaction, consumers: Sequence[tuple[ConsumerId, Journal]], now: Micros, before: str = ""
) -> None:
    """Let those who are new begin: where the API key `before` is in all its places, if it has any, else at
    the heads of their journals."""
    for consumer, journal in consumers:
        mine = (consumer.account_id, consumer.stream, consumer.holder)
        there = tx.db.rows(
            "SELECT used_at FROM consumer WHERE account = ? AND stream = ? AND holder = ? AND place = ''",
            mine,
        )
        if not there and before:
            _take_after(tx, consumer, before, now)
        if not there:
            head = journal.next - 1
            tx.db.execute(
                "INSERT INTO consumer VALUES(?, ?, ?, '', ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*mine, journal.epoch, head, head, head, now),
            )
        elif consumer.is_passing and there[0][0] + _TOUCHED_EVERY < now:
            tx.db.execute(
                "UPDATE consumer SET used_at = ? WHERE account = ? AND stream = ? AND holder = ?"
                " AND place = ''",
                (now, *mine),
            )


def _take_after(tx: Transaction, consumer: ConsumerId, before: str, now: Micros) -> None:
    """Give a new consumer the places of another one. Where addresses are told apart, the least used one of
    each name: it lacks the most."""
    tx.db.execute(
        "INSERT INTO consumer SELECT ?1, ?2, ?3, place, epoch, begin, confirmed, settled, ?5 FROM consumer"
        " WHERE account = ?1 AND stream = ?2"
        " AND (holder = ?4 OR substr(holder, 1, length(?4) + 1) = ?4 || '@')"
        " ORDER BY used_at ON CONFLICT DO NOTHING",
        (consumer.account_id, consumer.stream, consumer.holder, before, now),
    )


def put(tx: Transaction, cursors: Sequence[tuple[ConsumerId, Cursor]], now: Micros) -> None:
    """Keep where consumers are, of API keys that are still there."""
    for consumer, cursor in cursors:
        tx.db.execute(
            "INSERT OR REPLACE INTO consumer SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?"
            " WHERE EXISTS (SELECT 1 FROM api_key WHERE id = ?)",
            (consumer.account_id, consumer.stream, consumer.holder, consumer.place, cursor.epoch,
             cursor.begin, cursor.confirmed, cursor.settled, now, consumer.holder.partition("@")[0]),
        )  # fmt: skip


def remove_holder(tx: Transaction, account: int, api_key_id: str) -> None:
    """Forget the consumers of an API key, also those that are told apart by address."""
    tx.db.execute(
        "DELETE FROM consumer WHERE account = ?1"
        " AND (holder = ?2 OR substr(holder, 1, length(?2) + 1) = ?2 || '@')",
        (account, api_key_id),
    )


def forget_passing(pace: Pace, before: Micros) -> Slices[None]:
    """Forget places of filters and addresses that nobody has used since."""
    changed = 1
    while changed:
        tx = yield
        tx.db.execute(
            "DELETE FROM consumer WHERE (account, stream, holder, place) IN"
            " (SELECT account, stream, holder, place FROM consumer WHERE used_at < ?"
            " AND (substr(place, 1, 7) = 'events=' OR instr(holder, '@') > 0) LIMIT ?)",
            (before, pace.trim_rows),
        )
        changed = tx.db.changes()
