import json

import pytest

from listenkey.dialect.model import ControlErrorKind, SocketPath
from listenkey.wire.control import (
    ControlFault,
    GetProperty,
    HeartbeatAnswer,
    Junk,
    ListSubscriptions,
    SetProperty,
    Subscribe,
    TopicRequest,
    Unsubscribe,
    control_of,
    parse_control,
    render_ack,
    render_control_fault,
    render_heartbeat,
    render_names,
    render_property,
    topic_kind,
)
from tests.wire.asking import DIALECTS, KEY, NOW

BINANCE, BINGX = DIALECTS["binance-spot"], DIALECTS["bingx"]
METHOD = BINANCE.sockets[0]
SPOT, SWAP, COINM = (row for row in BINGX.sockets if row.names_in == "query")
MS = NOW // 1000


@pytest.mark.parametrize(
    "text, expected",
    [
        ('{"method":"SUBSCRIBE","params":["K"],"id":1}', Subscribe(b"1", ("K",))),
        (
            '{"method":"SUBSCRIBE","params":["K","btcusdt@trade"],"id":0}',
            Subscribe(b"0", ("K", "btcusdt@trade")),
        ),
        (
            '{"method":"SUBSCRIBE","params":[],"id":-9223372036854775808}',
            Subscribe(b"-9223372036854775808", ()),
        ),
        ('{"id":"a\\"b","method":"SUBSCRIBE","params":["K"]}', Subscribe(b'"a\\"b"', ("K",))),
        ('{"method":"SUBSCRIBE","params":["K"],"id":null}', Subscribe(b"null", ("K",))),
        ('{"method":"SUBSCRIBE","params":["K"]}', Subscribe(b"null", ("K",))),
        (
            '{"method":"SUBSCRIBE","params":["K"],"id":"' + "x" * 36 + '","more":{}}',
            Subscribe(b'"' + b"x" * 36 + b'"', ("K",)),
        ),
        ('{"method":"UNSUBSCRIBE","params":["K"],"id":312}', Unsubscribe(b"312", ("K",))),
        ('{"method":"LIST_SUBSCRIPTIONS","id":3}', ListSubscriptions(b"3")),
        ('{"method":"LIST_SUBSCRIPTIONS","params":5,"id":3}', ListSubscriptions(b"3")),
        ('{"method":"GET_PROPERTY","params":["combined"],"id":2}', GetProperty(b"2")),
        ('{"method":"SET_PROPERTY","params":["combined",true],"id":5}', SetProperty(b"5", True)),
        ('{"method":"SET_PROPERTY","params":["combined",false],"id":5}', SetProperty(b"5", False)),
    ],
)
def test_method_requests(text: str, expected: object) -> None:
    """Every control request is understood, in a text or in a binary frame, with its id as sent."""
    assert parse_control(BINANCE, METHOD, text) == expected
    assert parse_control(BINANCE, METHOD, text.encode()) == expected


VARIANTS = "expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"


