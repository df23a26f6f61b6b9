"""A product's WebSockets as an AsyncAPI 3.0 document, written from the server's side: it sends events and
heartbeats, and receives requests.

Everything is read from the product; the same product gives the same document, to the byte.
"""

from importlib.metadata import version
from typing import Final

from listenkey.reference.asyncapi.api import api_channel, api_messages, api_name
from listenkey.reference.asyncapi.channels import channel, channel_name, gateway_name, operations, venue_name
from listenkey.reference.asyncapi.control import control_messages
from listenkey.reference.asyncapi.messages import event_schemas, events, heartbeats
from listenkey.reference.describe import Product, StreamPage
from listenkey.reference.shapes import Json, listen_key
from listenkey.reference.websocket_api import describe_apis

GATEWAY: Final = "127.0.0.1:8080"
"""Where a gateway listens unless told otherwise."""


def document(product: Product) -> Json:
    """The document, ready to be written as JSON."""
    channels: Json = {}
    doing: Json = {}
    known: Json = {}
    servers = {name: server for stream in product.streams for name, server in _servers(product, stream)}
    for stream in product.streams:
        for socket in stream.sockets:
            said = [
                *events(product, stream, socket),
                *heartbeats(product, stream.heartbeat),
                *control_messages(product, stream, socket),
            ]
            name = channel_name(stream, socket)
            channels[name] = channel(product, stream, socket, said)
            doing |= operations(name, said)
            known |= {each.key: each.body for each in said}
    for described in describe_apis(product):
        spoken = list(api_messages(product, described))
        name = api_name(described.api)
        stream = described.stream or product.streams[0]
        at = [gateway_name(stream)]
        if stream.hosts is not None and stream.hosts.api:
            at.append(f"venue.{name}")
            servers[at[-1]] = _venue(product, stream.hosts.api)
        channels[name] = api_channel(product, described.api, at, spoken)
        doing |= operations(name, spoken)
        known |= {each.key: each.body for each in spoken}
    return {
        "asyncapi": "3.0.0",
        "info": _info(product),
        "defaultContentType": "application/json",
        "servers": servers,
        "channels": channels,
        "operations": doing,
        "components": {
            "messages": known,
            "schemas": {"ListenKey": listen_key(product.dialect.key_space), **event_schemas(product)},
            "correlationIds": {"request": {"location": "$message.payload#/id"}},
        },
    }


def _info(product: Product) -> Json:
    parts = [
        "Written from the server's side: what it sends arrives at the client, and the other way round.",
        "A listen key is created, extended and closed by REST; see the OpenAPI document of the same product.",
    ]
    if product.dialect.frames.codec == "gzip_binary":
        parts.append(
            "Every message of the server is a binary frame with one gzip member, inside of which is the text "
            "that is described here. Clients send plain text frames."
        )
    return {
        "title": f"{product.title}: WebSockets",
        "version": version("listenkey"),
        "description": "\n\n".join(parts),
        "externalDocs": {"description": f"{product.venue}'s own page", "url": product.documentation},
        "x-close-codes": [
            {"kind": close.kind, "code": close.code, "reason": close.reason}
            for close in product.dialect.closes
        ],
    }


def _servers(product: Product, stream: StreamPage) -> list[tuple[str, Json]]:
    gateway = {
        "host": "{address}",
        "pathname": stream.prefix,
        "protocol": "ws",
        "description": f"A gateway, at the prefix of {stream.title}.",
        "variables": {"address": {"default": GATEWAY, "description": "Host and port of a gateway."}},
    }
    servers: list[tuple[str, Json]] = [(gateway_name(stream), gateway)]
    if stream.hosts is not None:
        servers.append((venue_name(stream), _venue(product, stream.hosts.sockets)))
    return servers


def _venue(product: Product, address: str) -> Json:
    protocol, _, host = address.partition("://")
    return {"host": host, "protocol": protocol, "description": f"{product.venue} itself."}
