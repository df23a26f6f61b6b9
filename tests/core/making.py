"""Records to test with."""

from listenkey.base.clock import HOUR, Micros
from listenkey.core.records import ApiKey, KeyState, ListenKey

LIFETIME: Micros = HOUR
BORN: Micros = 1_000 * HOUR


def listen_key(
    number: int = 1,
    *,
    state: KeyState = "active",
    created_at: Micros = BORN,
    expires_at: Micros | None = None,
    holder: str = "holder",
) -> ListenKey:
    """A key that was just made, or as told."""
    return ListenKey(
        id=number,
        account_id=7,
        account="alice",
        key_space="binance-usdm",
        scope="",
        holder=holder,
        nonce=b"n" * 16,
        master_version=1,
        digest=number.to_bytes(16, "big"),
        state=state,
        created_at=created_at,
        expires_at=created_at + LIFETIME if expires_at is None else expires_at,
        ended_at=0 if state == "active" else created_at + 1,
        user=holder,
    )


def api_key(name: str = "one", *, ip_allow: tuple[str, ...] = ()) -> ApiKey:
    """An API key that may read."""
    return ApiKey(
        id=name,
        account_id=7,
        account="alice",
        key=f"key-of-{name}",
        sealed_secret=b"",
        public_key="",
        permissions=("read",),
        ip_allow=ip_allow,
        created_at=BORN,
    )
