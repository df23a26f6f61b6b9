"""The tables, how they came to be, and whose file it is.

A new version of the schema is a script added to `MIGRATIONS`; a script that was released is never changed.
"""

import os
from pathlib import Path
from typing import Final

import apsw

from listenkey.base.errors import StoreDamaged, StoreForeign
from listenkey.store.sqlite.database import Database, translate
from listenkey.store.sqlite.lock import unwritable

APPLICATION_ID: Final = 0x6C6B6579
"""`lkey` in the file's header says whose file it is."""

_FIRST: Final = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('incarnation', randomblob(16));
CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

-- A removed account stays as a row, so that its ended keys can still say whose they were.
CREATE TABLE account(
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, created_at INTEGER NOT NULL, removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX account_name ON account(name) WHERE removed_at IS NULL;

CREATE TABLE api_key(
    id TEXT PRIMARY KEY, account INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, sealed_secret BLOB NOT NULL,
    public_key TEXT NOT NULL, permissions TEXT NOT NULL, ip_allow TEXT NOT NULL, created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_account ON api_key(account);

-- `due_at` is at most `expires_at`, and catches up with it when it has passed: so an extension, which is what
-- most writes are, leaves every index alone.
CREATE TABLE listen_key(
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, key_space TEXT NOT NULL, scope TEXT NOT NULL,
    holder TEXT NOT NULL, nonce BLOB NOT NULL, master_version INTEGER NOT NULL, digest BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
    user TEXT NOT NULL, due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX listen_key_active ON listen_key(account, key_space, scope) WHERE state = 'active';
CREATE INDEX listen_key_due ON listen_key(due_at) WHERE state = 'active';
CREATE INDEX listen_key_ended ON listen_key(state, ended_at) WHERE state <> 'active';
CREATE INDEX listen_key_account ON listen_key(account);
CREATE INDEX listen_key_space ON listen_key(key_space);

-- Which API keys created or extended a live key.
CREATE TABLE key_user(key INTEGER, api_key TEXT, PRIMARY KEY(key, api_key)) STRICT, WITHOUT ROWID;
CREATE INDEX key_user_api_key ON key_user(api_key);

-- Where the readers by listen keys are. Without a topic: where one began, and how far it is on streams
-- without topics.
CREATE TABLE consumer(
    account INTEGER, stream TEXT, holder TEXT, topic TEXT, epoch TEXT NOT NULL, begin INTEGER NOT NULL,
    confirmed INTEGER NOT NULL, settled INTEGER NOT NULL, PRIMARY KEY(account, stream, holder, topic)
) STRICT, WITHOUT ROWID;

-- One epoch of one journal. `state` is current, past, or gone with its account. `head` is the last offset
-- that `log_run` knows; `oldest` the lowest that may be read; rows below `swept` are deleted, or will be by
-- their age.
CREATE TABLE journal(
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, stream TEXT NOT NULL, epoch TEXT NOT NULL,
    state TEXT NOT NULL, head INTEGER NOT NULL, oldest INTEGER NOT NULL, swept INTEGER NOT NULL,
    UNIQUE(account, stream, epoch)
) STRICT;
CREATE UNIQUE INDEX journal_current ON journal(account, stream) WHERE state = 'current';
CREATE INDEX journal_sweep ON journal(id) WHERE swept < oldest;

-- Events in the order of their commits. No index by journal and offset, nor by id, is kept up at every
-- commit: `log_run` and `event_id` are written many events at a time, up to `indexed` in `meta`.
CREATE TABLE log(
    seq INTEGER PRIMARY KEY, journal INTEGER NOT NULL, offset INTEGER NOT NULL, time INTEGER NOT NULL,
    id TEXT, payload BLOB NOT NULL
) STRICT;
CREATE TABLE log_run(
    journal INTEGER, last_offset INTEGER, first_offset INTEGER NOT NULL, first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL, seqs BLOB NOT NULL, PRIMARY KEY(journal, last_offset)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_id(
    account INTEGER, stream TEXT, id TEXT, epoch TEXT NOT NULL, offset INTEGER NOT NULL,
    time INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY(account, stream, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservation(
    bucket TEXT, window_start INTEGER, window_end INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY(bucket, window_start)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_end ON reservation(window_end);
CREATE TABLE ban(
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, dialect TEXT NOT NULL, since INTEGER NOT NULL,
    until INTEGER NOT NULL, strikes INTEGER NOT NULL, code INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE token(
    id TEXT PRIMARY KEY, scope TEXT NOT NULL, digest BLOB NOT NULL, created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

_PLACES: Final = """
-- A consumer has places: the whole stream, topics, filters. Those that come and go are forgotten when nobody
-- has used them for long.
ALTER TABLE consumer RENAME COLUMN topic TO place;
ALTER TABLE consumer ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
UPDATE consumer SET used_at = max(
    coalesce((SELECT value FROM meta WHERE name = 'time'), 0),
    coalesce((SELECT time FROM log ORDER BY seq DESC LIMIT 1), 0));
CREATE INDEX consumer_passing ON consumer(used_at)
    WHERE substr(place, 1, 7) = 'events=' OR instr(holder, '@') > 0;
"""

_GAPS: Final = """
-- 1 in the row of a gap that a source found: what is known of it is the payload.
ALTER TABLE log ADD COLUMN gap INTEGER;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _PLACES, _GAPS)
"""Script n brings a file of version n to version n + 1."""


_SMALL_TABLES: Final = ("meta", "setting", "account", "api_key", "journal", "reservation", "ban", "token")


def make_private(path: Path) -> None:
    """Make the store's file, empty, readable by its owner only; what SQLite puts beside it takes its mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise unwritable(path, error) from error


def identify(db: Database, path: Path) -> int:
    """The schema's version, 0 for a new file. Errors: `StoreForeign`, `StoreDamaged`."""
    try:
        tables = db.value("SELECT count(*) FROM sqlite_schema")
        owner, version = db.pragma("application_id"), db.pragma("user_version")
    except apsw.Error as error:
        raise translate(error, path) from error
    if not tables and not owner and not version:
        return 0
    if owner != APPLICATION_ID:
        raise StoreForeign(f"{path} is not a store of listenkey", "name another data folder")
    if version > len(MIGRATIONS):
        raise StoreForeign(
            f"{path} has version {version}, this program knows {len(MIGRATIONS)}", "use a newer listenkey"
        )
    assert isinstance(version, int)
    return version


def migrate(db: Database, version: int) -> None:
    """Bring the file from `version` to the newest, all or nothing."""
    if version == len(MIGRATIONS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for script in MIGRATIONS[version:]:
            db.execute(script)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def check_sound(db: Database, path: Path, small_file_pages: int | None) -> None:
    """Look for damage: everywhere in a small file or without a limit, else in the tables that all depends on.
    Errors: `StoreDamaged`."""
    pages = db.pragma("page_count")
    assert isinstance(pages, int)
    if small_file_pages is None or pages <= small_file_pages:
        checks = ["PRAGMA quick_check(1)"]
    else:
        checks = [f"PRAGMA quick_check({table})" for table in _SMALL_TABLES]
    for check in checks:
        line = db.value(check)
        if line != "ok":
            raise StoreDamaged(f"{path} is damaged: {line}", "restore a backup")
