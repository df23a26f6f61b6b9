"""The native stream as programs rely on it, on WebSocket and as server-sent events."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.process.conftest import SHORT_LIFE, Owner, make_owner
from tests.process.serving import (
    Events,
    create_usdm,
    listenkey,
    native_events,
    native_socket,
    order,
    receive,
    usdm,
    wait_for,
)
from tests.support.gateway import Gateway

Transport = Literal["socket", "events"]
USDM = "stream=binance-usdm"


@dataclass
class Reader:
    """A native stream on either transport."""

    read: Callable[[], Any]
    """The next message; `EOFError` at the end."""

    def event(self) -> Any:
        """The next event, behind any position."""
        while "event" not in (message := self.read()):
            assert "position" in message, message
        return message

    def other(self) -> Any:
        """The next message that is no position."""
        while "position" in (message := self.read()):
            pass
        return message

    def to_the_end(self) -> list[Any]:
        """All that is left."""
        messages = []
        while True:
            try:
                messages.append(self.read())
            except EOFError:
                return messages


Opener = Callable[..., Any]


@pytest.fixture(params=["socket", "events"])
def opened(request: pytest.FixtureRequest) -> Opener:
    """Opens a stream on one of the transports: `opened(gateway, query, credential, since=…)`."""

    @contextmanager
    def by_socket(gateway: Gateway, query: str, credential: str = "", since: str = "") -> Iterator[Reader]:
        query += f"&since={since}" if since else ""
        with native_socket(gateway, query, credential) as stream:

            def read() -> Any:
                try:
                    return receive(stream)
                except ConnectionClosed:
                    raise EOFError from None

            yield Reader(read)

    @contextmanager
    def by_events(gateway: Gateway, query: str, credential: str = "", since: str = "") -> Iterator[Reader]:
        query += f"&since={since}" if since else ""
        with native_events(gateway, query, credential) as events:
            assert events.response.status_code == 200, events.response.text
            yield Reader(lambda: events.next()[2])

    return by_socket if request.param == "socket" else by_events


@pytest.fixture(params=["socket", "events"])
def status_of(request: pytest.FixtureRequest) -> Callable[..., int]:
    """The status of a request for a stream, on one of the transports; 101 or 200 where it was opened."""

    def by_socket(gateway: Gateway, query: str, credential: str = "") -> int:
        try:
            with native_socket(gateway, query, credential):
                return 101
        except InvalidStatus as refusal:
            status, body = refusal.response.status_code, refusal.response.body or b""
        assert set(json.loads(body)["error"]) == {"code", "message", "remedy"}
        return status

    def by_events(gateway: Gateway, query: str, credential: str = "") -> int:
        with native_events(gateway, query, credential) as events:
            status = events.response.status_code
            if status != 200:
                assert set(events.response.json()["error"]) == {"code", "message", "remedy"}
            return status

    return by_socket if request.param == "socket" else by_events


def publish(gateway: Gateway, owner: Owner, *numbers: int) -> str:
    """Publish events of these numbers; the journal's epoch."""
    answers = gateway.publish(owner.name, "binance-usdm", [order(number) for number in numbers])
    epoch: str = answers[-1]["epoch"]
    return epoch


# Live, positions, resuming ----------------------------------------------------------------------------


