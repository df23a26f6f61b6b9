"""The admin listener as programs outside this repository rely on it: shapes, pages, scopes, errors."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.process.conftest import Owner, make_owner
from tests.process.serving import (
    create_usdm,
    native_socket,
    order,
    receive,
    usdm,
    venue_socket,
    wait_for,
)
from tests.support.gateway import Gateway


def assert_error(answer: httpx.Response, status: int, code: str = "") -> None:
    """The one form that every refusal has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "remedy"}
    assert all(isinstance(text, str) and text for text in error.values()), error
    assert code in ("", error["code"])


def pages(gateway: Gateway, path: str, limit: int, **params: str) -> list[list[dict[str, Any]]]:
    """A whole list, page by page."""
    found: list[list[dict[str, Any]]] = []
    query = {"limit": str(limit), **params}
    while True:
        page = gateway.admin_json("GET", path, params=query)
        assert set(page) == {"items", "next"}
        found.append(page["items"])
        if page["next"] is None:
            return found
        assert isinstance(page["next"], str)
        query["cursor"] = page["next"]


# Accounts ---------------------------------------------------------------------------------------------


def test_accounts_are_made_listed_and_removed(gateway: Gateway) -> None:
    """An account is there from its answer on until that of its removal, with the time of its making."""
    before = time.time_ns() // 1_000_000 - 1
    gateway.add_account("a.b_c-9")
    (item,) = [each for each in gateway.admin_items("/v1/accounts") if each["name"] == "a.b_c-9"]
    assert before <= item["created_at"] <= time.time_ns() // 1_000_000 + 1
    gateway.admin_json("DELETE", "/v1/accounts/a.b_c-9")
    assert all(each["name"] != "a.b_c-9" for each in gateway.admin_items("/v1/accounts"))
    assert_error(gateway.admin_call("DELETE", "/v1/accounts/a.b_c-9"), 404, "unknown_account")


@pytest.mark.parametrize("name", ["", "x" * 65, "Alice", "a b", "a/b", "ä", "a\n", "demo", 7, None])
def test_bad_account_names_are_refused(gateway: Gateway, name: object) -> None:
    """A name is 1 to 64 of a few characters, so that it can stand in paths and logs as it is."""
    assert_error(gateway.admin_call("POST", "/v1/accounts", {"name": name}), 400)


def test_longest_account_name_works_everywhere(gateway: Gateway) -> None:
    """The longest name that is allowed can be published to, read and removed."""
    name = gateway.add_account("x" * 64)
    assert "offset" in gateway.publish(name, "binance-spot", [order(1)])[0]
    assert gateway.admin_call("GET", f"/v1/journal/{name}/binance-spot").status_code == 200
    gateway.admin_json("DELETE", f"/v1/accounts/{name}")


def test_an_account_is_made_once(gateway: Gateway, owner: Owner) -> None:
    """A second account of one name is a conflict, and leaves the first as it is."""
    assert_error(gateway.admin_call("POST", "/v1/accounts", {"name": owner.name}), 409, "account_exists")
    assert usdm(gateway, "POST", owner.key).status_code == 200


def test_lists_are_paged(gateway: Gateway) -> None:
    """Pages of any length have every item once, in one order, and the last one says that it is."""
    for number in range(5):
        gateway.add_account(f"page{number}")
    whole = gateway.admin_items("/v1/accounts")
    for limit in (1, 2, len(whole), 1000):
        found = pages(gateway, "/v1/accounts", limit)
        assert [item for page in found for item in page] == whole
        assert all(len(page) == limit for page in found[:-1])
    for query in ("limit=0", "limit=x", "limit=-1", "limit="):
        assert_error(gateway.admin_call("GET", f"/v1/accounts?{query}"), 400)


# API keys ---------------------------------------------------------------------------------------------


def test_api_key_is_shown_once(gateway: Gateway, owner: Owner) -> None:
    """Key and secret come with the making; the list has the key's ends and never the secret."""
    made = gateway.admin_json("POST", f"/v1/accounts/{owner.name}/api-keys", {"permissions": ["read"]})
    assert set(made) == {"id", "key", "secret"}
    assert len({made["key"], made["secret"], owner.key, owner.secret}) == 4
    listed = gateway.admin_call("GET", "/v1/api-keys", params={"account": owner.name})
    assert made["key"] not in listed.text
    assert made["secret"] not in listed.text
    (item,) = [each for each in listed.json()["items"] if each["id"] == made["id"]]
    assert item["account"] == owner.name
    assert item["permissions"] == ["read"]
    assert item["key"].startswith(made["key"][:4])
    assert item["key"].endswith(made["key"][-4:])


