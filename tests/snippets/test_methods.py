"""Each program for a method of a WebSocket API, signed in each way, against a real gateway."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from listenkey.dialect.registry import load_dialects
from listenkey.reference.describe import Product
from listenkey.reference.program import Program
from listenkey.reference.site.build import Site
from listenkey.reference.snippets import programs
from listenkey.reference.websocket_api import Method, describe_apis
from tests.snippets.running import PATIENCE, PRODUCTS, Built, Running, write
from tests.snippets.toolchains import TOOLCHAINS
from tests.support.gateway import Gateway

AT_ONCE: Final = 4
HOUR_MS: Final = 3_600_000
METHODS: Final = [
    (product, method, program)
    for product in PRODUCTS
    for api in describe_apis(product)
    for method in api.methods
    for program in programs(product)
    if program.of == f"method:{method.name}"
]
Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def _pair() -> dict[str, Private]:
    return {"rsa": rsa.generate_private_key(65537, 2048), "ed25519": ed25519.Ed25519PrivateKey.generate()}


RIGHT: Final = _pair()
OTHER: Final = _pair()


class Asked:
    """One program, with an account and an API key of its own."""

    def __init__(self, gateway: Gateway, folder: Path, product: Product, method: Method, program: Program):
        self.gateway, self.product, self.method, self.program = gateway, product, method, program
        python = TOOLCHAINS["python"]
        file = write(python, folder / program.file.replace(".", "-"), program)
        self.built = Built(program, product, file, python)
        self.way = program.language.partition("-")[2]
        self.account = gateway.add_account(f"method-{program.file.removesuffix('.py').lower()}")
        self.key, self.env, self.wrong = self._credentials()
        self.env["BASE_URL"] = f"{gateway.venue}/{product.name}"
        self.env["EVENTS"] = "1"
        if method.kind in ("extend", "close"):
            self.env["LISTEN_KEY"] = self._rest(f"/{product.name}{product.calls[0].path}")["listenKey"]
        if method.kind == "subscribe_token":
            self.env["LISTEN_TOKEN"] = self._rest("/binance-margin/sapi/v1/userListenToken")["token"]
            self.wrong = {"LISTEN_TOKEN": "nothing"}

    def works(self) -> None:
        """It prints the answer, and the answer and the gateway say that the method was done."""
        running = self.built.start(self.env)
        try:
            if self.method.kind.startswith("subscribe"):
                self._receives(running)
            assert running.end() == 0, running.said
            answer = json.loads(running.printed[0])
            assert answer["status"] == 200, running.said
            self._done(answer.get("result", answer.get("response")), running)
        finally:
            running.kill()

    def is_refused(self) -> None:
        """With what is not the account's it fails, and says what the venue says."""
        refused = self.built.finish(self.env | self.wrong)
        assert refused.status == 1, refused.said
        assert not refused.printed, refused.said
        assert "Traceback" not in refused.said
        for told in self._words():
            assert told in refused.said, refused.said

    def _credentials(self) -> tuple[str, dict[str, str], dict[str, str]]:
        if self.way not in RIGHT:
            _, key, secret = self.gateway.add_api_key(self.account)
            wrong = {"API_SECRET": "another"} if self.way else {"API_KEY": "nobody"}
            return key, {"API_KEY": key, "API_SECRET": secret}, wrong
        right = self._private("right", RIGHT[self.way])
        other = self._private("other", OTHER[self.way])
        public = RIGHT[self.way].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        path = f"/v1/accounts/{self.account}/api-keys"
        key = self.gateway.admin_json("POST", path, {"public_key": public.decode()})["key"]
        return key, {"API_KEY": key, "PRIVATE_KEY": right}, {"PRIVATE_KEY": other}

    def _private(self, name: str, key: Private) -> str:
        file = self.built.file.with_name(f"{name}.pem")
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return str(file)

    def _rest(self, path: str) -> Mapping[str, str]:
        header = {self.product.calls[0].header: self.key}
        made = httpx.post(self.gateway.venue + path, headers=header, trust_env=False, timeout=PATIENCE)
        assert made.status_code == 200, made.text
        answer: Mapping[str, str] = made.json()
        return answer

    def _receives(self, running: Running) -> None:
        """What is published once it has its answer reaches it."""
        deadline = time.monotonic() + PATIENCE
        while not running.printed:
            assert running.status is None, running.said
            assert time.monotonic() < deadline, running.said
            time.sleep(0.05)
        stream = "binance-margin" if self.method.kind == "subscribe_token" else "binance-spot"
        self.gateway.publish(self.account, stream, [{"e": "balanceUpdate", "E": 1, "d": "1.50"}])
        assert running.end() == 0, running.said
        assert json.loads(running.printed[1])["event"]["d"] == "1.50", running.said

    def _done(self, result: Any, running: Running) -> None:
        match self.method.kind:
            case "time":
                assert abs(result["serverTime"] / 1000 - time.time()) < PATIENCE
            case "logon" | "status":
                assert result["apiKey"] == self.key
            case "logout":
                assert result["apiKey"] is None
            case "subscriptions":
                assert result == [{"subscriptionId": 0}]
            case "create" | "extend" | "close":
                (key,) = self.gateway.listen_keys(self.account)
                assert key["state"] == ("closed" if self.method.kind == "close" else "active")
                extended = key["expires_at"] - key["created_at"] > HOUR_MS
                assert extended == (self.method.kind == "extend"), running.said
            case "subscribe" | "subscribe_signature" | "subscribe_token":
                assert result["subscriptionId"] == 0
            case "ping" | "unsubscribe":
                assert result == {}

    def _words(self) -> tuple[str, ...]:
        """Code and words of the refusal, as the dialect has them."""
        if self.method.kind == "subscribe_token":
            row = self.product.dialect.apis[0].failure("listen_token_unknown")
            return f'"code":{row.code}', row.msg
        kind = "signature_wrong" if self.way else "api_key_unknown"
        failure = next(each for each in self.product.dialect.failures if each.kind == kind)
        return f'"code":{failure.code}', failure.msg


