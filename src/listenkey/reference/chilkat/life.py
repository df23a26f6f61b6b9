"""The steps of a key's whole life: create it, open its socket, receive, extend it, close both."""

import json
from typing import Any, Final

from listenkey.dialect.model import Heartbeat
from listenkey.dialect.template import fill_json, places
from listenkey.reference.chilkat.rest import BASE, inputs, prepare, prepare_signing, request, settings
from listenkey.reference.chilkat.script import Script
from listenkey.reference.chilkat.steps import Condition, Flag, Number, Ref, Step
from listenkey.reference.describe import Call, Product, Socket, StreamPage

EVENTS: Final = 3
SWITCHING: Final = 101
CLOSE_FRAME: Final = 8
NORMAL: Final = 1000
_KEY: Final = "the listen key"


def life_steps(product: Product, stream: StreamPage) -> tuple[Script, tuple[Step, ...]]:
    """The whole program for one stream; signed only where nothing goes unsigned."""
    script, socket = Script(), stream.sockets[0]
    signed = product.call("create").signature == "required"
    settings(script, f"{BASE}{stream.prefix}", signed=signed)
    script.comment("The socket's own address. A venue has it at another host, behind TLS.")
    script.assign("wsHost", "127.0.0.1")
    script.assign("wsPort", 8080)
    script.assign("wsTls", False)
    script.assign("wsPrefix", stream.prefix)
    inputs(script, product, product.call("create"))
    prepare(script, product.call("create"))
    if signed:
        prepare_signing(script)
    _create(script, product, signed=signed)
    _connect(script, socket)
    _subscribe(script, stream, socket)
    _receive(script, product, stream)
    _call(script, product, "extend", signed=signed)
    script.comment("Close the socket; the server answers with a Close frame of its own.")
    script.call("ws", "SendClose", True, NORMAL, "")
    script.call("ws", "ReadFrame")
    _call(script, product, "close", signed=signed)
    return script, script.end()


def _create(script: Script, product: Product, *, signed: bool) -> None:
    call = product.call("create")
    script.comment(f"{call.title}.")
    request(script, product, call, _given(product, call), "resp", signed=signed)
    script.comment("An answer without a key says why there is none.")
    script.new("json", "JsonObject")
    script.call("resp", "GetBodyJson", Ref("json"))
    path = _path_of_key(call.answers[0].body)
    script.call("json", "HasMember", path)
    script.leave_unless(script.get("resp", "BodyStr"))
    script.call("json", "StringOf", path, into="listenKey")


def _connect(script: Script, socket: Socket) -> None:
    script.comment(
        "Open the socket: an ordinary request that is upgraded, over a connection that ends with it."
    )
    script.new("rest", "Rest")
    script.call("rest", "Connect", Ref("wsHost"), Ref("wsPort"), Ref("wsTls"), False)
    script.leave_unless(script.get("rest", "LastErrorText"))
    script.new("ws", "WebSocket")
    failed = script.get("ws", "LastErrorText")
    script.call("ws", "UseConnection", Ref("rest"))
    script.leave_unless(failed)
    script.call("ws", "AddClientHeaders")
    script.leave_unless(failed)
    before, _, after = socket.path.partition("$listen_key")
    parts = (before, Ref("listenKey"), after) if socket.binds == "address" else (socket.path,)
    path = script.join("path", Ref("wsPrefix"), *parts)
    script.new("sbAnswer", "StringBuilder")
    script.call("rest", "FullRequestNoBodySb", "GET", path, Ref("sbAnswer"))
    script.leave_unless(script.get("rest", "LastErrorText"))
    script.comment("Any other status than 101 is a refusal.")
    status = script.get("rest", "ResponseStatusCode")
    script.leave_if(status, SWITCHING, status, script.get("rest", "ResponseHeader"), sign="ne")
    script.call("ws", "ValidateServerHandshake")
    script.leave_unless(failed)


def _subscribe(script: Script, stream: StreamPage, socket: Socket) -> None:
    if socket.binds == "subscribe":
        script.comment("The key is named in a request on the socket.")
        frame = script.join("frame", '{"method":"SUBSCRIBE","params":["', Ref("listenKey"), '"],"id":1}')
        script.call("ws", "SendFrame", frame, True)
        script.leave_unless(script.get("ws", "LastErrorText"))
    if stream.subscriptions:
        script.comment("Events come for what was subscribed to.")
    for each in stream.subscriptions:
        script.call("ws", "SendFrame", each, True)
        script.leave_unless(script.get("ws", "LastErrorText"))


