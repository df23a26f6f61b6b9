"""Listen tokens: short-lived strings that subscribe to one stream of one account on a WebSocket API.

A token carries its own sealed claims, so that none has to be stored: it outlives restarts, and it is worth
nothing once the API key that asked for it is revoked.
"""

import binascii
from base64 import b64decode, b64encode

import msgspec

from listenkey.base.clock import Micros
from listenkey.core.access import address_allowed
from listenkey.core.records import ApiKey, StreamId
from listenkey.service.credentials import Credentials
from listenkey.service.vault import Vault

_LONGEST = 1024


class _Claims(msgspec.Struct, frozen=True, array_like=True):
    key: str
    api_key_id: str
    account_id: int
    stream: str
    expires_at: Micros


_decode = msgspec.msgpack.Decoder(_Claims).decode
_encode = msgspec.msgpack.Encoder().encode


class Grant(msgspec.Struct, frozen=True):
    """What a good token is good for."""

    api_key: ApiKey
    stream: StreamId
    expires_at: Micros


class ListenTokens:
    """Makes tokens and tells what they are good for."""

    def __init__(self, vault: Vault, credentials: Credentials) -> None:
        self._vault = vault
        self._credentials = credentials

    def mint(self, api_key: ApiKey, stream: str, expires_at: Micros) -> str:
        """A token, in base64: it may hold `+` and `/`, as the venue's own."""
        claims = _Claims(api_key.key, api_key.id, api_key.account_id, stream, expires_at)
        return b64encode(self._vault.wrap_token(_encode(claims))).decode()

    def read(self, token: str, address: str, now: Micros) -> Grant | None:
        """What a token is good for here and now."""
        if len(token) > _LONGEST:
            return None
        try:
            # A `+` that was not percent-encoded on its way has become a blank.
            opened = self._vault.unwrap_token(b64decode(token.replace(" ", "+"), validate=True))
        except (binascii.Error, ValueError):
            return None
        if opened is None:
            return None
        claims = _decode(opened)
        api_key = self._credentials.find(claims.key)
        if api_key is None or api_key.id != claims.api_key_id or now >= claims.expires_at:
            return None
        if not address_allowed(address, api_key.ip_allow):
            return None
        return Grant(api_key, StreamId(claims.account_id, claims.stream), claims.expires_at)
