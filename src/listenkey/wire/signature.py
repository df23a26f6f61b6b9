"""Signatures of requests: HMAC-SHA256 by a shared secret, Ed25519 and RSA by a public key."""

import binascii
import hmac
from base64 import b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from listenkey.dialect.model import Dialect
from listenkey.wire.messages import Fault, Signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


def check_signature(dialect: Dialect, signed: Signed, secret: bytes, public_key: str) -> Fault | None:
    """None where the signature is right, else `signature_wrong`. With a public key (PEM) only that counts."""
    wrong = Fault("signature_wrong", {"parameter": dialect.auth.signature_parameter})
    if public_key:
        right = [_verify(public_key, payload, signed.signature) for payload in signed.payloads]
        return None if any(right) else wrong
    offered = signed.signature.lower().encode()
    right = [hmac.compare_digest(_mac(secret, payload), offered) for payload in signed.payloads]
    return None if secret and any(right) else wrong


def is_public_key(pem: str) -> bool:
    """Whether this is a PEM public key of a kind that signatures can be checked with."""
    return _load(pem) is not None


def kind_of_key(pem: str) -> Literal["hmac", "rsa", "ed25519"]:
    """How requests with an API key are signed: by a shared secret where it has no public key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not pem:
        return "hmac"
    return "ed25519" if isinstance(_load(pem), Ed25519PublicKey) else "rsa"


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, payload, "sha256").hex().encode()


@lru_cache(maxsize=1024)
def _load(pem: str) -> "Ed25519PublicKey | RSAPublicKey | None":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey | RSAPublicKey) else None


def _verify(pem: str, payload: bytes, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _load(pem)
    if key is None:
        return False
    try:
        # A `+` that the client did not percent-encode has become a space on the way.
        offered = b64decode(signature.replace(" ", "+"), validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(offered, payload)
        else:
            key.verify(offered, payload, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
