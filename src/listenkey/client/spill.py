"""Where a buffer keeps what does not fit its memory: files without a name, which are gone with the process
however it ends."""

import os
import struct
import tempfile
from collections import deque
from collections.abc import Iterator
from typing import IO, Any, Final

import msgspec

from listenkey.client.items import Event, Gap, Item, State
from listenkey.core.moment import Moment
from listenkey.core.position import Position

_SEGMENTS: Final = 8
"""Files at most: what was read is given back to the disk an eighth at a time."""
_CHUNK: Final = 1 << 18
"""Bytes written and read at once."""
_HEAD: Final = struct.Struct("<IB")
_KINDS: Final[tuple[type[Item], ...]] = (Event, Gap, State)
_encode = msgspec.msgpack.Encoder().encode


class _Kept(msgspec.Struct, array_like=True):
    item: msgspec.Raw
    before: Position | int | None
    """A moment as its number."""


_decoders: Final = tuple(msgspec.msgpack.Decoder(kind).decode for kind in _KINDS)
_decode_kept = msgspec.msgpack.Decoder(_Kept).decode
Place = Position | Moment
"""Up to where everything was had."""
Waiting = tuple[Item, Place | None]


class SpillFull(Exception):
    """Neither the bound nor the disk leaves room."""


class Spill:
    """Items in order, each with the position before it. Errors of `put` alone: `SpillFull`, after which all
    that was put before is still there."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._segments: deque[_Segment] = deque()

    def __bool__(self) -> bool:
        return bool(self._segments)

    def put(self, item: Item, before: Place | None) -> None:
        """Append an item."""
        record = _record(item, before)
        if sum(segment.size for segment in self._segments) + len(record) > self._most:
            raise SpillFull
        try:
            if not self._segments or self._segments[-1].size > self._most // _SEGMENTS:
                self._segments.append(_Segment())
            self._segments[-1].add(record)
        except OSError as error:
            self._drop_empty()
            raise SpillFull from error

    def take(self) -> list[Waiting]:
        """The oldest items, a chunk of them at least where there are so many; they are here no more."""
        if not self._segments:
            return []
        taken = [_waiting(record) for record in self._segments[0].take()]
        self._drop_empty()
        return taken

    def close(self) -> None:
        """Forget everything."""
        while self._segments:
            self._segments.popleft().close()

    def _drop_empty(self) -> None:
        while self._segments and self._segments[0].is_read:
            self._segments.popleft().close()


class _Segment:
    """One file: written at its end, read from its start."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when it is read
        self._unwritten = bytearray()
        self._written = 0
        self._read = 0

    @property
    def size(self) -> int:
        """Bytes that it holds on to, read ones included."""
        return self._written + len(self._unwritten)

    @property
    def is_read(self) -> bool:
        """Whether nothing is left."""
        return self._read == self.size

    def add(self, record: bytes) -> None:
        """Append a record. Errors: `OSError`, and nothing is changed."""
        if len(self._unwritten) + len(record) > _CHUNK and self._unwritten:
            done = 0
            while done < len(self._unwritten):
                done += os.pwrite(self._file.fileno(), self._unwritten[done:], self._written + done)
            self._written += done
            self._unwritten.clear()
        self._unwritten += record

    def take(self) -> Iterator[bytes]:
        """Records, from the oldest on."""
        if self._read >= self._written:
            data = bytes(self._unwritten)
            self._written, self._read = self._written + len(data), self._written
            self._unwritten.clear()
        else:
            data = self._on_disk(min(_CHUNK, self._written - self._read))
            wanted = _HEAD.size + _HEAD.unpack_from(data)[0]
            if wanted > len(data):
                data = self._on_disk(wanted)
        at = 0
        while len(data) - at >= _HEAD.size:
            end = at + _HEAD.size + _HEAD.unpack_from(data, at)[0]
            if end > len(data):
                break
            yield data[at + _HEAD.size - 1 : end]
            at = end
        self._read += at

    def _on_disk(self, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, self._read)

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


def _record(item: Item, before: Place | None) -> bytes:
    place = before.at_ms if isinstance(before, Moment) else before
    packed = _encode(_Kept(msgspec.Raw(_encode(item)), place))
    return _HEAD.pack(len(packed), _KINDS.index(type(item))) + packed


def _waiting(record: bytes) -> Waiting:
    kept = _decode_kept(memoryview(record)[1:])
    decode: Any = _decoders[record[0]]
    place = Moment(kept.before) if isinstance(kept.before, int) else kept.before
    return decode(kept.item), place