def test_given_key_and_secret_are_taken(gateway: Gateway, owner: Owner) -> None:
    """Who moves a bot here keeps its credentials; one API key is never two accounts'."""
    for number, key in enumerate(("a", "Z9_-" * 32, f"mine-{owner.name}")):
        made = gateway.add_api_key(owner.name, key=key, secret=f"secret{number}")
        assert made[1:] == (key, f"secret{number}")
        assert usdm(gateway, "POST", key).status_code == 200
    other = make_owner(gateway)
    path = f"/v1/accounts/{other.name}/api-keys"
    assert_error(gateway.admin_call("POST", path, {"key": f"mine-{owner.name}"}), 409, "api_key_exists")


@pytest.mark.parametrize(
    "body",
    [
        {"key": ""},
        {"key": "x" * 129},
        {"key": "with space"},
        {"key": "ключ"},
        {"key": 7},
        {"permissions": ["withdraw"]},
        {"permissions": "read"},
        {"ip_allow": ["not-a-network"]},
        {"ip_allow": ["10.0.0.0/99"]},
        {"public_key": "not a key"},
        [],
    ],
    ids=str,
)
def test_bad_api_keys_are_refused(gateway: Gateway, owner: Owner, body: object) -> None:
    """A wrong field is told at once, and no API key comes of it."""
    before = gateway.admin_items("/v1/api-keys", account=owner.name)
    assert_error(gateway.admin_call("POST", f"/v1/accounts/{owner.name}/api-keys", body), 400)
    assert gateway.admin_items("/v1/api-keys", account=owner.name) == before


def test_api_key_of_nobody_is_refused(gateway: Gateway) -> None:
    """An API key wants an account that is there, and a revocation a key that is."""
    assert_error(gateway.admin_call("POST", "/v1/accounts/nobody/api-keys", {}), 404, "unknown_account")
    assert_error(gateway.admin_call("DELETE", "/v1/api-keys/none"), 404, "unknown_api_key")


def test_revocation_ends_everything_before_its_answer(gateway: Gateway, owner: Owner) -> None:
    """When the answer is there, the API key opens nothing, and its keys and sockets are over."""
    listen_key = create_usdm(gateway, owner.key)
    with (
        venue_socket(gateway, f"/ws/{listen_key}") as venue,
        native_socket(gateway, "stream=binance-usdm", owner.key) as native,
        native_socket(gateway, f"stream=binance-usdm&listenKey={listen_key}") as by_listen_key,
    ):
        for socket in (native, by_listen_key):
            assert "position" in receive(socket)
        gateway.admin_json("DELETE", f"/v1/api-keys/{owner.api_key_id}")
        gateway.publish(owner.name, "binance-usdm", [order(1)])
        states = [each["state"] for each in gateway.listen_keys(owner.name)]
        assert states == ["closed"]
        assert all(each["subscriptions"] == [] for each in open_connections(gateway, owner))
        for socket in (native, by_listen_key):
            assert receive_all(socket)[-1] == {"end": {"reason": "revoked"}}
        heard = receive_all(venue)
        assert [message["e"] for message in heard] in ([], ["listenKeyExpired"])
    assert usdm(gateway, "POST", owner.key).json()["code"] == -2015
    with pytest.raises(InvalidStatus), venue_socket(gateway, f"/ws/{listen_key}"):
        pass


def test_revocation_leaves_others_alone(gateway: Gateway, owner: Owner) -> None:
    """The key of another API key of the account lives on, and so does its socket."""
    _, other, _ = gateway.add_api_key(owner.name)
    create_usdm(gateway, owner.key)
    listen_key = create_usdm(gateway, other)
    with venue_socket(gateway, f"/ws/{listen_key}") as socket:
        gateway.admin_json("DELETE", f"/v1/api-keys/{owner.api_key_id}")
        gateway.publish(owner.name, "binance-usdm", [order(1)])
        assert receive(socket) == order(1)
    assert usdm(gateway, "PUT", other).json() == {"listenKey": listen_key}


