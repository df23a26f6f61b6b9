"""Publishing as its programs rely on it: an answer a line, in order, durable; ids; bytes kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.process.conftest import Owner
from tests.process.serving import create_usdm, native_socket, order, receive_until, venue_socket
from tests.support.gateway import Gateway

MOST = 1 << 20


def line(account: str, event: str, stream: str = "binance-usdm", **more: str) -> str:
    """A line with an event just as it is written here."""
    fields = json.dumps({"account": account, "stream": stream, **more})
    return f'{fields[:-1]},"event":{event}}}'


def codes(answers: list[dict[str, Any]]) -> list[str]:
    """What became of each line."""
    return [answer["error"]["code"] if "error" in answer else "ok" for answer in answers]


def journal(gateway: Gateway, account: str, stream: str = "binance-usdm") -> list[str]:
    """The messages of a journal, as written, but for the position at its end."""
    response = gateway.admin_call("GET", f"/v1/journal/{account}/{stream}")
    assert response.status_code == 200, response.text
    return response.text.splitlines()[:-1]


def test_each_line_is_answered_in_its_place(gateway: Gateway, owner: Owner) -> None:
    """Good lines between bad ones are kept, and a caller can tell by the line which were not, and why."""
    event = '{"e":"ORDER_TRADE_UPDATE"}'
    lines = {
        line(owner.name, event): "ok",
        "": None,
        line("nobody", event): "unknown_account",
        "   ": None,
        line(owner.name, event, stream="binance-spotted"): "unknown_stream",
        line(owner.name, event, stream="binance-margin-isolated"): "unknown_stream",
        line(owner.name, event, stream="binance-margin-isolated:btcusdt"): "unknown_stream",
        line(owner.name, event, stream="binance-usdm:BTCUSDT"): "unknown_stream",
        "{": "bad_line",
        "[]": "bad_line",
        '"text"': "bad_line",
        f'{{"account":"{owner.name}","stream":"binance-usdm"}}': "bad_line",
        line(owner.name, "[1]"): "bad_line",
        line(owner.name, "null"): "bad_line",
        line(owner.name, '"text"'): "bad_line",
        line(owner.name, '{"e":}'): "bad_line",
        line(owner.name, event) + "x": "bad_line",
        line(owner.name, event, id=""): "bad_line",
        line(owner.name, '{"e":"listenKeyExpired","E":1}'): "notice",
        line(owner.name, '{"E":1,"e" : "listenKey\\u0045xpired"}'): "notice",
        "\t" + line(owner.name, event) + " \r": "ok",
        line(owner.name, event, stream="binance-margin-isolated:BTCUSDT"): "ok",
    }
    answers = gateway.publish_lines("\n".join(lines))
    assert codes(answers) == [code for code in lines.values() if code]
    assert all(set(each["error"]) == {"code", "message"} for each in answers if "error" in each)
    good = [answer for answer in answers if "offset" in answer]
    assert [answer["offset"] for answer in good] == [1, 2, 1]
    assert all(set(answer) == {"epoch", "offset"} for answer in good)
    assert len(journal(gateway, owner.name)) == 2


def test_line_that_is_no_text_does_not_harm_its_neighbours(gateway: Gateway, owner: Owner) -> None:
    """Bytes that are not UTF-8 spoil their own line alone."""
    good = line(owner.name, '{"c":"ü"}').encode()
    bad = line(owner.name, '{"c":"?"}').encode().replace(b"?", b"\xff")
    assert codes(gateway.publish_lines(good + b"\n" + bad + b"\n" + good)) == ["ok", "bad_line", "ok"]


def test_nothing_is_a_publish_too(gateway: Gateway) -> None:
    """An empty body has no lines, and so no answers, and is no error."""
    for body in ("", "\n", " \n\n \r\n"):
        assert gateway.publish_lines(body) == []


ODD = [
    '{"e":"ORDER_TRADE_UPDATE", "i": 123456789012345678901234567890,  "p":1.10}',
    '{"e":"ACCOUNT_UPDATE","p":1e400,"z":-0.0}',
    '{"e":"x","c":"\\u00fc\\ud83d\\ude00 \\/","d":"ü😀/"}',
    '{"a":1,"a":2}',
    "{}",
    '{ "deep" : [[[[{"a":[]}]]]] }',
    '{"data":{"event":{},"end":{"reason":"closed"},"gap":null}}',
]


@pytest.mark.parametrize("event", ODD)
def test_bytes_of_an_event_are_kept(gateway: Gateway, owner: Owner, event: str) -> None:
    """Numbers beyond doubles, spelling and order reach the bot and the journal as they were published."""
    listen_key = create_usdm(gateway, owner.key)
    with (
        venue_socket(gateway, f"/ws/{listen_key}") as venue,
        native_socket(gateway, "stream=binance-usdm", owner.key) as native,
    ):
        native.recv(10)
        (answer,) = gateway.publish_lines(line(owner.name, event))
        assert venue.recv(10) == event
        text = native.recv(10)
        assert isinstance(text, str)
        assert text.endswith(f',"event":{event}}}')
    assert journal(gateway, owner.name) == [text]
    assert json.loads(text)["offset"] == answer["offset"]


def test_largest_event(gateway: Gateway, owner: Owner) -> None:
    """An event of exactly 1 MiB is taken and delivered; one byte more is refused, as is one without end."""
    listen_key = create_usdm(gateway, owner.key)
    whole = '{"c":"' + "x" * (MOST - 8) + '"}'
    assert len(whole) == MOST
    with venue_socket(gateway, f"/stream?streams={listen_key}") as socket:
        socket.protocol.max_message_size = None
        lines = [line(owner.name, whole), line(owner.name, whole[:-1] + " }"), line(owner.name, "{}")]
        assert codes(gateway.publish_lines("\n".join(lines))) == ["ok", "too_large", "ok"]
        assert json.loads(socket.recv(10))["data"] == json.loads(whole)
        assert json.loads(socket.recv(10))["data"] == {}
    endless = line(owner.name, '{"c":"' + "x" * 3 * MOST + '"}')
    assert codes(gateway.publish_lines("\n".join([lines[2], endless, lines[2]]))) == ["ok", "too_large", "ok"]


def test_body_may_come_in_pieces(gateway: Gateway, owner: Owner) -> None:
    """A publisher that streams its body, cut anywhere, is answered like one that sends it whole."""
    body = "\n".join(line(owner.name, f'{{"n":{number}}}') for number in range(50)).encode()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 37):
            yield body[start : start + 37]

    answer = gateway.admin_call("POST", "/v1/publish", content=pieces())
    assert [json.loads(text)["offset"] for text in answer.text.splitlines()] == list(range(1, 51))


def test_large_batch_is_in_order(gateway: Gateway, owner: Owner) -> None:
    """Thousands of lines over several streams: each stream's offsets follow the order of its lines."""
    streams = ["binance-usdm", "binance-spot", "bingx-swap"]
    body = "\n".join(line(owner.name, f'{{"n":{n}}}', stream=streams[n % 3]) for n in range(6000))
    answers = gateway.publish_lines(body)
    for place, stream in enumerate(streams):
        assert [each["offset"] for each in answers[place::3]] == list(range(1, 2001))
        found = [json.loads(text)["event"]["n"] for text in journal(gateway, owner.name, stream)]
        assert found == list(range(place, 6000, 3))


