"""Listen keys: create, extend, close, and their expiry on time."""

import asyncio
import os
from asyncio import Future
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
import structlog

from listenkey.base.clock import SECOND, Micros
from listenkey.base.errors import Refused, StoreError
from listenkey.core.clock import GRACE, Jump
from listenkey.core.consumer import ConsumerId
from listenkey.core.keylife import IssueRefused, IssueRules, NotLive
from listenkey.core.records import ApiKey, ListenKey
from listenkey.dialect.model import Dialect
from listenkey.service.clock import ServiceClock
from listenkey.service.consumers import Consumers
from listenkey.service.metrics import Metrics
from listenkey.service.names import StreamNames
from listenkey.service.vault import MASTER_VERSION, Vault, digest_of
from listenkey.store.base import KeyRequest, NewKey, Store

ClosePolicy = Literal["holder", "venue"]
"""What closing a shared key does: it ends the caller's own string, or the key of all."""
_NONCE_BYTES = 16
_EXPIRY_BATCH = 500
_GRACE_BATCH = 5000
_ALL = 2**62
_LONGEST_NAP: Micros = SECOND
_log = structlog.get_logger(__name__)


class Held(msgspec.Struct, frozen=True):
    """A live key with its string."""

    key: ListenKey
    string: str

    def __repr__(self) -> str:
        """Without the string, which is secret."""
        return f"Held(key={self.key!r})"