@pytest.mark.timeout(400)
def test_methods_do_what_they_say(gateway: Gateway, tmp_path: Path) -> None:
    """A copied program signs in its way, is understood, and tells the venue's own words where it is not."""
    asked = [Asked(gateway, tmp_path, *each) for each in METHODS]
    with ThreadPoolExecutor(AT_ONCE) as workers:
        list(workers.map(_both, asked))


def _both(asked: Asked) -> None:
    asked.works()
    if asked.method.kind not in ("ping", "time"):  # which are for everybody
        asked.is_refused()


def test_every_method_has_a_program_for_each_way_of_signing() -> None:
    """Whoever has an RSA key finds how it signs; nobody is shown a logon that the venue refuses."""
    found: dict[tuple[str, str], set[str]] = {}
    for product, method, program in METHODS:
        found.setdefault((product.name, method.name), set()).add(program.language.partition("-")[2])
    named = {
        (product.name, method.name)
        for product in PRODUCTS
        for api in describe_apis(product)
        for method in api.methods
    }
    assert set(found) == named
    assert found["binance-spot", "userDataStream.subscribe.signature"] == {"hmac", "rsa", "ed25519"}
    assert found["binance-usdm", "session.logon"] == {"ed25519"}
    assert found["binance-coinm", "time"] == {""}


def test_a_methods_page_offers_its_programs() -> None:
    """Whoever looks up how to subscribe finds every way of signing there, each with a choice of its own."""
    site = Site({"binance-spot": load_dialects()["binance-spot"]}, "# Commands\n")
    page = (site.read("binance-spot/api-ws-api-v3-userDataStream.subscribe.signature.html") or b"").decode()
    assert re.findall(r'value="([^"]+)" data-choice="(\d)"', page) == [
        ("python-hmac", "0"),
        ("python-rsa", "1"),
        ("python-ed25519", "2"),
    ]
    assert re.findall(r'data-program="(\d)"', page) == ["0", "1", "2"]
    assert page.count(" checked>") == 1
    assert 'name="language"' not in page, "a way of signing would be remembered in place of the language"
