"""A stream written down, a JSON object a line, and read back: what came, when, and in which state.

    {"record":1,"stream":"binance-usdm","at":…}            first, and again wherever a program began anew
    {"at":…,"offset":18,"epoch":"k3f9","event":{…}}        the event's own bytes; its place, if it has one
    {"at":…,"gap":{"reason":"disconnected","since":…,"until":…}}
    {"at":…,"state":"open","reason":"…"}

`at` is the wall clock in milliseconds since 1970 when the item was taken.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from listenkey.client.items import Event, Gap, Item, State
from listenkey.core.position import Missing, Position

VERSION: Final = 1


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """A gap as it is written."""

    reason: str = ""
    first: str = ""
    last: str = ""
    since: int = 0
    until: int = 0
    why: str = ""
    cause: str = ""
    symbols: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


class Line(msgspec.Struct, omit_defaults=True):
    """A line of a record."""

    at: int
    record: int = 0
    stream: str = ""
    offset: int | None = None
    epoch: str = ""
    source: str = ""
    event: msgspec.Raw = msgspec.Raw()
    gap: Told | None = None
    state: str = ""
    reason: str = ""


class Played(msgspec.Struct, frozen=True):
    """What a line of a record says of a stream: an event's bytes, or that some are missing."""

    at_ms: int
    what: bytes | Missing


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Line).decode


def heading(stream: str, at_ms: int) -> bytes:
    """The first line."""
    return _encode({"record": VERSION, "stream": stream, "at": at_ms})


def event_json(event: Event, at_ms: int | None = None) -> bytes:
    """An event on one line, its own bytes unless they have line breaks."""
    raw = msgspec.json.format(event.raw, indent=-1) if b"\n" in event.raw else event.raw
    at = b"" if at_ms is None else b'"at":%d,' % at_ms
    place = b""
    if event.position is not None:
        place = b'"offset":%d,"epoch":"%b",' % (event.position.offset, event.position.epoch.encode())
    source = b"" if event.source == "stream" else b'"source":"%b",' % event.source.encode()
    return b'{%b%b%b"event":%b}' % (at, place, source, raw)


def told(gap: Gap) -> Told:
    """A gap's words and places."""
    first, last = (str(place) if place is not None else "" for place in (gap.first, gap.last))
    return Told(
        gap.reason, first, last, gap.since_ms, gap.until_ms, gap.why, gap.cause, gap.symbols, gap.differs
    )


def item_line(item: Item, at_ms: int) -> bytes:
    """An item of a stream as a line, without its end."""
    if isinstance(item, Event):
        return event_json(item, at_ms)
    if isinstance(item, State):
        return _encode({"at": at_ms, "state": item.state, "reason": item.reason})
    return _encode({"at": at_ms, "gap": told(item)})


def stream_of(line: bytes) -> str:
    """The stream that a record's first line names; nothing where it is no record."""
    try:
        read = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return read.stream if read.record == VERSION else ""


def play(lines: Iterable[bytes]) -> Iterator[Played]:
    """What a record says, in its order. Where a line was torn, or a program began anew, events may be
    missing: that is said too, unless places show that none are."""
    last_at, last_place, doubt = 0, None, None
    for line in lines:
        try:
            read = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            doubt = doubt or Missing("torn", last_at)
            continue
        if read.record and last_at:
            doubt = doubt or Missing("restart", last_at)
        place = None if read.offset is None else Position(read.epoch, read.offset)
        if (read.event or read.gap) and doubt is not None:
            if not _follows(place, last_place):
                yield Played(read.at, msgspec.structs.replace(doubt, until=read.at))
            doubt = None
        last_at = read.at
        if read.event:
            last_place = place
            yield Played(read.at, bytes(read.event))
        elif read.gap is not None:
            yield Played(read.at, _missing(read.gap))
    if doubt is not None:
        yield Played(last_at, doubt)


def _missing(gap: Told) -> Missing:
    cause = gap.cause or gap.reason or "unknown"
    return Missing(cause, gap.since, gap.until, gap.symbols, gap.differs, gap.why)


def _follows(place: Position | None, last: Position | None) -> bool:
    return (
        place is not None
        and last is not None
        and (place.epoch, place.offset) == (last.epoch, last.offset + 1)
    )
