"""What is said of WebSocket APIs is what a gateway understands and answers."""

import json

import pytest

from listenkey.dialect.registry import load_dialects
from listenkey.reference.describe import describe
from listenkey.reference.websocket_api import describe_apis, token_call
from listenkey.wire.api import ApiRequest, parse_request
from listenkey.wire.messages import Request
from listenkey.wire.tokens import TokenRequest, read_token_request

PRODUCTS = {name: describe(dialect) for name, dialect in load_dialects().items()}
APIS = {
    f"{name}{api.path}": (product, api)
    for name, product in PRODUCTS.items()
    for api in describe_apis(product)
}


@pytest.fixture(params=APIS.values(), ids=APIS)
def described(request):
    """Each WebSocket API, with its product."""
    return request.param


def test_every_method_is_described_by_a_request_that_is_understood(described):
    """A request copied from its page is read as that method, with its parameters."""
    _, api = described
    assert [each.name for each in api.methods] == [each.name for each in api.api.methods]
    for method in api.methods:
        read = parse_request(api.api, method.request)
        assert isinstance(read, ApiRequest)
        assert read.method.name == method.name
        assert set(read.parameters) == {each.name for each in method.parameters}


def test_every_answer_and_event_is_json_with_nothing_left_to_fill_in(described):
    """What a page shows is what comes."""
    product, api = described
    shown = [method.answer for method in api.methods]
    shown += [text for text in (api.event, api.terminated, api.shutdown) if text]
    for text in shown:
        assert isinstance(json.loads(text), dict)
        assert "$" not in text
    create = next(method for method in api.methods if method.kind == "create")
    assert json.loads(create.answer)["result"] == {"listenKey": product.sample_key}


def test_what_a_venue_took_is_marked_on_its_methods_too():
    """Spot's listen keys are gone by every way; its subscriptions are what replaced them."""
    (spot,) = describe_apis(PRODUCTS["binance-spot"])
    assert {method.name for method in spot.methods if method.era} == {
        "userDataStream.start", "userDataStream.ping", "userDataStream.stop",
    }  # fmt: skip
    (usdm,) = describe_apis(PRODUCTS["binance-usdm"])
    assert not any(method.era for method in usdm.methods)


def test_a_token_is_asked_for_as_described():
    """The parameters of its page bring a token for the isolated account that they name."""
    product = PRODUCTS["binance-margin"]
    (row,) = product.dialect.token_calls
    call = token_call(product, row)
    query = "&".join(f"{each.name}={each.sample}" for each in call.parameters)
    read = read_token_request(row, Request(call.method, call.path, query.encode(), {}, b""))
    assert isinstance(read, TokenRequest)
    assert read.stream == "binance-margin-isolated:BTCUSDT"
    assert {"symbol_missing", "api_key_unknown"} <= {each.kind for each in call.failures}
    assert "listen_key_unknown" not in {each.kind for each in call.failures}


def test_each_way_of_signing_that_is_taken_is_named_and_no_other():
    """Who has an RSA key learns that it will do to subscribe; who has a secret, that no logon takes it."""
    _, api = APIS["binance-spot/ws-api/v3"]
    how = {
        method.kind: next(each.meaning for each in method.parameters if each.name == "signature")
        for method in api.methods
        if method.kind in {"logon", "subscribe_signature"}
    }
    for way in ("Ed25519", "RSA", "HMAC-SHA256"):
        assert way in how["subscribe_signature"]
        assert (way in how["logon"]) == (way == "Ed25519")
