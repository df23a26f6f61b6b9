"""A product's REST calls as an OpenAPI 3.1 document.

Everything is read from the product; the same product gives the same document, to the byte.
"""

from importlib.metadata import version
from typing import Final

from listenkey.reference.describe import Product
from listenkey.reference.openapi.operations import CALLS, PUBLIC, paths
from listenkey.reference.openapi.responses import error_schemas
from listenkey.reference.shapes import Json, listen_key

GATEWAY: Final = "http://127.0.0.1:8080"
"""Where a gateway listens unless told otherwise."""


def document(product: Product) -> Json:
    """The document, ready to be written as JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": product.title,
            "summary": "The REST calls of a listen key's life.",
            "description": _introduction(product),
            "version": version("listenkey"),
        },
        "externalDocs": {"description": f"{product.venue}'s own page", "url": product.documentation},
        "servers": _servers(product),
        "tags": _tags(product),
        "paths": paths(product),
        "components": {
            "securitySchemes": {"apiKey": _credential(product)},
            "schemas": {"ListenKey": listen_key(product.dialect.key_space), **error_schemas(product)},
        },
    }


def _introduction(product: Product) -> str:
    streams = ", ".join(f"`{stream.name}`" for stream in product.streams)
    minutes = product.lifetime_s // 60
    life = f"Create a listen key, open its WebSocket ({streams}), extend it within {minutes} minutes, close."
    parts = [
        life,
        "Parameters may stand in the query or in a form; the query counts where both name one.",
    ]
    eras = {call.era.name: call.era for call in product.calls if call.era is not None}
    parts += [
        f"{product.venue} removed calls marked as deprecated on {era.since}. {era.replaced_by}"
        for era in eras.values()
    ]
    return "\n\n".join(parts)


def _servers(product: Product) -> list[Json]:
    gateway = {
        "url": f"{{gateway}}/{product.name}",
        "description": "A gateway, at this product's prefix.",
        "variables": {"gateway": {"default": GATEWAY, "description": "Scheme, host and port of a gateway."}},
    }
    hosts = dict.fromkeys(stream.hosts.rest for stream in product.streams if stream.hosts is not None)
    return [gateway, *({"url": host, "description": f"{product.venue} itself."} for host in hosts)]


def _tags(product: Product) -> list[Json]:
    tags = [{"name": CALLS, "description": "The key's life."}]
    if product.dialect.public_calls:
        tags.append({"name": PUBLIC, "description": "What clients ask before a stream; no API key."})
    return tags


def _credential(product: Product) -> Json:
    header = product.dialect.auth.header
    return {"type": "apiKey", "in": "header", "name": header, "description": "The API key as it was given."}
