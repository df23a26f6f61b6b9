"""What a store does, in the words of the domain.

Verbs that change something return a future, done only once the change is committed and durable. Decisions
are those of `core`, taken inside the store's transaction. `read_…` and `find_…` are plain calls that see
what is committed; they may be called from the event loop's thread only, and take microseconds.

Before a future is done, the `Observer` has been told of the commit, in commit order, on the event loop's
thread."""

from asyncio import Future
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from listenkey.base.clock import Micros
from listenkey.core.consumer import ConsumerId, Cursor
from listenkey.core.keylife import Changed, EndCause, Issued, IssueRefused, IssueRules, NotLive
from listenkey.core.position import JournalView
from listenkey.core.records import Account, ApiKey, Ban, Event, ListenKey, StreamId, Token


class EndedKey(msgspec.Struct, frozen=True):
    """A key that ended in a commit, and why."""

    key: ListenKey
    cause: EndCause


class NewKey(msgspec.Struct, frozen=True):
    """A create: who asks, and the key that would be new."""

    fresh: ListenKey
    rules: IssueRules
    api_key_id: str
    now: Micros
    consumers: tuple[ConsumerId, ...] = ()
    """Those who read by the key from now on; who is new begins at the head, or by an extension of somebody
    else's key where that one is."""


class KeyRequest(msgspec.Struct, frozen=True):
    """An extend or close. Without `digest` the account's newest live key of the space and scope is meant,
    with `holder` only one that this API key holds."""

    account_id: int
    key_space: str
    scope: str
    digest: bytes | None
    lifetime: Micros
    api_key_id: str
    now: Micros
    holder: str = ""
    consumers: tuple[ConsumerId, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """Where a consumer is in the whole stream, a topic of it or by a filter, and when that was put."""

    cursor: Cursor
    used_at: Micros


class Submission(msgspec.Struct, frozen=True):
    """One event to journal, or a gap that a source found."""

    stream: StreamId
    payload: bytes
    id: str | None = None
    gap: bool = False


class Appended(msgspec.Struct, frozen=True):
    """Where an event went: new, or found again by its id (`repeated`)."""

    epoch: str
    offset: int
    repeated: bool = False


class NotAppended(msgspec.Struct, frozen=True):
    """An event that was refused by itself; `code` is `id_conflict`, `unknown_account` or `store_full`."""

    code: str
    message: str


class Reservation(msgspec.Struct, frozen=True):
    """A block of a rate bucket's window that counts as used from now on, whatever happens."""

    bucket: str
    window_start: Micros
    window_end: Micros
    used: int


class Observer(Protocol):
    """Told of commits on the event loop's thread, in commit order, before any future of the commit is
    done."""

    def appended(self, stream: StreamId, epoch: str, events: Sequence[Event]) -> None:
        """Events that are journaled; contiguous offsets, ascending over calls."""
        ...

    def keys_ended(self, ended: Sequence[EndedKey]) -> None:
        """Keys that ended. All `appended` calls before this one carry what they may still be told."""
        ...


class Store(Protocol):
    """A store of everything. Errors: `StoreFull` where the disk is full; any other `StoreError` where a
    commit failed, in which case nothing of it happened."""

    def start(self, observer: Observer) -> None:
        """Begin work on the running event loop."""
        ...

    async def close(self) -> None:
        """Finish what was submitted, mark the end as clean and let go of the files."""
        ...

    # Time -----------------------------------------------------------------------------------------

    def read_latest_time(self) -> Micros:
        """The latest `now` that any commit carried."""
        ...

    # Accounts and API keys ------------------------------------------------------------------------

    def add_account(self, name: str, now: Micros) -> "Future[Account]":
        """Make an account. Atomic: name taken or made. Errors: `Refused("account_exists")`."""
        ...

    def remove_account(self, name: str, now: Micros) -> "Future[list[EndedKey]]":
        """Remove an account with its API keys, keys and journals. Errors: `Refused("unknown_account")`."""
        ...

    def find_account(self, name: str) -> Account | None: ...

    def read_accounts(self, after: str, limit: int) -> list[Account]:
        """Accounts in the order of their names, after `after`."""
        ...

    def add_api_key(self, api_key: ApiKey, now: Micros) -> "Future[ApiKey]":
        """Keep an API key.
        Errors: `Refused("unknown_account")`, `Refused("api_key_exists")` where the key or id is in use."""
        ...

    def revoke_api_key(self, api_key_id: str, now: Micros) -> "Future[int]":
        """Remove an API key and close the live keys that it alone created or extended; the id of its account.
        Errors: `Refused("unknown_api_key")`."""
        ...

    def find_api_key(self, key: str) -> ApiKey | None: ...

    def read_api_keys(self, account: str | None, after: str, limit: int) -> list[ApiKey]:
        """API keys in the order of their ids, after `after`."""
        ...

    def read_key_users(self, key_id: int) -> list[ApiKey]:
        """The unrevoked API keys that created or extended a live listen key; none once it ended."""
        ...

    # Listen keys ----------------------------------------------------------------------------------

    def read_last_key_id(self) -> int:
        """The highest id that a listen key ever had; 0 for none."""
        ...

    def create_key(self, request: NewKey) -> "Future[Issued | IssueRefused]":
        """`core.keylife.create`, committed. Atomic with the record of who used the key.
        Errors: `Refused("unknown_api_key")` where the API key or account is gone by now."""
        ...

    def extend_key(self, request: KeyRequest) -> "Future[Changed | NotLive]":
        """`core.keylife.extend`, committed. A key of another account, space or scope is not live.
        Errors: `Refused("unknown_api_key")` where the API key or account is gone by now."""
        ...

    def close_key(self, request: KeyRequest) -> "Future[Changed | NotLive]":
        """`core.keylife.close`, committed. Order: when the future is done, no event that was committed later
        has been shown to the observer as one the key may carry. Errors: `Refused("unknown_api_key")`."""
        ...

    def close_key_by_id(self, key_id: int, now: Micros) -> "Future[Changed | NotLive]": ...

    def expire_keys(self, now: Micros, limit: int) -> "Future[list[EndedKey]]":
        """Expire up to `limit` keys whose time is up."""
        ...

    def grant_grace(self, due_by: Micros, until: Micros, now: Micros, limit: int) -> "Future[int]":
        """Move `expires_at` of at most `limit` active keys that would be over by `due_by` to `until`, which
        is later; how many. `now` is the service clock's time before the jump."""
        ...

    def find_key(self, digest: bytes) -> ListenKey | None: ...

    def read_next_expiry(self) -> Micros | None:
        """A time before which no active key expires, so the time to call `expire_keys` next: after that call
        it is later. It may come early, since an extension need not move it. None without active keys."""
        ...

    def read_keys(
        self, account: str | None, key_space: str | None, scope: str | None, after: int, limit: int
    ) -> list[ListenKey]:
        """Keys in the order of their ids, after `after`."""
        ...

    def count_keys(self) -> dict[str, int]:
        """How many keys are in each state."""
        ...

    # Journals -------------------------------------------------------------------------------------

    def append(
        self, submissions: Sequence[Submission], now: Micros
    ) -> "Future[list[Appended | NotAppended]]":
        """Journal events, answering each by itself, in order. Atomic: each event; all that were acked are
        durable. Order: offsets of a stream follow the order of submission; times never fall, an event gets
        that of the one before it where `now` is earlier. Many events may take several commits: where one of
        those fails the future does, though others went well. A full disk is no failure of the future: events
        that found no room are answered `store_full`. A gap is journaled like an event."""
        ...

    def read_journal(self, stream: StreamId, epoch: str | None = None) -> JournalView | None:
        """The current epoch of a journal, which it has before its first event, or the past `epoch`; None
        where that is not kept, and without the account."""
        ...

    def read_epochs(self, stream: StreamId) -> list[str]:
        """The epochs of a journal, oldest first; the last one is current. Empty without the account."""
        ...

    def read_events(
        self, stream: StreamId, epoch: str, after: int, limit: int, most_bytes: int | None = None
    ) -> list[Event]:
        """Up to `limit` events with offsets above `after`, ascending and contiguous from the first one; fewer
        where their payloads fill `most_bytes`, but one at least."""
        ...

    def trim_journals(self, older_than: Micros, max_events: int, now: Micros) -> "Future[int]":
        """Forget events older than `older_than`, and those of a journal beyond its newest `max_events`; how
        many. Heads and epochs stay. An event's id is known as long as the event, and for 24 h at least; the
        same goes for places of filters and addresses from their last use on. Also forgets what went with
        removed accounts, and keys and bans that were over 30 days ago."""
        ...

    # Consumers ------------------------------------------------------------------------------------

    def find_place(self, consumer: ConsumerId) -> Place | None:
        """Where a consumer was by the last commit."""
        ...

    def read_places(self, consumer: ConsumerId) -> dict[str, Cursor]:
        """All places that the same reader has on the same stream, by their names."""
        ...

    def put_cursors(self, cursors: Sequence[tuple[ConsumerId, Cursor]], now: Micros) -> "Future[None]":
        """Keep where consumers are. Atomic: all of them. Order: as they are put, before any later append.
        Cursors of API keys that are gone are dropped."""
        ...

    # Limits ---------------------------------------------------------------------------------------

    def reserve(self, reservations: Sequence[Reservation], now: Micros) -> "Future[None]":
        """Persist blocks of rate buckets before any of them is used."""
        ...

    def read_reservations(self, now: Micros) -> list[Reservation]:
        """Blocks of windows that are not over yet."""
        ...

    def put_ban(self, ban: Ban, now: Micros) -> "Future[None]": ...

    def lift_ban(self, ban_id: str, now: Micros) -> "Future[Ban]":
        """Errors: `Refused("unknown_ban")`."""
        ...

    def read_bans(self) -> list[Ban]:
        """All bans that are kept, also past ones (their strikes still count)."""
        ...

    # Admin tokens ---------------------------------------------------------------------------------

    def add_token(self, token: Token, now: Micros) -> "Future[Token]": ...

    def revoke_token(self, token_id: str, now: Micros) -> "Future[Token]":
        """Errors: `Refused("unknown_token")`."""
        ...

    def read_tokens(self) -> list[Token]: ...

    # Secrets and copies ---------------------------------------------------------------------------

    def read_setting(self, name: str) -> bytes | None:
        """A small value of the service's own, such as the check value of the master secret."""
        ...

    def put_setting(self, name: str, value: bytes, now: Micros) -> "Future[None]": ...

    def backup(self, path: str) -> "Future[None]":
        """Write a consistent copy to a new file while running. Errors: `Refused("file_exists")`."""
        ...

    def verify(self) -> Iterator[str]:
        """One line for each thing that is wrong: integrity, offsets with holes, heads that do not fit."""
        ...