# Ids --------------------------------------------------------------------------------------------------


def test_same_id_gives_the_first_offset_again(gateway: Gateway, owner: Owner) -> None:
    """A retry of what may have arrived is no second event, in one request, a later one or a later life."""
    event = '{"n":1}'
    lines = [line(owner.name, event, id="i-1"), line(owner.name, event, id="i-1"), line(owner.name, event)]
    first, again, other = gateway.publish_lines("\n".join(lines))
    assert first == again
    assert other["offset"] == first["offset"] + 1
    assert gateway.publish_lines(lines[0]) == [first]
    gateway.restart()
    assert gateway.publish_lines(lines[0]) == [first]
    gateway.restart(kill=True)
    assert gateway.publish_lines(lines[0]) == [first]
    assert len(journal(gateway, owner.name)) == 2


def test_repeated_event_is_not_sent_again(gateway: Gateway, owner: Owner) -> None:
    """A bot that has an event does not get it a second time because its publisher retried."""
    listen_key = create_usdm(gateway, owner.key)
    with venue_socket(gateway, f"/ws/{listen_key}") as socket:
        for _ in range(2):
            gateway.publish(owner.name, "binance-usdm", [order(1)], ids=["same"])
        gateway.publish(owner.name, "binance-usdm", [order(2)])
        assert [json.loads(socket.recv(10))["n"] for _ in range(2)] == [1, 2]


def test_same_id_for_another_event_is_a_conflict(gateway: Gateway, owner: Owner) -> None:
    """Another payload under a used id is a publisher's fault and is told; the first one stands."""
    lines = [
        line(owner.name, '{"n":1}', id="i"),
        line(owner.name, '{"n":2}', id="i"),
        line(owner.name, '{"n":1}', id="i"),
    ]
    answers = gateway.publish_lines("\n".join(lines))
    assert codes(answers) == ["ok", "id_conflict", "ok"]
    assert codes(gateway.publish_lines(lines[1])) == ["id_conflict"]
    assert [json.loads(text)["event"] for text in journal(gateway, owner.name)] == [{"n": 1}]


