"""What is said on a stream's socket: events and notices, heartbeats, and what `control` has of requests."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from listenkey.dialect.model import Event, Heartbeat
from listenkey.reference.describe import Product, Socket, StreamPage
from listenkey.reference.payload import event_schema
from listenkey.reference.shapes import Json, closed_object, example, shape

Role: TypeAlias = Literal["event", "heartbeat", "heartbeat_answer", "request", "reply"]
KEY: Final[Mapping[str, Json]] = {"listen_key": {"$ref": "#/components/schemas/ListenKey"}}


class Message(msgspec.Struct, frozen=True):
    """One kind of message."""

    key: str
    """Its name among the document's messages."""
    role: Role
    body: Json
    replies: tuple[str, ...] = ()
    """Keys of what may be answered to it."""


def event_schemas(product: Product) -> dict[str, Json]:
    """The schema of each event, bare."""
    return {event_key(product, event): event_schema(event) for event in product.dialect.events}


def event_key(product: Product, event: Event) -> str:
    """Its type, with its stream where another stream has an event of that type with other fields."""
    alike = [each for each in product.dialect.events if each.type == event.type]
    return event.type if len(alike) == 1 else f"{event.streams[0]}.{event.type}"


def message(
    key: str, schema: Json, samples: Mapping[str, Any], title: str, meaning: str, **more: Any
) -> Json:
    """The object that describes a message; `samples` by the names of examples."""
    shown: Json = {"name": key, "title": title, "summary": meaning, "payload": schema, **more}
    if samples:
        shown["examples"] = [{"name": name, "payload": sample} for name, sample in samples.items()]
    return shown


def events(product: Product, stream: StreamPage, socket: Socket) -> Iterator[Message]:
    """Events and notices as they are written on this socket."""
    topics = {topic.event: topic for topic in _topics(product, stream)}
    for event in stream.events:
        key = event_key(product, event)
        schema: Json = {"$ref": f"#/components/schemas/{key}"}
        sample = json.loads(event.sample)
        topic = topics.get(event.type)
        if topic is not None and topic.wrap:
            schema = shape(topic.wrap, {"event": schema})
            sample = example(topic.wrap, {"event": event.sample.encode()})
        if topic is not None or not topics:
            combined = socket.combined or event.type in stream.enveloped
            yield _event(product, combined, key, schema, sample, event.title, event.meaning)
    for notice in stream.notices:
        schema = shape(notice.body, KEY)
        sample = example(notice.body, {"listen_key": product.sample_key})
        key = str(sample.get("e", "notice"))
        when = ", ".join(notice.on)
        meaning = f"Sent when the key has {when}."
        yield _event(product, socket.combined, key, schema, sample, "The key ended", meaning)
    yield from _goodbye(product, socket)


def _goodbye(product: Product, socket: Socket) -> Iterator[Message]:
    """What is sent before the server ends, where the venue tells."""
    rows = product.dialect.frames
    if not rows.shutdown:
        return
    key, meaning = "serverShutdown", "Sent to every socket before the gateway ends."
    schema, sample = shape(rows.shutdown, KEY), example(rows.shutdown, {})
    if socket.combined:
        key = f"{key}.combined"
        schema = closed_object({"stream": {"type": "string", "const": rows.shutdown_name}, "data": schema})
        sample = {"stream": rows.shutdown_name, "data": sample}
    yield Message(
        key, "event", message(key, schema, {"sample": sample}, "The server is about to end", meaning)
    )


def _topics(product: Product, stream: StreamPage) -> Iterator[Any]:
    base = stream.prefix.removeprefix("/")
    for row in product.dialect.streams:
        if row.name == base:
            yield from row.topics


def _event(
    product: Product, combined: bool, key: str, schema: Json, sample: Any, title: str, meaning: str
) -> Message:
    if combined:
        key = f"{key}.combined"
        schema = closed_object({"stream": KEY["listen_key"], "data": schema})
        sample = {"stream": product.sample_key, "data": sample}
    return Message(key, "event", message(key, schema, {"sample": sample}, title, meaning))


def heartbeats(product: Product, heartbeat: Heartbeat) -> Iterator[Message]:
    """Heartbeats that travel as messages, and their answers."""
    if heartbeat.kind == "protocol_ping":
        return
    schema: Json
    sample: Any
    answer_sample: Any
    name = next(name for name, each in product.dialect.heartbeats.items() if each is heartbeat)
    seconds = heartbeat.period_ms / 1000
    meaning = f"Comes every {seconds:g} s, and wants an answer."
    key = f"heartbeat.{name}"
    answer_key = f"heartbeatAnswer.{name}"
    words: Json = {"type": "string", "enum": list(heartbeat.answers)}
    kind: Json = {}
    if heartbeat.kind == "word":
        schema = {"type": "string", "const": heartbeat.send}
        sample = heartbeat.send
        kind = {"contentType": "text/plain"}
        answer, answer_sample = words, heartbeat.answers[0]
    else:
        schema = shape(heartbeat.send, {})
        sample = example(heartbeat.send, {"id": "8f1c"})
        answer = {"anyOf": [closed_object({"pong": {"type": "string"}}), words]}
        answer_sample = {"pong": "8f1c"}
    yield Message(key, "heartbeat", message(key, schema, {"sample": sample}, "Heartbeat", meaning, **kind))
    told = message(answer_key, answer, {"sample": answer_sample}, "Answer", "Shows that it was read.", **kind)
    yield Message(answer_key, "heartbeat_answer", told)