@pytest.mark.parametrize(
    "text, code, msg",
    [
        ('{"method":"SET_PROPERTY","params":["x",true],"id":5}', 0, "Unknown property"),
        ('{"method":"GET_PROPERTY","params":["x"],"id":5}', 0, "Unknown property"),
        (
            '{"method":"SET_PROPERTY","params":["combined",1],"id":5}',
            1,
            "Invalid value type: expected Boolean",
        ),
        ('{"method":"SET_PROPERTY","params":["combined"],"id":5}', 1, "Invalid value type: expected Boolean"),
        (
            '{"method":"GET_PROPERTY","params":[5],"id":5}',
            2,
            "Invalid request: property name must be a string",
        ),
        (
            '{"method":"GET_PROPERTY","params":[],"id":5}',
            2,
            "Invalid request: property name must be a string",
        ),
        (
            '{"method":"GET_PROPERTY","params":["combined","x"],"id":5}',
            2,
            "Invalid request: too many parameters",
        ),
        ('{"method":"SET_PROPERTY","params":["combined",true,1]}', 2, "Invalid request: too many parameters"),
        (
            '{"method":"LIST_SUBSCRIPTIONS","id":1.5}',
            2,
            "Invalid request: request ID must be an unsigned integer",
        ),
        (
            '{"method":"LIST_SUBSCRIPTIONS","id":true}',
            2,
            "Invalid request: request ID must be an unsigned integer",
        ),
        (
            '{"method":"LIST_SUBSCRIPTIONS","id":[]}',
            2,
            "Invalid request: request ID must be an unsigned integer",
        ),
        (
            '{"method":"LIST_SUBSCRIPTIONS","id":9223372036854775808}',
            2,
            "Invalid request: request ID must be an unsigned integer",
        ),
        (
            '{"method":"LIST_SUBSCRIPTIONS","id":"' + "x" * 37 + '"}',
            2,
            "Invalid request: request ID must be an unsigned integer",
        ),
        (
            '{"method":"REQUEST","params":["K@account"],"id":12}',
            2,
            f"Invalid request: unknown variant `REQUEST`, {VARIANTS} at line 1 column 19",
        ),
        (
            '{"id":1,"method":"a\\"b`"}',
            2,
            f'Invalid request: unknown variant `a"b``, {VARIANTS} at line 1 column 24',
        ),
        (
            '{"method":5}',
            2,
            "Invalid request: invalid type, expected a string for `method` at line 1 column 12",
        ),
        (
            '{"m\\u0065thod":"x"}',
            2,
            f"Invalid request: unknown variant `x`, {VARIANTS} at line 1 column 19",
        ),
        ('{"params":["K"],"id":1}', 2, "Invalid request: missing field `method` at line 1 column 23"),
        ("{}", 2, "Invalid request: missing field `method` at line 1 column 2"),
        ("[]", 2, "Invalid request: invalid type, expected a map at line 1 column 2"),
        ("5", 2, "Invalid request: invalid type, expected a map at line 1 column 1"),
        (
            '{"method":"SUBSCRIBE","id":1}',
            2,
            "Invalid request: invalid type, expected a sequence for `params` at line 1 column 29",
        ),
        (
            '{"method":"SUBSCRIBE","params":"K"}',
            2,
            "Invalid request: invalid type, expected a sequence for `params` at line 1 column 35",
        ),
        (
            '{"method":"SUBSCRIBE","params":["K",1]}',
            2,
            "Invalid request: invalid type, expected a string in `params` at line 1 column 39",
        ),
        ("hello", 3, "Invalid JSON: expected value at line 1 column 1"),
        ("", 3, "Invalid JSON: expected value at line 1 column 0"),
        ('{"a":1,\n"b":x}', 3, "Invalid JSON: expected value at line 2 column 5"),
        ('{"a":1', 3, "Invalid JSON: expected value at line 1 column 6"),
        ("[" * 20_000, 3, "Invalid JSON: expected value at line 1 column 20000"),
    ],
)
def test_method_faults(text: str, code: int, msg: str) -> None:
    """Every malformed request has the venue's own answer."""
    fault = parse_control(BINANCE, METHOD, text)
    assert isinstance(fault, ControlFault)
    answer = render_control_fault(control_of(BINANCE, ""), fault, NOW)
    assert answer is not None
    seen = json.loads(answer)
    seen.pop("id", None)
    assert seen == {"code": code, "msg": msg}


def test_unknown_property_echoes_the_id() -> None:
    """The one error that names the request does so with the id as sent."""
    fault = parse_control(BINANCE, METHOD, '{"method":"GET_PROPERTY","params":["x"],"id":"q"}')
    assert isinstance(fault, ControlFault)
    answer = render_control_fault(control_of(BINANCE, ""), fault, NOW)
    assert answer == '{"code":0,"msg":"Unknown property","id":"q"}'


def test_bytes_that_are_no_text() -> None:
    """A binary frame that is no UTF-8 is a fault like any other junk."""
    assert isinstance(parse_control(BINANCE, METHOD, b'{"method":"\xff"}'), ControlFault)
    assert isinstance(parse_control(BINANCE, METHOD, b"\xff\xfe"), ControlFault)


def test_method_answers() -> None:
    """Acks, lists and properties are answered in the venue's form, ids as sent."""
    control = control_of(BINANCE, "binance-spot")
    assert render_ack(control, b"1", NOW) == '{"result":null,"id":1}'
    assert render_ack(control, b'"x"', NOW) == '{"result":null,"id":"x"}'
    assert render_names(control, b"3", [KEY, 'a"b'], NOW) == f'{{"result":["{KEY}","a\\"b"],"id":3}}'
    assert render_names(control, b"3", [], NOW) == '{"result":[],"id":3}'
    assert render_property(control, b"2", True, NOW) == '{"result":true,"id":2}'
    assert render_property(control, b"2", False, NOW) == '{"result":false,"id":2}'


TOPIC = "spot.executionReport"


