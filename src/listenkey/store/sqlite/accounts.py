"""Accounts and API keys, inside the writer's transaction and as read."""

from collections.abc import Sequence
from typing import Final

import msgspec

from listenkey.base.clock import Micros
from listenkey.base.errors import Refused
from listenkey.core.records import Account, ApiKey
from listenkey.store.base import EndedKey
from listenkey.store.sqlite import consumers, keys
from listenkey.store.sqlite.database import Database, Value
from listenkey.store.sqlite.transaction import Transaction

_ACCOUNT: Final = "SELECT id, name, created_at FROM account WHERE removed_at IS NULL "
_API_KEY: Final = (
    "SELECT p.id, p.account, a.name, p.key, p.sealed_secret, p.public_key, p.permissions, p.ip_allow,"
    " p.created_at"
    " FROM api_key p CROSS JOIN account a ON a.id = p.account "
)


def find(db: Database, name: str) -> Account | None:
    """The account of a name."""
    rows = db.rows(f"{_ACCOUNT}AND name = ?", (name,))
    return Account(*rows[0]) if rows else None


def select_page(db: Database, after: str, limit: int) -> list[Account]:
    """Accounts in the order of their names."""
    rows = db.rows(f"{_ACCOUNT}AND name > ? ORDER BY name LIMIT ?", (after, limit))
    return [Account(*row) for row in rows]


def add(tx: Transaction, name: str, now: Micros) -> Account:
    """Make an account under an id that none had before."""
    if find(tx.db, name) is not None:
        raise Refused(f"there is an account {name} already", "choose another name", code="account_exists")
    tx.db.execute("INSERT INTO account(name, created_at) VALUES(?, ?)", (name, now))
    return Account(tx.db.last_insert_rowid(), name, now)


def remove(tx: Transaction, name: str, now: Micros) -> list[EndedKey]:
    """Remove an account and all that is its own. Its events, unreadable by now, go with the next trim."""
    account = find(tx.db, name)
    if account is None:
        raise Refused(f"there is no account {name}", "see `account list`", code="unknown_account")
    own = (account.id,)
    ended = keys.revoke(
        tx, keys.select(tx.db, "WHERE k.state = 'active' AND k.account = ? ORDER BY k.id", own), now
    )
    tx.db.execute("DELETE FROM api_key WHERE account = ?", own)
    tx.db.execute("DELETE FROM consumer WHERE account = ?", own)
    tx.db.execute("UPDATE account SET removed_at = ? WHERE id = ?", (now, account.id))
    tx.db.execute("UPDATE journal SET state = 'gone' WHERE account = ?", own)
    tx.removed.add(account.id)
    return ended


def find_api_key(db: Database, key: str) -> ApiKey | None:
    """The API key that a caller sent."""
    found = _select_api_keys(db, "WHERE p.key = ?", (key,))
    return found[0] if found else None


def select_api_keys(db: Database, account: int | None, after: str, limit: int) -> list[ApiKey]:
    """API keys in the order of their ids."""
    if account is None:
        return _select_api_keys(db, "WHERE p.id > ? ORDER BY p.id LIMIT ?", (after, limit))
    return _select_api_keys(
        db, "WHERE p.account = ? AND p.id > ? ORDER BY p.id LIMIT ?", (account, after, limit)
    )


def select_key_users(db: Database, key_id: int) -> list[ApiKey]:
    """The API keys that created or extended a live key."""
    return _select_api_keys(
        db, "WHERE p.id IN (SELECT api_key FROM key_user WHERE key = ?) ORDER BY p.id", (key_id,)
    )


def add_api_key(tx: Transaction, api_key: ApiKey) -> ApiKey:
    """Keep an API key of an account that is there."""
    account = find(tx.db, api_key.account)
    if account is None or account.id != api_key.account_id:
        raise Refused(f"there is no account {api_key.account}", "see `account list`", code="unknown_account")
    if tx.db.rows("SELECT 1 FROM api_key WHERE key = ? OR id = ?", (api_key.key, api_key.id)):
        raise Refused("this API key is in use", "choose another key", code="api_key_exists")
    tx.db.execute(
        "INSERT INTO api_key VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        (api_key.id, account.id, api_key.key, api_key.sealed_secret, api_key.public_key,
         _join(api_key.permissions), _join(api_key.ip_allow), api_key.created_at),
    )  # fmt: skip
    return api_key


def revoke_api_key(tx: Transaction, api_key_id: str, now: Micros) -> int:
    """Remove an API key and close the keys that nobody else created or extended; the id of its account."""
    removed = tx.db.rows("DELETE FROM api_key WHERE id = ? RETURNING account", (api_key_id,))
    if not removed:
        raise Refused("there is no such API key", "see `apikey list`", code="unknown_api_key")
    held = keys.select(
        tx.db,
        "WHERE k.id IN (SELECT key FROM key_user WHERE api_key = ?1) AND NOT EXISTS"
        " (SELECT 1 FROM key_user WHERE key = k.id AND api_key <> ?1) ORDER BY k.id",
        (api_key_id,),
    )
    # Whose consumer reads by a key that others use too: one of them now.
    tx.db.execute(
        "UPDATE listen_key SET user ="
        " (SELECT max(api_key) FROM key_user WHERE key = listen_key.id AND api_key <> ?1)"
        " WHERE user = ?1 AND id IN (SELECT key FROM key_user WHERE api_key = ?1)"
        " AND EXISTS (SELECT 1 FROM key_user WHERE key = listen_key.id AND api_key <> ?1)",
        (api_key_id,),
    )
    tx.db.execute("DELETE FROM key_user WHERE api_key = ?", (api_key_id,))
    consumers.remove_holder(tx, int(removed[0][0]), api_key_id)
    keys.revoke(tx, held, now)
    return int(removed[0][0])


def _select_api_keys(db: Database, where: str, values: Sequence[Value]) -> list[ApiKey]:
    found: list[ApiKey] = []
    for row in db.rows(_API_KEY + where, values):
        key_id, account, name, key, secret, public_key, permissions, ip_allow, created_at = row
        access = _split(permissions), _split(ip_allow)
        found.append(ApiKey(key_id, account, name, key, secret, public_key, *access, created_at))
    return found


def _join(items: tuple[str, ...]) -> str:
    return msgspec.json.encode(items).decode()


_split = msgspec.json.Decoder(tuple[str, ...]).decode
