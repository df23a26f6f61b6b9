"""Frames of WebSocket APIs, read and written."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.core.records import Event
from listenkey.dialect.registry import load_dialects
from listenkey.wire.api import (
    ApiFault,
    ApiRequest,
    SubscriptionEvents,
    Used,
    parse_request,
    render_api_fault,
    render_result,
)
from listenkey.wire.messages import Fault, Request
from listenkey.wire.signature import check_signature
from listenkey.wire.signed import payload_by_name, read_signed
from listenkey.wire.tokens import read_token_request

DIALECTS = load_dialects()
SPOT = DIALECTS["binance-spot"]
API = SPOT.apis[0]
TOKEN = DIALECTS["binance-margin"].token_calls[0]
SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


@pytest.mark.parametrize("text_id", ["1", '"a-b"', "null", "-9007199254740993", '"\\u00e9"'])
def test_an_id_comes_back_as_it_was_sent(text_id):
    """Clients find their answer by it, byte for byte."""
    request = parse_request(API, f'{{"id":{text_id},"method":"ping"}}')
    assert isinstance(request, ApiRequest)
    assert request.id == text_id.encode()
    assert f'"id":{text_id},' in render_result(API, request, {}, None)


@pytest.mark.parametrize(
    ("text", "kind", "answered"),
    [
        ("", "not_json", b"null"),
        ("[]", "not_json", b"null"),
        ('{"id":1,', "not_json", b"null"),
        ('{"id":{},"method":"ping"}', "parameter_missing", b"null"),
        ('{"id":1.5,"method":"ping"}', "parameter_missing", b"null"),
        ('{"id":7}', "method_missing", b"7"),
        ('{"id":7,"method":5}', "method_missing", b"7"),
        ('{"id":7,"method":"order.place"}', "method_unknown", b"7"),
        ('{"id":7,"method":"ping","params":[]}', "parameter_missing", b"7"),
        ('{"id":7,"method":"ping","params":"x"}', "parameter_missing", b"7"),
    ],
)
def test_what_is_wrong_with_a_frame(text, kind, answered):
    """A fault is named, with the id as far as one was understood."""
    fault = parse_request(API, text)
    assert isinstance(fault, ApiFault)
    assert (fault.kind, fault.id) == (kind, answered)
    answer = json.loads(render_api_fault(API, SPOT, fault.id, fault, 0, None))
    assert answer["status"] == 400
    assert "$" not in answer["error"]["msg"]


@given(st.text())
def test_no_text_is_too_much(text):
    """Whatever comes is a request or a fault."""
    assert isinstance(parse_request(API, text), ApiRequest | ApiFault)


def test_a_method_may_name_its_version():
    """As the venue takes it, both ways."""
    for name in ("time", "v3/time"):
        request = parse_request(API, json.dumps({"method": name}))
        assert isinstance(request, ApiRequest)
        assert request.method.kind == "time"


def test_a_refusal_by_a_limit_tells_when_to_come_back():
    """In milliseconds since 1970, beside the limits, as the page's sample."""
    fault = Fault("banned", {"until_ms": 1659146400000})
    used = (Used(SPOT.limits.buckets[0], 2411),)
    text = render_api_fault(API, SPOT, b'"x"', fault, 1659142907531_000, used)
    assert json.loads(text) == {
        "id": "x",
        "status": 418,
        "error": {
            "code": -1003,
            "msg": "Way too much request weight used; IP banned until 1659146400000. Please use WebSocket "
            "Streams for live updates to avoid bans.",
            "data": {"serverTime": 1659142907531, "retryAfter": 1659146400000},
        },
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000,
             "count": 2411},
        ],
    }  # fmt: skip


def test_events_name_their_subscription_and_keep_their_bytes():
    """What the venue sent inside is not touched."""
    frame = SubscriptionEvents(API, 3).encode("e", Event(1, 0, b'{"e":"x",  "p":"1.0"}'))
    assert frame[2:] == b'{"subscriptionId":3,"event":{"e":"x",  "p":"1.0"}}'


@pytest.mark.parametrize(
    ("parameters", "signature"),
    [
        (
            {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC",
             "quantity": "0.01000000", "price": "52000.00", "recvWindow": 100, "timestamp": 1645423376532},
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            {"symbol": "１２３４５６", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
             "quantity": "1.00000000", "price": "0.10000000", "recvWindow": 5000,
             "timestamp": 1645423376532},
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
        ({"timestamp": 1747385641636}, "681110a6057ad58657af22f5640fab9dd17418834cdfccdc81be8b0f7b2cde3e"),
    ],
)  # fmt: skip
def test_published_signatures_verify(parameters, signature):
    """The venue's own vectors: sorted by name, in UTF-8, not percent-encoded."""
    sent = {**parameters, "apiKey": API_KEY, "signature": signature}
    request = parse_request(API, json.dumps({"id": 1, "method": "session.logon", "params": sent}))
    assert isinstance(request, ApiRequest)
    given_ = request.parameters
    now = parameters["timestamp"] * 1000 + 50_000
    signed = read_signed(SPOT.auth, given_, lambda: (payload_by_name(SPOT.auth, given_),), "required", now)
    assert not isinstance(signed, Fault | None)
    assert check_signature(SPOT, signed, SECRET, "") is None
    assert check_signature(SPOT, msgspec.structs.replace(signed, signature="0" * 64), SECRET, "") is not None


@pytest.mark.parametrize(
    ("query", "stream", "seconds"),
    [
        (b"", "binance-margin", 86400),
        (b"validity=5000", "binance-margin", 5),
        (b"validity=99999999999999", "binance-margin", 86400),
        (b"symbol=BTCUSDT", "binance-margin", 86400),
        (b"isIsolated=true&symbol=btcusdt", "binance-margin-isolated:BTCUSDT", 86400),
        (b"isIsolated=TRUE&symbol=BTCUSDT", "binance-margin-isolated:BTCUSDT", 86400),
    ],
)
def test_what_a_token_is_asked_for(query, stream, seconds):
    """The stream and the time that the page's parameters mean."""
    wanted = read_token_request(TOKEN, Request("POST", TOKEN.path, query))
    assert (wanted.stream, wanted.validity) == (stream, seconds * 1_000_000)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        (b"isIsolated=true", "symbol_missing"),
        (b"isIsolated=true&symbol=B-T", "symbol_unknown"),
        (b"validity=-1", "parameter_illegal"),
        (b"validity=0", "parameter_illegal"),
        (b"validity=x", "parameter_illegal"),
    ],
)
def test_what_a_token_cannot_be_asked_for(query, kind):
    """The dialect's own failure says so."""
    fault = read_token_request(TOKEN, Request("POST", TOKEN.path, query))
    assert isinstance(fault, Fault)
    assert fault.kind == kind