@pytest.mark.parametrize(
    "path, text, expected",
    [
        (SPOT, f'{{"id":"a","reqType":"sub","dataType":"{TOPIC}"}}', TopicRequest(b'"a"', "sub", TOPIC)),
        (SPOT, f'{{"id":"a","reqType":"unsub","dataType":"{TOPIC}"}}', TopicRequest(b'"a"', "unsub", TOPIC)),
        (SPOT, f'{{"id":"a","dataType":"{TOPIC}"}}', TopicRequest(b'"a"', "sub", TOPIC)),
        (SPOT, f'{{"id":7,"dataType":"{TOPIC}"}}', TopicRequest(b"7", "sub", TOPIC)),
        (SPOT, f'{{"dataType":"{TOPIC}"}}', TopicRequest(b'""', "sub", TOPIC)),
        # No page bounds an id, and a client knows its answer by nothing else.
        (
            SPOT,
            f'{{"id":"{"x" * 200}","dataType":"{TOPIC}"}}',
            TopicRequest(b'"%s"' % (b"x" * 200), "sub", TOPIC),
        ),
        (SPOT, f'{{"id":"{"x" * 513}","dataType":"{TOPIC}"}}', TopicRequest(b'""', "sub", TOPIC)),
        (SPOT, f'{{"id":[],"dataType":"{TOPIC}"}}', TopicRequest(b'""', "sub", TOPIC)),
        (SPOT, "Pong", HeartbeatAnswer("")),
        (SPOT, '{"pong":"2177c68e","time":"2022-06-07T16:27:36.323+0800"}', HeartbeatAnswer("2177c68e")),
        (SPOT, '{"ping":1655000000000}', Junk()),
        (SPOT, '{"pong":5}', HeartbeatAnswer("")),
        (SPOT, "hello", Junk()),
        (SPOT, "[1]", Junk()),
        (SPOT, "[" * 100_000, Junk()),
        (SPOT, f'{{"id":"a","reqType":"sub","dataType":["{TOPIC}"]}}', Junk()),
        (SPOT, '{"id":"a","reqType":"other","dataType":"x"}', ControlFault("request_wrong", {"id": b'"a"'})),
        (SPOT, '{"id":"a","reqType":["sub"],"dataType":"x"}', ControlFault("request_wrong", {"id": b'"a"'})),
        (SWAP, "Pong", HeartbeatAnswer("")),
        (SWAP, "Ping", Junk()),
        (SWAP, "{}", ControlFault("request_wrong", {"id": b'""'})),
        (
            SWAP,
            '{"id":"a","reqType":"sub","dataType":"BTC-USDT@trade"}',
            TopicRequest(b'"a"', "sub", "BTC-USDT@trade"),
        ),
        (COINM, "Pong", HeartbeatAnswer("")),
        (COINM, '{"pong":"x","time":"t"}', HeartbeatAnswer("x")),
    ],
)
def test_topic_requests(path: SocketPath, text: str, expected: object) -> None:
    """`reqType` frames and heartbeat answers are understood; junk gets no answer."""
    assert parse_control(BINGX, path, text) == expected
    assert parse_control(BINGX, path, text.encode()) == expected


@pytest.mark.parametrize(
    "path, topic, kind",
    [
        (SPOT, "spot.executionReport", "user"),
        (SPOT, "ACCOUNT_UPDATE", "user"),
        (SPOT, "BTC-USDT@trade", "market"),
        (SPOT, "BTC-USDT@depth5@500ms", "market"),
        (SPOT, "incrDepth", "unknown"),
        (SWAP, "BTC-USDT@kline_1m", "market"),
        (SWAP, "ACCOUNT_UPDATE", "market"),
        (SWAP, "nothing", "unknown"),
        (COINM, "BTC-USD@trade", "market"),
        (COINM, "@", "unknown"),
    ],
)
def test_topic_kinds(path: SocketPath, topic: str, kind: str) -> None:
    """The account's topics, market data and what there is not are told apart."""
    stream = next(stream for stream in BINGX.streams if stream.name == path.stream)
    assert topic_kind(stream, control_of(BINGX, path.stream), topic) == kind


def test_topic_kind_without_a_pattern() -> None:
    """Where a venue has no market topics on record, other topics are unknown."""
    assert topic_kind(BINANCE.streams[0], control_of(BINANCE, ""), "x") == "unknown"


SWAP_REST = {"dataType": "", "data": None}


