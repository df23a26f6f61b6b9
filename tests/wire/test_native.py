import json

import pytest

from listenkey.core.position import Gap, Missing, Position
from listenkey.core.records import Event
from listenkey.wire import native

NOW = 1_732_180_000_000_000
KNOWN = Missing("disconnected", 5, 9, ("BTCUSDT",), ("USDT",), "too long ago")


def parse_sse(text: bytes) -> tuple[str, str, str]:
    """Id, event and data of one server-sent event, by the rules of the standard."""
    assert text.endswith(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in text.decode().splitlines():
        name, _, value = line.partition(": ")
        if name:
            fields.setdefault(name, []).append(value)
    return fields.get("id", [""])[0], fields["event"][0], "\n".join(fields["data"])


@pytest.mark.parametrize(
    "message, expected",
    [
        (
            native.event_json("k3f9", Event(18, NOW, b'{"a": 1.0}')),
            b'{"offset":18,"epoch":"k3f9","time":1732180000000,"event":{"a": 1.0}}',
        ),
        (
            native.position_json(Position("k3f9", 17), NOW),
            b'{"position":17,"epoch":"k3f9","time":1732180000000}',
        ),
        (
            native.gap_json(Gap("k3f9", 12, 15, "retention")),
            b'{"gap":{"epoch":"k3f9","from":12,"to":15,"reason":"retention"}}',
        ),
        (
            native.gap_json(Gap("k3f9", 19, None, "epoch", Position("q7d2", 1))),
            b'{"gap":{"epoch":"k3f9","from":19,"to":null,"next":{"epoch":"q7d2","offset":1},"reason":"epoch"}}',
        ),
        (native.end_json("expired"), b'{"end":{"reason":"expired"}}'),
        (
            native.event_json("k3f9", Event(18, NOW, native.missing_json(Missing("disconnected")), gap=True)),
            b'{"gap":{"epoch":"k3f9","from":18,"to":18,"reason":"upstream","cause":"disconnected"}}',
        ),
        (
            native.event_json("k3f9", Event(18, NOW, native.missing_json(KNOWN), gap=True)),
            (
                b'{"gap":{"epoch":"k3f9","from":18,"to":18,"reason":"upstream","cause":"disconnected",'
                b'"since":5,"until":9,"symbols":["BTCUSDT"],"differs":["USDT"],"why":"too long ago"}}'
            ),
        ),
    ],
)
def test_messages(message: bytes, expected: bytes) -> None:
    """Each message has exactly the contract's shape, and the event its bytes."""
    assert message == expected


def test_a_journaled_gap_as_text() -> None:
    """A reader that comes back by its id has had the gap, and is not told again."""
    gap = Event(18, NOW, native.missing_json(KNOWN), gap=True)
    at, kind, data = parse_sse(native.event_text("k3f9", gap))
    assert (at, kind, data.encode()) == ("k3f9:18", "gap", native.event_json("k3f9", gap))


def test_event_text() -> None:
    """An event's id is its position, and its data the same object as on a socket."""
    event = Event(18, NOW, b'{"a":1}')
    at, kind, data = parse_sse(native.event_text("k3f9", event))
    assert (at, kind, data.encode()) == ("k3f9:18", "event", native.event_json("k3f9", event))


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
def test_line_ends_in_a_payload(line_end: bytes) -> None:
    """A payload with line ends between its tokens is still one server-sent event with the same object."""
    event = Event(18, NOW, b'{"a":' + line_end + b"1," + line_end + b'"b":2}')
    at, kind, data = parse_sse(native.event_text("k3f9", event))
    assert (at, kind, json.loads(data)["event"]) == ("k3f9:18", "event", {"a": 1, "b": 2})


def test_position_text() -> None:
    """A position's id is itself, so that a quiet stream resumes from where it surely was."""
    assert parse_sse(native.position_text(Position("k3f9", 17), NOW))[:2] == ("k3f9:17", "position")


@pytest.mark.parametrize(
    "gap, at",
    [
        (Gap("k3f9", 12, 15, "retention"), "k3f9:15"),
        (Gap("k3f9", 19, None, "epoch", Position("q7d2", 1)), "q7d2:0"),
        (Gap("k3f9", 19, None, "upstream"), ""),
    ],
)
def test_gap_text(gap: Gap, at: str) -> None:
    """A gap's id is behind it where that is known, so that it is told once."""
    seen, kind, data = parse_sse(native.gap_text(gap))
    assert (seen, kind, data.encode()) == (at, "gap", native.gap_json(gap))


def test_end_text() -> None:
    """The end has no id: it is no place in the journal."""
    assert parse_sse(native.end_text("closed")) == ("", "end", '{"end":{"reason":"closed"}}')
