"""Whatever arrives is understood or is a documented fault, and every answer to it is well-formed."""

import gzip
import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.core.records import Event
from listenkey.dialect.model import ControlErrorKind, FailureKind
from listenkey.wire import frames
from listenkey.wire.control import (
    ControlFault,
    ControlRequest,
    control_of,
    parse_control,
    render_control_fault,
)
from listenkey.wire.rest import (
    Arguments,
    Fault,
    NoContent,
    Request,
    check_signature,
    read_api_key,
    read_arguments,
    render_fault,
)
from listenkey.wire.routes import OperationRoute, UnknownRoute
from tests.wire.asking import DIALECTS, KEY, NOW, ROUTES
from tests.wire.test_frames import read

PIECES = st.sampled_from(
    [
        b"listenKey=",
        b"listenkey=",
        b"symbol=",
        b"timestamp=",
        b"recvWindow=",
        b"signature=",
        b"&",
        b"=",
        b"%",
        b"+",
        b"{",
        b"}",
        b'"',
        b":",
        b",",
        b"[",
        KEY.encode(),
        b"BTCUSDT",
        b"%ff",
        b"\xff",
        b"\x00",
        b"\\ud800",
        b"null",
        str(NOW // 1000).encode(),
        b'{"listenKey":"x"}',
        b"1e999",
        b"\r\n",
    ]
)
MIXED = st.lists(PIECES | st.binary(max_size=8), max_size=20).map(b"".join)
OPERATIONS = st.sampled_from([(each, row) for each in DIALECTS.values() for row in each.operations])
FAILURES = get_args(FailureKind)
CONTROL_FAILURES = get_args(ControlErrorKind)


@given(OPERATIONS, MIXED, MIXED, st.sampled_from(["ignored", "if_sent", "required"]))
def test_any_parameters(where: tuple, query: bytes, body: bytes, signature: str) -> None:  # type: ignore[type-arg]
    """Any query and body give arguments of legal values or a fault that has a row and an answer."""
    dialect, operation = where
    request = Request(operation.method, operation.path, query, {b"accept": query}, body)
    asked = read_arguments(dialect, operation, request, signature=signature, now=NOW)
    if isinstance(asked, Fault):
        reply = render_fault(dialect, asked, request=request, now=NOW)
        assert 200 <= reply.status < 500
        if reply.body:
            assert json.loads(reply.body)["code"] == dialect.failure(asked.kind).code
        return
    if asked.signed is not None:
        assert check_signature(dialect, asked.signed, b"secret", "") is not None
    if isinstance(asked, NoContent):
        assert operation.missing_key == "no_content"
        return
    assert isinstance(asked, Arguments)
    assert asked.scope.isalnum() or not asked.scope
    assert asked.listen_key is None or asked.listen_key.isalnum()


@given(st.sampled_from(list(DIALECTS.values())), st.binary(max_size=200) | st.just(b"demo-key"))
def test_any_api_key(dialect, value: bytes) -> None:  # type: ignore[no-untyped-def]
    """Any header value is a well-formed API key or one of the two faults."""
    given_key = read_api_key(dialect, Request("GET", "/", b"", {dialect.auth.header.lower().encode(): value}))
    if isinstance(given_key, Fault):
        assert given_key.kind in {"api_key_missing", "api_key_malformed"}
    else:
        assert given_key == value.decode()


NAMES = st.sampled_from(["", *ROUTES.names])
PATHS = st.lists(
    st.sampled_from(
        [*ROUTES.names, "", "ws", "stream", "private", "market", "api", "v3", "userDataStream", KEY, "%"]
    )
    | st.text(max_size=5),
    max_size=6,
).map(lambda parts: "/" + "/".join(parts))


@given(
    NAMES,
    st.text(max_size=20),
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "x"]),
    PATHS | st.text(),
)
def test_any_route(listener: str, host: str, method: str, path: str) -> None:
    """Any path has a dialect that answers, and what nobody has is answered in its words."""
    route = ROUTES.rest(listener, host, method, path)
    if isinstance(route, UnknownRoute):
        request = Request(method, route.path)
        reply = render_fault(route.dialect, Fault(route.kind), request=request, now=NOW)
        assert not reply.body or json.loads(reply.body)
    else:
        call = route.operation if isinstance(route, OperationRoute) else route.call
        assert (call.method, call.path) == (method, route.path)
    socket = ROUTES.socket(listener, host, path)
    assert socket is None or (socket.candidates and all(socket.names))


SOCKETS = st.sampled_from([(each, path) for each in DIALECTS.values() for path in each.sockets])
WORDS = st.sampled_from(
    [
        "method",
        "params",
        "id",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "GET_PROPERTY",
        "SET_PROPERTY",
        "LIST_SUBSCRIPTIONS",
        "combined",
        "reqType",
        "dataType",
        "sub",
        "unsub",
        "pong",
        "ping",
        "spot.executionReport",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(), inner, max_size=4),
    max_leaves=8,
)
MESSAGES = (
    st.dictionaries(WORDS, VALUES, max_size=5).map(json.dumps)
    | VALUES.map(json.dumps)
    | st.text()
    | st.binary()
)


@given(SOCKETS, MESSAGES)
def test_any_message(where: tuple, message: str | bytes) -> None:  # type: ignore[type-arg]
    """Any message is a request, junk, or a fault whose answer is JSON."""
    dialect, path = where
    request = parse_control(dialect, path, message)
    assert isinstance(request, get_args(ControlRequest) or ControlRequest)
    if isinstance(request, ControlFault):
        assert request.kind in CONTROL_FAILURES
        answer = render_control_fault(control_of(dialect, path.stream), request, NOW)
        assert answer is not None
        assert json.loads(answer)["code"] in {0, 1, 2, 3, 80014, 100400}


@given(st.binary())
def test_any_payload_has_a_type(payload: bytes) -> None:
    """The type of any payload is text."""
    assert isinstance(frames.event_type(payload), str)


@given(VALUES, st.text())
def test_event_type_as_json_reads_it(value: object, name: str) -> None:
    """The type is what a JSON reader finds under `e`."""
    payload = json.dumps({"x": value, "e": name}).encode()
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    assert frames.event_type(payload) == name


@given(st.binary(max_size=70_000), st.sampled_from(["text", "gzip_binary"]))
def test_any_payload_is_framed(payload: bytes, codec: frames.Codec) -> None:
    """Any payload is one whole frame that reads back as itself."""
    frame = read(frames.raw(codec).encode("e", Event(1, 0, payload)) or b"")
    assert (gzip.decompress(frame.data) if codec == "gzip_binary" else frame.data) == payload


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("path", ["/\ud800", '/"', "/\\", "/$msg", "/\x00", "/é"])
def test_any_path_in_an_answer(name: str, path: str) -> None:
    """An answer that repeats the path stays JSON, whatever the path is made of."""
    request = Request("GET", path)
    for kind in ("path_unknown", "method_unknown"):
        reply = render_fault(DIALECTS[name], Fault(kind), request=request, now=NOW)
        assert not reply.body or json.loads(reply.body)
