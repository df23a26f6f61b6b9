"""What a gateway says on its sockets is what the AsyncAPI documents tell of."""

import gzip
import json
from functools import cache

import pytest
from jsonschema import Draft202012Validator

from listenkey.reference import asyncapi
from listenkey.reference.asyncapi.channels import channel_name
from tests.edge.gate import Gate
from tests.openapi.conftest import PRODUCTS

SOCKETS = [
    (name, stream.prefix[1:], socket.path)
    for name, product in PRODUCTS.items()
    for stream in product.streams
    for socket in stream.sockets
]
BEATING = [
    (name, stream.prefix[1:])
    for name, product in PRODUCTS.items()
    for stream in product.streams
    if stream.heartbeat.kind != "protocol_ping"
]
APIS = [(name, api.path) for name, product in PRODUCTS.items() for api in product.dialect.apis]


class Channel:
    """A channel of a document, with what may be said on it."""

    def __init__(self, name, channel):
        self.document = _document(name)
        self.messages = {key: self._validator(key) for key in self.document["channels"][channel]["messages"]}

    def _validator(self, key):
        payload = self.document["components"]["messages"][key]["payload"]
        return Draft202012Validator({**payload, "components": self.document["components"]})

    def meaning(self, value):
        """The messages that a value may be; never none."""
        found = {key for key, validator in self.messages.items() if validator.is_valid(value)}
        assert found, value
        return found


@cache
def _document(name):
    return json.loads(json.dumps(asyncapi.document(PRODUCTS[name])))


@pytest.fixture
async def gate(tmp_path):
    """A running gateway."""
    async with Gate(tmp_path / "data") as gate:
        yield gate


async def _open(gate, name, prefix, path):
    """A socket of this form with its key bound, and what belongs to it."""
    product = PRODUCTS[name]
    stream = next(each for each in product.streams if each.prefix == f"/{prefix}")
    socket = next(each for each in stream.sockets if each.path == path)
    create = product.call("create")
    query = {each.name: each.sample for each in create.parameters if each.role == "scope"}
    made = await gate.venue_call(create.method, f"/{name}{create.path}", await gate.api_key(), params=query)
    key = made.json()["listenKey"]
    opened = await gate.dial(f"/{prefix}{path.replace('$listen_key', key)}")
    channel = Channel(name, channel_name(stream, socket))
    if socket.binds == "subscribe":
        asked = {"id": 1, "method": "SUBSCRIBE", "params": [key]}
        assert "acknowledged" in channel.meaning(await opened.ask(asked))
    for asked in stream.subscriptions:
        assert any("acknowledged" in key for key in channel.meaning(await opened.ask(asked)))
    return stream, socket, opened, channel


@pytest.mark.parametrize(("name", "prefix", "path"), SOCKETS)
async def test_all_that_is_said_is_told(gate, name, prefix, path):
    """A client that reads by the document reads every event, answer and notice, on every form of address."""
    stream, socket, opened, channel = await _open(gate, name, prefix, path)
    await _hear_events(gate, stream, socket, opened, channel)
    for request, expected in _requests(socket):
        gate.advance(1)  # venues count messages by the second
        kinds = {key.partition(".")[0] for key in channel.meaning(await opened.ask(request))}
        assert expected in kinds, request
    await _hear_the_end(gate, stream, opened, channel)


async def _hear_events(gate, stream, socket, opened, channel):
    events = [json.loads(event.sample) for event in stream.events]
    await gate.publish(*events, stream=stream.name)
    for event in events:
        said = await opened.json()
        kinds = {key.removesuffix(".combined").rpartition(".")[2] for key in channel.meaning(said)}
        assert event["e"] in kinds
        wrapped = socket.combined or event["e"] in stream.enveloped
        assert (said.keys() == {"stream", "data"}) is wrapped


def _requests(socket):
    """Requests, and what is answered to each."""
    if socket.control == "method":
        wrapped = json.dumps(socket.combined)
        return [
            ('{"id":"a","method":"LIST_SUBSCRIPTIONS"}', "subscriptions"),
            ('{"id":2,"method":"GET_PROPERTY","params":["combined"]}', "property"),
            (f'{{"id":3,"method":"SET_PROPERTY","params":["combined",{wrapped}]}}', "acknowledged"),
            ('{"id":4,"method":"UNSUBSCRIBE","params":["btcusdt@trade"]}', "acknowledged"),
            ("{", "error"),
            ('{"id":5}', "error"),
            ('{"id":6,"method":"NEVER"}', "error"),
            ('{"id":7,"method":"GET_PROPERTY","params":["other"]}', "error"),
        ]
    return [
        ('{"id":"a","reqType":"sub","dataType":"BTC-USDT@trade"}', "acknowledged"),
        ('{"id":"b","reqType":"unsub","dataType":"BTC-USDT@trade"}', "acknowledged"),
        ('{"id":"c","reqType":"sub","dataType":"?"}', "error"),
        ("{}", "error"),
    ]


async def _hear_the_end(gate, stream, opened, channel):
    keys = await gate.call("GET", "/v1/api-keys")
    await gate.call("DELETE", f"/v1/api-keys/{keys.json()['items'][0]['id']}")
    if any("revoked" in notice.on for notice in stream.notices):
        assert any("listenKeyExpired" in key for key in channel.meaning(await opened.json()))
    codes = {each["code"] for each in channel.document["info"]["x-close-codes"]}
    assert (await opened.closed())[0] in codes


@pytest.mark.parametrize(("name", "prefix"), BEATING)
async def test_heartbeats_are_told(gate, name, prefix):
    """Whoever answers heartbeats by the document is taken for alive."""
    stream = next(each for each in PRODUCTS[name].streams if each.prefix == f"/{prefix}")
    _, _, opened, channel = await _open(gate, name, prefix, stream.sockets[0].path)
    gate.advance(stream.heartbeat.period_ms / 1000)
    assert any("heartbeat" in key for key in channel.meaning(_word(await opened.text())))


def _word(frame):
    text = gzip.decompress(frame).decode()
    return json.loads(text) if text.startswith("{") else text


@pytest.mark.parametrize(("name", "path"), APIS)
async def test_methods_are_told(gate, name, path):
    """Whoever asks a WebSocket API understands its answers, the refusals too."""
    product = PRODUCTS[name]
    api = next(each for each in product.dialect.apis if each.path == path)
    words = ".".join(word for word in path.split("/") if word)
    channel = Channel(name, words)
    opened = await gate.dial(f"/{name}{path}")
    key = await gate.api_key()
    listen_key = ""
    for method in api.methods:
        params = (
            {"apiKey": key, "listenKey": listen_key} if method.kind in {"create", "extend", "close"} else {}
        )
        said = await opened.ask({"id": method.name, "method": method.name, "params": params})
        kinds = channel.meaning(said)
        assert kinds <= {f"{words}.{method.name}.reply", f"{words}.error", *channel.messages}
        done = f"{words}.{method.name}.reply" in kinds
        assert done or f"{words}.error" in kinds
        assert done or method.kind not in {"ping", "time", "status", "create", "extend", "close"}
        if method.kind == "create":
            listen_key = said["result"]["listenKey"]
    for wrong in ("{", {"id": 1}, {"id": 2, "method": "never"}):
        assert f"{words}.error" in channel.meaning(await opened.ask(wrong))
