"""The description is complete: whatever a dialect can do or answer is in it, and everything has its words."""

from typing import get_args

import pytest
from msgspec.structs import replace

from listenkey.dialect import api, model
from listenkey.dialect.registry import load_dialects
from listenkey.reference import words
from listenkey.reference.describe import describe

DIALECTS = load_dialects()
PRODUCTS = [describe(each) for each in DIALECTS.values()]


def named(product):
    """The name of a product, for pytest."""
    return product.name


@pytest.fixture(params=PRODUCTS, ids=named)
def product(request):
    """Each product."""
    return request.param


def test_every_call_is_described_under_each_of_its_names(product):
    """No operation is left out, aliases included."""
    found = {f"{call.method} {call.path}" for call in product.calls}
    found |= {other for call in product.calls for other in call.others}
    assert found == {f"{each.method} {each.path}" for each in product.dialect.operations}
    assert [f"{each.method} {each.path}" for each in product.public] == [
        f"{each.method} {each.path}" for each in product.dialect.public_calls
    ]


def test_every_failure_is_somewhere_and_says_what_to_do(product):
    """Whoever gets an error body finds it, with a meaning and a remedy."""
    rows = [*product.elsewhere, *product.when_signed]
    rows += [row for call in product.calls for row in call.failures]
    assert {row.kind for row in rows} == {row.kind for row in product.dialect.failures}
    for row in rows:
        assert row.meaning
        assert row.remedy
        assert "$code" not in row.body or row.kind == "error_breaker"


def test_failures_of_a_call_are_those_that_it_can_meet():
    """A create names no key, so nothing about keys is told there; a keyed extend tells all of it."""
    spot = describe(DIALECTS["binance-spot"])
    create, extend = ({row.kind for row in spot.call(kind).failures} for kind in ("create", "extend"))
    assert not create & {"listen_key_missing", "listen_key_unknown", "symbol_missing"}
    assert {"listen_key_missing", "listen_key_unknown", "parameter_illegal"} <= extend
    assert "symbol_missing" in {
        row.kind for row in describe(DIALECTS["binance-margin-isolated"]).call("create").failures
    }


def test_every_limit_is_told_where_it_counts(product):
    """Each call lists the buckets that it is charged to, and no bucket is left out."""
    for call in product.calls:
        operation = next(
            each for each in product.dialect.operations if each.kind == call.kind and not each.alias
        )
        assert [limit.name for limit in call.limits] == [
            limit.name for limit in product.dialect.limits.buckets if limit.name in operation.pools
        ]
        assert call.limits or not operation.pools


def test_every_socket_is_described_with_what_it_carries(product):
    """No path is left out: those with events under their stream, the quiet ones beside."""
    found = [(stream.prefix[1:], socket.path) for stream in product.streams for socket in stream.sockets]
    found += [("", socket.path) for socket in product.quiet]
    assert len(found) == len(product.dialect.sockets)
    for socket in product.dialect.sockets:
        base = socket.path.replace("/{names}", "/")
        assert any(stream == socket.stream and path.startswith(base) for stream, path in found)


def test_what_a_stream_carries_and_how_it_ends_is_described(product):
    """Events, topics, notices, answers to requests and close codes: all of the dialect's."""
    dialect = product.dialect
    assert {event.type for stream in product.streams for event in stream.events} == {
        event.type for event in dialect.events
    }
    assert {notice.body for stream in product.streams for notice in stream.notices} == {
        notice.body for notice in dialect.notices
    }
    assert {id(stream.control) for stream in product.streams} == {id(each) for each in dialect.controls}
    assert [(row.kind, row.code, row.reason) for row in product.closes] == [
        (row.kind, row.code, row.reason) for row in dialect.closes
    ]
    assert all(row.meaning and row.remedy for row in product.closes)


def test_a_sample_key_could_be_one(product):
    """Programs and pages show a key of the venue's own form."""
    space = product.dialect.key_space
    assert len(product.sample_key) == space.length
    assert set(product.sample_key) <= set(space.alphabet)


def test_the_plainest_address_comes_first(product):
    """Programs connect with the key in the address, to bare events, where there is such an address."""
    for stream in product.streams:
        first = stream.sockets[0]
        assert first.binds == "address" or all(each.binds == "subscribe" for each in stream.sockets)
        assert not first.combined or all(each.combined for each in stream.sockets)


def test_what_the_venue_removed_is_marked_with_the_change():
    """A reader of a spot page learns that the venue has it no more; one of USD-M that old paths are quiet."""
    spot, usdm = describe(DIALECTS["binance-spot"]), describe(DIALECTS["binance-usdm"])
    assert all(call.era is not None and call.era.status == 410 for call in spot.calls)
    assert all(call.era is None for call in usdm.calls)
    (stream,) = (each for each in usdm.streams if each.name == "binance-usdm")
    assert {socket.path.partition("?")[0] for socket in stream.sockets if socket.era} == {
        "/ws", "/ws/$listen_key", "/stream",
    }  # fmt: skip


def test_parameters_follow_the_dialect():
    """What a signature needs is asked for only where one is looked at, and demanded only where it must be."""
    bingx = DIALECTS["bingx"]
    optional = {each.name: each.required for each in describe(bingx).call("create").parameters}
    assert optional == {"timestamp": False, "recvWindow": False, "signature": False}
    demanding = replace(bingx, auth=replace(bingx.auth, signature="required"))
    required = {each.name: each.required for each in describe(demanding).call("create").parameters}
    assert required == {"timestamp": True, "recvWindow": False, "signature": True}
    margin = describe(DIALECTS["binance-margin"]).call("close").parameters
    assert [(each.name, each.required, each.aliases) for each in margin] == [
        ("listenKey", True, ("listenkey",))
    ]


@pytest.mark.parametrize(
    "known,vocabulary",
    [
        (words.FAILURES, model.FailureKind),
        (words.CLOSES, model.CloseKind),
        (words.API_METHODS, api.ApiMethodKind),
        (words.API_FAILURES, api.ApiFailureKind),
        (words.CONTROL_ERRORS, model.ControlErrorKind),
        (words.FIELDS, model.FieldKind),
        (words.ISSUES, model.KeySpace.__annotations__["issue"]),
        (words.SIGNATURES, model.Auth.__annotations__["signature"]),
        (words.PAYLOADS, model.Auth.__annotations__["signature_payload"]),
        (words.REQUESTS, model.SocketPath.__annotations__["control"]),
    ],
    ids=[
        "failures",
        "closes",
        "methods",
        "failures of methods",
        "control errors",
        "fields",
        "issue",
        "signature",
        "payload",
        "control",
    ],
)
def test_every_name_of_the_vocabulary_has_words(known, vocabulary):
    """A dialect added later finds words for whatever it may use."""
    assert set(known) == set(get_args(vocabulary))