SHARED = """
[streams]
close = "venue"
resume = "live"
"""


def test_revocation_spares_a_key_that_is_shared(tmp_path: Path) -> None:
    """Where an account has one key for all, it ends only with the last API key that made or extended it."""
    file = tmp_path / "listenkey.toml"
    file.write_text(SHARED)
    with Gateway(tmp_path / "data", args=["--config", str(file)]) as gateway:
        owner = make_owner(gateway)
        other_id, other, _ = gateway.add_api_key(owner.name)
        listen_key = create_usdm(gateway, owner.key)
        assert create_usdm(gateway, other) == listen_key
        with venue_socket(gateway, f"/ws/{listen_key}") as socket:
            gateway.admin_json("DELETE", f"/v1/api-keys/{owner.api_key_id}")
            gateway.publish(owner.name, "binance-usdm", [order(1)])
            assert receive(socket) == order(1)
            assert usdm(gateway, "PUT", other).json() == {"listenKey": listen_key}
            gateway.admin_json("DELETE", f"/v1/api-keys/{other_id}")
            assert [message["e"] for message in receive_all(socket)] == ["listenKeyExpired"]


def test_removing_an_account_ends_everything_before_its_answer(gateway: Gateway, owner: Owner) -> None:
    """When the answer is there, no API key, listen key or socket of the account is left."""
    listen_key = create_usdm(gateway, owner.key)
    with (
        venue_socket(gateway, f"/ws/{listen_key}") as venue,
        native_socket(gateway, "stream=binance-usdm", owner.key) as native,
    ):
        gateway.admin_json("DELETE", f"/v1/accounts/{owner.name}")
        assert receive_all(native)[-1] == {"end": {"reason": "revoked"}}
        assert all(message["e"] == "listenKeyExpired" for message in receive_all(venue))
    assert usdm(gateway, "POST", owner.key).json()["code"] == -2015
    (answer,) = gateway.publish(owner.name, "binance-usdm", [order(1)])
    assert answer["error"]["code"] == "unknown_account"
    gateway.add_account(owner.name)
    assert gateway.admin_items("/v1/api-keys", account=owner.name) == []


def receive_all(socket: Any) -> list[Any]:
    """What still comes until the server closes the socket."""
    messages = []
    try:
        while True:
            messages.append(receive(socket))
    except ConnectionClosed:
        return messages


def open_connections(gateway: Gateway, owner: Owner) -> list[dict[str, Any]]:
    """Open sockets that carry something of an account."""
    connections = gateway.admin_items("/v1/connections")
    return [each for each in connections if any(s["account"] == owner.name for s in each["subscriptions"])]


# Listen keys and connections --------------------------------------------------------------------------


