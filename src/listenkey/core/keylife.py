"""The life of a listen key: what create, extend, close, revoke and expiry do to it.

Every change of a key's state is in this file, and only here. The store calls these functions inside its
transaction with what is committed, so that an extension and an expiry can never both win.
"""

from typing import Final, Literal

import msgspec

from listenkey.base.clock import Micros
from listenkey.core.records import KeyState, ListenKey

EndCause = Literal["closed", "expired", "revoked"]
KeyEvent = Literal["extend", "close", "expire", "revoke"]
IssuePolicy = Literal["same_extended", "new_coexists", "new_replaces", "new_evicts_oldest", "refuse_over"]

TRANSITIONS: Final[dict[tuple[KeyState, KeyEvent], KeyState]] = {
    ("active", "extend"): "active",
    ("active", "close"): "closed",
    ("active", "expire"): "expired",
    ("active", "revoke"): "closed",
}
"""Every legal change. What is not here is refused, and changes nothing: a key that ended stays ended."""


class IssueRules(msgspec.Struct, frozen=True):
    """How a key space issues keys."""

    policy: IssuePolicy
    lifetime: Micros
    max_live: int = 0
    per_holder: bool = False
    """Every holder has a key of its own; those of others do not matter."""


class Issued(msgspec.Struct, frozen=True):
    """The answer to a create: the key to hand out, whether it is new, and who ends for it."""

    key: ListenKey
    is_new: bool
    ended: tuple[ListenKey, ...] = ()


class IssueRefused(msgspec.Struct, frozen=True):
    """No key: as many live as the venue allows."""

    ended: tuple[ListenKey, ...] = ()


class Changed(msgspec.Struct, frozen=True):
    """A key after its change."""

    key: ListenKey
    taken_from: str = ""
    """The API key that used it last, where another one extended it now."""


class NotLive(msgspec.Struct, frozen=True):
    """There is no such live key. `ended` is the key whose expiry this very request found."""

    ended: ListenKey | None = None


def is_live(key: ListenKey, now: Micros) -> bool:
    """Valid up to and not including `expires_at`."""
    return key.state == "active" and now < key.expires_at


def move(key: ListenKey, event: KeyEvent, now: Micros, expires_at: Micros | None = None) -> ListenKey | None:
    """The key after the event, or None where the table has no such change."""
    state = TRANSITIONS.get((key.state, event))
    if state is None:
        return None
    if state == "active":
        return msgspec.structs.replace(key, expires_at=key.expires_at if expires_at is None else expires_at)
    return msgspec.structs.replace(key, state=state, ended_at=now)


def _extended(key: ListenKey, now: Micros, expires_at: Micros, user: str) -> ListenKey:
    extended = move(key, "extend", now, expires_at)
    assert extended is not None
    return msgspec.structs.replace(extended, user=user)


def create(live: list[ListenKey], fresh: ListenKey, rules: IssueRules, now: Micros) -> Issued | IssueRefused:
    """Decide a create. `live` holds the active keys of the same account, key space and scope, oldest first;
    `fresh` is the key that would be new. Where holders have keys of their own, only its holder's count. Those
    of `live` whose time is up are ended on the way."""
    expired = tuple(_ended(key, "expire", now) for key in live if not is_live(key, now))
    valid = [key for key in live if is_live(key, now)]
    if rules.per_holder:
        valid = [key for key in valid if key.holder == fresh.holder]
    if rules.policy == "same_extended" and valid:
        kept = _extended(valid[-1], now, now + rules.lifetime, fresh.user)
        return Issued(kept, is_new=False, ended=expired)
    if rules.policy == "refuse_over" and rules.max_live and len(valid) >= rules.max_live:
        return IssueRefused(ended=expired)
    displaced = _displaced(valid, rules)
    ended = (*expired, *(_ended(key, "close", now) for key in displaced))
    return Issued(fresh, is_new=True, ended=ended)


def _displaced(valid: list[ListenKey], rules: IssueRules) -> list[ListenKey]:
    if rules.policy == "new_replaces":
        return valid
    if rules.policy == "new_evicts_oldest" and rules.max_live:
        surplus = len(valid) + 1 - rules.max_live
        return sorted(valid, key=lambda key: (key.expires_at, key.id))[:surplus] if surplus > 0 else []
    return []


def _ended(key: ListenKey, event: KeyEvent, now: Micros) -> ListenKey:
    ended = move(key, event, now)
    assert ended is not None
    return ended


def extend(key: ListenKey | None, lifetime: Micros, now: Micros, user: str = "") -> Changed | NotLive:
    """Decide an extension by an API key. A key whose time is up expires here, and the extension has lost."""
    refused = _not_live(key, now)
    if refused is not None or key is None:
        return refused or NotLive()
    taken_from = key.user if user and user != key.user else ""
    return Changed(_extended(key, now, now + lifetime, user or key.user), taken_from)


def close(key: ListenKey | None, now: Micros) -> Changed | NotLive:
    """Decide a close. A key whose time is up expires here instead."""
    refused = _not_live(key, now)
    if refused is not None or key is None:
        return refused or NotLive()
    return Changed(_ended(key, "close", now))


def _not_live(key: ListenKey | None, now: Micros) -> NotLive | None:
    if key is None or key.state != "active":
        return NotLive()
    return None if is_live(key, now) else NotLive(ended=_ended(key, "expire", now))


def expire(key: ListenKey, now: Micros) -> ListenKey | None:
    """The key as expired, or None while it lives or where it ended otherwise."""
    return None if now < key.expires_at else move(key, "expire", now)


def revoke(key: ListenKey, now: Micros) -> ListenKey | None:
    """The key as closed because whoever held it is gone, or None where it had ended before."""
    return move(key, "revoke", now)
