"""What both ends of a stream's connections can have known, from the bytes that passed between them.

The gateway may tell a client again what it was told before only as far back as the overlap before what the
client surely had. So the bytes say how early a connection may begin: what was proved by then, on which of the
connections that count, less the overlap. Where the bytes leave open what the gateway knew, they are read in
its favour.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.clients.events import FILL_ON_THE_WIRE
from tests.support.fault_proxy import Direction, Wire

DATA, PING, PONG = {0x1, 0x2}, 0x9, 0xA
ON_ITS_WAY = 0.5
"""Seconds within which what has passed the proxy may not have been taken by the gateway yet."""
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
class Heard:
    """One connection of a stream: the fills that went down, and the proofs of receipt that came up."""

    opened: float
    ended: float
    fills: Sequence[int]
    proofs: Sequence[tuple[float, int]]
    """When a Pong passed, and the highest fill before the Ping that it answers."""

    def proved(self, moment: float) -> int:
        """The highest fill that was proved to be had by then."""
        return max((fill for at, fill in self.proofs if at <= moment), default=0)


def was_bound(wire: Wire, *, asks: bool) -> bool:
    """Whether the gateway can have begun a stream on this connection: it got the whole handshake, and where
    the client asks for its stream only then, a whole request."""
    texts = (frame for frame in frames(wire, "up") if frame.opcode in DATA)
    return b"\r\n\r\n" in wire.carried("up") and (not asks or next(texts, None) is not None)


def heard(wire: Wire) -> Heard:
    """Read what passed on a connection."""
    fills: list[int] = []
    asked: list[tuple[bytes, int]] = []
    proofs: list[tuple[float, int]] = []
    both = [(frame, "down") for frame in frames(wire, "down")] + [
        (frame, "up") for frame in frames(wire, "up")
    ]
    for frame, direction in sorted(both, key=lambda each: each[0].at):
        if direction == "up" and frame.opcode == PONG:
            for ping in [each for each in asked if each[0] == frame.payload][:1]:
                asked.remove(ping)
                proofs.append((frame.at, ping[1]))
        elif direction == "down" and frame.opcode == PING:
            asked.append((frame.payload, max(fills, default=0)))
        elif direction == "down":
            text = gzip.decompress(frame.payload) if frame.payload[:2] == b"\x1f\x8b" else frame.payload
            fills += [int(found[1]) for found in FILL_ON_THE_WIRE.finditer(text)]
    return Heard(wire.chunks[wire.marked].at, FOREVER if wire.ended is None else wire.ended, fills, proofs)


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
    cursors = _Cursors(connections, kills)
    return [_before(cursors.at_opening(number), published, overlap) for number in range(len(connections))]


class _Cursors:
    """The lowest place where the gateway can have thought that the reader was, opening by opening."""

    def __init__(self, connections: Sequence[Heard], kills: Sequence[float]) -> None:
        self._connections = connections
        self._kills = kills
        self._bases: list[int] = []

    def at_opening(self, number: int) -> int:
        """Where a connection was opened; asked for in order."""
        opened = self._connections[number].opened
        life = self._life(opened)
        earlier = [other for other in range(number) if self._life(self._connections[other].opened) == life]
        if earlier:
            cursor = self._lowest(earlier, opened - ON_ITS_WAY)
        else:
            kept = self._kills[life - 1] - UNKEPT if life else opened
            before = [other for other in range(number) if self._connections[other].opened < kept]
            cursor = self._lowest(before, kept) if before else 0
        self._bases.append(cursor)
        return cursor

    def _life(self, moment: float) -> int:
        return sum(kill <= moment for kill in self._kills)

    def _lowest(self, earlier: Sequence[int], moment: float) -> int:
        """Over the newest and those that were open or ended since it opened."""
        since = self._connections[earlier[-1]].opened - ON_ITS_WAY
        counting = [each for each in earlier if self._connections[each].ended >= since]
        return min(
            max(self._bases[each], self._connections[each].proved(moment))
            for each in {*counting, earlier[-1]}
        )


def _before(cursor: int, published: Mapping[int, Published], overlap: Overlap) -> int:
    if cursor == 0:
        return 1
    since = published[cursor].asked - overlap.seconds
    by_time = next(number for number in range(1, cursor + 1) if published[number].done >= since)
    return max(1, min(by_time, cursor - overlap.events + 1))


def gapless(fills: Sequence[int]) -> bool:
    """Whether fills came in order, each once and none left out."""
    return all(other == one + 1 for one, other in pairwise(fills))
