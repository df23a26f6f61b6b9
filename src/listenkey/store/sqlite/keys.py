"""Listen keys, inside the writer's transaction and as read.

What happens to a key is decided by `core.keylife`; here is how that is written down.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from listenkey.base.clock import Micros
from listenkey.base.errors import Refused
from listenkey.core import keylife
from listenkey.core.keylife import Changed, EndCause, Issued, IssueRefused, NotLive
from listenkey.core.records import KeyState, ListenKey
from listenkey.store.base import EndedKey, KeyRequest, NewKey
from listenkey.store.sqlite.database import Database, Value
from listenkey.store.sqlite.transaction import Transaction

_SELECT: Final = (
    "SELECT k.id, k.account, a.name, k.key_space, k.scope, k.holder, k.nonce, k.master_version, k.digest,"
    " k.state, k.created_at, k.expires_at, k.ended_at, k.user"
    " FROM listen_key k {index} CROSS JOIN account a ON a.id = k.account "
)
_KEY: Final = _SELECT.format(index="")
_OVERDUE: Final = _SELECT.format(index="INDEXED BY listen_key_due")
_CAUSES: Final[dict[KeyState, EndCause]] = {"closed": "closed", "expired": "expired"}


def select(db: Database, where: str, values: Sequence[Value]) -> list[ListenKey]:
    """Keys by a condition on `k`, the table's row."""
    return [ListenKey(*row) for row in db.rows(_KEY + where, values)]


def find_by_digest(db: Database, digest: bytes) -> ListenKey | None:
    """The key of a string, live or ended."""
    found = select(db, "WHERE k.digest = ?", (digest,))
    return found[0] if found else None


def select_page(
    db: Database, account: int | None, key_space: str | None, scope: str | None, after: int, limit: int
) -> list[ListenKey]:
    """Keys in the order of their ids."""
    conditions, values = ["k.id > ?"], [after]
    wanted: list[Value] = list(values)
    for column, value in (("account", account), ("key_space", key_space), ("scope", scope)):
        if value is not None:
            conditions.append(f"k.{column} = ?")
            wanted.append(value)
    return select(db, f"WHERE {' AND '.join(conditions)} ORDER BY k.id LIMIT ?", (*wanted, limit))


def create(tx: Transaction, request: NewKey) -> Issued | IssueRefused:
    """Issue a key, or the one that the account has."""
    fresh = request.fresh
    _require_api_key(tx, request.api_key_id, fresh.account_id)
    competitors = _competitors(tx, request)
    outcome = keylife.create(competitors, fresh, request.rules, request.now)
    _end(tx, outcome.ended)
    if isinstance(outcome, IssueRefused):
        return outcome
    if outcome.is_new:
        _insert(tx, outcome.key)
    else:
        _move_expiry(tx, outcome.key, max(key.expires_at for key in competitors))
    _note_user(tx, outcome.key.id, request.api_key_id)
    return outcome


def _competitors(tx: Transaction, request: NewKey) -> list[ListenKey]:
    fresh = request.fresh
    same = "WHERE k.state = 'active' AND k.account = ? AND k.key_space = ? AND k.scope = ?"
    values = (fresh.account_id, fresh.key_space, fresh.scope)
    if request.rules.policy == "new_coexists":
        # Live ones have no say here, and there may be thousands; those whose time is up are few.
        overdue = tx.db.rows(
            f"{_OVERDUE}{same} AND k.due_at <= ? AND k.expires_at <= ? ORDER BY k.id",
            (*values, request.now, request.now),
        )
        return [ListenKey(*row) for row in overdue]
    return select(tx.db, f"{same} ORDER BY k.id", values)


def extend(tx: Transaction, request: KeyRequest) -> Changed | NotLive:
    """Move a key's expiry."""
    key = _find_asked(tx, request)
    is_user = _is_user(tx, request, key)
    outcome = keylife.extend(key, request.lifetime, request.now, request.api_key_id)
    if isinstance(outcome, NotLive):
        _end(tx, () if outcome.ended is None else (outcome.ended,))
        return outcome
    assert key is not None
    _move_expiry(tx, outcome.key, key.expires_at)
    if not is_user:
        _note_user(tx, key.id, request.api_key_id)
    return outcome


def close(tx: Transaction, request: KeyRequest) -> Changed | NotLive:
    """End a key at its user's wish."""
    key = _find_asked(tx, request)
    _is_user(tx, request, key)
    return _close(tx, key, request.now)


def close_by_id(tx: Transaction, key_id: int, now: Micros) -> Changed | NotLive:
    """End a key at the operator's wish."""
    found = select(tx.db, "WHERE k.id = ?", (key_id,))
    return _close(tx, found[0] if found else None, now)


