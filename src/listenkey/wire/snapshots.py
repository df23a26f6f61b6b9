"""How things are, from the newest events that said so: what a stream's snapshots are made of, and their text.

Rows are kept as the bytes in which they came, so that amounts go out as they were published.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from listenkey.base.clock import Micros, to_millis
from listenkey.dialect.model import Snapshot, SnapshotRows
from listenkey.dialect.template import fill_json
from listenkey.wire.frames import event_type

_ZERO: Final = msgspec.Raw(b"0")
_ZERO_TEXT: Final = msgspec.Raw(b'"0"')
_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_Rows: TypeAlias = dict[tuple[bytes, ...], bytes]


class Told:
    """What the events of one stream said, as far as its snapshots need it."""

    def __init__(self, snapshots: tuple[Snapshot, ...]) -> None:
        self._types = frozenset(name for each in snapshots for name in each.events)
        self._rows = {(each, rows): _Rows() for each in snapshots for rows in each.rows}

    def take(self, payload: bytes) -> None:
        """An event, in the order of the journal. What is none of the snapshots' or is not as they expect does
        not matter."""
        kind = event_type(payload)
        if kind not in self._types:
            return
        for (snapshot, rows), newest in self._rows.items():
            if kind in snapshot.events:
                newest.update(_rows_of(rows, payload))

    def render(self, snapshot: Snapshot, now: Micros) -> list[bytes]:
        """The messages of a snapshot; none where nothing was ever said."""
        found = {rows.name: list(self._rows[snapshot, rows].values()) for rows in snapshot.rows}
        if snapshot.separate:
            return [_fill(snapshot, {name: row}, now) for name, values in found.items() for row in values]
        if not any(found.values()):
            return []
        return [_fill(snapshot, {name: b"[%b]" % b",".join(rows) for name, rows in found.items()}, now)]


def _fill(snapshot: Snapshot, values: Mapping[str, bytes], now: Micros) -> bytes:
    return fill_json(snapshot.body, {**values, "now_ms": to_millis(now)}).encode()


def _rows_of(rows: SnapshotRows, payload: bytes) -> Iterator[tuple[tuple[bytes, ...], bytes]]:
    part = msgspec.Raw(payload)
    try:
        for name in rows.path.split("."):
            part = _read_object(part)[name]
        for one in _read_list(part) if bytes(part).startswith(b"[") else [part]:
            row = _read_object(one)
            identity = tuple(bytes(row.get(name, b"")) for name in rows.by)
            if any(identity):
                nothing = {name: _nothing(row[name]) for name in rows.zero if name in row}
                yield identity, _encode(row | nothing)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return


def _nothing(amount: msgspec.Raw) -> msgspec.Raw:
    return _ZERO_TEXT if bytes(amount).startswith(b'"') else _ZERO
