"""Small things as people write them: times, addresses, samples."""

import re
from typing import Final

from listenkey.dialect.template import fill_text
from listenkey.reference.describe import Call, Product, StreamPage

GATEWAY: Final = "http://127.0.0.1:8080"
_EVENT: Final = re.compile(r'"e"\s*:\s*"([^"$]+)"')
_UNITS: Final = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"))


def duration(millis: int) -> str:
    """`90 seconds`, `1 hour`: in the largest unit that comes out even."""
    for size, name in _UNITS:
        if millis >= size and millis % size == 0:
            count = millis // size
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return f"{millis / 1000:g} seconds" if millis >= 1000 else f"{millis} ms"


def event_name(body: str) -> str:
    """The type that a message tells of itself in `e`; empty where it tells none."""
    found = _EVENT.search(body)
    return found[1] if found else ""


def spoken(name: str) -> str:
    """A name of the vocabulary in plain words."""
    return name.replace("_", " ")


def sample(text: str, product: Product) -> str:
    """A template with what an answer would have in its places."""
    return fill_text(
        text,
        {
            "listen_key": product.sample_key,
            "now_ms": 1700000000000,
            "until_ms": 1700000120000,
            "id": 1,
            "result": "null",
            "topic": "spot.executionReport",
        },
    )


def gateway_urls(product: Product, call: Call) -> list[str]:
    """Where a gateway answers a call: at its root, where the product is there, and by prefix."""
    by_prefix = f"{GATEWAY}/{product.name}{call.path}"
    return [f"{GATEWAY}{call.path}", by_prefix] if product.dialect.root else [by_prefix]


def api_bases(product: Product) -> list[str]:
    """What the path of a WebSocket API is added to at a gateway."""
    address = GATEWAY.replace("http", "ws", 1)
    by_prefix = f"{address}/{product.name}"
    return [address, by_prefix] if product.dialect.root else [by_prefix]


def socket_bases(product: Product, stream: StreamPage) -> list[str]:
    """What the paths of a stream's WebSocket are added to at a gateway."""
    address = GATEWAY.replace("http", "ws", 1)
    by_prefix = f"{address}{stream.prefix}"
    at_root = product.dialect.root and not all(socket.prefixed for socket in stream.sockets)
    return [address, by_prefix] if at_root else [by_prefix]
