"""The things that are kept, as plain frozen records. How they are stored is the store's business."""

from typing import Literal

import msgspec

from listenkey.base.clock import Micros

KeyState = Literal["active", "closed", "expired"]
Permission = Literal["read", "trade"]
Scope = Literal["admin", "publish", "read"]


class Account(msgspec.Struct, frozen=True):
    """Somebody whose events are journaled. An account made again under an old name has a new id."""

    id: int
    name: str
    created_at: Micros


class ApiKey(msgspec.Struct, frozen=True):
    """A venue-style API key of an account."""

    id: str
    account_id: int
    account: str
    key: str
    sealed_secret: bytes
    public_key: str
    permissions: tuple[str, ...]
    ip_allow: tuple[str, ...]
    created_at: Micros

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"ApiKey(id={self.id!r}, account={self.account!r}, permissions={self.permissions!r})"


class ListenKey(msgspec.Struct, frozen=True):
    """A listen key. Its string is derived from these fields and the master secret, never stored."""

    id: int
    account_id: int
    account: str
    key_space: str
    scope: str
    """Upper-case symbol of an isolated-margin key, else empty."""
    holder: str
    """Id of the API key that created it."""
    nonce: bytes
    master_version: int
    digest: bytes
    """First 16 bytes of the SHA-256 of the key string: how a string is looked up."""
    state: KeyState
    created_at: Micros
    expires_at: Micros
    """The key is valid up to and not including this moment."""
    ended_at: Micros = 0
    user: str = ""
    """Id of the API key that last created or extended it."""


class StreamId(msgspec.Struct, frozen=True):
    """A journaled stream: whose, and which (`binance-margin-isolated:BTCUSDT`)."""

    account_id: int
    stream: str


class Event(msgspec.Struct, frozen=True):
    """One journaled event, its payload as published; or, in its place, what a source knows of a gap."""

    offset: int
    time: Micros
    payload: bytes
    gap: bool = False
    """Nobody is sent this as an event: it says that events are missing here, and what is known of them."""


class Token(msgspec.Struct, frozen=True):
    """An admin token; only its digest is kept."""

    id: str
    scope: Scope
    digest: bytes
    created_at: Micros


class Ban(msgspec.Struct, frozen=True):
    """A bucket that is shut out. `strikes` says how often by now, and so how long; `code` is the error code
    that opened a breaker, else 0."""

    id: str
    bucket: str
    dialect: str
    since: Micros
    until: Micros
    strikes: int
    code: int = 0
