"""The small things that are kept: rate blocks, bans, admin tokens and the service's settings."""

from collections.abc import Sequence

from listenkey.base.clock import Micros
from listenkey.base.errors import Refused
from listenkey.core.records import Ban, Token
from listenkey.store.base import Reservation
from listenkey.store.sqlite.database import Database
from listenkey.store.sqlite.transaction import Transaction

_OVER_A_TIME = 256


def reserve(tx: Transaction, reservations: Sequence[Reservation], now: Micros) -> None:
    """Keep blocks; a window's count never falls. Some windows that are over go on the way."""
    tx.db.execute(
        "DELETE FROM reservation WHERE (bucket, window_start) IN"
        " (SELECT bucket, window_start FROM reservation WHERE window_end <= ? LIMIT ?)",
        (now, _OVER_A_TIME),
    )
    for block in reservations:
        tx.db.execute(
            "INSERT INTO reservation VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET window_end = max(window_end, excluded.window_end), used = max(used, excluded.used)",
            (block.bucket, block.window_start, block.window_end, block.used),
        )


def select_reservations(db: Database, now: Micros) -> list[Reservation]:
    """Blocks of windows that are not over."""
    rows = db.rows(
        "SELECT bucket, window_start, window_end, used FROM reservation WHERE window_end > ?"
        " ORDER BY bucket, window_start",
        (now,),
    )
    return [Reservation(*row) for row in rows]


def put_ban(tx: Transaction, ban: Ban) -> None:
    """Keep a ban, or what became of it."""
    tx.db.execute(
        "INSERT OR REPLACE INTO ban VALUES(?, ?, ?, ?, ?, ?, ?)",
        (ban.id, ban.bucket, ban.dialect, ban.since, ban.until, ban.strikes, ban.code),
    )


def lift_ban(tx: Transaction, ban_id: str) -> Ban:
    """Forget a ban."""
    rows = tx.db.rows(
        "DELETE FROM ban WHERE id = ? RETURNING id, bucket, dialect, since, until, strikes, code", (ban_id,)
    )
    if not rows:
        raise Refused("there is no such ban", "see `ban list`", code="unknown_ban")
    return Ban(*rows[0])


def select_bans(db: Database) -> list[Ban]:
    """All bans, past ones too."""
    return [
        Ban(*row)
        for row in db.rows("SELECT id, bucket, dialect, since, until, strikes, code FROM ban ORDER BY id")
    ]


def add_token(tx: Transaction, token: Token) -> Token:
    """Keep an admin token."""
    tx.db.execute(
        "INSERT INTO token VALUES(?, ?, ?, ?)", (token.id, token.scope, token.digest, token.created_at)
    )
    return token


def revoke_token(tx: Transaction, token_id: str) -> Token:
    """Forget an admin token."""
    rows = tx.db.rows("DELETE FROM token WHERE id = ? RETURNING id, scope, digest, created_at", (token_id,))
    if not rows:
        raise Refused("there is no such token", "see `token list`", code="unknown_token")
    return Token(*rows[0])


def select_tokens(db: Database) -> list[Token]:
    """All admin tokens."""
    return [Token(*row) for row in db.rows("SELECT id, scope, digest, created_at FROM token ORDER BY id")]


def read_setting(db: Database, name: str) -> bytes | None:
    """A value of the service's own."""
    rows = db.rows("SELECT value FROM setting WHERE name = ?", (name,))
    return bytes(rows[0][0]) if rows else None


def put_setting(tx: Transaction, name: str, value: bytes) -> None:
    """Keep a value of the service's own."""
    tx.db.execute("INSERT OR REPLACE INTO setting VALUES(?, ?)", (name, value))
