"""The master secret and what hangs on it: key strings, sealed API secrets, digests.

A key string is derived, never stored: HKDF from the master secret over the key's identity and a nonce kept
in its row (RFC 5869), sampled without bias into the venue's alphabet. API secrets are sealed with an AEAD
under a subkey of their own, bound to the API key's id.
"""

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from listenkey.base.errors import SecretError
from listenkey.config.check import SHORTEST_SECRET
from listenkey.core.records import ListenKey

MASTER_VERSION: Final = 1
_NONCE_BYTES: Final = 12


def digest_of(text: str) -> bytes:
    """First 16 bytes of the SHA-256 of a key string or token: what is stored in its place."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:16]


def load_master_secret(given: str, file: str, folder: Path, *, make: bool) -> bytes:
    """The master secret: as given, from the named file, else from the data folder's own file.

    `make`: a missing file of the folder's own is made; only right for a store that nobody has used yet.
    Errors: `SecretError` where a file is missing, cannot be read or holds too little.
    """
    if given:
        return _check_length(given.encode(), "LISTENKEY_MASTER_SECRET")
    path = Path(file) if file else folder / "master-secret"
    if make and not file and not path.exists():
        _write_private(path, secrets.token_hex(32))
    try:
        return _check_length(path.read_bytes().strip(), str(path))
    except OSError as error:
        remedy = "put it there, or give it by LISTENKEY_MASTER_SECRET or LISTENKEY_MASTER_SECRET_FILE"
        raise SecretError(f"cannot read the master secret: {error}", remedy) from error


def _check_length(secret: bytes, source: str) -> bytes:
    if len(secret) < SHORTEST_SECRET:
        raise SecretError(
            f"the master secret of {source} has fewer than {SHORTEST_SECRET} characters", "give a longer one"
        )
    return secret


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


class Vault:
    """Everything that needs the master secret."""

    def __init__(self, master_secret: bytes) -> None:
        self._key_root = _subkey(master_secret, b"listen-key strings")
        self._sealing = ChaCha20Poly1305(_subkey(master_secret, b"api secrets"))
        self._tokens = ChaCha20Poly1305(_subkey(master_secret, b"listen tokens"))
        self._check = _subkey(master_secret, b"check value")

    @property
    def check_value(self) -> bytes:
        """What the store keeps to tell a wrong master secret from the right one."""
        return self._check

    def verify(self, check_value: bytes) -> None:
        """Raise `SecretError` unless the value was made with this master secret."""
        if not hmac.compare_digest(check_value, self._check):
            raise SecretError(
                "the master secret is not the one this store was made with",
                "give the right one by LISTENKEY_MASTER_SECRET, LISTENKEY_MASTER_SECRET_FILE or its file",
            )

    def key_string(self, key: ListenKey, alphabet: str, length: int) -> str:
        """The string of a listen key, the same each time."""
        identity = b"".join(
            len(part).to_bytes(4, "big") + part
            for part in (
                str(key.id).encode(),
                str(key.account_id).encode(),
                key.key_space.encode(),
                key.scope.encode(),
                key.holder.encode(),
                key.nonce,
                str(key.master_version).encode(),
            )
        )
        return _sample(self._key_root, identity, alphabet, length)

    def seal(self, secret: str, api_key_id: str) -> bytes:
        """An API secret as it is stored."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._sealing.encrypt(nonce, secret.encode(), api_key_id.encode())

    def unseal(self, sealed: bytes, api_key_id: str) -> bytes:
        """An API secret. Errors: `SecretError` where it was sealed for another API key or by another master
        secret."""
        try:
            return self._sealing.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], api_key_id.encode())
        except (InvalidTag, ValueError) as error:
            raise SecretError("an API secret cannot be opened", "check the master secret") from error

    def wrap_token(self, claims: bytes) -> bytes:
        """What a listen token says, so that nobody else can read or make one."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._tokens.encrypt(nonce, claims, None)

    def unwrap_token(self, token: bytes) -> bytes | None:
        """What a listen token says; None where it is none of ours."""
        try:
            return self._tokens.decrypt(token[:_NONCE_BYTES], token[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            return None


def _subkey(master_secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"listenkey v1", info=purpose).derive(master_secret)


def _sample(root: bytes, identity: bytes, alphabet: str, length: int) -> str:
    letter_of, unfair = _letters(alphabet)
    wanted = length * 256 // (256 - len(unfair)) + 24
    letters = b""
    block = 0
    while len(letters) < length:
        info = identity + block.to_bytes(4, "big")
        stream = HKDFExpand(algorithm=SHA256(), length=wanted, info=info).derive(root)
        letters += stream.translate(letter_of, unfair)
        block += 1
    return letters[:length].decode("ascii")


@lru_cache(maxsize=64)
def _letters(alphabet: str) -> tuple[bytes, bytes]:
    """The letter of each byte, and the bytes that have none, so that each letter has as many."""
    fair = 256 - 256 % len(alphabet)
    letter_of = bytes(ord(alphabet[byte % len(alphabet)]) for byte in range(256))
    return letter_of, bytes(range(fair, 256))