class Keys:
    """The life of listen keys, as venues' callers and administrators drive it."""

    def __init__(
        self,
        store: Store,
        clock: ServiceClock,
        vault: Vault,
        dialects: dict[str, Dialect],
        metrics: Metrics,
        names: StreamNames,
        consumers: Consumers,
        close: Mapping[str, ClosePolicy],
    ) -> None:
        """`close`: by dialect, what closing a shared key does; `holder` where it is not said."""
        self._store = store
        self._clock = clock
        self._vault = vault
        self._dialects = dialects
        self._metrics = metrics
        self._names = names
        self._consumers = consumers
        self._close = close
        self._last_id = store.read_last_key_id()
        clock.when_jumped(self.give_grace)

    def _held(self, key: ListenKey) -> Held:
        space = self._dialects[key.key_space].key_space
        return Held(key, self._vault.key_string(key, space.alphabet, space.length))

    def _per_holder(self, dialect: Dialect) -> bool:
        """Whether each holder has a key string of its own, where the venue gives an account one key."""
        shared = dialect.key_space.issue == "same_extended"
        return shared and self._close.get(dialect.name, "holder") == "holder"

    def _readers(self, dialect: Dialect, scope: str, api_key: ApiKey, address: str) -> tuple[ConsumerId, ...]:
        return self._consumers.ids_of(
            api_key.account_id, self._names.of_space(dialect, scope), api_key.id, address
        )

    async def create(
        self, dialect: Dialect, scope: str, api_key: ApiKey, now: Micros, address: str = ""
    ) -> Held | None:
        """A key for the caller, who is at `address`, new or as the issue policy says; None where as many live
        as may."""
        space = dialect.key_space
        lifetime = space.lifetime_s * SECOND
        self._last_id += 1
        blank = ListenKey(
            id=self._last_id,
            account_id=api_key.account_id,
            account=api_key.account,
            key_space=dialect.name,
            scope=scope,
            holder=api_key.id,
            nonce=os.urandom(_NONCE_BYTES),
            master_version=MASTER_VERSION,
            digest=b"",
            state="active",
            created_at=now,
            expires_at=now + lifetime,
            user=api_key.id,
        )
        string = self._vault.key_string(blank, space.alphabet, space.length)
        fresh = msgspec.structs.replace(blank, digest=digest_of(string))
        rules = IssueRules(space.issue, lifetime, space.max_live, self._per_holder(dialect))
        readers = self._readers(dialect, scope, api_key, address)
        outcome = await self._store.create_key(NewKey(fresh, rules, api_key.id, now, readers))
        if isinstance(outcome, IssueRefused):
            return None
        return Held(outcome.key, string) if outcome.is_new else self._held(outcome.key)

    def _request(
        self,
        dialect: Dialect,
        scope: str,
        string: str | None,
        api_key: ApiKey,
        now: Micros,
        address: str = "",
    ) -> KeyRequest | None:
        """What to ask of the store; None where a plain look already shows that there is no such key."""
        digest = None if string is None else digest_of(string)
        holder = api_key.id if self._per_holder(dialect) else ""
        if digest is not None:
            key = self._store.find_key(digest)
            if key is None or key.state != "active" or key.account_id != api_key.account_id:
                return None
        lifetime = dialect.key_space.lifetime_s * SECOND
        readers = self._readers(dialect, scope, api_key, address)
        account_id, space = api_key.account_id, dialect.name
        return KeyRequest(account_id, space, scope, digest, lifetime, api_key.id, now, holder, readers)

    async def extend(
        self,
        dialect: Dialect,
        scope: str,
        string: str | None,
        api_key: ApiKey,
        now: Micros,
        address: str = "",
    ) -> Held | None:
        """The key with its new `expires_at`; None where no such key lives. Without `string`, the caller's
        own."""
        request = self._request(dialect, scope, string, api_key, now, address)
        if request is None:
            return None
        outcome = await self._store.extend_key(request)
        if isinstance(outcome, NotLive):
            return None
        return self._held(outcome.key) if string is None else Held(outcome.key, string)

    async def close(
        self, dialect: Dialect, scope: str, string: str | None, api_key: ApiKey, now: Micros
    ) -> Held | None:
        """The key as closed; None where no such key lives. When this returns, its sockets have been told."""
        request = self._request(dialect, scope, string, api_key, now)
        if request is None:
            return None
        outcome = await self._store.close_key(request)
        return None if isinstance(outcome, NotLive) else Held(outcome.key, string or "")

    async def close_by_id(self, key_id: str) -> ListenKey:
        """Close a key for an administrator. Errors: `Refused("unknown_listen_key")`."""
        number = int(key_id) if key_id.isascii() and key_id.isdigit() and len(key_id) < 19 else 0
        outcome = await self._store.close_key_by_id(number, self._clock.now())
        if isinstance(outcome, NotLive):
            raise Refused(
                "no such live listen key", "list the keys to see their ids", code="unknown_listen_key"
            )
        return outcome.key

    # Expiry ----------------------------------------------------------------------------------------

    async def expire_due(self) -> int:
        """Expire every key whose time is up; how many."""
        total = 0
        while True:
            ended = await self._store.expire_keys(self._clock.now(), _EXPIRY_BATCH)
            total += len(ended)
            if len(ended) < _EXPIRY_BATCH:
                return total

    async def keep_expiring(self) -> None:
        """Expire keys as their time comes, until cancelled. A failing store is tried again."""
        while True:
            try:
                now = self._clock.now()
                due = self._store.read_next_expiry()
                if due is not None and due <= now:
                    await self.expire_due()
                    continue
                wait = _LONGEST_NAP if due is None else min(due - now, _LONGEST_NAP)
            except StoreError as error:
                _log.error("expiry_failed", error=error.message)
                wait = _LONGEST_NAP
            except Exception:  # noqa: BLE001 - whatever it was, other keys are to expire on time
                _log.exception("expiry_failed")
                wait = _LONGEST_NAP
            await asyncio.sleep(wait / SECOND)

    async def give_grace(self, jump: Jump, follow: Callable[[], None]) -> None:
        """The wall clock leapt ahead: keys that it would expire live a minute more, on record."""
        moved, part = 0, _GRACE_BATCH
        while part == _GRACE_BATCH:  # not all at once, so that others have their turns between
            part = await self._grant_grace(jump, _GRACE_BATCH)
            moved += part
        follow()
        # Keys that were made meanwhile carry the time before the leap. Nothing submitted from here on does.
        moved += await self._grant_grace(jump, _ALL)
        self._metrics.clock_jumps += 1
        _log.warning("clock_jumped", seconds=(jump.after - jump.before) // SECOND, keys_given_grace=moved)

    def _grant_grace(self, jump: Jump, limit: int) -> "Future[int]":
        return self._store.grant_grace(jump.after, jump.after + GRACE, jump.before, limit)
