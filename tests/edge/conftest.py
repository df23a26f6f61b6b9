from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import structlog
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from listenkey.config import Tls
from tests.edge.gate import Gate


def pytest_asyncio_loop_factories(config, item):
    """The loop that the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True, scope="session")
def quiet_log():
    """Log lines are made as the program makes them, and go nowhere: pictures of tracebacks would take
    seconds."""
    processors = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(processors=processors, logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture
async def gate(tmp_path):
    """A gateway with its defaults."""
    async with Gate(tmp_path / "data") as gate:
        yield gate


@pytest.fixture
def make_gate(tmp_path):
    """Makes a gateway with settings of one's own, to be entered."""
    return lambda **settings: Gate(tmp_path / "data", **settings)


@pytest.fixture
def make_certificate(tmp_path):
    """Makes self-signed certificates for loopback."""

    def make(name):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        addresses = [x509.IPAddress(ip_address(text)) for text in ("127.0.0.1", "::1")]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .sign(key, hashes.SHA256())
        )
        files = Tls(cert=str(tmp_path / f"{name}.pem"), key=str(tmp_path / f"{name}.key"))
        Path(files.cert).write_bytes(certificate.public_bytes(Encoding.PEM))
        Path(files.key).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    return make


@pytest.fixture
def certificate(make_certificate):
    """A certificate and its key."""
    return make_certificate("listener")
