"""A whole collection: what it says about itself, its variables, and the folder of its product."""

from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from listenkey.reference.describe import Product
from listenkey.reference.postman.items import items
from listenkey.reference.postman.scripts import event, paced, signing

SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
GATEWAY: Final = "http://127.0.0.1:8080"
"""Where `make serve` answers: a collection works there as it is."""
API_KEY: Final = "demo-key"
API_SECRET: Final = "demo-secret"  # noqa: S105 the demonstration's, which is printed everywhere


def collection(product: Product) -> dict[str, Any]:
    """A Postman collection (v2.1) of a product's calls, ready for JSON. Its requests run in their order."""
    document: dict[str, Any] = {
        "info": {
            "_postman_id": str(uuid5(NAMESPACE_URL, f"{product.documentation}#{product.name}")),
            "name": product.title,
            "description": _description(product),
            "schema": SCHEMA,
        },
        "item": [{"name": product.title, "item": items(product)}],
        "variable": _variables(product),
    }
    before = paced(product.dialect, signing(product.dialect.auth) if signs(product) else [])
    if before:
        document["event"] = [event("prerequest", before)]
    return document


def signs(product: Product) -> bool:
    """Whether the venue looks at a signature of these calls."""
    return product.dialect.auth.signature != "ignored"


def _variables(product: Product) -> list[dict[str, str]]:
    values = {
        "baseUrl": f"{GATEWAY}/{product.name}",
        "apiKey": API_KEY,
        "apiSecret": API_SECRET,
        "listenKey": "",
    }
    return [{"key": key, "value": value, "type": "string"} for key, value in values.items()]


def _description(product: Product) -> str:
    hosts = dict.fromkeys(host.rest for host in product.dialect.hosts)
    venue = f"; the venue's own is {' or '.join(hosts)}" if hosts else ""
    order = (
        "Run the folder in its order: the first request creates the key that the others use, and keeps it in"
        " the variable `listenKey`."
    )
    lines = [
        f"{product.title}: create, extend and close a listen key, and what goes wrong.",
        f"`baseUrl` is the gateway of `make serve`{venue}. Set `apiKey`"
        + (" and `apiSecret`, which signs each request." if signs(product) else "; nothing is signed."),
        order,
        *(f"Events: {_sockets(product, stream.name)}" for stream in product.streams),
        f"The venue's own page: {product.documentation}",
    ]
    return "\n\n".join(lines)


def _sockets(product: Product, name: str) -> str:
    stream = next(each for each in product.streams if each.name == name)
    host = stream.hosts.sockets if stream.hosts else ""
    living = [each for each in stream.sockets if each.era is None]
    path = (living or stream.sockets)[0].path.replace("$listen_key", "{{listenKey}}")
    return f"{stream.title}, at `{host}{path}` (Postman opens it as a WebSocket request)."