def _close(tx: Transaction, key: ListenKey | None, now: Micros) -> Changed | NotLive:
    outcome = keylife.close(key, now)
    ended = outcome.key if isinstance(outcome, Changed) else outcome.ended
    _end(tx, () if ended is None else (ended,))
    return outcome


def expire(tx: Transaction, now: Micros, limit: int) -> list[EndedKey]:
    """End keys whose time is up."""
    tx.db.execute(
        "UPDATE listen_key SET due_at = expires_at WHERE state = 'active' AND due_at <= ? AND expires_at > ?",
        (now, now),
    )
    overdue = tx.db.rows(
        f"{_OVERDUE}WHERE k.state = 'active' AND k.due_at <= ? ORDER BY k.due_at, k.id LIMIT ?",
        (now, limit),
    )
    moved = [keylife.expire(ListenKey(*row), now) for row in overdue]
    return _end(tx, [key for key in moved if key is not None])


def revoke(tx: Transaction, keys: Sequence[ListenKey], now: Micros) -> list[EndedKey]:
    """End keys because whoever held them is gone."""
    moved = [keylife.revoke(key, now) for key in keys]
    return _end(tx, [key for key in moved if key is not None], "revoked")


def grant_grace(tx: Transaction, due_by: Micros, until: Micros, now: Micros, limit: int) -> int:
    """Let live keys live on. A key whose time was up before the jump stays overdue."""
    tx.db.execute(
        "UPDATE listen_key SET expires_at = ?1, due_at = ?1 WHERE id IN (SELECT id FROM listen_key"
        " WHERE state = 'active' AND due_at <= ?2 AND expires_at > ?3 AND expires_at <= ?2 LIMIT ?4)",
        (until, due_by, now, limit),
    )
    return tx.db.changes()


def _require_api_key(tx: Transaction, api_key_id: str, account: int) -> None:
    if not tx.db.rows("SELECT 1 FROM api_key WHERE id = ? AND account = ?", (api_key_id, account)):
        raise Refused("there is no such API key", "use one that was not revoked", code="unknown_api_key")


def _is_user(tx: Transaction, request: KeyRequest, key: ListenKey | None) -> bool:
    """Whether the asking API key is known to use the key, and so is there; if it is not there, `Refused`."""
    if key is not None and tx.db.rows(
        "SELECT 1 FROM key_user WHERE key = ? AND api_key = ?", (key.id, request.api_key_id)
    ):
        return True
    _require_api_key(tx, request.api_key_id, request.account_id)
    return False


def _find_asked(tx: Transaction, request: KeyRequest) -> ListenKey | None:
    space = (request.account_id, request.key_space, request.scope)
    if request.digest is not None:
        found = find_by_digest(tx.db, request.digest)
        if found is None or (found.account_id, found.key_space, found.scope) != space:
            return None
        return found if request.holder in {"", found.holder} else None
    active = select(
        tx.db,
        "WHERE k.state = 'active' AND k.account = ? AND k.key_space = ? AND k.scope = ? ORDER BY k.id DESC",
        space,
    )
    if request.holder:
        active = [key for key in active if key.holder == request.holder]
    live = [key for key in active if keylife.is_live(key, request.now)]
    return next(iter(live or active), None)


def _insert(tx: Transaction, key: ListenKey) -> None:
    tx.db.execute(
        "INSERT INTO listen_key VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (key.id, key.account_id, *msgspec.structs.astuple(key)[3:], key.expires_at),
    )
    tx.count(key.state, 1)


def _move_expiry(tx: Transaction, key: ListenKey, before: Micros) -> None:
    tx.db.execute(
        "UPDATE listen_key SET expires_at = ?, user = ? WHERE id = ?", (key.expires_at, key.user, key.id)
    )
    if key.expires_at < before:
        tx.db.execute("UPDATE listen_key SET due_at = min(due_at, expires_at) WHERE id = ?", (key.id,))


def _note_user(tx: Transaction, key_id: int, api_key_id: str) -> None:
    tx.db.execute("INSERT INTO key_user VALUES(?, ?) ON CONFLICT DO NOTHING", (key_id, api_key_id))


def _end(tx: Transaction, keys: Sequence[ListenKey], cause: EndCause | None = None) -> list[EndedKey]:
    ended: list[EndedKey] = []
    for key in keys:
        tx.db.execute(
            "UPDATE listen_key SET state = ?, ended_at = ? WHERE id = ?", (key.state, key.ended_at, key.id)
        )
        tx.db.execute("DELETE FROM key_user WHERE key = ?", (key.id,))
        tx.count("active", -1)
        tx.count(key.state, 1)
        ended.append(EndedKey(key, cause or _CAUSES[key.state]))
    tx.tell_ended(ended)
    return ended
