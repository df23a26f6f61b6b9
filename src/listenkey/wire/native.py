"""Messages of the native stream as JSON, and the same as server-sent events.

The shapes are the project's own and fixed; programs outside rely on them.
"""

import re
from typing import Final, Literal

import msgspec

from listenkey.base.clock import Micros, to_millis
from listenkey.core.position import Gap, Missing, Position
from listenkey.core.records import Event

EndReason = Literal["expired", "closed", "revoked", "slow", "shutdown"]
Kind = Literal["event", "position", "gap", "end"]

_LINE_ENDS: Final = re.compile(rb"\r\n|\r|\n")
_encode = msgspec.json.Encoder().encode


def event_json(epoch: str, event: Event) -> bytes:
    """`{"offset":18,"epoch":"k3f9","time":ms,"event":{…}}`, the event's bytes as published; or a gap of one
    offset."""
    if event.gap:
        return recorded_gap_json(epoch, event)
    return b'{"offset":%d,"epoch":"%b","time":%d,"event":%b}' % (
        event.offset,
        epoch.encode(),
        to_millis(event.time),
        event.payload,
    )


def event_line(epoch: str, event: Event) -> bytes:
    """The same as a line of NDJSON. A line's end within JSON stands between its parts, never in a text."""
    return event_json(epoch, event).replace(b"\n", b" ") + b"\n"


def missing_json(missing: Missing) -> bytes:
    """What is journaled of a gap: `{"cause":…[,"since":ms][,"until":ms][,"symbols":[…]][,"differs":[…]]
    [,"why":…]}`."""
    return _encode(missing)


def recorded_gap_json(epoch: str, event: Event) -> bytes:
    """`{"gap":{"epoch":…,"from":18,"to":18,"reason":"upstream","cause":…[,"since":ms][,"until":ms]…}}`."""
    return b'{"gap":{"epoch":"%b","from":%d,"to":%d,"reason":"upstream",%b}' % (
        epoch.encode(),
        event.offset,
        event.offset,
        event.payload[1:],
    )


def position_json(position: Position, now: Micros) -> bytes:
    """`{"position":17,"epoch":"k3f9","time":ms}`: the reader has all up to 17."""
    return _encode({"position": position.offset, "epoch": position.epoch, "time": to_millis(now)})


def gap_json(gap: Gap) -> bytes:
    """`{"gap":{"epoch":…,"from":…,"to":…[,"next":{…}],"reason":…}}`; `to` is null where the end is
    unknown."""
    body: dict[str, object] = {"epoch": gap.epoch, "from": gap.first, "to": gap.last}
    if gap.next is not None:
        body["next"] = {"epoch": gap.next.epoch, "offset": gap.next.offset}
    body["reason"] = gap.reason
    return _encode({"gap": body})


def end_json(reason: EndReason) -> bytes:
    """`{"end":{"reason":…}}`; nothing follows."""
    return _encode({"end": {"reason": reason}})


def sse(kind: Kind, data: bytes, at: Position | None = None) -> bytes:
    """One server-sent event. `at` becomes its id: a reader that comes back with it has had all up to
    there."""
    head = b"" if at is None else b"id: %b\n" % str(at).encode()
    if b"\n" in data or b"\r" in data:
        data = _LINE_ENDS.sub(b"\ndata: ", data)
    return b"%bevent: %b\ndata: %b\n\n" % (head, kind.encode(), data)


def event_text(epoch: str, event: Event) -> bytes:
    """An event, or a journaled gap, as a server-sent event."""
    if event.gap:
        return sse("gap", recorded_gap_json(epoch, event), Position(epoch, event.offset))
    data = event_json(epoch, event)
    if b"\n" in data or b"\r" in data:
        return sse("event", data, Position(epoch, event.offset))
    return b"id: %b:%d\nevent: event\ndata: %b\n\n" % (epoch.encode(), event.offset, data)


def position_text(position: Position, now: Micros) -> bytes:
    """A position as a server-sent event."""
    return sse("position", position_json(position, now), position)


def gap_text(gap: Gap) -> bytes:
    """A gap as a server-sent event. Its id is behind the gap, so that it is told once."""
    after = None
    if gap.next is not None:
        after = Position(gap.next.epoch, gap.next.offset - 1)
    elif gap.last is not None:
        after = Position(gap.epoch, gap.last)
    return sse("gap", gap_json(gap), after)


def end_text(reason: EndReason) -> bytes:
    """The end as a server-sent event."""
    return sse("end", end_json(reason))
