"""What a store has to do, told plainly: dictionaries and lists, with `core` for the decisions.

It takes one request after the other and knows nothing of batches, commits or files.
"""

from dataclasses import dataclass, field

import msgspec

from listenkey.base.clock import Micros
from listenkey.core import keylife
from listenkey.core.keylife import Changed, EndCause, Issued, IssueRefused, NotLive
from listenkey.core.records import Account, ApiKey, ListenKey, StreamId
from listenkey.store.base import EndedKey, KeyRequest, NewKey, Submission


class Refusal(Exception):
    """The code of a request that has to be refused."""


@dataclass
class Epoch:
    """One history of a journal: time, payload and whether it is a gap by offset, the first of them offset
    1."""

    events: list[tuple[Micros, bytes, bool]] = field(default_factory=list)
    oldest: int = 1

    def trim(self, older_than: Micros, max_events: int) -> int:
        """Forget; how many."""
        head, before = len(self.events), self.oldest
        while self.oldest <= head and (
            self.events[self.oldest - 1][0] < older_than or self.oldest <= head - max_events
        ):
            self.oldest += 1
        return self.oldest - before


class Model:
    """All that is kept."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.api_keys: dict[str, ApiKey] = {}
        self.keys: dict[int, ListenKey] = {}
        self.users: dict[int, set[str]] = {}
        self.journals: dict[StreamId, list[Epoch]] = {}
        self.gone: list[Epoch] = []
        self.ids: dict[tuple[StreamId, str], tuple[int, int, bytes]] = {}
        self.event_time: Micros = 0
        self.told: list[tuple[StreamId, int] | tuple[int, EndCause]] = []

    # Accounts and API keys ------------------------------------------------------------------------

    def remove_account(self, name: str, now: Micros) -> list[EndedKey]:
        """Remove an account and what is its own."""
        account = self.accounts.pop(name, None)
        if account is None:
            raise Refusal("unknown_account")
        self.api_keys = {id_: key for id_, key in self.api_keys.items() if key.account_id != account.id}
        for stream in [stream for stream in self.journals if stream.account_id == account.id]:
            self.gone += self.journals.pop(stream)
        return self._revoke([key for key in self.active() if key.account_id == account.id], now)

    def revoke_api_key(self, api_key_id: str, now: Micros) -> int:
        """Remove an API key and end what it alone used."""
        api_key = self.api_keys.pop(api_key_id, None)
        if api_key is None:
            raise Refusal("unknown_api_key")
        self._revoke([key for key in self.active() if self.users[key.id] == {api_key_id}], now)
        for users in self.users.values():
            users.discard(api_key_id)
        for key in self.active():
            if key.user == api_key_id:
                self.keys[key.id] = msgspec.structs.replace(key, user=max(self.users[key.id]))
        return api_key.account_id

    def _revoke(self, keys: list[ListenKey], now: Micros) -> list[EndedKey]:
        moved = [keylife.revoke(key, now) for key in keys]
        return self._end([key for key in moved if key is not None], "revoked")

    # Keys -----------------------------------------------------------------------------------------

    def active(self) -> list[ListenKey]:
        """Keys that did not end, the oldest first."""
        return [key for _, key in sorted(self.keys.items()) if key.state == "active"]

    def create(self, request: NewKey) -> Issued | IssueRefused:
        """Issue a key."""
        fresh = request.fresh
        self._require(request.api_key_id, fresh.account_id)
        rivals = [key for key in self.active() if _kind(key) == _kind(fresh)]
        outcome = keylife.create(rivals, fresh, request.rules, request.now)
        self._end(list(outcome.ended))
        if isinstance(outcome, Issued):
            self.keys[outcome.key.id] = outcome.key
            self.users.setdefault(outcome.key.id, set()).add(request.api_key_id)
        return outcome

    def extend(self, request: KeyRequest) -> Changed | NotLive:
        """Move a key's expiry."""
        self._require(request.api_key_id, request.account_id)
        outcome = keylife.extend(self._asked(request), request.lifetime, request.now, request.api_key_id)
        if isinstance(outcome, Changed):
            self.keys[outcome.key.id] = outcome.key
            self.users[outcome.key.id].add(request.api_key_id)
        elif outcome.ended is not None:
            self._end([outcome.ended])
        return outcome

    def close(self, request: KeyRequest) -> Changed | NotLive:
        """End a key at its user's wish."""
        self._require(request.api_key_id, request.account_id)
        return self._close(self._asked(request), request.now)

    def close_by_id(self, key_id: int, now: Micros) -> Changed | NotLive:
        """End a key at the operator's wish."""
        return self._close(self.keys.get(key_id), now)

    def _close(self, key: ListenKey | None, now: Micros) -> Changed | NotLive:
        outcome = keylife.close(key, now)
        ended = outcome.key if isinstance(outcome, Changed) else outcome.ended
        self._end([] if ended is None else [ended])
        return outcome

    def overdue(self, now: Micros) -> set[int]:
        """Keys whose time is up."""
        return {key.id for key in self.active() if keylife.expire(key, now) is not None}

    def expire(self, key_id: int, now: Micros) -> ListenKey:
        """Expire one of the overdue keys."""
        expired = keylife.expire(self.keys[key_id], now)
        assert expired is not None
        self._end([expired])
        return expired

    def grant_grace(self, due_by: Micros, until: Micros, now: Micros) -> int:
        """Let keys live on that a leap of the clock would end."""
        saved = [key for key in self.active() if now < key.expires_at <= due_by]
        for key in saved:
            moved = keylife.move(key, "extend", now, max(key.expires_at, until))
            assert moved is not None
            self.keys[key.id] = moved
        return len(saved)

    def _require(self, api_key_id: str, account_id: int) -> None:
        api_key = self.api_keys.get(api_key_id)
        if api_key is None or api_key.account_id != account_id:
            raise Refusal("unknown_api_key")

    def _asked(self, request: KeyRequest) -> ListenKey | None:
        kind = (request.account_id, request.key_space, request.scope)
        if request.digest is not None:
            named = [key for key in self.keys.values() if key.digest == request.digest]
            return named[0] if named and _kind(named[0]) == kind else None
        keys = [key for key in self.active() if _kind(key) == kind]
        live = [key for key in keys if keylife.is_live(key, request.now)]
        return (live or keys or [None])[-1]

    def _end(self, keys: list[ListenKey], cause: EndCause | None = None) -> list[EndedKey]:
        ended = []
        for key in keys:
            self.keys[key.id] = key
            self.users[key.id] = set()
            ended.append(EndedKey(key, cause or ("expired" if key.state == "expired" else "closed")))
            self.told.append((key.id, ended[-1].cause))
        return ended

    # Journals -------------------------------------------------------------------------------------

    def append(self, submission: Submission, now: Micros) -> tuple[int, int, bool] | str:
        """The number of the epoch, the offset and whether it is repeated; or the code of the refusal."""
        stream = submission.stream
        if stream.account_id not in {account.id for account in self.accounts.values()}:
            return "unknown_account"
        known = self.ids.get((stream, submission.id)) if submission.id is not None else None
        if known is not None:
            number, offset, payload = known
            return (number, offset, True) if payload == submission.payload else "id_conflict"
        epochs = self.journals.setdefault(stream, [Epoch()])
        self.event_time = max(self.event_time, now)
        epochs[-1].events.append((self.event_time, submission.payload, submission.gap))
        number, offset = len(epochs) - 1, len(epochs[-1].events)
        if submission.id is not None:
            self.ids[stream, submission.id] = number, offset, submission.payload
        self.told.append((stream, offset))
        return number, offset, False

    def trim(self, older_than: Micros, max_events: int) -> int:
        """Forget events; how many."""
        forgotten = sum(
            epoch.trim(older_than, max_events) for epochs in self.journals.values() for epoch in epochs
        )
        forgotten += sum(len(epoch.events) - epoch.oldest + 1 for epoch in self.gone)
        self.gone = []
        return forgotten

    def start_new_epochs(self) -> None:
        """History is not continued."""
        for epochs in self.journals.values():
            epochs.append(Epoch())


def _kind(key: ListenKey) -> tuple[int, str, str]:
    return key.account_id, key.key_space, key.scope
