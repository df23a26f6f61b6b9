"""Secrets stay secret: after a life with everything in it, no log, metric, list, page or file has one."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import WebSocketException

from tests.process.serving import (
    FREE,
    listenkey,
    native_events,
    native_socket,
    order,
    receive,
    receive_until,
    refused_start,
    venue_socket,
)
from tests.support.gateway import Gateway

MASTER = "the-master-secret-of-this-very-test-0123456789"
NOT_A_KEY = "NotAKeyButSomebodyMeantItToBeOne" * 2
SHOWN_OF_A_KEY = 4


@dataclass
class Lived:
    """What a gateway went through: secrets by what they are, and every answer that an operator could read."""

    gateway: Gateway
    secrets: dict[str, str] = field(default_factory=lambda: {"master secret": MASTER})
    answers: dict[str, str] = field(default_factory=dict)

    def keep(self, what: str, secret: str) -> str:
        """Remember a secret under a name."""
        self.secrets[f"{what} {len(self.secrets)}"] = secret
        return secret


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """A life at log level debug, with good and bad callers, streams, ends and a crash; then the end."""
    folder = tmp_path_factory.mktemp("life")
    env = {"LISTENKEY_LOG_LEVEL": "debug", "LISTENKEY_MASTER_SECRET": MASTER}
    with Gateway(folder / "data", env=env, limits="account") as gateway:
        story = Lived(gateway)
        story.keep("admin token", gateway.token)
        live(story)
        gateway.restart(kill=True)
        live(story)
        read_everything(story)
        gateway.stop()
        story.answers["wrong master secret"] = refused_start(
            gateway.data,
            env={"LISTENKEY_MASTER_SECRET": story.keep("master secret", "another-master-secret")},
        )
        yield story


def live(story: Lived) -> None:
    """One life, of an account with two API keys."""
    gateway = story.gateway
    account = gateway.add_account(f"account{len(story.secrets)}")
    key_id, key, secret = gateway.add_api_key(account, ["read", "trade"])
    other_id, other, _ = gateway.add_api_key(account, secret=story.keep("API secret", "s3cr3t" * 8))
    for each in (key, other):
        story.keep("API key", each)
    story.keep("API secret", secret)
    token = gateway.admin_json("POST", "/v1/tokens", {"scope": "read"})
    story.keep("admin token", token["token"])
    call_as_clients_do(story, key, secret, other)
    misbehave(story, key)
    gateway.admin_json("DELETE", f"/v1/api-keys/{other_id}")
    gateway.admin_json("DELETE", f"/v1/tokens/{token['id']}")
    gateway.admin_call("DELETE", f"/v1/accounts/{account}-not")
    assert key_id


def call_as_clients_do(story: Lived, key: str, secret: str, other: str) -> None:
    """Keys of every product, in every place where clients put them, with sockets and events."""
    gateway = story.gateway
    account = gateway.admin_items("/v1/api-keys")[-1]["account"]
    with httpx.Client(base_url=gateway.venue, trust_env=False, timeout=60) as http:
        binance, bingx = {"X-MBX-APIKEY": key}, {"X-BX-APIKEY": key}
        spot = story.keep(
            "listen key", http.post("/api/v3/userDataStream", headers=binance).json()["listenKey"]
        )
        http.put("/api/v3/userDataStream", headers=binance, params={"listenKey": spot})
        http.put("/api/v3/userDataStream", headers=binance, data={"listenKey": spot})
        usdm = http.post("/fapi/v1/listenKey", headers={"X-MBX-APIKEY": other}).json()["listenKey"]
        story.keep("listen key", usdm)
        stamp = f"timestamp={time.time_ns() // 1_000_000}"
        signature = hmac.new(secret.encode(), stamp.encode(), hashlib.sha256).hexdigest()
        story.keep("signature", signature)
        path = f"/openApi/user/auth/userDataStream?{stamp}&signature={signature}"
        swap = story.keep("listen key", http.post(path, headers=bingx).json()["listenKey"])
        with (
            venue_socket(gateway, f"/ws/{spot}") as first,
            venue_socket(gateway, f"/swap-market?listenKey={swap}"),
            native_socket(gateway, f"listenKey={usdm}&stream=binance-usdm") as native,
            native_socket(gateway, "stream=binance-spot", key),
            native_events(gateway, "stream=binance-spot", key),
        ):
            first.send(json.dumps({"method": "SUBSCRIBE", "params": [usdm], "id": 1}))
            receive(first)
            published = owner_of(gateway, usdm) or account
            gateway.publish(published, "binance-usdm", [order(1)])
            receive_until(native, lambda message: "event" in message)
            story.answers["connections"] = gateway.admin_call("GET", "/v1/connections").text
        http.request("DELETE", "/api/v3/userDataStream", headers=binance, params={"listenKey": spot})
        http.delete("/fapi/v1/listenKey", headers={"X-MBX-APIKEY": other})


def owner_of(gateway: Gateway, listen_key: str) -> str | None:
    """The account whose newest live USD-M key this is: the last account that was made."""
    assert listen_key
    live_keys = [each for each in gateway.admin_items("/v1/listen-keys") if each["state"] == "active"]
    return live_keys[-1]["account"] if live_keys else None


def misbehave(story: Lived, key: str) -> None:
    """What goes wrong in a day: keys, tokens, bodies and frames that are not what they should be."""
    gateway = story.gateway
    bad = story.keep("listen key", NOT_A_KEY)
    with httpx.Client(base_url=gateway.venue, trust_env=False, timeout=60) as http:
        headers = {"X-MBX-APIKEY": key}
        for _ in range(3):
            http.put("/api/v3/userDataStream", headers=headers, params={"listenKey": bad})
        http.post("/fapi/v1/listenKey", headers={"X-MBX-APIKEY": story.keep("API key", f"{key}-misspelt")})
        http.post("/fapi/v1/nothing", headers=headers, content=f"listenKey={bad}")
        http.put(f"/openApi/user/auth/userDataStream?listenKey={bad}", headers={"X-BX-APIKEY": key})
        http.post("/openApi/user/auth/userDataStream?timestamp=1&signature=00", headers={"X-BX-APIKEY": key})
        http.get("/lk/v1/stream", params={"listenKey": bad}, headers={"Accept": "text/event-stream"})
    for path in (f"/ws/{bad}", f"/stream?streams={bad}", f"/market?listenKey={bad}", f"/nowhere/{bad}"):
        with contextlib.suppress(WebSocketException), venue_socket(gateway, path):
            pass
    with venue_socket(gateway, "/ws") as socket, contextlib.suppress(WebSocketException):
        for text in (json.dumps({"method": "SUBSCRIBE", "params": [bad], "id": 1}), "{", f'{{"{bad}":'):
            socket.send(text)
            receive(socket)
    with contextlib.suppress(WebSocketException), native_socket(gateway, "stream=binance-usdm", bad):
        pass
    wrong = {"Authorization": f"Bearer {story.keep('admin token', 'not-a-token-of-this-gateway')}"}
    for method, path in (("GET", "/v1/accounts"), ("POST", "/v1/publish"), ("GET", f"/v1/{bad}")):
        gateway.admin_call(method, path, headers=wrong)
    gateway.admin_call("POST", "/login", data={"token": "not-a-token-of-this-gateway"})
    gateway.publish_lines(f'{{"account":"nobody","stream":"{bad}","event":{{}}}}\n{bad}\n')
    gateway.admin_call("POST", "/v1/accounts/x/api-keys", content=f'{{"secret": "{bad}"')
    twice = {"permissions": ["read"], "key": key, "secret": story.keep("API secret", "of-a-second-use" * 3)}
    gateway.admin_call("POST", "/v1/accounts/account1/api-keys", twice)


def read_everything(story: Lived) -> None:
    """All that the admin listener and the commands show."""
    gateway = story.gateway
    for name in ("accounts", "api-keys", "listen-keys", "connections", "tokens", "bans"):
        story.answers[name] = json.dumps(gateway.admin_items(f"/v1/{name}"))
    for path in ("/metrics", "/", "/health/ready", "/health/live", "/docs/"):
        story.answers[path] = gateway.admin_call("GET", path).text
    with httpx.Client(base_url=gateway.admin, trust_env=False, timeout=60) as http:
        assert http.post("/login", data={"token": gateway.token}).status_code == httpx.codes.SEE_OTHER
        page = http.get("/")
        assert "sockets" in page.text.lower()
        story.answers["page"] = page.text
    place = ("--admin", gateway.admin, "--data", str(gateway.data))
    for command in ("account", "apikey", "token", "key", "ban"):
        shown = listenkey(command, "list", *place)
        assert shown.returncode == 0, shown.stderr
        story.answers[f"{command} list"] = shown.stdout + shown.stderr
    shown = listenkey("config", "show", env={"LISTENKEY_MASTER_SECRET": MASTER})
    story.answers["config show"] = shown.stdout + shown.stderr


def found_in(story: Lived, text: str) -> list[str]:
    """Which secrets a text has."""
    return [what for what, secret in story.secrets.items() if secret in text]


def test_the_life_had_secrets(lived: Lived) -> None:
    """What follows proves something: there were secrets of each kind, and lines about bad ones."""
    kinds = {what.rsplit(" ", 1)[0] for what in lived.secrets}
    assert kinds >= {"listen key", "API key", "API secret", "admin token", "signature", "master secret"}
    assert len(lived.secrets) > 15
    assert "bad_key" in lived.gateway.stderr


def test_no_secret_is_logged(lived: Lived) -> None:
    """Standard error at its most talkative names no key, secret or token."""
    assert found_in(lived, lived.gateway.stderr) == []


def test_no_secret_is_shown(lived: Lived) -> None:
    """No list, metric, page, command or refusal gives one away."""
    assert {where: found for where, text in lived.answers.items() if (found := found_in(lived, text))} == {}


def test_no_part_of_a_secret_is_shown(lived: Lived) -> None:
    """Of API keys the first and last four characters may be shown, of other secrets nothing."""
    everything = "\n".join([lived.gateway.stderr, *lived.answers.values()])
    for what, secret in lived.secrets.items():
        assert secret[: SHOWN_OF_A_KEY * 2] not in everything, what
        assert secret[-SHOWN_OF_A_KEY * 2 :] not in everything, what


def test_no_secret_is_stored_in_clear(lived: Lived) -> None:
    """Whoever gets hold of the store's files gets no listen key, no API secret and no token from them."""
    stored = {
        file.name: file.read_bytes() for file in lived.gateway.data.iterdir() if file.name != "admin-token"
    }
    for what, secret in lived.secrets.items():
        if what.startswith("API key"):
            continue
        assert [name for name, content in stored.items() if secret.encode() in content] == [], what


def test_demo_secrets_are_meant_to_be_shown(tmp_path: Path) -> None:
    """Only a demonstration prints credentials, and only its own."""
    with Gateway(tmp_path / "data", args=["--demo"], listen=[FREE]) as gateway:
        assert "demo-secret" not in gateway.stderr
        assert gateway.token not in gateway.stderr
