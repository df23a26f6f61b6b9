"""What befalls a client in the middle of its stream: the gateway restarts, the key runs out, time goes by."""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.cast import CAST, Client
from tests.clients.events import round_of
from tests.clients.stage import Account, handed, start
from tests.process.serving import wait_for
from tests.support.gateway import Gateway

USDM = "binance-usdm"


def by_name(name: str) -> Client:
    """A client of the cast."""
    return next(client for client in CAST if client.name == name)


def without_repeats(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each event where it came first."""
    told: list[dict[str, Any]] = []
    for event in events:
        if event not in told:
            told.append(event)
    return told


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("name", ["python-binance", "binance-js"])
def test_a_restart_in_the_middle(name: str, kill: bool) -> None:
    """The client reconnects by its own means, with the key that it had, and goes on. What came just before is
    told again."""
    client = by_name(name)
    with Gateway(limits=None) as gateway:
        account = Account(gateway, "restarted")
        with start(client, USDM, account, gateway.venue) as play:
            play.opened()
            account.await_subscription(USDM)
            account.publish(USDM, round_of(USDM, 1))
            seen = handed(client, round_of(USDM, 1))
            play.wait_for(len(seen))
            key = account.listen_key()

            gateway.restart(kill=kill)
            account.await_subscription(USDM)
            assert account.listen_key()["id"] == key["id"]
            account.publish(USDM, round_of(USDM, 2))
            seen += handed(client, round_of(USDM, 2))
            # python-binance tells its handler of the disconnect, as an event of the type `error`.
            events = play.wait_for_last(seen[-1])
            assert without_repeats(event for event in events if event["e"] != "error") == seen


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose keys live a few seconds: as long as a client may take to be given its first events."""
    file = tmp_path_factory.mktemp("brief") / "listenkey.toml"
    file.write_text("[dialect.binance-usdm]\nlifetime_seconds = 8\n", encoding="ascii")
    with Gateway(limits=None, args=["--config", str(file)]) as running:
        yield running


def test_a_key_that_runs_out(brief: Gateway) -> None:
    """The client is told at the right time and hears nothing more by the key."""
    client = by_name("binance-api-node")
    account = Account(brief, "runs-out")
    with start(client, USDM, account, brief.venue) as play:
        play.opened()
        account.await_subscription(USDM)
        account.publish(USDM, round_of(USDM, 1))
        seen = handed(client, round_of(USDM, 1))
        *events, notice = play.wait_for(len(seen) + 1)
        told = time.time_ns() // 1_000_000
        assert events == seen
        assert notice["e"] == "listenKeyExpired"
        key = account.listen_key()
        assert key["state"] == "expired"
        assert key["expires_at"] <= told <= key["expires_at"] + 5000
        account.publish(USDM, round_of(USDM, 2))
        time.sleep(0.3)
        assert play.leave() == [*seen, notice]


def test_a_client_that_makes_a_new_key_when_told(brief: Gateway) -> None:
    """One of the clients renews by itself: told that its key ran out, it makes another and goes on."""
    client = by_name("binance-js")
    account = Account(brief, "renews")
    with start(client, USDM, account, brief.venue) as play:
        play.opened()
        account.await_subscription(USDM)
        (notice,) = play.wait_for(1)
        assert notice["e"] == "listenKeyExpired"
        while (states := sorted(key["state"] for key in brief.listen_keys(account.name))) == ["expired"]:
            time.sleep(0.05)
        assert states == ["active", "expired"]
        account.await_subscription(USDM)
        account.publish(USDM, round_of(USDM, 1))
        seen = handed(client, round_of(USDM, 1))
        assert [event for event in play.wait_for_last(seen[-1]) if event["e"] != notice["e"]] == seen


def mute(gateway: Gateway, account: Account, call: str, header: str, target: str) -> socket.socket:
    """A socket that is opened by hand and never answers anything."""
    made = httpx.post(gateway.venue + call, headers={header: account.key}, trust_env=False, timeout=60).json()
    host, _, port = gateway.venue.removeprefix("http://").partition(":")
    opened = socket.create_connection((host, int(port)), timeout=30)
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    nonce = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    request = f"GET {target}{made['listenKey']} HTTP/1.1\r\nHost: {host}\r\n{upgrade}{nonce}\r\n"
    opened.sendall(request.encode("ascii"))
    assert opened.recv(65536).startswith(b"HTTP/1.1 101 ")
    return opened


@pytest.mark.every_client
@pytest.mark.timeout(300)
def test_every_heartbeat_is_answered(tmp_path: Path) -> None:
    """A client of each driver, all at once, for longer than the venues wait, who cut off the silent."""
    file = tmp_path / "listenkey.toml"
    file.write_text("[heartbeat]\nenforce = true\n", encoding="ascii")
    with Gateway(limits=None, args=["--config", str(file)]) as gateway, ExitStack() as stack:
        dumb = Account(gateway, "dumb")
        spot, swap = "/api/v3/userDataStream", "/openApi/user/auth/userDataStream"
        stack.enter_context(mute(gateway, dumb, spot, "X-MBX-APIKEY", "/ws/"))
        stack.enter_context(mute(gateway, dumb, swap, "X-BX-APIKEY", "/swap-market?listenKey="))
        plays = []
        for client in {client.driver: client for client in CAST}.values():
            account = Account(gateway, client.name, ed25519=client.ed25519)
            play = stack.enter_context(start(client, client.streams[-1], account, gateway.venue))
            plays.append((client, account, play))
        for client, account, play in plays:
            play.opened()
            account.await_subscription(client.streams[-1])
        before = connections(gateway)
        assert len(before["dumb"]) == 2
        time.sleep(85)  # spot: a Ping every 20 s, cut after 60; BingX: every 5 s, cut after 30
        wait_for(lambda: not connections(gateway)["dumb"])
        assert connections(gateway) == before | {"dumb": set()}
        for client, account, play in plays:
            stream = client.streams[-1]
            account.publish(stream, round_of(stream, 1))
            seen = handed(client, round_of(stream, 1))
            assert play.wait_for(len(seen)) == seen


def connections(gateway: Gateway) -> dict[str, set[str]]:
    """The ids of the sockets of each account; of `dumb` even when there are none."""
    found: dict[str, set[str]] = {"dumb": set()}
    for connection in gateway.admin_items("/v1/connections"):
        for subscription in connection["subscriptions"]:
            found.setdefault(subscription["account"], set()).add(connection["id"])
    return found
