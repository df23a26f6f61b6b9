import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from listenkey.wire.messages import Fault, Request, Signed
from listenkey.wire.parameters import payloads, read_parameters
from listenkey.wire.signature import check_signature, is_public_key
from tests.wire.asking import DIALECTS

SPOT, BINGX = DIALECTS["binance-spot"], DIALECTS["bingx"]
BINANCE_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
USDM_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
BINGX_SECRET = "UuGuyEGt6ZEkpUObCYCmIfh0elYsZVh80jlYwpJuRZEw70t6vomMH7Sjmf94ztSI"
ORDER = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
REST = "&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
NON_ASCII = (
    "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC"
)
LISTEN_KEY = "a8ea75681542e66f1a50a1616dd06ed77dab61baa0c296bca03a9b13ee5f2dd7"

VECTORS = [
    (
        "binance-spot",
        BINANCE_SECRET,
        ORDER + REST,
        "",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        "binance-spot",
        BINANCE_SECRET,
        ORDER,
        REST[1:],
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
    (
        "binance-spot",
        BINANCE_SECRET,
        "",
        ORDER + REST,
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        "binance-spot",
        BINANCE_SECRET,
        NON_ASCII + REST,
        "",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        "binance-usdm",
        USDM_SECRET,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943",
        "",
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    ),
    ("binance-usdm", "YtP1BudNOWZE1ag5uzCkh4hIC7qSmQOu797r5EJBFGhxBYivjj8HIX0iiiPof5yG", "", "", ""),
    (
        "bingx",
        BINGX_SECRET,
        "quoteOrderQty=20&side=BUY&symbol=ETHUSDT&timestamp=1649404670162&type=MARKET",
        "",
        "428a3c383bde514baff0d10d3c20e5adfaacaf799e324546dafe5ccc480dd827",
    ),
    (
        "bingx",
        BINGX_SECRET,
        "quoteOrderQty=20&side=BUY&symbol=ETHUSDT",
        "timestamp=1649404670162&type=MARKET",
        "94e0b4925060a615e1e372d4c929015d4b59d3c89067dc0beeafcfb33a6d8d10",
    ),
    (
        "bingx",
        BINGX_SECRET,
        "timestamp=1649404670162",
        "",
        "b91e2addf56a619e0bdfc6147ff02b90d22c2ac0ab531e5006e9edbfa2d70bb4",
    ),
    (
        "bingx",
        BINGX_SECRET,
        "recvWindow=5000&timestamp=1649404670162",
        "",
        "fba768a1685ed235b0d8a3e348947c0b5d0be4cc2cf972ab147148c041792714",
    ),
    (
        "bingx",
        BINGX_SECRET,
        "timestamp=1649404670162&recvWindow=5000",
        "",
        "fba768a1685ed235b0d8a3e348947c0b5d0be4cc2cf972ab147148c041792714",
    ),
    (
        "bingx",
        BINGX_SECRET,
        f"listenKey={LISTEN_KEY}&timestamp=1649404670162",
        "",
        "d6bcc8a6a4e8b67d80b4d43654fb4b7c8f3e859b545745609e38a765f79f3041",
    ),
]
VECTORS = [row for row in VECTORS if row[4]]


def check(name: str, secret: str, query: str, body: str, signature: str) -> Fault | None:
    dialect = DIALECTS[name]
    request = Request("POST", "/", f"{query}&signature={signature}".encode(), {}, body.encode())
    offered = payloads(dialect.auth, request, read_parameters(request))
    return check_signature(dialect, Signed(offered, signature, 0, 0), secret.encode(), "")


@pytest.mark.parametrize("name, secret, query, body, signature", VECTORS)
def test_published_vectors(name: str, secret: str, query: str, body: str, signature: str) -> None:
    """The venues' own examples verify, and fail with one digit changed or another secret."""
    assert check(name, secret, query, body, signature) is None
    wrong = Fault("signature_wrong", {"parameter": "signature"})
    changed = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    assert check(name, secret, query, body, changed) == wrong
    assert check(name, secret + "x", query, body, signature) == wrong
    assert check(name, "", query, body, signature) == wrong


PAYLOAD = b"timestamp=1499827319559"


def pem(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
SIGNATURES = {
    pem(ED25519): ED25519.sign(PAYLOAD),
    pem(RSA): RSA.sign(PAYLOAD, padding.PKCS1v15(), hashes.SHA256()),
}


@pytest.mark.parametrize("public_key", list(SIGNATURES))
def test_public_key_signatures(public_key: str) -> None:
    """Ed25519 and RSA signatures in base 64 verify, also where a `+` became a space; nothing else does."""
    good = base64.b64encode(SIGNATURES[public_key]).decode()

    def verdict(signature: str, payload: bytes = PAYLOAD) -> Fault | None:
        return check_signature(SPOT, Signed((b"x", payload), signature, 0, 0), b"", public_key)

    assert verdict(good) is None
    assert verdict(good.replace("+", " ")) is None
    wrong = Fault("signature_wrong", {"parameter": "signature"})
    assert verdict(good, b"timestamp=1") == wrong
    for bad in ("", "00", "é", "not base 64!", good[:-8]):
        assert verdict(bad) == wrong


def test_secret_does_not_stand_in_for_a_public_key() -> None:
    """With a public key on record an HMAC by the secret counts for nothing."""
    signed = Signed((PAYLOAD,), "b91e2addf56a619e0bdfc6147ff02b90d22c2ac0ab531e5006e9edbfa2d70bb4", 0, 0)
    assert check_signature(SPOT, signed, BINGX_SECRET.encode(), pem(ED25519)) is not None


@pytest.mark.parametrize(
    "public_key", ["", "nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_public_key_that_is_none(public_key: str) -> None:
    """What is no public key is told apart, and never verifies anything."""
    assert not is_public_key(public_key)
    assert check_signature(SPOT, Signed((PAYLOAD,), "AA==", 0, 0), b"", public_key) is not None


def test_public_key_of_another_kind() -> None:
    """A kind of key that no venue takes is refused when it is given, not when it is used."""
    assert not is_public_key(pem(ec.generate_private_key(ec.SECP256R1())))
    assert is_public_key(pem(ED25519))
