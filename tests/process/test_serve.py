"""How `serve` starts, refuses to start, and ends, as its operator sees it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from tests.process.serving import (
    FREE,
    PATIENCE,
    create_usdm,
    exit_status,
    listenkey,
    native_events,
    native_socket,
    obey_modes,
    order,
    receive,
    receive_until,
    refused_start,
    usdm,
    venue_socket,
    wait_for,
)
from tests.support.gateway import Gateway, GatewayError

ADDRESS = r"http://127\.0\.0\.1:[1-9][0-9]*"


def used_folder(folder: Path) -> Path:
    """A data folder that was served for a while and has something in it."""
    with Gateway(folder / "data") as gateway:
        gateway.add_account("alice")
        gateway.publish("alice", "binance-usdm", [order(n, fill="x" * 200) for n in range(2000)])
    return folder / "data"


# The ready line ---------------------------------------------------------------------------------------


def test_ready_line_is_the_whole_output(tmp_path: Path) -> None:
    """Scripts read one line, in its exact form, and may connect to what it says at once."""
    gateway = Gateway(tmp_path / "data")
    process = subprocess.Popen(
        gateway.command(), env=gateway.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            match = re.fullmatch(f"listenkey ready venue=({ADDRESS}) admin=({ADDRESS})\n", line)
            assert match, line
            assert httpx.get(f"{match[1]}/fapi/v1/ping", trust_env=False, timeout=60).json() == {}
            assert httpx.get(f"{match[2]}/health/ready", trust_env=False, timeout=60).status_code == 200
        finally:
            process.terminate()
        assert process.stdout.read() == ""
        assert process.wait(10) == 0


def test_several_listeners(tmp_path: Path) -> None:
    """Each `--listen` is served, in the order of the line, and one that names a stream serves that one."""
    places = [FREE, f"{FREE}=bingx-coinm", f"{FREE}=binance-margin"]
    with Gateway(tmp_path / "data", listen=places) as gateway:
        assert len(set(gateway.venues)) == 3
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        root, coinm, margin = gateway.venues
        headers = {"X-BX-APIKEY": key, "X-MBX-APIKEY": key}
        with httpx.Client(headers=headers, trust_env=False, timeout=60) as http:
            listen_key = http.post(f"{coinm}/openApi/user/auth/userDataStream").json()["listenKey"]
            assert http.post(f"{margin}/sapi/v1/userDataStream").status_code == 200
            assert http.post(f"{margin}/openApi/user/auth/userDataStream").status_code == 404
            for url in (root, coinm):
                assert http.post(f"{url}/openApi/user/auth/userDataStream").status_code == 200
        gateway.venues = [coinm]
        with venue_socket(gateway, f"/market?listenKey={listen_key}"):
            listed = gateway.admin_items("/v1/connections")
            assert [each["stream"] for each in listed[0]["subscriptions"]] == ["bingx-coinm"]


def test_address_in_use_is_refused(tmp_path: Path) -> None:
    """Whoever starts a second gateway on one address is told which address that is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert address in refused_start(tmp_path / "data", "--listen", address)
        assert address in refused_start(tmp_path / "data", "--admin", address)


def test_admin_beyond_loopback_wants_tls(tmp_path: Path) -> None:
    """The admin listener is not opened to a network in the clear by accident."""
    assert "tls.cert" in refused_start(tmp_path / "data", "--admin", "0.0.0.0:0")


def test_unknown_setting_is_refused(tmp_path: Path) -> None:
    """A misspelt setting is an error and not a default."""
    file = tmp_path / "listenkey.toml"
    file.write_text("[journal]\nretension_days = 3\n")
    assert "retension_days" in refused_start(tmp_path / "data", "--config", str(file))


# The data folder --------------------------------------------------------------------------------------


def test_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    """Two processes never share a store; the second names the first, which goes on unharmed."""
    with Gateway(tmp_path / "data") as gateway:
        assert str(gateway.pid) in refused_start(gateway.data)
        assert gateway.admin_call("GET", "/v1/accounts").status_code == 200


def test_folder_is_private(tmp_path: Path) -> None:
    """Nobody but its owner can read the data folder or anything in it, least of all the admin token."""
    with Gateway(tmp_path / "deep" / "data") as gateway:
        gateway.add_account("alice")
        assert stat.S_IMODE((gateway.data / "admin-token").stat().st_mode) == 0o600
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in gateway.data.iterdir()}
        assert stat.S_IMODE(gateway.data.stat().st_mode) == 0o700
        assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}


def test_admin_token_is_kept(tmp_path: Path) -> None:
    """The admin token is made once; a restart leaves it and what it opens as they are."""
    with Gateway(tmp_path / "data") as gateway:
        first = gateway.token
        gateway.restart()
        assert gateway.token == first
        assert gateway.admin_call("GET", "/v1/accounts").status_code == 200


