"""The store of one process: verbs handed to the writer, and reads on the event loop's thread."""

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from listenkey.base.clock import Micros
from listenkey.base.errors import StoreError
from listenkey.core.consumer import ConsumerId, Cursor
from listenkey.core.keylife import Changed, Issued, IssueRefused, NotLive
from listenkey.core.position import JournalView
from listenkey.core.records import Account, ApiKey, Ban, Event, ListenKey, StreamId, Token
from listenkey.store.base import (
    Appended,
    EndedKey,
    KeyRequest,
    NewKey,
    NotAppended,
    Observer,
    Place,
    Reservation,
    Submission,
)
from listenkey.store.sqlite import accounts, consumers, keys, small
from listenkey.store.sqlite.append import append, refuse_all
from listenkey.store.sqlite.backup import write_backup
from listenkey.store.sqlite.checkpoint import Checkpointer
from listenkey.store.sqlite.database import Reader
from listenkey.store.sqlite.journal import Journal
from listenkey.store.sqlite.lock import FolderLock
from listenkey.store.sqlite.reading import Journals
from listenkey.store.sqlite.transaction import Memory, Transaction, tell
from listenkey.store.sqlite.trim import trim_slices
from listenkey.store.sqlite.verify import verify
from listenkey.store.sqlite.work import Errand, Outcome, Slices, Work
from listenkey.store.sqlite.writer import Writer

T = TypeVar("T")

EVENTS_A_MEMBER = 512
"""A longer submission is journaled in several commits, so that others need not wait for all of it."""


