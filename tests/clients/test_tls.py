"""The same life over TLS, with a certificate of one's own, by what the page says about it."""

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients.cast import CAST, Client
from tests.clients.stage import Account, start, whole_life
from tests.support.gateway import Gateway

SHORT = {"binance-connector", "ccxt-bingx", "binance-connector-js"}


def parts() -> Iterator[Any]:
    """A client of each driver on one stream; a few, one for each way of trusting, in `make test`."""
    for client in {client.driver: client for client in reversed(CAST)}.values():
        marks = () if client.name in SHORT else (pytest.mark.every_client,)
        yield pytest.param(client, id=client.name, marks=marks)


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority of one's own and a certificate for loopback: authority, certificate, private key."""
    today = datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of one's own")])
    loopback = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    )

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(authority).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(today - timedelta(hours=1)).not_valid_after(today + timedelta(days=1))

    root = builder(authority, authority_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    leaf = builder(own, key.public_key()).add_extension(loopback, critical=False)
    files = {
        "ca.pem": root.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        "gateway.pem": leaf.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        "gateway.key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "ca.pem", folder / "gateway.pem", folder / "gateway.key"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Path]]:
    """A gateway with TLS, and the authority that its clients are told to trust."""
    authority, certificate, key = certificates(tmp_path_factory.mktemp("tls"))
    args = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with Gateway(limits=None, args=args, ca=authority) as running:
        assert running.venue.startswith("https://")
        yield running, authority


@pytest.mark.parametrize("client", list(parts()))
def test_whole_life_over_tls(client: Client, secure: tuple[Gateway, Path]) -> None:
    gateway, authority = secure
    account = Account(gateway, client.name, ed25519=client.ed25519)
    stream = client.streams[0]
    with start(client, stream, account, gateway.venue, authority=authority) as play:
        whole_life(client, stream, account, play)


def test_a_client_that_was_not_told_to_trust_refuses(secure: tuple[Gateway, Path]) -> None:
    """The certificate does decide: without the page's lines the same client does not connect."""
    gateway, _ = secure
    client = next(each for each in CAST if each.name == "binance-connector")
    account = Account(gateway, "untrusting")
    with start(client, client.streams[0], account, gateway.venue) as play:
        with pytest.raises(AssertionError, match="it ended"):
            play.opened()
        assert "CERTIFICATE_VERIFY_FAILED" in play.talk