def test_listen_keys_are_listed_without_their_strings(gateway: Gateway, owner: Owner) -> None:
    """An operator sees whose key it is, of which space, how it is and until when, and never the key."""
    listen_key = create_usdm(gateway, owner.key)
    listed = gateway.admin_call("GET", "/v1/listen-keys", params={"account": owner.name})
    assert listen_key not in listed.text
    (item,) = listed.json()["items"]
    assert set(item) >= {"id", "account", "key_space", "api_key", "state", "created_at", "expires_at"}
    assert isinstance(item["id"], str)
    assert item["account"] == owner.name
    assert item["key_space"] == "binance-usdm"
    assert item["api_key"] == owner.api_key_id
    assert item["state"] == "active"
    assert item["expires_at"] - item["created_at"] == 3_600_000
    assert abs(item["created_at"] - time.time_ns() // 1_000_000) < 30_000
    usdm(gateway, "PUT", owner.key)
    (extended,) = gateway.listen_keys(owner.name)
    assert extended["expires_at"] > item["expires_at"]
    assert extended["created_at"] == item["created_at"]


def test_listen_keys_end_in_one_of_two_ways(gateway: Gateway, owner: Owner) -> None:
    """A key that was closed and one whose time ran out are told apart, from the moment on."""
    create_usdm(gateway, owner.key)
    usdm(gateway, "DELETE", owner.key)
    headers = {"X-MBX-APIKEY": owner.key}
    httpx.post(f"{gateway.venue}/sapi/v1/userDataStream", headers=headers, trust_env=False, timeout=60)
    states = {each["key_space"]: each["state"] for each in gateway.listen_keys(owner.name)}
    assert states == {"binance-usdm": "closed", "binance-margin": "active"}
    (short,) = gateway.listen_keys(owner.name, stream="binance-margin")
    wait_for(lambda: gateway.listen_keys(owner.name, stream="binance-margin")[0]["state"] == "expired")
    assert time.time_ns() // 1_000_000 >= short["expires_at"]


def test_listen_keys_are_filtered(gateway: Gateway, owner: Owner) -> None:
    """By account and by stream, scoped streams too; pages keep the filter."""
    headers = {"X-MBX-APIKEY": owner.key, "X-BX-APIKEY": owner.key}
    with httpx.Client(base_url=gateway.venue, headers=headers, trust_env=False, timeout=60) as http:
        http.post("/fapi/v1/listenKey")
        for symbol in ("BTCUSDT", "ETHUSDT"):
            http.post("/sapi/v1/userDataStream/isolated", params={"symbol": symbol})
        for _ in range(3):
            http.post("/openApi/user/auth/userDataStream")
    wanted = {
        "binance-usdm": 1,
        "binance-pm-pro": 1,
        "binance-margin-isolated": 2,
        "binance-margin-isolated:ETHUSDT": 1,
        "bingx-swap": 3,
        "binance-spot": 0,
    }
    for stream, number in wanted.items():
        assert len(gateway.listen_keys(owner.name, stream=stream)) == number, stream
    found = pages(gateway, "/v1/listen-keys", 2, account=owner.name, stream="bingx-spot")
    assert [len(page) for page in found] == [2, 1]
    assert gateway.listen_keys(gateway.add_account("nobody")) == []
    assert_error(gateway.admin_call("GET", "/v1/listen-keys?stream=nothing"), 404, "unknown_stream")


def test_operator_closes_a_listen_key(gateway: Gateway, owner: Owner) -> None:
    """Closed by its id, the key is over for its bot: no event by it, and refused from then on."""
    listen_key = create_usdm(gateway, owner.key)
    (item,) = gateway.listen_keys(owner.name)
    with (
        venue_socket(gateway, f"/ws/{listen_key}") as venue,
        native_socket(gateway, f"stream=binance-usdm&listenKey={listen_key}") as native,
    ):
        gateway.admin_json("DELETE", f"/v1/listen-keys/{item['id']}")
        gateway.publish(owner.name, "binance-usdm", [order(1)])
        assert receive_all(native)[-1] == {"end": {"reason": "closed"}}
        assert receive(venue)["e"] == "listenKeyExpired"
        with pytest.raises(TimeoutError):
            venue.recv(0.3)
    assert usdm(gateway, "PUT", owner.key).json()["code"] == -1125
    assert_error(gateway.admin_call("DELETE", f"/v1/listen-keys/{item['id']}"), 404, "unknown_listen_key")
    assert_error(gateway.admin_call("DELETE", "/v1/listen-keys/none"), 404, "unknown_listen_key")


def test_connections_are_listed_and_closed(gateway: Gateway, owner: Owner) -> None:
    """An operator sees who is connected to what and how far, and can end one socket and no other."""
    gateway.publish(owner.name, "binance-usdm", [order(1), order(2)])
    listen_key = create_usdm(gateway, owner.key)
    with (
        venue_socket(gateway, f"/ws/{listen_key}") as first,
        venue_socket(gateway, f"/ws/{listen_key}") as second,
    ):
        one, other = open_connections(gateway, owner)
        assert set(one) >= {"id", "address", "opened_at", "subscriptions", "queued_bytes"}
        assert one["address"] == "127.0.0.1"
        assert one["queued_bytes"] == 0
        assert one["opened_at"] <= other["opened_at"]
        (subscription,) = one["subscriptions"]
        assert set(subscription) >= {"account", "stream", "offset", "confirmed", "head"}
        assert (subscription["account"], subscription["stream"]) == (owner.name, "binance-usdm")
        assert subscription["offset"] == subscription["head"] == 2
        gateway.admin_json("DELETE", f"/v1/connections/{one['id']}")
        assert receive_all(first) == []
        gateway.publish(owner.name, "binance-usdm", [order(3)])
        assert receive(second) == order(3)
        assert open_connections(gateway, owner)[0]["subscriptions"][0]["offset"] == 3
    assert_error(gateway.admin_call("DELETE", f"/v1/connections/{one['id']}"), 404, "unknown_connection")


# Tokens, scopes and the door --------------------------------------------------------------------------


def test_tokens_open_what_their_scope_says(gateway: Gateway, owner: Owner) -> None:
    """A publisher's token cannot read or administer, a reader's cannot publish or change anything."""
    made = {
        scope: gateway.admin_json("POST", "/v1/tokens", {"scope": scope})
        for scope in ("admin", "publish", "read")
    }
    wanted = {
        ("GET", "/v1/accounts"): {"admin", "read"},
        ("GET", "/v1/api-keys"): {"admin", "read"},
        ("GET", "/v1/listen-keys"): {"admin", "read"},
        ("GET", "/v1/connections"): {"admin", "read"},
        ("GET", "/v1/tokens"): {"admin", "read"},
        ("GET", "/v1/bans"): {"admin", "read"},
        ("GET", f"/v1/journal/{owner.name}/binance-usdm"): {"admin", "read"},
        ("POST", "/v1/publish"): {"admin", "publish"},
        ("POST", "/v1/accounts"): {"admin"},
        ("POST", f"/v1/accounts/{owner.name}/api-keys"): {"admin"},
        ("POST", "/v1/tokens"): {"admin"},
        ("DELETE", "/v1/accounts/nobody"): {"admin"},
        ("DELETE", "/v1/api-keys/none"): {"admin"},
        ("DELETE", "/v1/listen-keys/none"): {"admin"},
        ("DELETE", "/v1/connections/none"): {"admin"},
        ("DELETE", "/v1/tokens/none"): {"admin"},
        ("DELETE", "/v1/bans/none"): {"admin"},
    }
    for (method, path), scopes in wanted.items():
        for scope, token in made.items():
            headers = {"Authorization": f"Bearer {token['token']}"}
            answer = gateway.admin_call(method, path, headers=headers)
            if scope in scopes:
                assert answer.status_code not in {401, 403}, (method, path, scope)
            else:
                assert_error(answer, 403, "forbidden")


def test_revoked_token_opens_nothing(gateway: Gateway) -> None:
    """A token is good until the answer of its revocation; its text is never listed."""
    made = gateway.admin_json("POST", "/v1/tokens", {"scope": "read"})
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert gateway.admin_call("GET", "/v1/accounts", headers=headers).status_code == 200
    listed = gateway.admin_call("GET", "/v1/tokens")
    assert made["token"] not in listed.text
    assert {"id": made["id"], "scope": "read"}.items() <= next(
        item for item in listed.json()["items"] if item["id"] == made["id"]
    ).items()
    gateway.admin_json("DELETE", f"/v1/tokens/{made['id']}")
    assert_error(gateway.admin_call("GET", "/v1/accounts", headers=headers), 401)
    assert_error(gateway.admin_call("DELETE", f"/v1/tokens/{made['id']}"), 404, "unknown_token")
    assert_error(gateway.admin_call("POST", "/v1/tokens", {"scope": "everything"}), 400)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eDp4", "x" * 5000])
def test_nothing_is_open_without_a_token(gateway: Gateway, header: str) -> None:
    """Every call below /v1 wants a good token, and says so in the one form of errors."""
    for method, path in (("GET", "/v1/accounts"), ("POST", "/v1/publish"), ("DELETE", "/v1/accounts/x")):
        assert_error(gateway.admin_call(method, path, headers={"Authorization": header}), 401)


def test_what_is_not_there_is_said_in_the_one_form(gateway: Gateway) -> None:
    """Wrong paths, methods and bodies are answered like every other refusal."""
    assert_error(gateway.admin_call("GET", "/v1/nothing"), 404)
    assert_error(gateway.admin_call("PATCH", "/v1/accounts"), 405)
    assert_error(gateway.admin_call("GET", "/v1/publish"), 405)
    for body in (b"", b"{", b"[]", b'{"name":', b"\xff", b'{"nome":"x"}', b"[" * 50_000):
        assert_error(gateway.admin_call("POST", "/v1/accounts", content=body), 400)
    assert_error(gateway.admin_call("POST", "/v1/accounts", content=b" " * 2_000_000), 413)


def test_pages_of_other_sites_are_kept_out(gateway: Gateway) -> None:
    """A web page that somebody visits cannot call the listener, by a foreign Origin or a rebound name."""
    port = httpx.URL(gateway.admin).port
    for headers in ({"Host": "evil.example"}, {"Host": f"evil.example:{port}"}):
        assert_error(gateway.admin_call("GET", "/v1/accounts", headers=headers), 403)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        assert_error(gateway.admin_call("GET", "/v1/accounts", headers={"Origin": origin}), 403)
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert gateway.admin_call("GET", "/v1/accounts", headers={"Host": host}).status_code == 200
    own = {"Origin": gateway.admin}
    assert gateway.admin_call("GET", "/v1/accounts", headers=own).status_code == 200


def test_health_and_metrics_want_no_token(gateway: Gateway, owner: Owner) -> None:
    """A prober and a scraper read without a secret, and learn of no account and no key."""
    listen_key = create_usdm(gateway, owner.key)
    for path in ("/health/live", "/health/ready"):
        assert httpx.get(gateway.admin + path, trust_env=False, timeout=60).status_code == 200
    answer = httpx.get(f"{gateway.admin}/metrics", trust_env=False, timeout=60)
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 10
    assert all(re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? [-+0-9.eEinfNa]+", line) for line in lines)
    for secret in (owner.name, owner.key, owner.api_key_id, listen_key):
        assert secret not in answer.text
    counted = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}
    gateway.publish(owner.name, "binance-usdm", [order(1)])
    again = httpx.get(f"{gateway.admin}/metrics", trust_env=False, timeout=60).text
    grown = [
        name for name, value in counted.items() if "published" in name and f"{name} {value + 1}" in again
    ]
    assert grown, "a published event counts"


def test_page_wants_a_login(gateway: Gateway, owner: Owner) -> None:
    """The page of what runs is for who has a token; its cookie is safe from scripts and other sites."""
    with httpx.Client(base_url=gateway.admin, trust_env=False, timeout=60) as http:
        assert "<form" in http.get("/").text
        assert gateway.venue not in http.get("/").text
        assert http.post("/login", data={"token": "wrong"}).status_code == 401
        answer = http.post("/login", data={"token": gateway.token})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert gateway.token not in cookie
        page = http.get("/")
        assert gateway.venue in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text), "no third party's assets"
        assert http.post("/logout", data={"csrf": "guessed"}).status_code == 403
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf
        assert http.post("/logout", data={"csrf": csrf[1]}).status_code == 303
        assert gateway.venue not in http.get("/").text


