"""API keys as callers show them: a bounded memory in front of the store, secrets opened when needed."""

from collections import OrderedDict

import msgspec

from listenkey.core.access import address_allowed
from listenkey.core.records import ApiKey
from listenkey.service.vault import Vault
from listenkey.store.base import Store
from listenkey.wire.messages import Fault

_REMEMBERED = 10_000


class _Remembered(msgspec.Struct):
    api_key: ApiKey
    secret: bytes | None = None


class Credentials:
    """Finds API keys and their secrets. `forget` has to be called when one is revoked."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()

    def find(self, key: str) -> ApiKey | None:
        """The API key, if there is one."""
        found = self._remembered.get(key)
        if found is not None:
            return found.api_key
        api_key = self._store.find_api_key(key)
        if api_key is None:
            return None
        self._remembered[key] = _Remembered(api_key)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return api_key

    def secret(self, api_key: ApiKey) -> bytes:
        """The secret of an API key; empty where nobody here knows it, which makes no signature right."""
        if not api_key.sealed_secret:
            return b""
        found = self._remembered.get(api_key.key)
        if found is not None and found.secret is not None and found.api_key.id == api_key.id:
            return found.secret
        secret = self._vault.unseal(api_key.sealed_secret, api_key.id)
        if found is not None:
            found.secret = secret
        return secret

    def forget(self) -> None:
        """Drop what is remembered; the store knows."""
        self._remembered.clear()


def is_unproven(api_key: ApiKey) -> bool:
    """Whether an API key is a venue's own that is accepted here: nothing is known to check its signatures
    with."""
    return not api_key.sealed_secret and not api_key.public_key


def refusal(api_key: ApiKey | None, address: str) -> Fault | None:
    """Why an API key may not be used to read, from this address; None where it may."""
    if api_key is None:
        return Fault("api_key_unknown", {})
    if not address_allowed(address, api_key.ip_allow):
        return Fault("ip_not_allowed", {})
    if "read" not in api_key.permissions:
        return Fault("permission_denied", {})
    return None
