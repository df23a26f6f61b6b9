"""Records and requests to try a store with."""

from listenkey.base.clock import HOUR, Micros
from listenkey.core.keylife import IssuePolicy, IssueRules
from listenkey.core.records import Account, ApiKey, ListenKey
from listenkey.store.base import KeyRequest, NewKey

LIFETIME: Micros = HOUR
START: Micros = 500_000 * HOUR


def api_key(account: Account, name: str) -> ApiKey:
    """An API key of an account."""
    return ApiKey(
        id=f"id-{name}",
        account_id=account.id,
        account=account.name,
        key=f"key-{name}",
        sealed_secret=b"sealed " + name.encode(),
        public_key="",
        permissions=("read", "trade"),
        ip_allow=("10.0.0.0/8", "::1/128"),
        created_at=START,
    )


def listen_key(
    number: int,
    holder: ApiKey,
    now: Micros,
    *,
    key_space: str = "space",
    scope: str = "",
    lifetime: Micros = LIFETIME,
) -> ListenKey:
    """A key that would be new."""
    return ListenKey(
        id=number,
        account_id=holder.account_id,
        account=holder.account,
        key_space=key_space,
        scope=scope,
        holder=holder.id,
        nonce=number.to_bytes(16, "little"),
        master_version=1,
        digest=number.to_bytes(16, "big"),
        state="active",
        created_at=now,
        expires_at=now + lifetime,
    )


def new_key(
    fresh: ListenKey,
    now: Micros,
    policy: IssuePolicy = "same_extended",
    max_live: int = 0,
    by: str | None = None,
) -> NewKey:
    """A create of `fresh` by its holder, or by another API key of the account."""
    rules = IssueRules(policy, fresh.expires_at - now, max_live)
    return NewKey(fresh, rules, fresh.holder if by is None else by, now)


def key_request(
    key: ListenKey, now: Micros, *, by: str | None = None, named: bool = True, lifetime: Micros = LIFETIME
) -> KeyRequest:
    """An extend or close of `key`, or of the newest key of its kind where it is not named."""
    return KeyRequest(
        account_id=key.account_id,
        key_space=key.key_space,
        scope=key.scope,
        digest=key.digest if named else None,
        lifetime=lifetime,
        api_key_id=key.holder if by is None else by,
        now=now,
    )