def _receive(script: Script, product: Product, stream: StreamPage) -> None:
    """Frames until so many messages were shown; answers to subscriptions come first and count too."""
    answers = len(stream.subscriptions) + (stream.sockets[0].binds == "subscribe")
    script.comment(
        "Read until a few messages have come. One that goes on for ever extends the key twice in its life,",
        f"which is {product.lifetime_s // 60} minutes. ReadFrame answers Pings of the protocol by itself.",
    )
    script.put("ws", "IdleTimeoutMs", product.lifetime_s * 1000 // 2)
    if stream.codec == "gzip_binary":
        script.new("binData", "BinData")
        script.new("gzip", "Gzip")
    if stream.heartbeat.kind != "protocol_ping":
        script.new("sbText", "StringBuilder")
    received = script.assign("received", 0)
    script.as_long_as(Condition(received, "lt", Number(EVENTS + answers)), lambda: _frame(script, stream))


def _frame(script: Script, stream: StreamPage) -> None:
    failed = script.get("ws", "LastErrorText")
    script.call("ws", "ReadFrame")
    script.leave_unless(failed)
    script.leave_if(script.get("ws", "FrameOpcodeInt"), CLOSE_FRAME, script.get("ws", "CloseStatusCode"))
    whole = Condition(script.get("ws", "FinalFrame"), "eq", Flag(True))
    script.comment("What comes in parts is whole with the last of them.")
    script.either(whole, lambda: _message(script, stream))


def _message(script: Script, stream: StreamPage) -> None:
    if stream.codec == "gzip_binary":
        script.call("binData", "Clear")
        script.call("ws", "GetFrameDataBd", Ref("binData"))
        script.call("gzip", "UncompressBd", Ref("binData"))
        script.leave_unless(script.get("gzip", "LastErrorText"))
        message = script.call("binData", "GetString", "utf-8", into="message")
    else:
        message = script.call("ws", "GetFrameData", into="message")

    def show() -> None:
        script.show_variable(message)
        script.count("received")

    if stream.heartbeat.kind == "protocol_ping":
        show()
        return
    script.call("sbText", "Clear")
    script.call("sbText", "Append", message)
    _recognise(script, stream.heartbeat)
    asked = Condition(Ref("isPing"), "eq", Flag(True))
    script.either(asked, lambda: _answer(script, stream.heartbeat), show)


def _recognise(script: Script, heartbeat: Heartbeat) -> None:
    if heartbeat.kind == "word":
        script.call("sbText", "ContentsEqual", heartbeat.send, True, into="isPing")
    else:
        script.call("sbText", "StartsWith", heartbeat.send.partition("$")[0].rstrip('"'), True, into="isPing")


def _answer(script: Script, heartbeat: Heartbeat) -> None:
    script.call("ws", "SendFrame", heartbeat.answers[0], True)
    script.leave_unless(script.get("ws", "LastErrorText"))


def _call(script: Script, product: Product, kind: str, *, signed: bool) -> None:
    call = next(each for each in product.calls if each.kind == kind)
    script.comment(f"{call.title}.")
    into = "respExtend" if kind == "extend" else "respClose"
    request(script, product, call, _given(product, call), into, signed=signed)
    script.show(into, "StatusCode")


def _given(product: Product, call: Call) -> dict[str, Ref]:
    """The variables for its parameters; the listen key is by now the one that was created."""
    auth = product.dialect.auth
    signing = {auth.timestamp_parameter, auth.recv_window_parameter, auth.signature_parameter}
    return {
        each.name: Ref("listenKey" if each.sample == product.sample_key else each.name)
        for each in call.parameters
        if each.name not in signing
    }


def _path_of_key(body: str) -> str:
    """Where the key stands in an answer, as Chilkat writes paths: `data.listenKey`."""
    values: dict[str, object] = dict.fromkeys(places(body), 0)
    found = _find(json.loads(fill_json(body, values | {"listen_key": _KEY})))
    assert found, "the answer to a create carries the key"
    return found


def _find(value: Any) -> str:
    for name, inner in value.items() if isinstance(value, dict) else ():
        if inner == _KEY:
            return str(name)
        if below := _find(inner):
            return f"{name}.{below}"
    return ""