def test_page_session_ends_with_its_token(gateway: Gateway) -> None:
    """Who logged in with a token that is revoked sees nothing any more."""
    made = gateway.admin_json("POST", "/v1/tokens", {"scope": "read"})
    with httpx.Client(base_url=gateway.admin, trust_env=False, timeout=60) as http:
        http.post("/login", data={"token": made["token"]})
        assert gateway.venue in http.get("/").text
        gateway.admin_json("DELETE", f"/v1/tokens/{made['id']}")
        assert gateway.venue not in http.get("/").text


# Bans -------------------------------------------------------------------------------------------------

TIGHT = """
[dialect.binance-usdm.limits]
weight = 3
"""


def test_ban_is_listed_and_lifted(tmp_path: Path) -> None:
    """An operator sees who is shut out until when, and can let them in again at once."""
    file = tmp_path / "listenkey.toml"
    file.write_text(TIGHT)
    with Gateway(tmp_path / "data", args=["--config", str(file)], limits="account") as gateway:
        banned, free = make_owner(gateway), make_owner(gateway)
        wait_for(lambda: usdm(gateway, "POST", banned.key).status_code == 418)
        assert usdm(gateway, "POST", free.key).status_code == 200, "a ban of one is not another's"
        listed = gateway.admin_call("GET", "/v1/bans")
        assert banned.key not in listed.text
        (ban,) = listed.json()["items"]
        now = time.time_ns() // 1_000_000
        assert set(ban) >= {"id", "until"}
        assert now < ban["until"] <= now + 120_000
        gateway.admin_json("DELETE", f"/v1/bans/{ban['id']}")
        assert gateway.admin_items("/v1/bans") == []
        assert usdm(gateway, "POST", banned.key).status_code != 418
        assert_error(gateway.admin_call("DELETE", f"/v1/bans/{ban['id']}"), 404, "unknown_ban")