def test_live_stream(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """Without `since` it begins at the head, says so first, and brings what is published from then on."""
    epoch = publish(gateway, owner, 1, 2)
    with opened(gateway, USDM, owner.key) as reader:
        first = reader.read()
        assert set(first) == {"position", "epoch", "time"}
        assert (first["epoch"], first["position"]) == (epoch, 2)
        publish(gateway, owner, 3)
        event = reader.event()
        assert set(event) == {"offset", "epoch", "time", "event"}
        assert (event["epoch"], event["offset"], event["event"]) == (epoch, 3, order(3))
        assert abs(event["time"] - time.time_ns() // 1_000_000) < 30_000


def test_position_proves_a_quiet_stream_complete(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """Every few seconds a reader learns that it has all up to the head, events or none."""
    with opened(gateway, USDM, owner.key) as reader:
        first = reader.read()
        publish(gateway, owner, 1)
        assert reader.event()["offset"] == 1
        later = [reader.read(), reader.read()]
        assert [message["position"] for message in later] == [1, 1]
        assert first["time"] <= later[0]["time"] < later[1]["time"]


def test_resuming_brings_every_later_event(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """After `since` all that came later is sent, in order, then what is new; it begins with `since`."""
    epoch = publish(gateway, owner, *range(1, 1201))
    for since in (0, 1, 600, 1199, 1200):
        with opened(gateway, USDM, owner.key, since=f"{epoch}:{since}") as reader:
            first = reader.read()
            assert (first["epoch"], first["position"]) == (epoch, since)
            got = [reader.event() for _ in range(since, 1200)]
            assert [event["offset"] for event in got] == list(range(since + 1, 1201))
            assert all(event["event"]["n"] == event["offset"] for event in got)
    with opened(gateway, USDM, owner.key, since=f"{epoch}:1200") as reader:
        publish(gateway, owner, 1201)
        assert reader.event()["offset"] == 1201


def test_resuming_while_events_arrive(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """The seam between what was and what is has no hole and no repetition."""
    epoch = publish(gateway, owner, *range(1, 3001))
    with opened(gateway, USDM, owner.key, since=f"{epoch}:0") as reader:
        for start in range(3001, 4001, 50):
            publish(gateway, owner, *range(start, start + 50))
        assert [reader.event()["offset"] for _ in range(4000)] == list(range(1, 4001))


def test_position_of_an_empty_journal_can_be_resumed(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """Who asked before the first event was published resumes from there, over a crash too, without a gap."""
    with opened(gateway, "stream=binance-spot", owner.key) as reader:
        first = reader.read()
    gateway.restart(kill=True)
    gateway.publish(owner.name, "binance-spot", [order(1)])
    with opened(gateway, "stream=binance-spot", owner.key, since=f"{first['epoch']}:0") as reader:
        assert reader.other()["offset"] == 1


# Server-sent events -----------------------------------------------------------------------------------


def test_events_have_names_and_ids(gateway: Gateway, owner: Owner) -> None:
    """A browser's EventSource sees `position` and `event`, with ids that it sends back by itself."""
    with native_events(gateway, USDM, owner.key) as events:
        identity, kind, position = events.next()
        assert kind == "position"
        assert identity == f"{position['epoch']}:{position['position']}"
        publish(gateway, owner, 1)
        identity, kind, event = next_event(events)
        assert identity == f"{event['epoch']}:{event['offset']}"


def next_event(events: Events) -> tuple[str | None, str, Any]:
    """The next one that is an event."""
    while (message := events.next())[1] != "event":
        assert message[1] == "position", message
    return message


def test_last_event_id_beats_since(gateway: Gateway, owner: Owner) -> None:
    """A client that reconnects by itself keeps its first URL; where it is says its header."""
    epoch = publish(gateway, owner, 1, 2, 3)
    query = f"{USDM}&since={epoch}:0"
    with native_events(gateway, query, owner.key, last_event_id=f"{epoch}:2") as events:
        assert next_event(events)[2]["offset"] == 3


def test_event_over_several_lines(gateway: Gateway, owner: Owner) -> None:
    """An event published with white space around its parts arrives whole: a line break would end it early."""
    text = json.dumps({"account": owner.name, "stream": "binance-usdm", "event": {}})
    gateway.publish_lines(text.replace("{}", '{"a":\t1,\r"b":  2}'))
    with native_events(gateway, f"{USDM}&since=zz:0", owner.key) as events:
        while (message := events.next())[1] in {"position", "gap"}:
            pass
        assert message[2]["event"] == {"a": 1, "b": 2}


def test_plain_request_is_told_what_it_lacks(gateway: Gateway, owner: Owner) -> None:
    """A request that asks for neither transport gets an error, and no stream that it cannot read."""
    headers = {"Authorization": f"Bearer {owner.key}"}
    url = f"{gateway.venue}/lk/v1/stream?{USDM}"
    answer = httpx.get(url, headers=headers, trust_env=False, timeout=60)
    assert 400 <= answer.status_code < 500
    assert set(answer.json()["error"]) == {"code", "message", "remedy"}
    post = httpx.post(url, headers={**headers, "Accept": "text/event-stream"}, trust_env=False, timeout=60)
    assert 400 <= post.status_code < 500


# Gaps -------------------------------------------------------------------------------------------------


def test_ahead_is_a_gap(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """A reader that claims more than there is learns where the head is, and goes on right behind it."""
    epoch = publish(gateway, owner, *range(1, 19))
    with opened(gateway, USDM, owner.key, since=f"{epoch}:23") as reader:
        onward = {"epoch": epoch, "offset": 19}
        gap = {"epoch": epoch, "from": 19, "to": None, "next": onward, "reason": "ahead"}
        assert reader.other() == {"gap": gap}
        publish(gateway, owner, 19)
        assert reader.event()["offset"] == 19


def test_new_account_of_an_old_name_is_a_new_epoch(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """The journal of an account that was made again continues nothing, and its reader is told so."""
    old = publish(gateway, owner, 1, 2, 3)
    gateway.admin_json("DELETE", f"/v1/accounts/{owner.name}")
    gateway.add_account(owner.name)
    _, key, _ = gateway.add_api_key(owner.name)
    (answer,) = gateway.publish(owner.name, "binance-usdm", [order(100)])
    assert answer["offset"] == 1
    assert answer["epoch"] != old
    with opened(gateway, USDM, key, since=f"{old}:2") as reader:
        onward = {"epoch": answer["epoch"], "offset": 1}
        gap = {"epoch": old, "from": 3, "to": None, "next": onward, "reason": "epoch"}
        assert reader.other() == {"gap": gap}
        event = reader.event()
        assert (event["epoch"], event["offset"], event["event"]) == (answer["epoch"], 1, order(100))


def test_restored_store_is_a_new_epoch(tmp_path: Path, opened: Opener) -> None:
    """After a restore, readers of what the copy has not are told, and others get the copy's events first."""
    with Gateway(tmp_path / "data") as gateway:
        owner = make_owner(gateway)
        old = publish(gateway, owner, 1, 2, 3)
        copy = tmp_path / "copy.db"
        gateway.admin_json("POST", "/v1/store/backup", {"path": str(copy)})
        publish(gateway, owner, 4, 5)
        gateway.stop()
        for file in gateway.data.glob("*.db*"):
            file.unlink()
        restored = listenkey("store", "restore", str(copy), "--data", str(gateway.data))
        assert restored.returncode == 0, restored.stderr
        gateway.start()
        new = publish(gateway, owner, 6)
        assert new != old
        onward = {"epoch": new, "offset": 1}
        with opened(gateway, USDM, owner.key, since=f"{old}:5") as reader:
            gap = {"epoch": old, "from": 6, "to": None, "next": onward, "reason": "epoch"}
            assert reader.other() == {"gap": gap}
            assert reader.event()["event"] == order(6)
        with opened(gateway, USDM, owner.key, since=f"{old}:1") as reader:
            seen = [reader.other() for _ in range(4)]
            told = [m["gap"] for m in seen if "gap" in m]
            assert [m["offset"] for m in seen if m.get("epoch") == old] == [2, 3]
            assert told == [{"epoch": old, "from": 4, "to": None, "next": onward, "reason": "epoch"}]
            assert (seen[-1]["epoch"], seen[-1]["offset"]) == (new, 1)


KEEPS_TEN = """
[journal]
max_events = 10
"""


def test_what_is_forgotten_is_a_gap(tmp_path: Path, opened: Opener) -> None:
    """A reader that stayed away longer than the journal reaches back is told which events it lost."""
    file = tmp_path / "listenkey.toml"
    file.write_text(KEEPS_TEN)
    with Gateway(tmp_path / "data", args=["--config", str(file)]) as gateway:
        owner = make_owner(gateway)
        epoch = publish(gateway, owner, *range(1, 26))
        gateway.restart()
        path = f"/v1/journal/{owner.name}/binance-usdm"
        wait_for(lambda: gateway.admin_call("GET", path).text.count('"event"') == 10)
        with opened(gateway, USDM, owner.key, since=f"{epoch}:3") as reader:
            assert reader.other() == {"gap": {"epoch": epoch, "from": 4, "to": 15, "reason": "retention"}}
            assert [reader.event()["offset"] for _ in range(10)] == list(range(16, 26))
        for since in (15, 20):
            with opened(gateway, USDM, owner.key, since=f"{epoch}:{since}") as reader:
                assert reader.other()["offset"] == since + 1, "what is kept comes without a gap"
        first = json.loads(gateway.admin_call("GET", path).text.splitlines()[0])
        assert first["offset"] == 16, "a journal is read from the oldest kept"


# Refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "since",
    [
        "x",
        "",
        ":",
        "e:",
        ":5",
        "e:x",
        "e:-1",
        "e:1:2",
        "e:1.5",
        "e%205",
        "e:+5",
        "e:" + "9" * 40,
        "%00:1",
        "É:1",
    ],
)
def test_malformed_since(gateway: Gateway, owner: Owner, status_of: Callable[..., int], since: str) -> None:
    """A position that is none is refused before anything is sent: taken for live it would hide a hole."""
    assert status_of(gateway, f"{USDM}&since={since}", owner.key) == 400


def test_stream_has_to_be_named_where_the_key_leaves_it_open(
    gateway: Gateway, owner: Owner, status_of: Callable[..., int]
) -> None:
    """An API key has many streams and a USD-M key two; a spot key's is clear. Others' are refused."""
    usdm_key = create_usdm(gateway, owner.key)
    spot = httpx.post(
        f"{gateway.venue}/api/v3/userDataStream", headers={"X-MBX-APIKEY": owner.key}, trust_env=False
    ).json()["listenKey"]
    opened = {101, 200}
    assert status_of(gateway, "", owner.key) == 400
    assert status_of(gateway, "stream=", owner.key) == 400
    assert status_of(gateway, "stream=nothing", owner.key) == 400
    assert status_of(gateway, "stream=binance-margin-isolated", owner.key) == 400
    assert status_of(gateway, "stream=binance-margin-isolated:BTCUSDT", owner.key) in opened
    assert status_of(gateway, "", usdm_key) == 400
    assert status_of(gateway, "stream=binance-pm-pro", usdm_key) in opened
    assert status_of(gateway, "stream=binance-spot", usdm_key) == 400
    assert status_of(gateway, "", spot) in opened
    assert status_of(gateway, "stream=binance-usdm", spot) == 400
    assert status_of(gateway, f"listenKey={spot}") in opened


def test_credentials(gateway: Gateway, owner: Owner, status_of: Callable[..., int]) -> None:
    """Nobody reads without a good credential, one that may not read, or from where it may not be used."""
    assert status_of(gateway, USDM) == 401
    assert status_of(gateway, USDM, "nothing-good") == 401
    assert status_of(gateway, f"{USDM}&listenKey=nothing") == 401
    _, trades, _ = gateway.add_api_key(owner.name, ["trade"])
    assert status_of(gateway, USDM, trades) in {401, 403}
    _, elsewhere, _ = gateway.add_api_key(owner.name, ip_allow=["192.0.2.0/24"])
    assert status_of(gateway, USDM, elsewhere) in {401, 403}
    assert status_of(gateway, USDM, gateway.token) == 401
    closed = create_usdm(gateway, owner.key)
    usdm(gateway, "DELETE", owner.key)
    assert status_of(gateway, USDM, closed) == 401


# Ends -------------------------------------------------------------------------------------------------


def test_end_when_the_key_is_closed(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """A stream opened with a listen key ends with it, in words, and the server closes."""
    listen_key = create_usdm(gateway, owner.key)
    with opened(gateway, f"{USDM}&listenKey={listen_key}") as reader:
        publish(gateway, owner, 1)
        assert reader.event()["offset"] == 1
        usdm(gateway, "DELETE", owner.key)
        publish(gateway, owner, 2)
        rest = [message for message in reader.to_the_end() if "position" not in message]
        assert rest == [{"end": {"reason": "closed"}}]


def test_end_when_the_key_expires(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """A key that nobody extends ends its streams on time."""
    headers = {"X-MBX-APIKEY": owner.key}
    asked = time.monotonic()
    url = f"{gateway.venue}/sapi/v1/userDataStream"
    listen_key = httpx.post(url, headers=headers, trust_env=False, timeout=60).json()["listenKey"]
    with opened(gateway, f"listenKey={listen_key}") as reader:
        assert reader.other() == {"end": {"reason": "expired"}}
        assert SHORT_LIFE - 0.1 < time.monotonic() - asked < SHORT_LIFE + 20
        assert reader.to_the_end() == []


def test_end_when_the_credential_is_revoked(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """A stream opened with an API key ends with it, and with its account."""
    with opened(gateway, USDM, owner.key) as reader:
        gateway.admin_json("DELETE", f"/v1/api-keys/{owner.api_key_id}")
        assert reader.to_the_end()[-1] == {"end": {"reason": "revoked"}}
    _, other, _ = gateway.add_api_key(owner.name)
    with opened(gateway, USDM, other) as reader:
        gateway.admin_json("DELETE", f"/v1/accounts/{owner.name}")
        assert reader.to_the_end()[-1] == {"end": {"reason": "revoked"}}


def test_stream_of_an_api_key_outlives_listen_keys(gateway: Gateway, owner: Owner, opened: Opener) -> None:
    """An API key's stream has no expiry: keys come and go under it."""
    create_usdm(gateway, owner.key)
    with opened(gateway, USDM, owner.key) as reader:
        usdm(gateway, "DELETE", owner.key)
        publish(gateway, owner, 1)
        assert reader.event()["offset"] == 1


SMALL_QUEUE = """
[streams]
queue_bytes = 65536
"""


@pytest.mark.parametrize("kind", ["socket", "events"])
def test_end_of_a_slow_reader(tmp_path: Path, kind: Transport) -> None:
    """Who does not take the live tail is told to be slow; others are not held up, and nothing is lost."""
    file = tmp_path / "listenkey.toml"
    file.write_text(SMALL_QUEUE)
    with Gateway(tmp_path / "data", args=["--config", str(file)]) as gateway:
        owner = make_owner(gateway)
        with slow_reader(gateway, owner, kind) as slow, native_socket(gateway, USDM, owner.key) as quick:
            receive(quick)
            wait_for(lambda: len(gateway.admin_items("/v1/connections")) == 2)
            number = 0
            while "socket_slow" not in gateway.stderr:
                events = [order(number + n, fill="x" * 20_000) for n in range(20)]
                gateway.publish(owner.name, "binance-usdm", events)
                while (message := receive(quick)).get("event", {}).get("n") != number + 19:
                    assert "end" not in message
                number += 20
                assert number < 10_000, "a reader that reads nothing was never slow"
            assert b'{"end":{"reason":"slow"}}' in read_to_the_end(slow)[-1000:]
        epoch = receive_first(gateway, owner)["epoch"]
        with native_socket(gateway, f"{USDM}&since={epoch}:0", owner.key) as again:
            got = [message for message in (receive(again) for _ in range(number + 1)) if "event" in message]
            assert [message["offset"] for message in got] == list(range(1, number + 1))


@contextmanager
def slow_reader(gateway: Gateway, owner: Owner, kind: Transport) -> Iterator[socket.socket]:
    """A connection that has asked for the stream and reads nothing."""
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    asks = upgrade if kind == "socket" else "Accept: text/event-stream\r\n"
    head = f"GET /lk/v1/stream?{USDM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {owner.key}\r\n{asks}\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", httpx.URL(gateway.venue).port))
        connection.sendall(head.encode())
        yield connection


def read_to_the_end(connection: socket.socket) -> bytes:
    """What was on its way, up to the end."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def receive_first(gateway: Gateway, owner: Owner) -> Any:
    """The first message of a new reader."""
    with native_socket(gateway, USDM, owner.key) as stream:
        return receive(stream)