def test_empty_admin_token_opens_nothing(tmp_path: Path) -> None:
    """A first start that was cut short leaves an empty file, which is no token: one is made in its place."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "admin-token").touch(mode=0o600)
    with Gateway(data) as gateway:
        nothing = httpx.get(f"{gateway.admin}/v1/tokens", headers={"Authorization": "Bearer"}, timeout=60)
        assert nothing.status_code == 401
        assert httpx.post(f"{gateway.admin}/login", data={}, timeout=60).status_code == 401
        assert gateway.admin_call("GET", "/v1/tokens").status_code == 200
        assert stat.S_IMODE((data / "admin-token").stat().st_mode) == 0o600


def test_wrong_master_secret_is_refused(tmp_path: Path) -> None:
    """With another master secret nothing starts: keys would come out as other strings."""
    right, wrong = {"LISTENKEY_MASTER_SECRET": "a" * 32}, {"LISTENKEY_MASTER_SECRET": "b" * 32}
    with Gateway(tmp_path / "data", env=right) as gateway:
        gateway.add_account("alice")
    assert "master secret" in refused_start(tmp_path / "data", env=wrong)
    assert "master secret" in refused_start(tmp_path / "data")
    assert not (tmp_path / "data" / "master-secret").exists(), "a new secret next to an old store misleads"
    with Gateway(tmp_path / "data", env=right) as gateway:
        assert [account["name"] for account in gateway.admin_items("/v1/accounts")] == ["alice"]


def test_lost_or_poor_master_secret_is_refused(tmp_path: Path) -> None:
    """A data folder whose own secret is gone, and a secret that anybody could guess, are no start."""
    data = used_folder(tmp_path)
    (data / "master-secret").rename(tmp_path / "kept")
    assert "master secret" in refused_start(data)
    shutil.move(tmp_path / "kept", data / "master-secret")
    with Gateway(data) as gateway:
        assert gateway.admin_items("/v1/accounts")
    told = refused_start(tmp_path / "other", env={"LISTENKEY_MASTER_SECRET": "short"})
    assert "master_secret: has fewer than 16 characters" in told
    missing = {"LISTENKEY_MASTER_SECRET_FILE": str(tmp_path / "nothing")}
    assert "nothing" in refused_start(tmp_path / "other", env=missing)


def test_key_strings_hang_on_the_secret_file(tmp_path: Path) -> None:
    """A secret in a file of its own works over restarts: the same key comes again as the same string."""
    file = tmp_path / "secret"
    file.write_text("c" * 40 + "\n")
    with Gateway(tmp_path / "data", env={"LISTENKEY_MASTER_SECRET_FILE": str(file)}) as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        listen_key = create_usdm(gateway, key)
        gateway.restart()
        assert create_usdm(gateway, key) == listen_key


def test_read_only_folder_is_refused(tmp_path: Path) -> None:
    """A folder that cannot be written is said to be that, whether it is there or would have to be made."""
    data = used_folder(tmp_path)
    data.chmod(0o500)
    tmp_path.chmod(0o500)
    try:
        assert str(data) in refused_start(data, preexec=obey_modes)
        assert "other" in refused_start(tmp_path / "other", preexec=obey_modes)
    finally:
        tmp_path.chmod(0o700)
        data.chmod(0o700)


def test_read_only_store_is_refused(tmp_path: Path) -> None:
    """A store file that cannot be written is not opened to be half-used."""
    store = store_file(used_folder(tmp_path))
    store.chmod(0o400)
    assert str(store) in refused_start(store.parent, preexec=obey_modes)


def test_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """A data folder that is a file is named."""
    (tmp_path / "data").write_text("not a folder")
    assert str(tmp_path / "data") in refused_start(tmp_path / "data")


def store_file(data: Path) -> Path:
    """The store of a data folder."""
    (found,) = [file for file in data.iterdir() if file.read_bytes()[:15] == b"SQLite format 3"]
    return found


def test_foreign_store_is_refused(tmp_path: Path) -> None:
    """A file that is not ours is left alone: a text, another program's database, one of a newer version."""
    store = store_file(used_folder(tmp_path))
    ours = store.read_bytes()

    store.write_text("these are the accounts of last year\n" * 100)
    before = store.read_bytes()
    assert str(store) in refused_start(store.parent)
    assert store.read_bytes() == before

    store.unlink()
    with sqlite3.connect(store) as other:
        other.execute("CREATE TABLE invoices(number INTEGER)")
    other.close()
    before = store.read_bytes()
    assert str(store) in refused_start(store.parent)
    assert store.read_bytes() == before

    store.write_bytes(ours)
    with sqlite3.connect(store) as newer:
        newer.execute("PRAGMA user_version = 9999")
    newer.close()
    assert "9999" in refused_start(store.parent)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9, 0.999])
def test_truncated_store_is_refused(tmp_path: Path, kept: float) -> None:
    """A store of which a part is missing is not served from what is left."""
    store = store_file(used_folder(tmp_path))
    whole = store.read_bytes()
    store.write_bytes(whole[: int(len(whole) * kept)])
    assert str(store) in refused_start(store.parent)
    store.write_bytes(whole)
    with Gateway(store.parent) as gateway:
        assert gateway.admin_items("/v1/accounts")


