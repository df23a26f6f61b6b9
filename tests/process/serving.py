"""What several of these tests need: starts that must fail, certificates, sockets of every kind."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import ClientConnection, connect

from tests.support.gateway import Gateway

_T = TypeVar("_T")
PATIENCE = 30.0
FREE = "127.0.0.1:0"


def wait_for(what: Callable[[], _T], seconds: float = PATIENCE) -> _T:
    """Ask again and again until the answer is true; it is returned."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.02)
    return answer


# Commands ---------------------------------------------------------------------------------------------


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without settings of the program, and with those that are given."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LISTENKEY_")}
    return own | dict(given or {})


def listenkey(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    preexec: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "listenkey", *arguments],
        env=environment(env),
        cwd=cwd,
        preexec_fn=preexec,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def refused_start(
    data: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    preexec: Callable[[], None] | None = None,
) -> str:
    """A `serve` that must not start: exit status 1, nothing on standard output, and one line, which is
    returned, that says why and what to do."""
    places: Sequence[str] = () if "--listen" in arguments else ("--listen", FREE)
    admin: Sequence[str] = () if "--admin" in arguments else ("--admin", FREE)
    given = ("serve", *places, *admin, "--data", str(data), *arguments)
    ended = listenkey(*given, env=env, preexec=preexec)
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("listenkey: "), lines
    assert "; " in lines[0], f"no remedy: {lines[0]}"
    return lines[0]


def exit_status(gateway: Gateway) -> int:
    """The exit status of a gateway that is about to end by itself."""
    assert gateway.process is not None
    gateway.process.wait(10)
    return gateway.kill()


_PR_CAPBSET_DROP = 24
_CAPABILITIES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def obey_modes() -> None:
    """For a child process: files' modes hold for it even where it runs as root."""
    library = ctypes.CDLL(None, use_errno=True)
    for capability in _CAPABILITIES:
        library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


# Certificates -----------------------------------------------------------------------------------------


def write_certificate(folder: Path, serial: int) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key, into `cert.pem` and `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


# Venue calls and sockets ------------------------------------------------------------------------------


def usdm(gateway: Gateway, method: str, api_key: str) -> httpx.Response:
    """A listen-key call of Binance USD-M."""
    # Without TLS there is nothing to verify, and the system's certificates take longer to load than the call.
    url, headers = f"{gateway.venue}/fapi/v1/listenKey", {"X-MBX-APIKEY": api_key}
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=60, verify=False)


def create_usdm(gateway: Gateway, api_key: str) -> str:
    """A listen key of Binance USD-M."""
    response = usdm(gateway, "POST", api_key)
    assert response.status_code == httpx.codes.OK, response.text
    key: str = response.json()["listenKey"]
    return key


def order(number: int, **more: Any) -> dict[str, Any]:
    """An event to publish."""
    return {"e": "ORDER_TRADE_UPDATE", "E": 1_700_000_000_000, "n": number, **more}


@contextmanager
def venue_socket(gateway: Gateway, path: str) -> Iterator[ClientConnection]:
    """A venue's WebSocket."""
    with connect(gateway.venue_ws + path, compression=None, proxy=None, ping_interval=None) as socket:
        yield socket


@contextmanager
def native_socket(gateway: Gateway, query: str, credential: str = "") -> Iterator[ClientConnection]:
    """The native stream on a WebSocket."""
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    url = f"{gateway.venue_ws}/lk/v1/stream?{query}"
    with connect(url, additional_headers=headers, compression=None, proxy=None, ping_interval=None) as socket:
        yield socket


class Receiving(Protocol):
    """A socket that can be read from."""

    def recv(self, timeout: float) -> Any:
        """The next message."""
        ...


def receive(socket: Receiving, timeout: float = PATIENCE) -> Any:
    """The next message, decoded."""
    return json.loads(socket.recv(timeout))


def receive_until(socket: Receiving, last: Callable[[Any], bool]) -> list[Any]:
    """Messages up to and with the one that is meant."""
    messages = [receive(socket)]
    while not last(messages[-1]):
        messages.append(receive(socket))
    return messages


class Events:
    """The native stream as server-sent events, read one by one: (id, event, data)."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = self._split(response)

    @staticmethod
    def _split(response: httpx.Response) -> Iterator[str]:
        """The lines, which end as the standard of server-sent events says, and not as Python thinks."""
        kept = b""
        for piece in response.iter_bytes():
            *lines, kept = (kept + piece).split(b"\n")
            yield from (line.decode() for line in lines)

    def next(self) -> tuple[str | None, str, Any]:
        """The next one."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return fields.get("id"), fields["event"], json.loads(fields["data"])
            assert "\r" not in line
            name, _, value = line.partition(": ")
            fields[name] = f"{fields['data']}\n{value}" if name == "data" and "data" in fields else value
        raise EOFError

    def rest(self) -> list[tuple[str | None, str, Any]]:
        """All that comes until the end."""
        found = []
        while True:
            try:
                found.append(self.next())
            except EOFError:
                return found


@contextmanager
def native_events(
    gateway: Gateway, query: str, credential: str = "", last_event_id: str = ""
) -> Iterator[Events]:
    """The native stream as server-sent events."""
    headers = {"Accept": "text/event-stream"}
    if credential:
        headers["Authorization"] = f"Bearer {credential}"
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    with (
        httpx.Client(trust_env=False, verify=False, timeout=PATIENCE) as http,
        http.stream("GET", f"{gateway.venue}/lk/v1/stream?{query}", headers=headers) as response,
    ):
        if response.status_code == httpx.codes.OK:
            assert response.headers["content-type"].startswith("text/event-stream")
        else:
            response.read()
        yield Events(response)
