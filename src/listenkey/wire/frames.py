"""How bytes leave by a socket: WebSocket frames, codecs, and an event's wrapping, written once for all who
share it."""

import zlib
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Final, Literal, Protocol

import msgspec

from listenkey.core.records import Event
from listenkey.dialect.model import Stream
from listenkey.dialect.template import split_around
from listenkey.wire.native import event_json, event_text

Codec = Literal["text", "gzip_binary", "deflate"]
"""`deflate`: text, in messages that are compressed each by itself (permessage-deflate, RFC 7692)."""
TEXT: Final = 0x1
BINARY: Final = 0x2
DEFLATE_WINDOW_BITS: Final = 12
"""Larger than nearly every event, and far quicker to set up than the largest."""

_FIN: Final = 0x80
_COMPRESSED: Final = 0x40
_DEFLATE_LEVEL: Final = 1
_DEFLATE_MEMORY: Final = 5
_TAIL: Final = 4  # an empty block ends each message, and is not sent


def ws_frame(payload: bytes, opcode: int) -> bytes:
    """One whole frame as a server sends it: final, unmasked, header and payload."""
    size = len(payload)
    if size < 126:
        return bytes((_FIN | opcode, size)) + payload
    if size < 65536:
        return bytes((_FIN | opcode, 126, size >> 8, size & 255)) + payload
    return bytes((_FIN | opcode, 127)) + size.to_bytes(8, "big") + payload


def encode_text(text: str, codec: Codec) -> bytes:
    """Any message of the server that is not an event (ack, heartbeat, notice) as a frame."""
    return framer(codec)(text.encode())


@lru_cache(maxsize=8)
def framer(codec: Codec) -> Callable[[bytes], bytes]:
    """The function that makes a payload a frame of this codec."""
    if codec == "text":
        return _text_frame
    if codec == "deflate":
        return _deflate_frame
    from isal import igzip_lib

    compress, container = igzip_lib.compress, igzip_lib.COMP_GZIP

    def gzip_frame(payload: bytes) -> bytes:
        return ws_frame(compress(payload, 1, container), BINARY)

    return gzip_frame


def _text_frame(payload: bytes) -> bytes:
    size = len(payload)
    if 126 <= size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return ws_frame(payload, TEXT)


def _deflate_frame(payload: bytes) -> bytes:
    packer = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, -DEFLATE_WINDOW_BITS, _DEFLATE_MEMORY)
    packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
    if len(packed) - _TAIL >= len(payload):
        return _text_frame(payload)
    return ws_frame(packed[:-_TAIL], _COMPRESSED | TEXT)


class _Typed(msgspec.Struct, gc=False):
    e: object = ""


_read_type = msgspec.json.Decoder(_Typed).decode


def event_type(payload: bytes) -> str:
    """The value of `e`, or nothing where there is none that is text."""
    try:
        name = _read_type(payload).e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return name if isinstance(name, str) else ""


class Variant(Protocol):
    """One way to write events. Variants with equal keys write equal bytes. Only the native stream has words
    for a journaled gap; a venue's protocol passes over it."""

    key: Hashable

    def encode(self, epoch: str, event: Event) -> bytes | None:
        """The bytes to hand to the transport; None where this variant has no place for the event."""
        ...

    def wrap(self, payload: bytes) -> bytes:
        """The same for a payload that is no journaled event, such as a notice."""
        ...


class _Around:
    """A payload between fixed bytes, as a frame."""

    __slots__ = ("_after", "_before", "_frame", "key")

    def __init__(self, key: Hashable, before: bytes, after: bytes, codec: Codec) -> None:
        self.key = key
        self._before = before
        self._after = after
        self._frame = framer(codec)

    def encode(self, epoch: str, event: Event) -> bytes | None:
        if event.gap:
            return None
        return self._frame(b"%b%b%b" % (self._before, event.payload, self._after))

    def wrap(self, payload: bytes) -> bytes:
        return self._frame(b"%b%b%b" % (self._before, payload, self._after))


class _Raw:
    """A payload as it is, as a frame."""

    __slots__ = ("_frame", "key")

    def __init__(self, codec: Codec) -> None:
        self.key: Hashable = ("raw", codec)
        self._frame = framer(codec)

    def encode(self, epoch: str, event: Event) -> bytes | None:
        return None if event.gap else self._frame(event.payload)

    def wrap(self, payload: bytes) -> bytes:
        return self._frame(payload)


class _ByTopic:
    """A payload in the wrapping of the topic that its event type belongs to; what belongs to none is left
    out."""

    __slots__ = ("_around", "_raw", "key")

    def __init__(self, stream: Stream, codec: Codec) -> None:
        self.key: Hashable = ("topics", stream.name, codec)
        self._raw = _Raw(codec)
        self._around: dict[str, _Raw | _Around] = {
            topic.event: _Around(("topic", topic.name), *split_around(topic.wrap, "event"), codec)
            if topic.wrap
            else self._raw
            for topic in stream.topics
        }

    def encode(self, epoch: str, event: Event) -> bytes | None:
        around = self._around.get(event_type(event.payload))
        return None if around is None else around.encode(epoch, event)

    def wrap(self, payload: bytes) -> bytes:
        return self._raw.wrap(payload)


class _Native:
    """An event of the native stream, as a WebSocket frame or as server-sent-event text."""

    __slots__ = ("_sse", "key")

    def __init__(self, *, sse: bool) -> None:
        self.key: Hashable = ("native", sse)
        self._sse = sse

    def encode(self, epoch: str, event: Event) -> bytes:
        return event_text(epoch, event) if self._sse else _text_frame(event_json(epoch, event))

    def wrap(self, payload: bytes) -> bytes:
        return payload if self._sse else _text_frame(payload)


def raw(codec: Codec) -> Variant:
    """Events bare."""
    return _Raw(codec)


def combined(name: str, codec: Codec) -> Variant:
    """Events as `{"stream":NAME,"data":EVENT}`."""
    before = b'{"stream":' + msgspec.json.encode(name) + b',"data":'
    return _Around(("combined", name, codec), before, b"}", codec)


def by_topic(stream: Stream, codec: Codec) -> Variant:
    """Events as the stream's topics wrap them."""
    return _ByTopic(stream, codec)


def native_socket() -> Variant:
    """Events of the native stream on a WebSocket."""
    return _Native(sse=False)


def native_sse() -> Variant:
    """Events of the native stream as server-sent events."""
    return _Native(sse=True)
