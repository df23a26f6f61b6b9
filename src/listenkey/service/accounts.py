"""Accounts, their API keys, and admin tokens."""

import hmac
import os
import secrets

import msgspec

from listenkey.base.errors import Refused
from listenkey.base.ids import check_account_name, check_api_key, encode
from listenkey.core.access import check_allow_list
from listenkey.core.records import Account, ApiKey, Scope, Token
from listenkey.service.clock import ServiceClock
from listenkey.service.credentials import Credentials
from listenkey.service.publish import Publisher
from listenkey.service.streams import Streams
from listenkey.service.vault import Vault, digest_of
from listenkey.store.base import Store
from listenkey.wire.signature import is_public_key

DEMO_ACCOUNT = "demo"
_PERMISSIONS = frozenset({"read", "trade"})
_SCOPES: dict[Scope, frozenset[Scope]] = {
    "admin": frozenset({"admin", "publish", "read"}),
    "publish": frozenset({"publish"}),
    "read": frozenset({"read"}),
}


class NewApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an API key is to be; what is left out is made up. Nothing else is let pass: a misspelt `ip_allow`
    would let everybody in."""

    permissions: tuple[str, ...] = ("read",)
    ip_allow: tuple[str, ...] = ()
    key: str | None = None
    secret: str | None = None
    public_key: str | None = None

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"NewApiKey(permissions={self.permissions!r}, ip_allow={self.ip_allow!r})"


class ShownOnce(msgspec.Struct, frozen=True):
    """A new credential, shown this once."""

    id: str
    key: str
    secret: str | None = None

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"ShownOnce(id={self.id!r})"


class Accounts:
    """Whose streams there are, and which API keys may open them."""

    def __init__(
        self,
        store: Store,
        clock: ServiceClock,
        vault: Vault,
        credentials: Credentials,
        streams: Streams,
        publisher: Publisher,
        *,
        demo: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._credentials = credentials
        self._streams = streams
        self._publisher = publisher
        self._demo = demo

    async def add(self, name: str) -> Account:
        """Make an account. Errors: `bad_name`, `account_exists`, and `demo` is for `serve --demo`."""
        check_account_name(name)
        if name == DEMO_ACCOUNT and not self._demo:
            raise Refused("the account demo is for serve --demo", "choose another name", code="bad_name")
        return await self._store.add_account(name, self._clock.now())

    async def add_missing(self, *names: str) -> None:
        """Make those of the accounts that are not there, in the order of their names. Errors: as `add`."""
        for name in sorted(set(names)):
            if self._store.find_account(name) is None:
                await self.add(name)

    async def remove(self, name: str) -> None:
        """Remove an account with all it has. Its keys are closed and its sockets ended when this returns."""
        account = self._store.find_account(name)
        api_keys = self._store.read_api_keys(name, "", 2**31) if account else []
        await self._store.remove_account(name, self._clock.now())
        self._publisher.forget()
        self._credentials.forget()
        if account is not None:
            self._streams.api_keys_revoked([api_key.id for api_key in api_keys], account.id)
            self._streams.account_removed(account.id)

    def page(self, after: str, limit: int) -> list[Account]:
        """Accounts in the order of their names."""
        return self._store.read_accounts(after, limit)

    def _owner(self, account: str) -> Account:
        owner = self._store.find_account(account)
        if owner is None:
            raise Refused(f"there is no account {account}", "add it first", code="unknown_account")
        return owner

    async def add_api_key(self, account: str, wanted: NewApiKey) -> ShownOnce:
        """Make an API key. Errors: `unknown_account`, `api_key_exists`, `bad_…`."""
        owner = self._owner(account)
        unknown = set(wanted.permissions) - _PERMISSIONS
        if unknown:
            raise Refused(
                f"no such permission: {', '.join(sorted(unknown))}",
                "permissions are read and trade",
                code="bad_permission",
            )
        if wanted.public_key is not None and not is_public_key(wanted.public_key):
            raise Refused(
                "the public key is not a PEM of an Ed25519 or RSA key",
                "write it with `openssl pkey -pubout`",
                code="bad_public_key",
            )
        if wanted.secret == "":
            raise Refused("the secret is empty", "leave it out to have one made", code="bad_secret")
        key = check_api_key(wanted.key) if wanted.key is not None else encode(os.urandom(40))
        secret = wanted.secret or ("" if wanted.public_key else secrets.token_hex(32))
        api_key_id = encode(os.urandom(8))
        await self._keep_api_key(owner, wanted, key, api_key_id, self._vault.seal(secret, api_key_id))
        return ShownOnce(api_key_id, key, secret or None)

    async def add_accepted_key(self, account: str, key: str) -> None:
        """Make a venue's own API key good here, without a secret. Errors: as `add_api_key`."""
        owner = self._owner(account)
        await self._keep_api_key(owner, NewApiKey(), check_api_key(key), encode(os.urandom(8)), b"")

    async def _keep_api_key(
        self, owner: Account, wanted: NewApiKey, key: str, api_key_id: str, sealed_secret: bytes
    ) -> None:
        api_key = ApiKey(
            id=api_key_id,
            account_id=owner.id,
            account=owner.name,
            key=key,
            sealed_secret=sealed_secret,
            public_key=wanted.public_key or "",
            permissions=tuple(dict.fromkeys(wanted.permissions)),
            ip_allow=check_allow_list(wanted.ip_allow),
            created_at=self._clock.now(),
        )
        await self._store.add_api_key(api_key, api_key.created_at)

    async def revoke_api_key(self, api_key_id: str) -> None:
        """Take an API key away. Its listen keys are closed and its sockets ended when this returns."""
        account_id = await self._store.revoke_api_key(api_key_id, self._clock.now())
        self._credentials.forget()
        self._streams.api_keys_revoked([api_key_id], account_id)

    def api_keys(self, account: str | None, after: str, limit: int) -> list[ApiKey]:
        """API keys in the order of their ids."""
        return self._store.read_api_keys(account, after, limit)


class Tokens:
    """Admin tokens and what each may do. Only digests are kept."""

    def __init__(self, store: Store, clock: ServiceClock) -> None:
        self._store = store
        self._clock = clock
        self._tokens = {token.id: token for token in store.read_tokens()}

    async def add(self, scope: Scope) -> ShownOnce:
        """Make a token."""
        return await self.keep(scope, secrets.token_urlsafe(32))

    async def keep(self, scope: Scope, text: str) -> ShownOnce:
        """Make a token of a given text, unless it is there."""
        known = self.find(text)
        if known is not None:
            return ShownOnce(known.id, text)
        token = Token(encode(os.urandom(8)), scope, digest_of(text), self._clock.now())
        await self._store.add_token(token, token.created_at)
        self._tokens[token.id] = token
        return ShownOnce(token.id, text)

    def find(self, text: str) -> Token | None:
        """The token of this text; every stored one is compared, in constant time."""
        digest = digest_of(text)
        found = None
        for token in self._tokens.values():
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def allows(self, text: str, scope: Scope) -> bool:
        """Whether a bearer of this text may do what needs `scope`."""
        token = self.find(text)
        return token is not None and scope in _SCOPES[token.scope]

    async def revoke(self, token_id: str) -> None:
        """Take a token away. Errors: `unknown_token`."""
        await self._store.revoke_token(token_id, self._clock.now())
        self._tokens.pop(token_id, None)

    def all(self) -> list[Token]:
        """All tokens, without their texts."""
        return sorted(self._tokens.values(), key=lambda token: token.id)
