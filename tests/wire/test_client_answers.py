"""What answers and frames mean to our client, the odd ones above all."""

import pytest

from listenkey.base.clock import SECOND
from listenkey.dialect.registry import load_dialects
from listenkey.wire.client import FrameReader, read_result, socket_path
from listenkey.wire.client_api import read_subscribed


@pytest.mark.parametrize(
    ("dialect", "body", "outcome"),
    [
        ("binance-spot", b"{}", "done"),
        ("bingx", b"", "done"),
        ("binance-spot", b"<html>maintenance</html>", "transient"),
        ("bingx", b"<html>log in to the hotel's network</html>", "transient"),
        ("binance-spot", b"[" * 100_000, "transient"),
    ],
)
def test_a_page_is_no_extension(dialect, body, outcome):
    """Taken for one, the key dies while all seems well."""
    assert read_result(load_dialects()[dialect], "extend", 200, {}, body, SECOND).outcome == outcome


def test_a_listen_token_that_is_worth_nothing_is_replaced():
    """Shown again and again it would be refused for hours."""
    spot = load_dialects()["binance-spot"]
    (api,) = spot.apis
    refused = b'{"id":"subscribe","status":400,"error":{"code":-1209,"msg":"Invalid listen token"}}'
    assert read_subscribed(spot, api, refused).outcome == "key_gone"
    limited = b'{"id":"subscribe","status":429,"error":{"code":-1003,"msg":"","data":{"retryAfter":5}}}'
    assert read_subscribed(spot, api, limited).outcome == "limited"


@pytest.mark.parametrize("frame", [b"no gzip", b"\x1f\x8b\x08\x00half", b""])
def test_a_frame_that_cannot_be_unpacked_is_not_passed_over(frame):
    """It may have been a fill."""
    bingx = load_dialects()["bingx"]
    reader = FrameReader(bingx, "bingx-swap", socket_path(bingx, "bingx-swap"))
    assert reader.read(frame).kind == "rubbish"


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ('{"code":100416,"id":"1","msg":"your topic num over max 200","timestamp":1}', "not_subscribed"),
        ('{"code":0,"id":"1","msg":"SUCCESS","timestamp":1}', "other"),
    ],
)
def test_a_topic_that_is_refused_is_noticed(frame, kind):
    """A socket without its topics stays open and silent."""
    bingx = load_dialects()["bingx"]
    reader = FrameReader(bingx, "bingx-spot", socket_path(bingx, "bingx-spot"))
    assert reader.read(frame).kind == kind


def test_no_ping_ends_a_reader():
    """Nesting beyond measure, and bytes that are no text."""
    bingx = load_dialects()["bingx"]
    reader = FrameReader(bingx, "bingx-spot", socket_path(bingx, "bingx-spot"))
    for ping in ('{"ping":' + "[" * 100_000, '{"ping":"\udcff"}'):
        assert reader.read(ping).kind in {"rubbish", "heartbeat"}


@pytest.mark.parametrize(
    "frame",
    [
        '{"e":"executionReport","i":1',
        '{"data":{"e":"x"',
        "<html></html>",
        b'{"e":"x","s":"\xff"}',
        b" " * 1000,
    ],
)
def test_half_an_event_is_not_passed_over(frame):
    """A fill that was cut short is a fill that is missing, on venues that send text too."""
    spot = load_dialects()["binance-spot"]
    reader = FrameReader(spot, "binance-spot", socket_path(spot, "binance-spot"))
    assert reader.read(frame).kind == "rubbish"


@pytest.mark.parametrize("frame", ["Pong", "[]", "7", '{"result":null,"id":1}', b'{"stream":"x"}'])
def test_what_says_nothing_of_events_hides_none(frame):
    """Answers and words of a venue are no holes."""
    spot = load_dialects()["binance-spot"]
    reader = FrameReader(spot, "binance-spot", socket_path(spot, "binance-spot"))
    assert reader.read(frame).kind == "other"
