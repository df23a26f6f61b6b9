"""The AsyncAPI documents: what a user finds in them."""

import json

import pytest
from jsonschema import Draft202012Validator

from listenkey.base.clock import SECOND
from listenkey.dialect.era import method_removed_by
from listenkey.dialect.registry import load_dialects
from listenkey.reference import asyncapi
from listenkey.reference.describe import describe
from listenkey.sources.demo import DemoEvents, load_templates
from tests.openapi.conftest import PRODUCTS
from tests.openapi.parsing import parse


@pytest.fixture
def document(product):
    """The product's document, as a file has it."""
    return json.loads(json.dumps(asyncapi.document(product)))


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """What the official parser says of each product's document."""
    documents = {name: asyncapi.document(product) for name, product in PRODUCTS.items()}
    return parse(tmp_path_factory.mktemp("asyncapi"), documents)


def sockets(product, document):
    """The channels that are not WebSocket APIs, each with its name and stream."""
    streams = {stream.prefix[1:]: stream for stream in product.streams}
    apis = {api.path for api in product.dialect.apis}
    for name, channel in document["channels"].items():
        if channel["address"] not in apis:
            yield name, channel, streams[name.partition(".")[0]]


def checker(document, schema):
    """Checks values against a schema of the document."""
    return Draft202012Validator({**schema, "components": document["components"]})


def test_document_is_valid(parsed, product):
    """Every tool that reads AsyncAPI 3 takes the file."""
    assert parsed[product.name] == []


def test_same_product_gives_same_bytes(product):
    """A file that did not change shows no difference when it is made again."""
    again = describe(load_dialects()[product.name])
    assert json.dumps(asyncapi.document(product)) == json.dumps(asyncapi.document(again))


def test_every_address_has_its_channel(product, document):
    """Whichever form of address a client uses, it is described."""
    for stream in product.streams:
        mine = [channel for _, channel, of in sockets(product, document) if of is stream]
        assert len(mine) == len(stream.sockets)
        for socket in stream.sockets:
            path, _, query = socket.path.partition("?")
            address = path.replace("$listen_key", "{listenKey}")
            channel = next(each for each in mine if each["address"] == address)
            assert ("listenKey" in channel.get("parameters", {})) == ("$listen_key" in path)
            if query:
                asked = channel["bindings"]["ws"]["query"]["properties"]
                assert query.partition("=")[0] in asked
            if socket.era is not None:
                assert socket.era.replaced_by in channel["description"]


def test_every_event_has_its_message(product, document):
    """No event arrives that the document does not know."""
    for name, channel, stream in sockets(product, document):
        payloads = [document["components"]["messages"][key] for key in channel["messages"]]
        for event in stream.events:
            shown = [each for each in payloads if event.title == each["title"]]
            assert shown, (name, event.type)
            assert event.type in json.dumps(shown[0]["examples"])


def test_samples_fit_their_schemas(product, document):
    """An event that the venue shows is one that the document takes."""
    for event in product.dialect.events:
        names = {event.type, f"{event.streams[0]}.{event.type}"} & set(document["components"]["schemas"])
        for name in names:
            checker(document, document["components"]["schemas"][name]).validate(json.loads(event.sample))


def test_examples_fit_their_messages(document):
    """An example can be taken for what is sent."""
    for message in document["components"]["messages"].values():
        for example in message["examples"]:
            checker(document, message["payload"]).validate(example["payload"])


def test_demonstration_fits(product, document):
    """Who builds a client against the demonstration builds one for these events."""
    demo = DemoEvents(load_templates())
    for stream in product.streams:
        if not stream.events:
            continue
        for count in (1, 77, 500):
            event = json.loads(demo.event(stream.name, count, 1_763_731_200 * SECOND))
            rows = [each for each in stream.events if each.type == event["e"]]
            schemas = document["components"]["schemas"]
            name = event["e"] if event["e"] in schemas else f"{rows[0].streams[0]}.{event['e']}"
            checker(document, schemas[name]).validate(event)


def test_requests_have_their_replies(product, document):
    """Whoever sends a request knows what may be answered."""
    for stream in product.streams:
        for socket in stream.sockets:
            asked = {"method": "SUBSCRIBE", "topics": "sub", "acks": "sub"}.get(socket.control)
            names = [
                name
                for name, each in document["operations"].items()
                if each["action"] == "receive" and name.startswith(f"{stream.prefix[1:]}.")
            ]
            assert asked is None or any(f".{asked}" in name for name in names)
    for operation in document["operations"].values():
        if operation["action"] == "receive":
            replies = [each["$ref"].rpartition("/")[2] for each in operation["reply"]["messages"]]
            assert any("error" in reply for reply in replies)
            assert len(replies) == 2


def test_topics_wrap_their_events():
    """An event of BingX spot comes in the wrapper of its topic, and one without a wrapper comes bare."""
    document = json.loads(json.dumps(asyncapi.document(PRODUCTS["bingx"])))
    messages = document["components"]["messages"]
    orders = next(
        each
        for key, each in messages.items()
        if key == "bingx-spot.executionReport" or key == "executionReport"
    )
    assert orders["examples"][0]["payload"]["dataType"] == "spot.executionReport"
    assert set(orders["payload"]["properties"]) == {"code", "dataType", "data"}


def test_heartbeats_are_told(product, document):
    """Nobody is cut off for not knowing what to answer."""
    for name, channel, stream in sockets(product, document):
        assert channel["x-heartbeat"]["periodMs"] == stream.heartbeat.period_ms
        if stream.heartbeat.kind == "protocol_ping":
            assert "protocol Ping" in channel["description"]
        else:
            operation = document["operations"][f"{name}.sendHeartbeats"]
            answer = operation["reply"]["messages"][0]["$ref"].rpartition("/")[2]
            schema = checker(document, document["components"]["messages"][answer]["payload"])
            assert all(schema.is_valid(word) for word in stream.heartbeat.answers)


def test_removed_methods_are_told(product, document):
    """Nobody builds on a method that the venue took away without being told."""
    for api in product.dialect.apis:
        words = ".".join(word for word in api.path.split("/") if word)
        for method in api.methods:
            era = method_removed_by(product.dialect, method)
            told = document["components"]["messages"][f"{words}.{method.name}"]
            assert ("x-era" in told) is (era is not None)
            assert era is None or era.replaced_by in told["description"]


def test_gzip_is_told(product, document):
    """A client knows that what arrives has to be unpacked first."""
    assert ("gzip" in document["info"]["description"]) == (product.dialect.frames.codec == "gzip_binary")


def test_what_a_handshake_may_ask_for_is_told(product, document):
    """Whoever wants microseconds finds how to ask for them."""
    name = product.dialect.frames.time_unit_parameter
    for channel in document["channels"].values():
        query = channel.get("bindings", {}).get("ws", {}).get("query", {}).get("properties", {})
        assert (name in query) is bool(name)


def test_websocket_apis_are_at_the_gateway_and_the_venue(product, document):
    """A client made from the document talks to either."""
    for api in product.dialect.apis:
        (channel,) = [each for each in document["channels"].values() if each["address"] == api.path]
        hosts = [document["servers"][each["$ref"].rpartition("/")[2]]["host"] for each in channel["servers"]]
        known = [each.hosts.api.partition("://")[2] for each in product.streams if each.hosts]
        assert hosts[0] == "{address}"
        assert set(hosts[1:]) == {host for host in known[:1] if host}
