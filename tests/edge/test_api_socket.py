"""WebSocket APIs over real sockets: what a client of them lives through."""

import asyncio
import base64
import hashlib
import hmac
import json
from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from listenkey.base.errors import StoreError
from listenkey.service.api_connection import ApiConnection

SPOT, FUTURES = "/ws-api/v3", "/ws-fapi/v1"
TOKEN = "/sapi/v1/userListenToken"
EVENT = {"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "1.0", "T": 1}


class Signer:
    """An API key that signs."""

    def __init__(self, gate, key, sign):
        self._gate, self.key, self._sign = gate, key, sign

    def params(self, **more):
        """Parameters with time and signature."""
        params = {"apiKey": self.key, "timestamp": self._gate.gateway.clock.now() // 1000, **more}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()
        return {**params, "signature": self._sign(text)}


def pem(key):
    """A public key as it is registered."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def by_secret(gate, account="alice"):
    """An API key with a shared secret."""
    await gate.call("POST", "/v1/accounts", {"name": account})
    made = await gate.call("POST", f"/v1/accounts/{account}/api-keys", {"secret": "s" * 20})
    return Signer(
        gate, made.json()["key"], lambda text: hmac.new(b"s" * 20, text, hashlib.sha256).hexdigest()
    )


async def by_ed25519(gate, account="alice"):
    """An API key with an Ed25519 public key."""
    private = ed25519.Ed25519PrivateKey.generate()
    key = await gate.api_key(account, public_key=pem(private))
    return Signer(gate, key, lambda text: base64.b64encode(private.sign(text)).decode())


async def by_rsa(gate, account="alice"):
    """An API key with an RSA public key."""
    private = rsa.generate_private_key(65537, 2048)
    key = await gate.api_key(account, public_key=pem(private))
    return Signer(
        gate, key, lambda text: base64.b64encode(private.sign(text, padding.PKCS1v15(), SHA256())).decode()
    )


async def ask(socket, method, _id=1, **params):
    """One request; its answer."""
    return await socket.ask({"id": _id, "method": method, "params": params})


def code(answer):
    """The error code of an answer."""
    return answer["error"]["code"]


@pytest.mark.parametrize("make", [by_secret, by_ed25519, by_rsa])
async def test_a_subscription_by_signature_gets_the_accounts_events(gate, make):
    """Each kind of key signs; the events come with the subscription's id, those of others never."""
    signer = await make(gate)
    await gate.api_key("bob")
    socket = await gate.dial(SPOT)
    answer = await ask(socket, "userDataStream.subscribe.signature", **signer.params(recvWindow=5000))
    assert answer["status"] == 200
    assert answer["result"] == {"subscriptionId": 0}
    await gate.publish(EVENT, account="bob", stream="binance-spot")
    await gate.publish(EVENT, stream="binance-spot")
    assert await socket.json() == {"subscriptionId": 0, "event": EVENT}
    await socket.silent()
    assert code(await ask(socket, "userDataStream.subscribe.signature", **signer.params())) == -2035


async def test_logging_on_subscribing_and_logging_out(gate):
    """The session of an Ed25519 key carries a subscription until it is logged out."""
    signer = await by_ed25519(gate)
    socket = await gate.dial(f"{SPOT}?returnRateLimits=false")
    assert code(await ask(socket, "userDataStream.subscribe")) == -1193
    answer = await ask(socket, "session.logon", **signer.params())
    assert set(answer) == {"id", "status", "result"}
    now = gate.gateway.clock.now() // 1000
    assert answer["result"] == {
        "apiKey": signer.key,
        "authorizedSince": now,
        "connectedSince": now,
        "returnRateLimits": False,
        "serverTime": now,
        "userDataStream": False,
    }
    assert (await ask(socket, "userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
    assert (await ask(socket, "session.status"))["result"]["userDataStream"] is True
    assert await ask(socket, "session.logout") == {
        "subscriptionId": 0,
        "event": {"e": "eventStreamTerminated", "E": now},
    }
    assert (await socket.json())["result"]["apiKey"] is None
    await gate.publish(EVENT, stream="binance-spot")
    await socket.silent()


@pytest.mark.parametrize("make", [by_secret, by_rsa])
async def test_only_ed25519_keys_log_on(gate, make):
    """As the venue has it."""
    signer = await make(gate)
    socket = await gate.dial(SPOT)
    assert code(await ask(socket, "session.logon", **signer.params())) == -2028


async def test_signatures_outside_their_window_are_refused(gate):
    """Old frames that somebody plays again do nothing."""
    signer = await by_secret(gate)
    socket = await gate.dial(SPOT)
    stale = signer.params()
    gate.advance(5.002)
    for params, expected in (
        (stale, -1021),
        (signer.params(timestamp=gate.gateway.clock.now() // 1000 + 1000), -1021),
        ({**signer.params(), "signature": "0" * 64}, -1022),
        (signer.params(recvWindow=60001), -1131),
        ({"apiKey": signer.key}, -1102),
        ({}, -2014),
        ({"apiKey": "nobody"}, -2015),
    ):
        answer = await ask(socket, "userDataStream.subscribe.signature", **params)
        assert code(answer) == expected, params
    assert (await ask(socket, "session.subscriptions"))["result"] == []


@pytest.mark.parametrize("given, status", [("TRUE", 200), ("false", 200), ("", 200), ("1", 400), ("ja", 400)])
async def test_a_token_is_for_the_account_that_was_meant(gate, given, status):
    """Whoever does not say clearly that a pair's account is meant is not given the cross account's events."""
    query = f"isIsolated={given}&symbol=BTCUSDT"
    made = await gate.venue_call("POST", f"{TOKEN}?{query}", await gate.api_key())
    assert made.status_code == status
    if status == 400:
        assert made.json()["code"] == -1100


async def test_listen_tokens_open_margin_streams_and_end(gate):
    """Cross and isolated accounts on one socket, each by its token, until the token's time is over."""
    key = await gate.api_key()
    socket = await gate.dial(SPOT)
    tokens = []
    for query in ("validity=30000", "isIsolated=true&symbol=btcusdt"):
        made = await gate.venue_call("POST", f"{TOKEN}?{query}", key)
        assert made.status_code == 200, made.text
        tokens.append(made.json())
    for number, token in enumerate(tokens):
        answer = await ask(socket, "userDataStream.subscribe.listenToken", listenToken=token["token"])
        assert answer["result"]["subscriptionId"] == number
        assert answer["result"]["expirationTime"] // 1000 == token["expirationTime"]
    await gate.publish(EVENT, stream="binance-margin-isolated:BTCUSDT")
    assert (await socket.json())["subscriptionId"] == 1
    gate.advance(29.9)
    await gate.publish(EVENT, stream="binance-margin")
    told = await socket.json()
    assert (told["subscriptionId"], told["event"]["e"]) == (0, "balanceUpdate")
    gate.advance(0.2)
    assert (await socket.json())["event"]["e"] == "eventStreamTerminated"
    await gate.publish(EVENT, stream="binance-margin")
    await socket.silent()
    assert (
        code(await ask(socket, "userDataStream.subscribe.listenToken", listenToken=tokens[0]["token"]))
        == -1209
    )


async def test_a_token_is_renewed_on_the_same_socket(gate):
    """A new token before the end, and the subscription goes on under its id without a break."""
    key = await gate.api_key()
    socket = await gate.dial(SPOT)
    for expected in (0, 0):
        token = (await gate.venue_call("POST", f"{TOKEN}?validity=30000", key)).json()["token"]
        answer = await ask(socket, "userDataStream.subscribe.listenToken", listenToken=token)
        assert answer["result"]["subscriptionId"] == expected
        gate.advance(20)
    await gate.publish(EVENT, stream="binance-margin")
    assert (await socket.json())["event"] == EVENT


@pytest.mark.parametrize("token", ["", "x", "AAAA", "A" * 200, "é" * 40, "A" * 5000])
async def test_strings_that_are_no_tokens(gate, token):
    """Whatever is sent in a token's place is refused, and the connection stays."""
    socket = await gate.dial(SPOT)
    answer = await ask(socket, "userDataStream.subscribe.listenToken", listenToken=token)
    assert code(answer) == (-1102 if not token else -1209)


async def test_revoking_an_api_key_ends_what_hangs_on_it(gate):
    """Its subscription, its log-on and its tokens are over before the revocation is answered."""
    signer = await by_ed25519(gate)
    token = (await gate.venue_call("POST", TOKEN, signer.key)).json()["token"]
    socket = await gate.dial(SPOT)
    await ask(socket, "session.logon", **signer.params())
    await ask(socket, "userDataStream.subscribe")
    (api_key,) = (await gate.call("GET", "/v1/api-keys")).json()["items"]
    await gate.call("DELETE", f"/v1/api-keys/{api_key['id']}")
    await gate.publish(EVENT, stream="binance-spot")
    assert (await socket.json())["event"]["e"] == "eventStreamTerminated"
    lost = await ask(socket, "session.status")
    assert (lost["id"], lost["status"], code(lost)) == (None, 401, -2015)
    assert (await ask(socket, "session.status"))["result"]["apiKey"] is None
    assert code(await ask(socket, "userDataStream.subscribe.listenToken", listenToken=token)) == -1209


async def test_listen_keys_over_the_socket_are_those_of_rest(gate):
    """What one makes the other extends and closes; the futures answer without a key's name."""
    key = await gate.api_key()
    spot, futures = await gate.dial(SPOT), await gate.dial(FUTURES)
    made = (await ask(spot, "userDataStream.start", apiKey=key))["result"]["listenKey"]
    assert made == await gate.listen_key(key, "/api/v3/userDataStream")
    extended = await ask(spot, "userDataStream.ping", apiKey=key, listenKey=made)
    assert (extended["status"], extended["response"]) == (200, {})
    assert code(await ask(spot, "userDataStream.ping", apiKey=key)) == -1102
    assert (await ask(spot, "userDataStream.stop", apiKey=key, listenKey=made))["status"] == 200
    assert code(await ask(spot, "userDataStream.ping", apiKey=key, listenKey=made)) == -1125
    made = (await ask(futures, "userDataStream.start", apiKey=key))["result"]["listenKey"]
    assert (await ask(futures, "userDataStream.ping", apiKey=key))["result"]["listenKey"] == made
    events = await gate.dial(f"/ws/{made}")
    assert (await ask(futures, "userDataStream.stop", apiKey=key))["result"] == {}
    assert (await events.json())["e"] == "listenKeyExpired"
    assert code(await ask(futures, "userDataStream.ping", apiKey=key)) == -1125


async def test_answers_come_in_the_order_of_the_requests(gate):
    """Also where some wait for the disk and others do not."""
    key = await gate.api_key()
    socket = await gate.dial(SPOT)
    for number in range(60):
        method = ("ping", "userDataStream.start", "time")[number % 3]
        await socket.socket.send(json.dumps({"id": number, "method": method, "params": {"apiKey": key}}))
    assert [(await socket.json())["id"] for _ in range(60)] == list(range(60))


async def test_requests_in_binary_frames_are_taken(gate):
    """One published client sends them so."""
    socket = await gate.dial(SPOT)
    await socket.socket.send(b'{"id":1,"method":"ping"}')
    assert (await socket.json())["result"] == {}


async def test_a_peer_that_does_not_echo_is_dropped(gate):
    """As the venue does, with its close code; one that echoes stays."""
    socket = await gate.dial(SPOT)
    await ask(socket, "ping")
    for _ in range(5):
        gate.advance(20)
        await socket.silent()
    raw = await gate.raw_socket(SPOT)
    for _ in range(4):
        gate.advance(20)
    received = [await raw.frame() for _ in range(4)]
    assert received[-1] == (8, (1008).to_bytes(2, "big") + b"Pong timeout")


async def test_every_socket_is_told_before_the_server_ends(gate):
    """So that clients connect elsewhere before it is gone."""
    socket = await gate.dial(SPOT)
    await ask(socket, "ping")
    gate.gateway.connections.close_all("shutdown")
    assert (await socket.json())["event"]["e"] == "serverShutdown"
    assert (await socket.closed())[0] == 1001


async def test_a_list_of_connections_names_whose_events_a_socket_is_sent(gate):
    """One socket may have subscriptions of several accounts."""
    socket = await gate.dial(SPOT)
    for name in ("alice", "bob"):
        params = (await by_secret(gate, name)).params()
        assert (await ask(socket, "userDataStream.subscribe.signature", **params))["status"] == 200
    (listed,) = (await gate.call("GET", "/v1/connections")).json()["items"]
    assert [each["account"] for each in listed["subscriptions"]] == ["alice", "bob"]


async def test_a_prefix_leads_there_too(gate):
    """A base address of one product has its WebSocket API as well."""
    socket = await gate.dial(f"/binance-spot{SPOT}")
    assert (await ask(socket, "ping"))["status"] == 200


async def test_times_in_microseconds_where_the_address_asks_for_them(gate):
    """`timeUnit=MICROSECOND`: answers, events of spot and of margin by token, and the end of a subscription;
    the futures have no such unit."""
    signer = await by_ed25519(gate)
    now = gate.gateway.clock.now()
    socket = await gate.dial(f"{SPOT}?timeUnit=MICROSECOND&returnRateLimits=false")
    assert (await ask(socket, "time"))["result"] == {"serverTime": now}
    assert (await ask(socket, "session.status"))["result"]["authorizedSince"] is None
    logged_on = (await ask(socket, "session.logon", **signer.params()))["result"]
    assert {logged_on[name] for name in ("authorizedSince", "connectedSince", "serverTime")} == {now}
    await ask(socket, "userDataStream.subscribe")
    token = (await gate.venue_call("POST", TOKEN, signer.key)).json()["token"]
    await ask(socket, "userDataStream.subscribe.listenToken", listenToken=token)
    for number, stream in enumerate(("binance-spot", "binance-margin")):
        await gate.publish(EVENT, stream=stream)
        assert await socket.json() == {"subscriptionId": number, "event": EVENT | {"E": 1000, "T": 1000}}
    ended = await ask(socket, "session.logout")
    assert ended == {"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": now}}
    futures = await gate.dial(f"{FUTURES}?timeUnit=MICROSECOND")
    assert (await ask(futures, "time"))["result"] == {"serverTime": now // 1000}


async def test_a_subscription_that_could_not_be_made_is_not_there(gate, monkeypatch):
    """Else a second try hears that there is one, and waits for events that never come."""
    signer = await by_secret(gate)
    socket = await gate.dial(SPOT)
    read = gate.gateway.store.read_journal
    monkeypatch.setattr(gate.gateway.store, "read_journal", Mock(side_effect=StoreError("disk", "wait")))
    answer = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    assert answer["status"] == 500
    monkeypatch.setattr(gate.gateway.store, "read_journal", read)
    answer = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    assert answer["status"] == 200
    await gate.publish(EVENT, stream="binance-spot")
    assert (await socket.json())["event"] == EVENT


async def test_what_waits_for_an_answer_is_bounded(gate, monkeypatch):
    """A thousand frames of a megabyte each would be a gigabyte for one socket."""
    monkeypatch.setattr(ApiConnection, "answer", lambda self, text: asyncio.sleep(60))
    socket = await gate.dial(SPOT)
    for _ in range(6):
        await socket.socket.send(" " * 1_000_000)
    assert (await socket.closed())[0] == 1008


@pytest.fixture
def slow_counting(monkeypatch):
    """Makes counts slow to become durable: they wait for what is returned."""
    counted = asyncio.Event()
    monkeypatch.setattr("listenkey.service.api_connection.settle", lambda _: counted.wait())
    return counted


async def test_no_event_overtakes_the_answer_that_names_its_subscription(gate, slow_counting):
    """Clients drop events of subscriptions that they do not know."""
    signer = await by_secret(gate)
    socket = await gate.dial(SPOT)
    request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": signer.params()}
    await socket.socket.send(json.dumps(request))
    await asyncio.sleep(0.1)
    await gate.publish(EVENT, stream="binance-spot")
    slow_counting.set()
    assert (await socket.json())["result"] == {"subscriptionId": 0}
    await gate.publish(EVENT, stream="binance-spot")
    assert (await socket.json())["event"] == EVENT


async def test_a_socket_that_goes_while_it_subscribes_leaves_nothing(gate, slow_counting):
    """Its subscription would be sent events for ever."""
    signer = await by_secret(gate)
    socket = await gate.dial(SPOT)
    request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": signer.params()}
    await socket.socket.send(json.dumps(request))
    await asyncio.sleep(0.1)
    await socket.socket.close()
    await asyncio.sleep(0.1)
    slow_counting.set()
    await asyncio.sleep(0.1)
    assert not gate.gateway.streams._by_api_key
    assert not gate.gateway.streams._live


async def test_a_key_made_while_its_account_was_being_removed_is_ended_too(gate, monkeypatch):
    """Nobody lists it any more, and its socket would stay."""
    signer = await by_secret(gate)
    socket = await gate.dial(SPOT)
    await ask(socket, "userDataStream.subscribe.signature", **signer.params())
    monkeypatch.setattr(gate.gateway.store, "read_api_keys", lambda *_: [])
    await gate.call("DELETE", "/v1/accounts/alice")
    assert (await socket.json())["event"]["e"] == "eventStreamTerminated"
    assert not gate.gateway.streams._by_api_key
