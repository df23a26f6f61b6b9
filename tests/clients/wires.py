"""What both ends of a stream's connections can have known, from the bytes that passed between them.

The gateway may tell a client again what it was told before only from the overlap before what it confirmed, or
from what none of the connections that count had for as long as the overlap. So the bytes say how early a
connection may begin. Where they leave open what the gateway knew, they are read in its favour.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.clients.events import FILL_ON_THE_WIRE
from tests.support.fault_proxy import Direction, Wire

DATA, PING, PONG = {0x1, 0x2}, 0x9, 0xA
ON_ITS_WAY = 0.5
"""Seconds by which a receipt has to have passed the proxy before a handshake, to be surely taken before it.
However busy the gateway is, it takes up in order what came to it in order."""
AT_ONCE = 0.02
"""Seconds within which an end and the next beginning may look as if they came the other way round."""
EVERY = 1.0
"""Seconds from one question for a receipt to the next, at the least."""
KEPT_EVERY = 0.6
"""Seconds from one time that the gateway has kept its cursors to the next that it hands them to its store."""
FOREVER = float("inf")
COMPRESSED = 0x40
"""The bit of a frame whose message is compressed; all of one direction are one deflate stream."""
TAIL = b"\0\0\xff\xff"


@dataclass(frozen=True)
class Frame:
    """A WebSocket frame that passed as a whole, and when its last byte did."""

    at: float
    opcode: int
    payload: bytes


def frames(wire: Wire, direction: Direction) -> Iterator[Frame]:
    """The whole frames after the head of the handshake."""
    data, at = wire.carried(direction), wire.carried(direction).find(b"\r\n\r\n") + 4
    if at < 4:
        return
    ends = _Ends(wire, direction)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while len(data) >= at + 2:
        length, start = data[at + 1] & 0x7F, at + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
        mask = data[start : start + 4] if data[at + 1] & 0x80 else b""
        start += len(mask)
        if len(data) < start + length:
            return
        payload = data[start : start + length]
        if mask:
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        if data[at] & COMPRESSED:
            payload = inflate.decompress(payload + TAIL)
        yield Frame(ends.when(start + length), data[at] & 0xF, payload)
        at = start + length


class _Ends:
    """When bytes passed; asked for in ascending order."""

    def __init__(self, wire: Wire, direction: Direction) -> None:
        self._chunks = (chunk for chunk in wire.chunks[wire.marked :] if chunk.direction == direction)
        self._at = 0.0
        self._upto = 0

    def when(self, offset: int) -> float:
        """When the last of so many bytes passed."""
        while self._upto < offset:
            chunk = next(self._chunks)
            self._at, self._upto = chunk.at, self._upto + len(chunk.data)
        return self._at


@dataclass(frozen=True)
class Proof:
    """A receipt: the highest fill that it stands for, and between which times it was asked for and taken.

    What the gateway does when is seen from outside, however slow it is: it asks for a receipt only once it
    has taken the one before.
    """

    fill: int
    asked: float
    """It was not asked for earlier."""
    at: float
    """When what makes it count passed the proxy."""
    taken: float = FOREVER
    """It was not taken later: when the gateway was seen to ask for the next one."""


@dataclass(frozen=True)
class Had:
    """What a reader surely had, and what it had for as long as the overlap while it was there."""

    confirmed: int = 0
    settled: int = 0


@dataclass(frozen=True)
class Heard:
    """One connection of a stream: the fills that went down, and the proofs of receipt that came up."""

    opened: float
    ended: float
    fills: Sequence[int]
    proofs: Sequence[Proof]

    def had(self, moment: float, overlap: float) -> Had:
        """What the gateway surely knew by then."""
        known = [proof for proof in self.proofs if proof.at + ON_ITS_WAY <= moment]
        last = known[-1].asked if known else 0.0
        old = [proof for proof in known if proof.taken + overlap <= last]
        # It leaves out receipts that follow within half of the overlap on one that it remembers.
        kept = (each.fill for each in old if each.taken + overlap / 2 >= old[-1].at)
        return Had(max((proof.fill for proof in known), default=0), min(kept, default=0))


def was_bound(wire: Wire, *, asks: bool) -> bool:
    """Whether the gateway can have begun a stream on this connection: it got the whole handshake, and where
    the client asks for its stream only then, a whole request."""
    texts = (frame for frame in frames(wire, "up") if frame.opcode in DATA)
    return b"\r\n\r\n" in wire.carried("up") and (not asks or next(texts, None) is not None)


def heard(wire: Wire) -> Heard:
    """Read what passed on a connection."""
    opened = wire.chunks[wire.marked or 0].at
    fills: list[int] = []
    receipts = _Receipts(opened)
    both = [(each, "down") for each in frames(wire, "down")] + [(each, "up") for each in frames(wire, "up")]
    for frame, direction in sorted(both, key=lambda each: each[0].at):
        if direction == "up" and frame.opcode == PONG:
            receipts.ponged(frame)
        elif direction == "down" and frame.opcode == PING:
            receipts.asked(frame, max(fills, default=0))
        elif direction == "down":
            text = gzip.decompress(frame.payload) if frame.payload[:2] == b"\x1f\x8b" else frame.payload
            fills += [int(found[1]) for found in FILL_ON_THE_WIRE.finditer(text)]
    ended = FOREVER if wire.ended is None else wire.ended
    return Heard(opened, ended, fills, receipts.proofs)


class _Receipts:
    """What the questions and answers on one connection prove; one question is out at a time."""

    def __init__(self, opened: float) -> None:
        self.proofs: list[Proof] = []
        self._earliest = opened
        """The next question is not asked before."""
        self._out: tuple[bytes, Proof] | None = None
        self._likely: Proof | None = None

    def asked(self, ping: Frame, fill: int) -> None:
        """The gateway asks, so it has taken every answer that counts by now."""
        self.proofs = [replace(each, taken=min(each.taken, ping.at)) for each in self.proofs]
        self._out = ping.payload, Proof(fill, self._earliest, ping.at)
        self._earliest += EVERY

    def ponged(self, pong: Frame) -> None:
        """A client answers; what was not asked for proves nothing."""
        if self._out is None or self._out[0] != pong.payload:
            return
        answered, self._out = self._out[1], None
        self._earliest = max(self._earliest, pong.at)
        counts: Proof | None = answered
        if not pong.payload:
            # A Pong that says nothing counts once the next one came.
            counts, self._likely = self._likely, answered
        if counts is not None:
            self.proofs.append(replace(counts, at=pong.at))


@dataclass(frozen=True)
class Published:
    """When publishing a fill was first asked for, and when it was acked."""

    asked: float
    done: float


@dataclass(frozen=True)
class Overlap:
    """What the gateway is configured to repeat."""

    seconds: float
    events: int


def earliest(
    connections: Sequence[Heard],
    published: Mapping[int, Published],
    overlap: Overlap,
    kills: Sequence[float] = (),
) -> list[int]:
    """For each connection, in the order of their opening, the first fill that it may be told."""
    cursors = _Cursors(connections, published.values(), overlap.seconds, kills)
    return [_start(cursors.at_opening(number), published, overlap) for number in range(len(connections))]


class _Cursors:
    """The lowest place where the gateway can have thought that the reader was, opening by opening."""

    def __init__(
        self,
        connections: Sequence[Heard],
        published: Collection[Published],
        overlap: float,
        kills: Sequence[float],
    ) -> None:
        self._connections = connections
        self._published = published
        self._overlap = overlap
        self._kills = kills
        self._bases: list[Had] = []

    def at_opening(self, number: int) -> Had:
        """Where a connection was opened; asked for in order."""
        opened = self._connections[number].opened
        life = self._life(opened)
        earlier = [other for other in range(number) if self._life(self._connections[other].opened) == life]
        moment = opened
        if not earlier and life:
            moment = self._kept_at(self._kills[life - 1])
            earlier = [other for other in range(number) if self._connections[other].opened < moment]
        cursor = self._lowest(earlier, moment) if earlier else Had()
        self._bases.append(cursor)
        return cursor

    def _kept_at(self, kill: float) -> float:
        """All that was confirmed by then is in the store when the kill comes.

        Cursors and fills go to one store in one order. Cursors that were on their way when a fill was asked
        to be published are kept when it is acked; those of that moment are on their way soon after, and kept
        when a fill is acked that was asked for later than that.
        """
        acked = [each for each in self._published if each.done <= kill]
        last = max((each.asked for each in acked), default=0.0)
        return max((each.asked for each in acked if each.done + KEPT_EVERY <= last), default=0.0)

    def _life(self, moment: float) -> int:
        return sum(kill <= moment for kill in self._kills)

    def _lowest(self, earlier: Sequence[int], moment: float) -> Had:
        """Over the newest and those that were open or ended since it opened."""
        since = self._connections[earlier[-1]].opened - AT_ONCE
        counting = {each for each in earlier if self._connections[each].ended >= since} | {earlier[-1]}
        had = [(self._bases[each], self._connections[each].had(moment, self._overlap)) for each in counting]
        return Had(
            min(max(base.confirmed, own.confirmed) for base, own in had),
            min(max(base.settled, own.settled) for base, own in had),
        )


def _start(cursor: Had, published: Mapping[int, Published], overlap: Overlap) -> int:
    if cursor.settled == 0:
        return 1
    since = published[cursor.confirmed].asked - overlap.seconds
    by_time = next(number for number in published if published[number].done >= since)
    return max(1, min(by_time, cursor.settled + 1, cursor.confirmed - overlap.events + 1))


def gapless(fills: Sequence[int]) -> bool:
    """Whether fills came in order, each once and none left out."""
    return all(other == one + 1 for one, other in pairwise(fills))
