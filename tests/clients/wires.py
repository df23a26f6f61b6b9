"""What both ends of a stream's connections can have known, from the bytes that passed between them.

The gateway may tell a client again what it was told before only from the overlap before what it confirmed, or
from what none of the connections that count had for as long as the overlap. So the bytes say how early a
connection may begin. Where they leave open what the gateway knew, they are read in its favour.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.clients.events import FILL_ON_THE_WIRE
from tests.support.fault_proxy import Direction, Wire

DATA, PING, PONG = {0x1, 0x2}, 0x9, 0xA
ON_ITS_WAY = 0.5
"""Seconds within which what has passed the proxy may not have been taken by the gateway yet."""
AT_ONCE = 0.02
"""Seconds within which an end and the next beginning may look as if they came the other way round. However
busy the gateway is, it takes up in order what came to it in order."""
UNKEPT = 2.0
"""Seconds of confirmations that a kill may take back."""
FOREVER = float("inf")


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
    """A receipt: the highest fill that it stands for, when it was asked for, and when it counted."""

    fill: int
    asked: float
    at: float


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
        """What the gateway surely knew by then. Every receipt counts where the overlap is no longer than two
        seconds; with a longer one some are left out."""
        known = [proof for proof in self.proofs if proof.at + ON_ITS_WAY <= moment]
        last = known[-1].asked if known else 0.0
        old = (proof.fill for proof in known if proof.at + overlap + ON_ITS_WAY <= last)
        return Had(max((proof.fill for proof in known), default=0), max(old, default=0))


def was_bound(wire: Wire, *, asks: bool) -> bool:
    """Whether the gateway can have begun a stream on this connection: it got the whole handshake, and where
    the client asks for its stream only then, a whole request."""
    texts = (frame for frame in frames(wire, "up") if frame.opcode in DATA)
    return b"\r\n\r\n" in wire.carried("up") and (not asks or next(texts, None) is not None)


def heard(wire: Wire) -> Heard:
    """Read what passed on a connection."""
    fills: list[int] = []
    asked: list[tuple[bytes, Proof]] = []
    proofs: list[Proof] = []
    likely: Proof | None = None
    both = [(each, "down") for each in frames(wire, "down")] + [(each, "up") for each in frames(wire, "up")]
    for frame, direction in sorted(both, key=lambda each: each[0].at):
        if direction == "up" and frame.opcode == PONG:
            for ping in [each for each in asked if each[0] == frame.payload][:1]:
                asked.remove(ping)
                proof = replace(ping[1], at=frame.at)
                if frame.payload:
                    proofs.append(proof)
                    continue
                # A Pong that says nothing counts once the next one came.
                if likely is not None:
                    proofs.append(replace(likely, at=frame.at))
                likely = proof
        elif direction == "down" and frame.opcode == PING:
            asked.append((frame.payload, Proof(max(fills, default=0), frame.at, frame.at)))
        elif direction == "down":
            text = gzip.decompress(frame.payload) if frame.payload[:2] == b"\x1f\x8b" else frame.payload
            fills += [int(found[1]) for found in FILL_ON_THE_WIRE.finditer(text)]
    opened = wire.chunks[wire.marked or 0].at
    return Heard(opened, FOREVER if wire.ended is None else wire.ended, fills, proofs)


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
    cursors = _Cursors(connections, overlap.seconds, kills)
    return [_start(cursors.at_opening(number), published, overlap) for number in range(len(connections))]


class _Cursors:
    """The lowest place where the gateway can have thought that the reader was, opening by opening."""

    def __init__(self, connections: Sequence[Heard], overlap: float, kills: Sequence[float]) -> None:
        self._connections = connections
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
            moment = self._kills[life - 1] - UNKEPT
            earlier = [other for other in range(number) if self._connections[other].opened < moment]
        cursor = self._lowest(earlier, moment) if earlier else Had()
        self._bases.append(cursor)
        return cursor

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
