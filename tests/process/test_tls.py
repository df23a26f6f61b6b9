"""TLS with a certificate of one's own, and its replacement while the gateway runs."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.process.serving import (
    create_usdm,
    order,
    receive,
    receive_until,
    refused_start,
    wait_for,
    write_certificate,
)
from tests.support.gateway import Gateway


def shown_serial(url: str) -> int:
    """The serial number of the certificate that a new connection is shown."""
    place = httpx.URL(url)
    pem = ssl.get_server_certificate((place.host, place.port or 443))
    return certificate_serial(pem.encode())


def certificate_serial(pem: bytes) -> int:
    """The serial number of a certificate."""
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem).serial_number


def served(folder: Path) -> Gateway:
    """A gateway with a certificate in `folder`, of serial number 1001."""
    cert, key = write_certificate(folder, 1001)
    return Gateway(folder / "data", args=["--tls-cert", str(cert), "--tls-key", str(key)], ca=cert)


class TlsSocket:
    """A socket over TLS. The library's own without a loop reads and writes in two threads, which OpenSSL
    takes amiss now and then."""

    def __init__(self, url: str, trust: ssl.SSLContext, **headers: str) -> None:
        self._runner = asyncio.Runner()
        self._dial = connect(url, ssl=trust, additional_headers=headers, proxy=None, open_timeout=60)

    def __enter__(self) -> Self:
        self._socket = self._runner.run(self._open())
        return self

    async def _open(self) -> Any:
        return await self._dial

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._socket.close())
        self._runner.close()

    def recv(self, timeout: float) -> Any:
        """The next message."""
        return self._runner.run(asyncio.wait_for(self._socket.recv(), timeout))


def test_everything_works_over_tls(tmp_path: Path) -> None:
    """The ready line says https, and calls, sockets, publish and the admin listener all speak it."""
    with served(tmp_path) as gateway:
        assert gateway.venue.startswith("https://127.0.0.1:")
        assert gateway.admin.startswith("https://127.0.0.1:")
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        with httpx.Client(verify=trust, trust_env=False, timeout=60, headers={"X-MBX-APIKEY": key}) as http:
            listen_key = http.post(f"{gateway.venue}/fapi/v1/listenKey").json()["listenKey"]
            with (
                TlsSocket(f"{gateway.venue_ws}/ws/{listen_key}", trust) as venue,
                TlsSocket(
                    f"{gateway.venue_ws}/lk/v1/stream?stream=binance-usdm&listenKey={listen_key}", trust
                ) as native,
            ):
                gateway.publish("alice", "binance-usdm", [order(1)])
                assert receive(venue) == order(1)
                assert receive_until(native, lambda m: "event" in m)[-1]["event"] == order(1)


def test_idle_connections_do_not_hold_up_the_end(tmp_path: Path) -> None:
    """A caller that keeps its connection for later has none of the time that a drain may take."""
    with served(tmp_path) as gateway:
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        with httpx.Client(verify=trust, trust_env=False, timeout=60) as idle:
            assert idle.get(f"{gateway.venue}/fapi/v1/ping").json() == {}
            assert idle.get(f"{gateway.admin}/health/live").status_code == 200
            asked = time.monotonic()
            gateway.stop()
            assert time.monotonic() - asked < 7  # a drain may take eight


def test_plain_http_is_not_answered_on_a_tls_listener(tmp_path: Path) -> None:
    """A client that forgot TLS sends its API key to nobody who answers."""
    with served(tmp_path) as gateway, pytest.raises(httpx.TransportError):
        httpx.get("http" + gateway.venue.removeprefix("https"), trust_env=False, timeout=60)


def test_sighup_serves_the_new_certificate(tmp_path: Path) -> None:
    """A renewed certificate is shown to new connections on both listeners; those that are open stay."""
    with served(tmp_path) as gateway:
        assert {shown_serial(gateway.venue), shown_serial(gateway.admin)} == {1001}
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        url = f"{gateway.venue_ws}/lk/v1/stream?stream=binance-usdm"
        with TlsSocket(url, trust, Authorization=f"Bearer {key}") as open_before:
            write_certificate(tmp_path, 1002)
            assert shown_serial(gateway.venue) == 1001, "nobody said to read it yet"
            os.kill(gateway.pid, signal.SIGHUP)
            wait_for(lambda: shown_serial(gateway.venue) == 1002)
            assert shown_serial(gateway.admin) == 1002
            gateway.publish("alice", "binance-usdm", [order(1)])
            assert receive_until(open_before, lambda m: "event" in m)[-1]["event"] == order(1)


def test_broken_certificate_on_sighup_changes_nothing(tmp_path: Path) -> None:
    """A half-written renewal leaves the old certificate in force, and says so; a whole one then works."""
    with served(tmp_path) as gateway:
        pid = gateway.pid
        for number, broken in enumerate((b"", b"-----BEGIN CERTIFICATE-----\nhalf"), 1):
            (tmp_path / "cert.pem").write_bytes(broken)
            os.kill(pid, signal.SIGHUP)
            wait_for(partial(has_told, gateway, "certificate_not_reloaded", number))
            assert shown_serial(gateway.venue) == 1001
        write_certificate(tmp_path, 1003)
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: shown_serial(gateway.venue) == 1003)
        assert gateway.pid == pid


def has_told(gateway: Gateway, event: str, times: int) -> bool:
    """Whether the log has so many lines of it."""
    return gateway.stderr.count(event) == times


def test_sighup_without_tls_is_harmless(tmp_path: Path) -> None:
    """A reload that finds nothing to reload does not end the process, which an unhandled SIGHUP would."""
    with Gateway(tmp_path / "data") as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        os.kill(gateway.pid, signal.SIGHUP)
        assert create_usdm(gateway, key)


def test_unusable_certificate_is_refused_at_the_start(tmp_path: Path) -> None:
    """A file that is missing, or a key of another certificate, ends the start with the file's name."""
    cert, key = write_certificate(tmp_path, 1001)
    gone = str(tmp_path / "gone.pem")
    assert "gone.pem" in refused_start(tmp_path / "data", "--tls-cert", gone, "--tls-key", str(key))
    (tmp_path / "other").mkdir()
    _, other = write_certificate(tmp_path / "other", 1001)
    assert str(cert) in refused_start(tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(other))
    assert "tls" in refused_start(tmp_path / "data", "--tls-cert", str(cert))