class SqliteStore:
    """A `store.base.Store` in one SQLite file. Made by `open_sqlite`."""

    def __init__(
        self,
        path: Path,
        vfs: str | None,
        lock: FolderLock,
        reader: Reader,
        memory: Memory,
        checkpointer: Checkpointer,
        make_writer: Callable[[Callable[[Outcome], None]], Writer],
    ) -> None:
        self._path = path
        self._vfs = vfs
        self._lock = lock
        self._db = reader
        self._memory = memory
        self._time = memory.time
        self._counts = dict(memory.counts)
        self._journals = Journals(reader, memory.incarnation)
        self._checkpointer = checkpointer
        self._writer = make_writer(self._deliver)
        self._loop: AbstractEventLoop | None = None
        self._observer: Observer | None = None
        self._closed = False

    def start(self, observer: Observer) -> None:
        """Begin work on the running event loop."""
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._writer.start(self._loop)
        self._checkpointer.start()

    async def close(self) -> None:
        """Finish what was submitted, mark the end as clean and let go of the files."""
        if self._closed:
            return
        self._closed = True
        if self._loop is not None:
            self._writer.finish()
            await self._loop.run_in_executor(None, self._writer.join)
            await self._loop.run_in_executor(None, self._checkpointer.close)
        else:
            self._writer.abandon()
        self._db.close()
        self._lock.release()

    # The way to the writer and back ---------------------------------------------------------------

    def _submit(
        self,
        run: Callable[[Transaction], T],
        now: Micros,
        weight: int = 1,
        instead: Callable[[], T] | None = None,
    ) -> "Future[T]":
        future: Future[T] = self._new_future()
        if not self._closed:
            self._writer.submit(Work(run, now, future, weight, instead))
        return future

    def _send(self, slices: Slices[T], now: Micros) -> "Future[T]":
        future: Future[T] = self._new_future()
        if not self._closed:
            self._writer.submit(Errand(slices, now, future))
        return future

    def _new_future(self) -> "Future[T]":
        if self._loop is None:
            raise StoreError("the store was not started")
        future: Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(StoreError("the store is closed"))
        return future

    def _deliver(self, outcome: Outcome) -> None:
        """On the event loop's thread: memory changes, then the observer hears, then the callers."""
        assert self._observer is not None
        assert self._loop is not None
        self._time = max(self._time, outcome.time)
        if outcome.counts is not None:
            self._counts = outcome.counts
        for change in outcome.on_loop:
            change()
        for error in tell(self._observer, outcome.news):
            self._loop.call_exception_handler({"message": "an observer failed", "exception": error})
        for work in outcome.works:
            work.settle()

    def read_latest_time(self) -> Micros:
        """The latest `now` that any commit carried."""
        return self._time

    # Accounts and API keys ------------------------------------------------------------------------

    def add_account(self, name: str, now: Micros) -> "Future[Account]":
        """Make an account."""
        return self._submit(lambda tx: accounts.add(tx, name, now), now)

    def remove_account(self, name: str, now: Micros) -> "Future[list[EndedKey]]":
        """Remove an account with its API keys, keys and journals."""
        return self._submit(lambda tx: self._remove_account(tx, name, now), now)

    def _remove_account(self, tx: Transaction, name: str, now: Micros) -> list[EndedKey]:
        ended = accounts.remove(tx, name, now)
        for account in tx.removed:
            tx.on_loop.append(partial(self._journals.forget_account, account))
        return ended

    def find_account(self, name: str) -> Account | None:
        """The account of a name."""
        return accounts.find(self._db, name)

    def read_accounts(self, after: str, limit: int) -> list[Account]:
        """Accounts in the order of their names, after `after`."""
        return accounts.select_page(self._db, after, limit)

    def add_api_key(self, api_key: ApiKey, now: Micros) -> "Future[ApiKey]":
        """Keep an API key."""
        return self._submit(lambda tx: accounts.add_api_key(tx, api_key), now)

    def revoke_api_key(self, api_key_id: str, now: Micros) -> "Future[int]":
        """Remove an API key and close the live keys that it alone created or extended."""
        return self._submit(lambda tx: accounts.revoke_api_key(tx, api_key_id, now), now)

    def find_api_key(self, key: str) -> ApiKey | None:
        """The API key that a caller sent."""
        return accounts.find_api_key(self._db, key)

    def read_api_keys(self, account: str | None, after: str, limit: int) -> list[ApiKey]:
        """API keys in the order of their ids, after `after`."""
        if account is None:
            return accounts.select_api_keys(self._db, None, after, limit)
        found = self.find_account(account)
        return [] if found is None else accounts.select_api_keys(self._db, found.id, after, limit)

    def read_key_users(self, key_id: int) -> list[ApiKey]:
        """The unrevoked API keys that created or extended a live key."""
        return accounts.select_key_users(self._db, key_id)

    # Listen keys ----------------------------------------------------------------------------------

    def read_last_key_id(self) -> int:
        """The highest id that a listen key ever had."""
        return int(self._db.value("SELECT coalesce(max(id), 0) FROM listen_key"))

    def create_key(self, request: NewKey) -> "Future[Issued | IssueRefused]":
        """`core.keylife.create`, committed."""
        readers = self._with_journals(request.consumers)

        def run(tx: Transaction) -> Issued | IssueRefused:
            outcome = keys.create(tx, request)
            if isinstance(outcome, Issued):
                consumers.ensure(tx, readers, request.now)
            return outcome

        return self._submit(run, request.now)

    def extend_key(self, request: KeyRequest) -> "Future[Changed | NotLive]":
        """`core.keylife.extend`, committed."""
        readers = self._with_journals(request.consumers)

        def run(tx: Transaction) -> Changed | NotLive:
            outcome = keys.extend(tx, request)
            if isinstance(outcome, Changed):
                consumers.ensure(tx, readers, request.now, outcome.taken_from)
            return outcome

        return self._submit(run, request.now)

    def _with_journals(self, wanted: Sequence[ConsumerId]) -> list[tuple[ConsumerId, Journal]]:
        found = ((consumer, self._journals.find(consumer.account_id, consumer.stream)) for consumer in wanted)
        return [(consumer, journal) for consumer, journal in found if journal is not None]

    def close_key(self, request: KeyRequest) -> "Future[Changed | NotLive]":
        """`core.keylife.close`, committed."""
        return self._submit(lambda tx: keys.close(tx, request), request.now)

    def close_key_by_id(self, key_id: int, now: Micros) -> "Future[Changed | NotLive]":
        """Close any account's key."""
        return self._submit(lambda tx: keys.close_by_id(tx, key_id, now), now)

    def expire_keys(self, now: Micros, limit: int) -> "Future[list[EndedKey]]":
        """Expire up to `limit` keys whose time is up."""
        return self._submit(lambda tx: keys.expire(tx, now, limit), now)

    def grant_grace(self, due_by: Micros, until: Micros, now: Micros, limit: int) -> "Future[int]":
        """Let keys that would be over by `due_by` live until `until`."""
        return self._submit(lambda tx: keys.grant_grace(tx, due_by, until, now, limit), now)

    def find_key(self, digest: bytes) -> ListenKey | None:
        """The key of a string, live or ended."""
        return keys.find_by_digest(self._db, digest)

    def read_next_expiry(self) -> Micros | None:
        """No active key expires before this."""
        earliest = self._db.value("SELECT min(due_at) FROM listen_key WHERE state = 'active'")
        return None if earliest is None else int(earliest)

    def read_keys(
        self, account: str | None, key_space: str | None, scope: str | None, after: int, limit: int
    ) -> list[ListenKey]:
        """Keys in the order of their ids, after `after`."""
        if account is None:
            return keys.select_page(self._db, None, key_space, scope, after, limit)
        found = self.find_account(account)
        return [] if found is None else keys.select_page(self._db, found.id, key_space, scope, after, limit)

    def count_keys(self) -> dict[str, int]:
        """How many keys are in each state."""
        return {str(state): count for state, count in self._counts.items()}

    # Journals -------------------------------------------------------------------------------------

    def append(
        self, submissions: Sequence[Submission], now: Micros
    ) -> "Future[list[Appended | NotAppended]]":
        """Journal events, answering each by itself, in order."""
        if len(submissions) <= EVENTS_A_MEMBER:
            return self._append(submissions, now)
        parts = [
            self._append(submissions[start : start + EVENTS_A_MEMBER], now)
            for start in range(0, len(submissions), EVENTS_A_MEMBER)
        ]
        assert self._loop is not None
        return self._loop.create_task(_join(parts))

    def _append(
        self, submissions: Sequence[Submission], now: Micros
    ) -> "Future[list[Appended | NotAppended]]":
        find = self._journals.find
        targets = [find(submission.stream.account_id, submission.stream.stream) for submission in submissions]
        return self._submit(
            lambda tx: append(tx, targets, submissions, now),
            now,
            len(submissions),
            lambda: refuse_all(submissions),
        )

    def read_journal(self, stream: StreamId, epoch: str | None = None) -> JournalView | None:
        """The current epoch of a journal, or the past `epoch`."""
        journal = self._journals.find(stream.account_id, stream.stream)
        if journal is None:
            return None
        if epoch is None or epoch == journal.epoch:
            return journal.view()
        return self._journals.view_past(stream, epoch)

    def read_epochs(self, stream: StreamId) -> list[str]:
        """The epochs of a journal, oldest first."""
        return self._journals.read_epochs(stream)

    def read_events(
        self, stream: StreamId, epoch: str, after: int, limit: int, most_bytes: int | None = None
    ) -> list[Event]:
        """Up to `limit` events with offsets above `after`, of `most_bytes` or little more."""
        return self._journals.read(stream, epoch, after, limit, most_bytes)

    def trim_journals(self, older_than: Micros, max_events: int, now: Micros) -> "Future[int]":
        """Forget events that are too old or too many."""
        return self._send(trim_slices(self._memory, self._journals, older_than, max_events, now), now)

    # Consumers ------------------------------------------------------------------------------------

    def find_place(self, consumer: ConsumerId) -> Place | None:
        """Where a consumer was by the last commit."""
        return consumers.find(self._db, consumer)

    def read_places(self, consumer: ConsumerId) -> dict[str, Cursor]:
        """All places that the same reader has on the same stream."""
        return consumers.select(self._db, consumer)

    def put_cursors(self, cursors: Sequence[tuple[ConsumerId, Cursor]], now: Micros) -> "Future[None]":
        """Keep where consumers are."""
        return self._submit(lambda tx: consumers.put(tx, cursors, now), now)

    # Limits ---------------------------------------------------------------------------------------

    def reserve(self, reservations: Sequence[Reservation], now: Micros) -> "Future[None]":
        """Persist blocks of rate buckets."""
        return self._submit(lambda tx: small.reserve(tx, reservations, now), now)

    def read_reservations(self, now: Micros) -> list[Reservation]:
        """Blocks of windows that are not over yet."""
        return small.select_reservations(self._db, now)

    def put_ban(self, ban: Ban, now: Micros) -> "Future[None]":
        """Keep a ban."""
        return self._submit(lambda tx: small.put_ban(tx, ban), now)

    def lift_ban(self, ban_id: str, now: Micros) -> "Future[Ban]":
        """Forget a ban."""
        return self._submit(lambda tx: small.lift_ban(tx, ban_id), now)

    def read_bans(self) -> list[Ban]:
        """All bans, past ones too."""
        return small.select_bans(self._db)

    # Admin tokens, settings, copies ---------------------------------------------------------------

    def add_token(self, token: Token, now: Micros) -> "Future[Token]":
        """Keep an admin token."""
        return self._submit(lambda tx: small.add_token(tx, token), now)

    def revoke_token(self, token_id: str, now: Micros) -> "Future[Token]":
        """Forget an admin token."""
        return self._submit(lambda tx: small.revoke_token(tx, token_id), now)

    def read_tokens(self) -> list[Token]:
        """All admin tokens."""
        return small.select_tokens(self._db)

    def read_setting(self, name: str) -> bytes | None:
        """A value of the service's own."""
        return small.read_setting(self._db, name)

    def put_setting(self, name: str, value: bytes, now: Micros) -> "Future[None]":
        """Keep a value of the service's own."""
        return self._submit(lambda tx: small.put_setting(tx, name, value), now)

    def backup(self, path: str) -> "Future[None]":
        """Write a consistent copy to a new file while running."""
        assert self._loop is not None
        return self._loop.run_in_executor(None, write_backup, self._path, Path(path), self._vfs)

    def verify(self) -> Iterator[str]:
        """One line for each thing that is wrong."""
        return verify(self._path, self._vfs)


async def _join(parts: "Sequence[Future[list[Appended | NotAppended]]]") -> list[Appended | NotAppended]:
    return [answer for part in await asyncio.gather(*parts) for answer in part]
