"""Who may call how often: rate buckets, penalties, bans and the error breaker of every dialect.

Under `account`, what a venue counts by address is counted by address and API key, so that bots behind one
address do not shut each other out; callers without a known API key share their address's bucket.
"""

import asyncio
import contextlib
import os
from asyncio import Future
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec
import structlog

from listenkey.base.clock import DAY, MILLISECOND, SECOND, Micros, to_millis
from listenkey.base.errors import StoreError
from listenkey.base.ids import encode
from listenkey.core.penalty import BanRules, RecentCounter, ban_length, earns_ban, next_strike
from listenkey.core.quota import Quota, Rule, Window, charge, give_back, has_room
from listenkey.core.records import ApiKey, Ban
from listenkey.dialect.model import Bans, Dialect, FailureKind, Limit
from listenkey.service.metrics import Metrics
from listenkey.store.base import Reservation, Store
from listenkey.wire.rest import Fault

Mode = Literal["account", "venue", "off"]
_BANS_KEPT = 30 * DAY
"""How long a past ban makes the next one longer, at most."""
_log = structlog.get_logger(__name__)


class Caller(msgspec.Struct, frozen=True):
    """An API key, as far as limits go."""

    id: str
    account_id: int


class Call(msgspec.Struct, frozen=True):
    """What is counted: which call, by whom, from where."""

    dialect: Dialect
    name: str
    """Method and path: the bucket of limits that are per operation."""
    pools: tuple[str, ...]
    weight: int
    address: str
    api_key: ApiKey | Caller | None
    opens: Literal["", "stream", "api"] = ""
    """What kind of connection this is an attempt to open. A stream's host has bans of its own."""


class Verdict(msgspec.Struct, frozen=True):
    """Admitted where `fault` is None. `headers` go on the answer either way; `durable` has to be
    awaited before an answer that no commit of its own backs."""

    fault: Fault | None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    durable: "tuple[Future[None], ...]" = ()
    used: tuple[tuple[Limit, int], ...] = ()
    """How full each bucket is that the call counts in."""
    charged: "tuple[_Bucket, ...]" = ()
    """Where the call was counted."""


class Opening(msgspec.Struct, frozen=True):
    """An attempt to connect that was admitted, and when."""

    attempt: Call
    verdict: Verdict
    at: Micros


class _Bucket(msgspec.Struct):
    name: str
    limit: Limit
    rule: Rule
    window: Window
    cost: int