@pytest.mark.parametrize(
    "path, answer",
    [
        (SPOT, {"code": 0, "id": "a", "msg": "SUCCESS", "timestamp": MS}),
        (SWAP, {"id": "a", "code": 0, "msg": "", **SWAP_REST}),
        (COINM, {"code": 0, "id": "a", "msg": "SUCCESS", "timestamp": MS}),
    ],
)
def test_topic_ack(path: SocketPath, answer: dict[str, object]) -> None:
    """Each product acknowledges in its own form."""
    assert json.loads(render_ack(control_of(BINGX, path.stream), b'"a"', NOW)) == answer


UNSUPPORTED = 'code:100400:no"ne dataType is not supported'
FULL = "your topic num over max 200"


@pytest.mark.parametrize(
    "path, kind, answer",
    [
        (SPOT, "topic_unknown", {"code": 100400, "msg": UNSUPPORTED, "timestamp": MS}),
        (SPOT, "topic_limit", {"code": 100416, "id": "a", "msg": FULL, "timestamp": MS}),
        (SWAP, "topic_unknown", {"id": "a", "code": 80015, "msg": "dataType not support", **SWAP_REST}),
        (SWAP, "topic_limit", {"id": "a", "code": 80403, "msg": FULL, **SWAP_REST}),
        (COINM, "topic_unknown", {"code": 100400, "msg": UNSUPPORTED, "timestamp": MS}),
    ],
)
def test_topic_faults(path: SocketPath, kind: ControlErrorKind, answer: dict[str, object]) -> None:
    """A topic that there is not, or one too many, is refused in the product's form."""
    fault = ControlFault(kind, {"id": b'"a"', "name": 'no"ne'})
    text = render_control_fault(control_of(BINGX, path.stream), fault, NOW)
    assert text is not None
    assert json.loads(text) == answer


def test_empty_object_on_swap() -> None:
    """`{}` on swap is answered with 80014 and an empty id, to the byte."""
    fault = parse_control(BINGX, SWAP, "{}")
    assert isinstance(fault, ControlFault)
    expected = '{"id":"","code":80014,"msg":"invalid params","dataType":"","data":null}'
    assert render_control_fault(control_of(BINGX, "bingx-swap"), fault, NOW) == expected


def test_fault_without_a_row() -> None:
    """What the venue has no answer for is silence."""
    assert render_control_fault(control_of(BINGX, "bingx-swap"), ControlFault("not_json"), NOW) is None


def test_path_without_control() -> None:
    """On a path without control requests everything but a heartbeat's answer is junk."""
    quiet = SocketPath(path="/q", stream="bingx-swap", control="none", heartbeat="word")
    assert parse_control(BINGX, quiet, '{"method":"SUBSCRIBE"}') == Junk()
    assert parse_control(BINGX, quiet, "Pong") == HeartbeatAnswer("")


def test_heartbeats() -> None:
    """The heartbeat texts are the venue's, with an id and the time in its zone."""
    assert render_heartbeat(BINGX.heartbeats["word"], "x", NOW) == "Ping"
    at = 1_654_590_456_323_456
    expected = '{"ping":"2177c68e","time":"2022-06-07T16:27:36.323+0800"}'
    assert render_heartbeat(BINGX.heartbeats["json"], "2177c68e", at) == expected


@pytest.mark.parametrize(
    "path, fault",
    [
        (METHOD, parse_control(BINANCE, METHOD, json.dumps({"method": "\x00" * 500_000}))),
        (SPOT, ControlFault("topic_unknown", {"id": b'"a"', "name": "\x00" * 500_000})),
    ],
)
def test_echo_is_bounded(path: SocketPath, fault: ControlFault) -> None:
    """An answer that repeats what was sent does not grow with it."""
    control = control_of(BINANCE if path is METHOD else BINGX, path.stream)
    answer = render_control_fault(control, fault, NOW)
    assert answer is not None
    assert len(answer) < 2000


@pytest.mark.parametrize(
    "path, frame",
    [
        (METHOD, {"method": "SUBSCRIBE", "params": ["a@" + "x" * 510], "id": 1}),
        (SPOT, {"id": "1", "reqType": "sub", "dataType": "a@" + "x" * 510}),
        (SWAP, {"id": "1", "reqType": "sub", "dataType": "a@" + "x" * 510}),
    ],
)
def test_names_are_bounded(path: SocketPath, frame: dict[str, object]) -> None:
    """A socket remembers its names, a thousand of them, so none may be as long as a message."""
    dialect = BINANCE if path is METHOD else BINGX
    assert not isinstance(parse_control(dialect, path, json.dumps(frame)), ControlFault)
    longer = json.dumps(frame).replace("a@", "aa@")
    fault = parse_control(dialect, path, longer)
    assert isinstance(fault, ControlFault)
    assert fault.kind == "request_wrong"
