"""Control requests and their answers, in the three manners that sockets have."""

from collections.abc import Iterator
from typing import Any, Final

from listenkey.dialect.model import Control
from listenkey.reference.asyncapi.messages import Message, message
from listenkey.reference.describe import Product, Socket, StreamPage
from listenkey.reference.shapes import Json, closed_object, example, shape
from listenkey.wire.control import control_of

_ID: Final[Json] = {
    "type": ["integer", "string", "null"],
    "maxLength": 36,
    "description": "Comes back in the answer.",
}
_NAMES: Final[Json] = {"type": "array", "items": {"type": "string"}, "description": "Listen keys."}
_NOTHING: Final[Json] = {"type": "null"}
_YES_OR_NO: Final[Json] = {"type": "boolean"}
_CORRELATION: Final[Json] = {"correlationId": {"$ref": "#/components/correlationIds/request"}}
_COMBINED: Final[Json] = {"type": "string", "const": "combined"}


def control_messages(product: Product, stream: StreamPage, socket: Socket) -> Iterator[Message]:
    """Requests that a socket understands, and what it answers."""
    if socket.control == "none":
        return
    control = control_of(product.dialect, stream.prefix.removeprefix("/"))
    suffix = f".{control.stream}" if control.stream else ""
    error = f"error{suffix}"
    errors: tuple[str, ...] = (error,) if control.errors else ()
    if socket.control == "method":
        yield from _by_method(product, control, suffix, errors)
    else:
        yield from _by_topic(stream, control, suffix, errors)
    if control.errors:
        yield _errors(control, error)


def _by_method(product: Product, control: Control, suffix: str, errors: tuple[str, ...]) -> Iterator[Message]:
    done, names, value = f"acknowledged{suffix}", f"subscriptions{suffix}", f"property{suffix}"
    key = product.sample_key
    pair: Json = {"type": "array", "prefixItems": [_COMBINED, _YES_OR_NO], "minItems": 2, "maxItems": 2}
    one: Json = {"type": "array", "prefixItems": [_COMBINED], "minItems": 1, "maxItems": 1}
    rows: tuple[tuple[str, Json | None, Any, str, str], ...] = (
        ("SUBSCRIBE", _NAMES, [key], done, "Send the events of these keys too."),
        ("UNSUBSCRIBE", _NAMES, [key], done, "Send the events of these keys no more."),
        ("LIST_SUBSCRIPTIONS", None, None, names, "Which names the socket has."),
        ("SET_PROPERTY", pair, ["combined", True], done, "Wrap events, or send them bare."),
        ("GET_PROPERTY", one, ["combined"], value, "Whether events are wrapped."),
    )
    for method, params, sample, reply, meaning in rows:
        properties: Json = {"method": {"type": "string", "const": method}}
        asked: Json = {"method": method}
        if params is not None:
            properties["params"], asked["params"] = params, sample
        schema = {**closed_object(properties), "properties": {**properties, "id": _ID}}
        told = message(method, schema, {"sample": {**asked, "id": 1}}, method, meaning, **_CORRELATION)
        yield Message(method, "request", told, (reply, *errors))
    yield _answer(control, done, _NOTHING, None, "It was done.")
    yield _answer(control, names, _NAMES, [key], "The names, in the order in which they came.")
    yield _answer(control, value, _YES_OR_NO, False, "The value.")


def _answer(control: Control, key: str, result: Json, sample: Any, meaning: str) -> Message:
    schema = shape(control.ack, {"result": result})
    samples = {"sample": example(control.ack, {"result": sample})}
    return Message(key, "reply", message(key, schema, samples, "Answer", meaning, **_CORRELATION))


def _by_topic(
    stream: StreamPage, control: Control, suffix: str, errors: tuple[str, ...]
) -> Iterator[Message]:
    done = f"acknowledged{suffix}"
    known = [
        subscription.partition('"dataType":"')[2].partition('"')[0] for subscription in stream.subscriptions
    ]
    topic: Json = {"type": "string"}
    if known:
        topic["examples"] = known
    meanings = {"sub": "Subscribe to a topic.", "unsub": "Stop a topic."}
    for verb, meaning in meanings.items():
        key = f"{verb}{suffix}"
        schema = closed_object(
            {
                "id": {"type": "string", "maxLength": 36},
                "reqType": {"type": "string", "const": verb},
                "dataType": topic,
            }
        )
        sample = {"id": "1", "reqType": verb, "dataType": known[0] if known else "ACCOUNT_UPDATE"}
        told = message(key, schema, {"sample": sample}, verb, meaning, **_CORRELATION)
        yield Message(key, "request", told, (done, *errors))
    yield _answer(control, done, _NOTHING, None, "It was done.")


def _errors(control: Control, key: str) -> Message:
    shapes: list[Json] = []
    for row in control.errors:
        if (each := shape(row.body, {})) not in shapes:
            shapes.append(each)
    schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    samples: Json = {row.kind: example(row.body, {}) for row in control.errors}
    return Message(key, "reply", message(key, schema, samples, "Error", "It was not done."))