def test_ids_are_by_account_and_stream(gateway: Gateway, owner: Owner) -> None:
    """The same id for another stream or account is another event."""
    other = gateway.add_account(f"{owner.name}-other")
    lines = [
        line(owner.name, '{"n":1}', id="i"),
        line(owner.name, '{"n":2}', id="i", stream="binance-spot"),
        line(other, '{"n":3}', id="i"),
    ]
    answers = gateway.publish_lines("\n".join(lines))
    assert codes(answers) == ["ok"] * 3
    assert [answer["offset"] for answer in answers] == [1, 1, 1]


def test_events_go_to_their_own_account_and_stream(gateway: Gateway, owner: Owner) -> None:
    """What is published for one account or product is seen by nobody else."""
    other = gateway.add_account(f"{owner.name}-other")
    _, key, _ = gateway.add_api_key(other)
    with (
        native_socket(gateway, "stream=binance-usdm", key) as foreign,
        native_socket(gateway, "stream=binance-spot", owner.key) as sibling,
    ):
        gateway.publish(owner.name, "binance-usdm", [order(1)])
        gateway.publish(other, "binance-usdm", [order(2)])
        gateway.publish(owner.name, "binance-spot", [order(3)])
        for socket, wanted in ((foreign, 2), (sibling, 3)):
            (event,) = [m for m in receive_until(socket, lambda m: "event" in m) if "event" in m]
            assert event["event"] == order(wanted)


# Reading a journal ------------------------------------------------------------------------------------


def read(gateway: Gateway, owner: Owner, **query: str) -> list[Any]:
    """The messages of the journal."""
    response = gateway.admin_call("GET", f"/v1/journal/{owner.name}/binance-usdm", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(text) for text in response.text.splitlines()]


def test_journal_is_read_from_the_oldest(gateway: Gateway, owner: Owner) -> None:
    """Without `since` all that is kept comes, in the native stream's messages, and a position ends it."""
    (empty,) = read(gateway, owner)
    assert set(empty) == {"position", "epoch", "time"}
    assert empty["position"] == 0
    gateway.publish(owner.name, "binance-usdm", [order(number) for number in range(1, 6)])
    *events, position = read(gateway, owner)
    assert all(set(event) == {"offset", "epoch", "time", "event"} for event in events)
    assert (
        [event["event"]["n"] for event in events] == [event["offset"] for event in events] == [1, 2, 3, 4, 5]
    )
    assert (position["epoch"], position["position"]) == (events[0]["epoch"], 5)
    assert position["epoch"] == empty["epoch"], "an epoch that was told is the one that events then have"


def test_journal_is_read_in_parts(gateway: Gateway, owner: Owner) -> None:
    """`limit` counts events, and the position at the end is where the next part begins."""
    gateway.publish(owner.name, "binance-usdm", [order(number) for number in range(1, 6)])
    epoch = read(gateway, owner)[0]["epoch"]
    assert [m.get("offset", m.get("position")) for m in read(gateway, owner, limit="2")] == [1, 2, 2]
    parts = [read(gateway, owner, limit="2", since=f"{epoch}:{offset}") for offset in (2, 4, 5)]
    assert [[m.get("offset", m.get("position")) for m in part] for part in parts] == [[3, 4, 4], [5, 5], [5]]


def test_journal_tells_gaps(gateway: Gateway, owner: Owner) -> None:
    """A position of another history, or ahead of this one, is answered with a gap and not with a guess."""
    gateway.publish(owner.name, "binance-usdm", [order(1), order(2)])
    epoch = read(gateway, owner)[0]["epoch"]
    gap, position = read(gateway, owner, since=f"{epoch}:9")
    assert gap == {
        "gap": {
            "epoch": epoch,
            "from": 3,
            "to": None,
            "next": {"epoch": epoch, "offset": 3},
            "reason": "ahead",
        }
    }
    assert position["position"] == 2
    gap, first, _, position = read(gateway, owner, since="zzzzz:4")
    assert gap["gap"]["reason"] == "epoch"
    assert gap["gap"]["next"] == {"epoch": epoch, "offset": 1}
    assert (first["offset"], position["position"]) == (1, 2)


def test_journal_of_nobody(gateway: Gateway, owner: Owner) -> None:
    """What is not there, and parameters that are none, are refused before anything is sent."""
    wanted = {
        "/v1/journal/nobody/binance-usdm": 404,
        f"/v1/journal/{owner.name}/nothing": 404,
        f"/v1/journal/{owner.name}/binance-usdm?since=x": 400,
        f"/v1/journal/{owner.name}/binance-usdm?limit=x": 400,
    }
    for path, status in wanted.items():
        answer = gateway.admin_call("GET", path)
        assert answer.status_code == status, path
        assert set(answer.json()["error"]) == {"code", "message", "remedy"}
    scoped = f"/v1/journal/{owner.name}/binance-margin-isolated%3ABTCUSDT"
    assert gateway.admin_call("GET", scoped).status_code == httpx.codes.OK
