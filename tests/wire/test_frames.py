import gzip
import json
from collections.abc import Sequence

import pytest
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from listenkey.core.records import Event
from listenkey.wire import frames
from listenkey.wire.api import SubscriptionEvents
from listenkey.wire.envelopes import Enveloped
from listenkey.wire.frames import BINARY, TEXT, event_type, ws_frame
from listenkey.wire.times import InMicros
from tests.wire.asking import DIALECTS

PAYLOAD = b'{"e":"executionReport","E":1}'
EVENT = Event(18, 1_732_180_000_000_000, PAYLOAD)


def read(data: bytes, extensions: Sequence[Extension] = ()) -> Frame:
    """The one frame that the bytes are, as an independent implementation reads it."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    parser = Frame.parse(reader.read_exact, mask=False, extensions=extensions)
    try:
        next(parser)
    except StopIteration as done:
        assert reader.at_eof  # nothing is left over
        frame: Frame = done.value
        assert extensions or len(frame.data) <= len(data)
        return frame
    raise AssertionError("the frame is not whole")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_frame_sizes(size: int, opcode: int) -> None:
    """A frame of every length class is whole, final and unmasked."""
    frame = read(ws_frame(b"x" * size, opcode))
    assert (frame.opcode, frame.fin, frame.data) == (Opcode(opcode), True, b"x" * size)


@pytest.mark.parametrize("size", [5, 125, 126, 65535, 65536])
def test_text_codec(size: int) -> None:
    """A text message of every length class is a text frame with its very bytes."""
    frame = read(frames.encode_text("x" * size, "text"))
    assert (frame.opcode, frame.data) == (Opcode.TEXT, b"x" * size)


@pytest.mark.parametrize("text", ["Ping", "x" * 70000, ""])
def test_gzip_codec(text: str) -> None:
    """A message of the gzip codec is a binary frame that holds one gzip member."""
    frame = read(frames.encode_text(text, "gzip_binary"))
    assert frame.opcode is Opcode.BINARY
    assert gzip.decompress(frame.data).decode() == text


@pytest.mark.parametrize("window", [frames.DEFLATE_WINDOW_BITS, 15])
@pytest.mark.parametrize("takes_over", [False, True])
def test_deflate_codec(window: int, takes_over: bool) -> None:
    """Each message stands by itself, so that a client with whatever memory of those before reads it."""
    reader = PerMessageDeflate(not takes_over, True, window, 15)
    for text in ("x" * 200, '{"e":"executionReport","x":"NEW","X":"NEW","N":null}' * 9, "y" * 70_000):
        data = frames.encode_text(text, "deflate")
        assert len(data) < len(text)
        packed = read(data, [reader])
        assert (packed.opcode, packed.rsv1, packed.data) == (Opcode.TEXT, False, text.encode())


@pytest.mark.parametrize("text", ["", "{}", '{"result":null,"id":1}'])
def test_deflate_leaves_alone_what_it_would_lengthen(text: str) -> None:
    """What does not shrink goes out as it is, which the extension allows."""
    assert frames.encode_text(text, "deflate") == frames.encode_text(text, "text")


def test_raw() -> None:
    """A raw event is the published bytes."""
    variant = frames.raw("text")
    assert read(variant.encode("e", EVENT) or b"").data == PAYLOAD
    assert read(variant.wrap(b"{}")).data == b"{}"


def test_combined() -> None:
    """A combined event names its stream and holds the published bytes; so does a notice."""
    variant = frames.combined('K"', "text")
    assert read(variant.encode("e", EVENT) or b"").data == b'{"stream":"K\\"","data":' + PAYLOAD + b"}"
    assert read(variant.wrap(b"{}")).data == b'{"stream":"K\\"","data":{}}'


def test_by_topic() -> None:
    """A topic's event is wrapped as the topic says; what belongs to no topic is left out, a notice never."""
    spot = DIALECTS["bingx"].streams[0]
    variant = frames.by_topic(spot, "gzip_binary")
    wrapped = gzip.decompress(read(variant.encode("e", EVENT) or b"").data)
    assert wrapped == b'{"code":0,"dataType":"spot.executionReport","data":' + PAYLOAD + b"}"
    account = b'{"e":"ACCOUNT_UPDATE"}'
    bare = variant.encode("e", Event(1, 0, account))
    assert bare is not None
    assert gzip.decompress(read(bare).data) == account
    assert variant.encode("e", Event(1, 0, b'{"e":"other"}')) is None
    assert gzip.decompress(read(variant.wrap(b"{}")).data) == b"{}"


def test_native() -> None:
    """A native event is one JSON object, framed on a socket and plain text as a server-sent event."""
    expected = {"offset": 18, "epoch": "k3f9", "time": 1732180000000, "event": json.loads(PAYLOAD)}
    socket = read(frames.native_socket().encode("k3f9", EVENT) or b"")
    assert (socket.opcode, json.loads(socket.data)) == (Opcode.TEXT, expected)
    assert read(frames.native_socket().wrap(b"{}")).data == b"{}"
    text = frames.native_sse().encode("k3f9", EVENT)
    assert text is not None
    assert text.startswith(b"id: k3f9:18\nevent: event\ndata: {")
    assert frames.native_sse().wrap(b"x") == b"x"


def test_keys_tell_variants_apart() -> None:
    """Variants share a key exactly where they write the same bytes, so that each is encoded once."""
    spot = DIALECTS["bingx"].streams[0]

    def all_of_them() -> list[frames.Variant]:
        return [
            frames.raw("text"),
            frames.raw("gzip_binary"),
            frames.combined("a", "text"),
            frames.combined("b", "text"),
            frames.combined("a", "gzip_binary"),
            frames.by_topic(spot, "text"),
            frames.native_socket(),
            frames.native_sse(),
        ]

    first, second = all_of_them(), all_of_them()
    assert len({variant.key for variant in first}) == len(first)
    assert [variant.key for variant in first] == [variant.key for variant in second]


@pytest.mark.parametrize(
    "payload, expected",
    [
        (b'{"e":"A"}', "A"),
        (b'{"x":{"e":"B"},"e":"A"}', "A"),
        (b'{"x":{"e":"B"}}', ""),
        (b'{"e":1}', ""),
        (b'{"e":null}', ""),
        (b"[]", ""),
        (b'"e"', ""),
        (b"", ""),
        (b'{"e":"\xff"}', ""),
        (b'{"a":' * 100_000, ""),
    ],
)
def test_event_type(payload: bytes, expected: str) -> None:
    """The type is the top-level `e` where that is text, and nothing for anything else."""
    assert event_type(payload) == expected


def test_a_journaled_gap_has_no_place_in_a_venues_protocol() -> None:
    """What the gateway notes for native readers reaches no program that would take it for an event."""
    spot = DIALECTS["binance-spot"]
    bingx = next(stream for stream in DIALECTS["bingx"].streams if stream.topics)
    gap = Event(18, 1_732_180_000_000_000, b'{"cause":"disconnected"}', gap=True)
    venues = [
        *(frames.raw(codec) for codec in ("text", "gzip_binary")),
        frames.combined("name", "text"),
        frames.by_topic(bingx, "gzip_binary"),
        InMicros(frames.raw("text"), [spot], "binance-spot"),
        Enveloped(("x",), frames.combined("name", "text"), frames.raw("text")),
        SubscriptionEvents(spot.apis[0], 0),
    ]
    assert [variant.encode("e", gap) for variant in venues] == [None] * len(venues)
    assert all(variant.encode("e", gap) for variant in (frames.native_socket(), frames.native_sse()))