class Limiter:
    """The judge. Windows live in memory; blocks of them and all bans are in the store."""

    def __init__(self, store: Store, metrics: Metrics, mode: Mode) -> None:
        self._store = store
        self._metrics = metrics
        self._mode = mode
        self._quota = Quota()
        self._bans: dict[str, Ban] = {}
        self._errors: dict[tuple[str, int], RecentCounter] = {}
        self._pending: dict[str, Future[None]] = {}
        self.when_address_banned: Callable[[Dialect, str], None] = lambda dialect, address: None
        """Called where a whole address is shut out of a product's calls; whoever has its sockets sets it."""

    def load(self, now: Micros) -> None:
        """Take over what an earlier process counted and whom it banned."""
        for held in self._store.read_reservations(now):
            self._quota.restore(held.bucket, held.window_start, held.window_end, held.used)
        self._bans = {ban.bucket: ban for ban in self._store.read_bans()}

    # Admission -------------------------------------------------------------------------------------

    def admit(self, call: Call, now: Micros) -> Verdict:
        """Count a call, or say why not."""
        if self._mode == "off":
            return Verdict(None, _headers_without_limits(call), used=_used_without_limits(call))
        shut = self._shut_out(call, now)
        if shut is not None:
            return shut
        buckets = self._buckets(call, now)
        for bucket in buckets:
            if not has_room(bucket.window, bucket.rule, bucket.cost):
                return self._overflow(call, bucket, now)
        for bucket in buckets:
            if charge(bucket.window, bucket.rule, bucket.cost):
                self._reserve(bucket, now)
        durable = self._durable(*(bucket.name for bucket in buckets))
        return Verdict(None, _headers(buckets), durable, _used(buckets), tuple(buckets))

    def claim(self, opening: "Opening", api_key: ApiKey, now: Micros) -> Verdict:
        """A connection turns out to be an API key's: where keys are counted apart, it counts there as far as
        its windows are still open, and no more against those at its address who showed none."""
        attempt = opening.attempt
        if not self._is_anonymous(attempt):
            return Verdict(None)
        for bucket in opening.verdict.charged:
            give_back(bucket.window, bucket.cost)
        limits = (each for each in attempt.dialect.limits.buckets if each.name in attempt.pools)
        pools = tuple(each.name for each in limits if _rule(each).start_of(now) <= opening.at)
        return self.admit(msgspec.structs.replace(attempt, pools=pools, api_key=api_key), now)

    def _is_anonymous(self, call: Call) -> bool:
        """Whether this is a connection of which will only show later whose it is."""
        return bool(call.opens) and call.api_key is None and self._mode == "account"

    def place_of(self, address: str, api_key: ApiKey | Caller | None) -> str | None:
        """Whose open sockets are counted together where the venue counts those of an address; None where
        nobody counts."""
        return None if self._mode == "off" else self._origin(address, api_key)

    def _buckets(self, call: Call, now: Micros) -> list[_Bucket]:
        return [bucket for limit in call.dialect.limits.buckets if (bucket := self._bucket(call, limit, now))]

    def _bucket(self, call: Call, limit: Limit, now: Micros) -> _Bucket | None:
        if limit.name not in call.pools:
            return None
        if limit.counts != "connections" and self._is_anonymous(call):
            return None  # what others ask without a key must not keep a bot from connecting
        who = self._who(call, limit)
        if who is None:
            return None
        name = f"{call.dialect.name}|{limit.name}|{who}"
        if limit.per == "operation":
            name = f"{name}|{call.name}"
        rule = _rule(limit)
        cost = call.weight if limit.counts == "weight" else 1
        return _Bucket(name, limit, rule, self._quota.window(name, rule, now), cost)

    def _who(self, call: Call, limit: Limit) -> str | None:
        if limit.dimension == "uid":
            return f"uid:{call.api_key.account_id}" if call.api_key else None
        return self._origin(call.address, call.api_key)

    def _origin(self, address: str, api_key: ApiKey | Caller | None) -> str:
        if self._mode == "venue" or api_key is None:
            return f"ip:{address}"
        return f"ip:{address}:{api_key.id}"

    def _ban_name(self, call: Call) -> str:
        """As `lift` reads it: what follows `|ban|` names the buckets whose refusals led to the ban."""
        apart = "|connections" if call.opens == "stream" else ""
        return f"{call.dialect.name}|ban|{self._origin(call.address, call.api_key)}{apart}"

    def _reserve(self, bucket: _Bucket, now: Micros) -> None:
        window = bucket.window
        future = self._store.reserve(
            [Reservation(bucket.name, window.start, window.end, window.reserved)], now
        )
        self._watch(bucket.name, future)
        future.add_done_callback(lambda done: self._reserved(window, done))

    @staticmethod
    def _reserved(window: Window, done: "Future[None]") -> None:
        if not done.cancelled() and done.exception() is not None:
            window.reserved = 0  # so that the next call tries again

    def _watch(self, name: str, future: "Future[None]") -> None:
        self._pending[name] = future
        future.add_done_callback(lambda done: self._saved(name, done))

    def _saved(self, name: str, done: "Future[None]") -> None:
        if self._pending.get(name) is done:
            del self._pending[name]
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.error("limit_not_persisted", error=str(error))

    def _durable(self, *names: str) -> "tuple[Future[None], ...]":
        """What of these buckets, or of bans on them, is on its way to the store."""
        return tuple(self._pending[name] for name in names if name in self._pending)

    # Refusal ---------------------------------------------------------------------------------------

    def _shut_out(self, call: Call, now: Micros) -> Verdict | None:
        ban = self._current_ban(self._ban_name(call), now)
        if ban is not None and not self._is_anonymous(call):
            return self._refuse_banned(call, ban, now)
        for name in self._penalty_names(call):
            penalty = self._current_ban(name, now)
            if penalty is not None:
                fault = _fault("endpoint_disabled", now, until_ms=to_millis(penalty.until))
                return self._refuse(fault, None, penalty.until, now, self._durable(name))
        return self._breaker_open(call, now)

    def _refuse_banned(self, call: Call, ban: Ban, now: Micros) -> Verdict:
        """As at the venue, who is shut out is told what it used as well."""
        fault = _fault("banned", now, until_ms=to_millis(ban.until))
        verdict = self._refuse(fault, _limit_of_bans(call), ban.until, now, self._durable(ban.bucket))
        buckets = self._buckets(call, now)
        return Verdict(fault, (*verdict.headers, *_headers(buckets)), verdict.durable, _used(buckets))

    def _current_ban(self, name: str, now: Micros) -> Ban | None:
        ban = self._bans.get(name)
        return ban if ban is not None and now < ban.until else None

    def _penalty_names(self, call: Call) -> list[str]:
        names = []
        for limit in call.dialect.limits.buckets:
            if limit.penalty_ms and limit.name in call.pools and (who := self._who(call, limit)) is not None:
                scope = f"|{call.name}" if limit.per == "operation" else ""
                names.append(f"{call.dialect.name}|penalty|{limit.name}|{who}{scope}")
        return names

    def _overflow(self, call: Call, bucket: _Bucket, now: Micros) -> Verdict:
        limit, window = bucket.limit, bucket.window
        window.refused += 1
        penalty = bucket.name.replace(f"|{limit.name}|", f"|penalty|{limit.name}|", 1)
        if limit.penalty_ms:
            self._put_ban(penalty, call.dialect.name, now, now + limit.penalty_ms * MILLISECOND, 1)
        bans = call.dialect.limits.bans
        if bans is not None and not self._is_anonymous(call):
            rules = _ban_rules(bans)
            if earns_ban(window.refused, rules):
                return self._ban(call, rules, now)
        fault = _fault(
            limit.failure,
            now,
            limit=limit.limit,
            interval=limit.interval_name,
            until_ms=to_millis(window.end),
        )
        verdict = self._refuse(fault, limit, window.end, now)
        headers = (*verdict.headers, *_headers([bucket]))
        return Verdict(verdict.fault, headers, self._durable(penalty), _used([bucket]))

    def _ban(self, call: Call, rules: BanRules, now: Micros) -> Verdict:
        name = self._ban_name(call)
        last = self._bans.get(name)
        strikes = 1 if last is None else next_strike(last.strikes, last.until, now, rules)
        until = now + ban_length(strikes, rules)
        self._put_ban(name, call.dialect.name, now, until, strikes)
        _log.warning(
            "banned", dialect=call.dialect.name, address=call.address, seconds=(until - now) // SECOND
        )
        if self._mode == "venue" and call.opens != "stream":
            self.when_address_banned(call.dialect, call.address)
        return self._refuse_banned(call, self._bans[name], now)

    def _put_ban(
        self, bucket: str, dialect: str, now: Micros, until: Micros, strikes: int, code: int = 0
    ) -> None:
        last = self._bans.get(bucket)
        # One record a bucket: the next ban takes the place of the last.
        ban_id = encode(os.urandom(8)) if last is None else last.id
        ban = self._bans[bucket] = Ban(ban_id, bucket, dialect, now, until, strikes, code)
        self._watch(bucket, self._store.put_ban(ban, now))

    def _refuse(
        self,
        fault: Fault,
        limit: Limit | None,
        until: Micros,
        now: Micros,
        durable: "tuple[Future[None], ...]" = (),
    ) -> Verdict:
        self._metrics.refused_by_limit[fault.kind] += 1
        if limit is None or not limit.retry_after:
            return Verdict(fault, (), durable)
        seconds = max(1, -(-(until - now) // SECOND))
        return Verdict(fault, ((b"Retry-After", b"%d" % seconds),), durable)

    # Error breaker ---------------------------------------------------------------------------------

    def _breaker_open(self, call: Call, now: Micros) -> Verdict | None:
        if call.dialect.limits.breaker is None or call.api_key is None:
            return None
        ban = self._current_ban(_breaker_name(call, call.api_key), now)
        if ban is None:
            return None
        fault = self._breaker_fault(call, ban.code, ban.until, now)
        return self._refuse(fault, None, ban.until, now, self._durable(ban.bucket))

    def count_error(self, call: Call, code: int | None, now: Micros) -> Verdict | None:
        """Count an error answer; the refusal that takes its place where it was one too many."""
        breaker = call.dialect.limits.breaker
        if self._mode == "off" or breaker is None or code is None or call.api_key is None:
            return None
        if code in breaker.never_counts:
            return None
        name = _breaker_name(call, call.api_key)
        counter = self._errors.setdefault((name, code), RecentCounter(breaker.window_ms * MILLISECOND))
        if counter.count(now) <= breaker.more_than:
            return None
        counter.clear()
        until = now + breaker.penalty_ms * MILLISECOND
        self._put_ban(name, call.dialect.name, now, until, 1, code)
        fault = self._breaker_fault(call, code, until, now)
        return self._refuse(fault, None, until, now, self._durable(name))

    def _breaker_fault(self, call: Call, code: int, until: Micros, now: Micros) -> Fault:
        breaker = call.dialect.limits.breaker
        assert breaker is not None
        return _fault(
            "error_breaker",
            now,
            count=breaker.more_than,
            code=code,
            window_ms=breaker.window_ms,
            until_ms=to_millis(until),
        )

    # Upkeep and administration ---------------------------------------------------------------------

    def sweep(self, now: Micros) -> None:
        """Forget windows, error counts and bans that are over and cannot matter any more."""
        self._quota.forget(now)
        self._errors = {key: counter for key, counter in self._errors.items() if not counter.is_over(now)}
        self._bans = {bucket: ban for bucket, ban in self._bans.items() if now < ban.until + _BANS_KEPT}

    def bans(self, now: Micros) -> list[Ban]:
        """Everybody who is shut out now."""
        return sorted((ban for ban in self._bans.values() if now < ban.until), key=lambda ban: ban.id)

    async def lift(self, ban_id: str, now: Micros) -> Ban:
        """Let somebody in again, with a clean sheet."""
        ban = await self._store.lift_ban(ban_id, now)
        self._bans.pop(ban.bucket, None)
        # Else the next call that finds its window full would be one too many once more.
        _, _, origin = ban.bucket.partition("|ban|")
        if origin:
            self._quota.forgive(ban.dialect, *origin.split("|"))
        return ban


def _limit_of_bans(call: Call) -> Limit | None:
    """The bucket whose headers a ban's answer carries."""
    return next((limit for limit in call.dialect.limits.buckets if limit.retry_after), None)


def _breaker_name(call: Call, api_key: ApiKey | Caller) -> str:
    return f"{call.dialect.name}|breaker|uid:{api_key.account_id}|{call.name}"


def _fault(kind: FailureKind, now: Micros, **fields: object) -> Fault:
    return Fault(kind, {"now_ms": to_millis(now), **fields})


def _rule(limit: Limit) -> Rule:
    return Rule(limit.limit, limit.window_ms * MILLISECOND, limit.aligned)


def _ban_rules(bans: Bans) -> BanRules:
    return BanRules(
        bans.after_refused,
        bans.first_s * SECOND,
        bans.longest_s * SECOND,
        bans.factor,
        bans.forget_s * SECOND,
    )


def _headers(buckets: list[_Bucket]) -> tuple[tuple[bytes, bytes], ...]:
    headers: list[tuple[bytes, bytes]] = []
    for bucket in buckets:
        limit, window = bucket.limit, bucket.window
        headers.extend((name.encode(), b"%d" % window.used) for name in limit.used_headers)
        left = max(0, limit.limit - window.used)
        headers.extend((name.encode(), b"%d" % left) for name in limit.remaining_headers)
        headers.extend((name.encode(), b"%d" % to_millis(window.end)) for name in limit.reset_headers)
    return tuple(headers)


def _used(buckets: list[_Bucket]) -> tuple[tuple[Limit, int], ...]:
    return tuple((bucket.limit, bucket.window.used) for bucket in buckets)


def _used_without_limits(call: Call) -> tuple[tuple[Limit, int], ...]:
    return tuple((limit, call.weight) for limit in call.dialect.limits.buckets if limit.name in call.pools)


def _headers_without_limits(call: Call) -> tuple[tuple[bytes, bytes], ...]:
    """Clients read these headers whether or not anybody counts."""
    return tuple(
        (name.encode(), b"%d" % call.weight)
        for limit in call.dialect.limits.buckets
        if limit.name in call.pools
        for name in limit.used_headers
    )


async def settle(durable: "Iterable[Future[None]]") -> None:
    """Wait for blocks and bans to be durable; a full disk does not keep callers out."""
    for future in durable:
        with contextlib.suppress(StoreError):
            await asyncio.shield(future)