def test_restore_brings_a_damaged_folder_back(tmp_path: Path) -> None:
    """What the refusal advises works: a backup takes the damaged store's place, and serves."""
    with Gateway(tmp_path / "data") as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        gateway.publish("alice", "binance-usdm", [order(1)])
        copy = tmp_path / "copy.db"
        gateway.admin_json("POST", "/v1/store/backup", {"path": str(copy)})
        listen_key = create_usdm(gateway, key)
        gateway.stop()
        store = store_file(gateway.data)
        store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])
        refused_start(gateway.data)
        restored = listenkey("store", "restore", str(copy), "--data", str(gateway.data))
        assert restored.returncode == 0, restored.stderr
        gateway.start()
        assert create_usdm(gateway, key) != listen_key, "a key made after the copy is not known any more"


# The end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains(tmp_path: Path, number: signal.Signals) -> None:
    """With sockets of every kind open, and peers that are slow or silent, a signal ends it with 0 in time."""
    with Gateway(tmp_path / "data") as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        listen_key = create_usdm(gateway, key)
        address = ("127.0.0.1", httpx.URL(gateway.venue).port or 0)
        with (
            venue_socket(gateway, f"/ws/{listen_key}") as venue,
            native_socket(gateway, "stream=binance-usdm", key) as native,
            native_events(gateway, "stream=binance-usdm", key) as events,
            socket.create_connection(address) as half_asked,
            socket.create_connection(address) as silent,
            httpx.Client(base_url=gateway.venue, trust_env=False, timeout=60) as idle,
        ):
            idle.get("/fapi/v1/ping")
            half_asked.sendall(b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\nX-MBX")
            started = receive(native)
            assert set(started) == {"position", "epoch", "time"}
            events.next()
            asked = time.monotonic()
            assert gateway.process is not None
            gateway.process.send_signal(number)
            ended = receive_until(native, lambda message: "end" in message)
            assert ended[-1] == {"end": {"reason": "shutdown"}}
            assert events.rest()[-1][1:] == ("end", {"end": {"reason": "shutdown"}})
            with pytest.raises(ConnectionClosed) as closed:
                venue.recv(PATIENCE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == CloseCode.GOING_AWAY
            assert exit_status(gateway) == 0
            assert time.monotonic() - asked < 10
            assert silent.recv(1) == b""
        gateway.start()
        assert usdm(gateway, "PUT", key).json() == {"listenKey": listen_key}


def test_peer_that_does_not_read_does_not_hold_the_end_up(tmp_path: Path) -> None:
    """A reader whose window is full is cut off when the time for the drain is over."""
    with Gateway(tmp_path / "data") as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        gateway.publish("alice", "binance-usdm", [order(n, fill="x" * 100_000) for n in range(200)])
        epoch = json.loads(
            gateway.admin_call("GET", "/v1/journal/alice/binance-usdm?limit=1").text.split()[0]
        )
        since = f"{epoch['epoch']}:0"
        query = f"GET /lk/v1/stream?stream=binance-usdm&since={since} HTTP/1.1\r\nHost: x\r\n"
        head = f"{query}Accept: text/event-stream\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", httpx.URL(gateway.venue).port or 0)) as stuck:
            stuck.sendall(head)
            assert stuck.recv(100).startswith(b"HTTP/1.1 200")
            wait_for(lambda: gateway.admin_items("/v1/connections"))
            gateway.stop()  # within its promised 10 s, or this raises


def test_a_request_under_way_is_finished(tmp_path: Path) -> None:
    """A publish whose body is still on its way when the signal comes is answered, and is in the journal."""
    with Gateway(tmp_path / "data") as gateway:
        gateway.add_account("alice")
        line = json.dumps({"account": "alice", "stream": "binance-usdm", "event": order(1)}).encode() + b"\n"
        address = ("127.0.0.1", httpx.URL(gateway.admin).port or 0)
        head = f"POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.token}\r\n"
        with socket.create_connection(address, timeout=60) as caller:
            caller.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % (2 * len(line)) + line)
            wait_for(
                lambda: gateway.admin_call("GET", "/v1/journal/alice/binance-usdm").text.count("\n") == 2
            )
            assert gateway.process is not None
            gateway.process.send_signal(signal.SIGTERM)
            wait_for(lambda: "draining" in gateway.stderr)
            caller.sendall(line)
            answer = caller.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 200"), answer
            assert answer.count(b'"offset"') == 2
            assert exit_status(gateway) == 0
        gateway.start()
        assert gateway.admin_call("GET", "/v1/journal/alice/binance-usdm").text.count('"offset"') == 2


def test_start_that_is_refused_leaves_no_process(tmp_path: Path) -> None:
    """The helper of these tests tells a start that was refused from a slow one."""
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(GatewayError, match="exit status 1"):
        Gateway(tmp_path / "data").start()
