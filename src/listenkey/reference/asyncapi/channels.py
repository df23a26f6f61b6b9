"""A channel for each form of a stream's address, and what is done on it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from listenkey.dialect.model import Dialect, SocketPath
from listenkey.reference.asyncapi.messages import Message, Role
from listenkey.reference.describe import Product, Socket, StreamPage
from listenkey.reference.shapes import Json

_KEY: Final[Json] = {"$ref": "#/components/schemas/ListenKey"}


def _base(stream: StreamPage) -> str:
    """The stream's name without a symbol."""
    return stream.prefix.removeprefix("/")


def gateway_name(stream: StreamPage) -> str:
    """The name of the server that is a gateway."""
    return f"gateway.{_base(stream)}"


def venue_name(stream: StreamPage) -> str:
    """The name of the server that is the venue."""
    return f"venue.{_base(stream)}"


def channel_name(stream: StreamPage, socket: Socket) -> str:
    """The name of a channel: its stream and the words of its path."""
    words = re.findall(r"[\w-]+", socket.path.partition("?")[0].replace("$listen_key", "listenKey"))
    return ".".join([_base(stream), *words])


def socket_path(dialect: Dialect, stream: StreamPage, socket: Socket) -> SocketPath:
    """What the dialect says of a socket."""
    path = socket.path.partition("?")[0].replace("$listen_key", "{names}")
    return next(each for each in dialect.sockets if each.stream == _base(stream) and each.path == path)


def channel(product: Product, stream: StreamPage, socket: Socket, said: Iterable[Message]) -> Json:
    """The channel of one form of address."""
    row = socket_path(product.dialect, stream, socket)
    servers = [gateway_name(stream), *([] if stream.hosts is None or not row.root else [venue_name(stream)])]
    shown: Json = {
        "address": row.path.replace("{names}", "{listenKey}"),
        "title": f"{stream.title}, {_manner(socket)}",
        "description": "\n\n".join(_description(product, stream, socket)),
        "servers": [{"$ref": f"#/servers/{name}"} for name in servers],
        "messages": {each.key: {"$ref": f"#/components/messages/{each.key}"} for each in said},
        "x-heartbeat": {
            "kind": stream.heartbeat.kind,
            "periodMs": stream.heartbeat.period_ms,
            "graceMs": stream.heartbeat.grace_ms,
        },
        "x-limits": {
            "messagesPerSecond": product.dialect.frames.messages_per_second or None,
            "namesPerSocket": product.dialect.frames.names_per_socket,
            "topicsPerSocket": stream.control.topic_limit or None,
            "socketsPerAddress": product.dialect.frames.sockets_per_address or None,
            "longestSeconds": product.dialect.frames.longest_s or None,
            "attempts": attempts(product.dialect, product.dialect.frames.connection_pools),
        },
    }
    if row.names_in == "path":
        what = "The listen key; several are joined by slashes."
        shown["parameters"] = {"listenKey": {"description": what, "examples": [product.sample_key]}}
    return shown | binding({**dict(_query(row)), **time_unit(product.dialect)})


def attempts(dialect: Dialect, pools: Iterable[str]) -> list[Json]:
    """How often an address may connect."""
    return [
        {"most": each.limit, "windowMs": each.window_ms}
        for each in dialect.limits.buckets
        if each.name in pools
    ]


def binding(query: dict[str, Json]) -> Json:
    """What a handshake may have in its query, as the member of a channel; nothing for no parameters."""
    if not query:
        return {}
    asked = {"type": "object", "properties": query}
    return {"bindings": {"ws": {"method": "GET", "query": asked, "bindingVersion": "0.1.0"}}}


def time_unit(dialect: Dialect) -> dict[str, Json]:
    """The query parameter that asks for times in microseconds, where there is one."""
    name = dialect.frames.time_unit_parameter
    what = "`MICROSECOND` for times of events in microseconds; else they are in milliseconds."
    return {name: {"type": "string", "description": what}} if name else {}


def _manner(socket: Socket) -> str:
    where = "the key in the address" if socket.binds == "address" else "the key by SUBSCRIBE"
    return f"{where}, events wrapped" if socket.combined else where


def _description(product: Product, stream: StreamPage, socket: Socket) -> Iterator[str]:
    if socket.combined:
        yield "Every event arrives in an object that names the listen key."
    if stream.subscriptions:
        yield "Nothing arrives before a topic is subscribed to."
    heartbeat = stream.heartbeat
    if heartbeat.kind == "protocol_ping":
        seconds = heartbeat.period_ms // 1000
        yield f"A protocol Ping every {seconds} s, which WebSocket libraries answer by themselves."
    if socket.era is not None:
        yield f"{socket.era.title} at {product.venue} since {socket.era.since}. {socket.era.replaced_by}"


def _query(row: SocketPath) -> Iterator[tuple[str, Json]]:
    for name in row.names_parameters if row.names_in == "query" else ():
        yield name, _KEY
    if row.events_parameter:
        what = "Only these kinds of event, joined by slashes; without it all."
        yield row.events_parameter, {"type": "string", "description": what}


_SENT: Final[dict[Role, str]] = {"event": "sendEvents", "heartbeat": "sendHeartbeats"}


def operations(name: str, said: Sequence[Message]) -> dict[str, Json]:
    """What happens on a channel: the server sends, or receives and replies."""
    found: dict[str, Json] = {}
    for role, verb in _SENT.items():
        if keys := [each.key for each in said if each.role == role]:
            found[f"{name}.{verb}"] = _operation("send", name, keys, "")
    answers = [each.key for each in said if each.role == "heartbeat_answer"]
    if answers:
        found[f"{name}.sendHeartbeats"]["reply"] = _reply(name, answers)
    for request in said:
        if request.role == "request":
            operation = _operation("receive", name, [request.key], request.body["summary"])
            replies = [each.key for each in said if each.key in request.replies]
            found[f"{name}.{request.key.removeprefix(f'{name}.')}"] = {
                **operation,
                "reply": _reply(name, replies),
            }
    return found


def _operation(action: str, name: str, keys: list[str], summary: str) -> Json:
    operation: Json = {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
    if summary:
        operation["summary"] = summary
    return {**operation, "messages": _messages(name, keys)}


def _reply(name: str, keys: list[str]) -> Json:
    return {"channel": {"$ref": f"#/channels/{name}"}, "messages": _messages(name, keys)}


def _messages(name: str, keys: list[str]) -> list[Json]:
    return [{"$ref": f"#/channels/{name}/messages/{key}"} for key in keys]
