"""Who plays: the published clients, the streams each is tried on, and how each hands events to its user."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.clients.events import Event

ISOLATED = "binance-margin-isolated:BTCUSDT"


def whole(event: Event) -> Any:
    """The event as it was published."""
    return event


def rounded(event: Event) -> Any:
    """A JavaScript client that reads numbers as numbers: ids beyond 2^53 lose their end."""
    return json.loads(json.dumps(event), parse_int=_number)


def _number(text: str) -> int:
    number = int(text)
    return number if abs(number) <= 2**53 else int(Decimal(repr(float(text))))


def bigint(event: Event) -> Any:
    """A JavaScript client that makes a BigInt or text of what is beyond 2^53; its driver writes text."""
    return json.loads(json.dumps(event), parse_int=_small)


def _small(text: str) -> int | str:
    return int(text) if abs(int(text)) <= 2**53 else text


def untyped(event: Event) -> Any:
    """The generated Python SDK picks the model by the event's type, which is then not a field."""
    return {name: value for name, value in event.items() if name != "e"}


def typed(event: Event) -> Any:
    """The same of portfolio margin, whose SDK has no type for one event, and leaves out a field of others."""
    if event["e"] == "ALGO_UPDATE":
        return event
    return {name: value for name, value in untyped(event).items() if name != "M"}


def orders(event: Event) -> Any:
    """ccxt's `watch_orders` gives orders alone, the venue's own fields under `info`."""
    return (
        event.get("o")
        if event["e"] == "ORDER_TRADE_UPDATE"
        else event
        if event["e"] == "executionReport"
        else None
    )


def big_orders(event: Event) -> Any:
    """The same in JavaScript, where ccxt keeps large ids as text."""
    return bigint(orders(event))


def fills(event: Event) -> Any:
    """ccxt's `watch_my_trades` gives executions alone. Its `watch_orders` gives the newest state of an order,
    which may be that of two events."""
    return event if event.get("x") == "TRADE" else None


def as_text(event: Event) -> Any:
    """bingx-api makes a string of every number, lest 64-bit ids lose their end; it knows two events."""
    return _texts(event) if event["e"] in {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"} else None


def _texts(value: Any) -> Any:
    match value:
        case dict():
            return {name: _texts(inner) for name, inner in value.items()}
        case list():
            return [_texts(inner) for inner in value]
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            return value


@dataclass(frozen=True)
class Client:
    """A published client: the block of the page that points it, its driver, and where it is installed."""

    name: str  # of the block
    driver: str
    streams: tuple[str, ...]
    home: str  # the environment under .venv-clients
    sees: Callable[[Event], Any] = whole  # what its handler is given for an event, None for nothing
    closes: bool = True  # whether it can close a key itself; else an operator does
    keyless: tuple[str, ...] = ()  # the streams that it subscribes to on a WebSocket API
    ed25519: bool = False  # whether its API key signs with a private key, which is then its secret
    after: str = ""  # the block that this one goes on from
    survives: tuple[str, ...] = ()  # paths that it asks for beside the stream, and does without
    short: tuple[str, ...] = field(
        default=()
    )  # the streams that `make test` plays; the rest is for make test-clients


SPOT, MARGIN, USDM = "binance-spot", "binance-margin", "binance-usdm"
DELIVERY, OPTIONS, PM = "binance-coinm", "binance-options", "binance-pm"
RISK, US = "binance-margin-risk", "binance-us"
ALL_SPOT = (SPOT, MARGIN, ISOLATED)
SWAP, COINM, BINGX_SPOT = "bingx-swap", "bingx-coinm", "bingx-spot"

CAST = (
    Client("python-binance", "python_binance.py", (USDM, DELIVERY, PM), "python-binance", short=(USDM,)),
    Client(
        "python-binance-api",
        "python_binance_api.py",
        ALL_SPOT,
        "python-binance",
        keyless=ALL_SPOT,
        short=(MARGIN,),
    ),
    Client("python-binance-us", "python_binance.py", (US,), "python-binance-1.0.19", short=(US,)),
    Client(
        "python-binance-1.0.19", "python_binance.py", ALL_SPOT, "python-binance-1.0.19", short=(SPOT, MARGIN)
    ),
    Client(
        "ccxt-binanceusdm",
        "ccxt_pro.py",
        (USDM,),
        "ccxt",
        orders,
        survives=("/fapi/v1/leverageBracket",),
    ),
    Client(
        "ccxt-binance-options",
        "ccxt_pro.py",
        (OPTIONS,),
        "ccxt",
        orders,
        survives=("/fapi/v1/leverageBracket",),
        short=(OPTIONS,),
    ),
    Client("ccxt-binancecoinm", "ccxt_pro.py", (DELIVERY,), "ccxt", orders),
    Client(
        "ccxt-binance", "ccxt_api.py", (SPOT, MARGIN), "ccxt", fills, keyless=(SPOT, MARGIN), short=(SPOT,)
    ),
    Client("ccxt-bingx", "ccxt_pro.py", (SWAP, BINGX_SPOT), "ccxt", orders, short=(SWAP, BINGX_SPOT)),
    Client("binance-connector", "binance_connector.py", ALL_SPOT, "binance-connector", short=(ISOLATED,)),
    Client("binance-futures-connector", "binance_futures_connector.py", (USDM,), "binance-futures-connector"),
    Client(
        "binance-sdk-usds-futures",
        "binance_sdk_usds_futures.py",
        (USDM,),
        "binance-sdk",
        untyped,
        short=(USDM,),
    ),
    Client("binance-sdk-coin-futures", "binance_sdk.py", (DELIVERY,), "binance-sdk", untyped),
    Client("binance-sdk-options", "binance_sdk.py", (OPTIONS,), "binance-sdk", untyped),
    Client("binance-sdk-portfolio-margin", "binance_sdk.py", (PM,), "binance-sdk", typed),
    Client("binance-sdk-margin-trading", "binance_sdk.py", (RISK,), "binance-sdk", untyped),
    Client("binance-sdk-spot", "binance_sdk_api.py", (SPOT,), "binance-sdk", untyped, keyless=(SPOT,)),
    Client(
        "binance-sdk-spot-ed25519",
        "binance_sdk_api.py",
        (SPOT,),
        "binance-sdk",
        untyped,
        keyless=(SPOT,),
        ed25519=True,
        short=(SPOT,),
    ),
    Client("unicorn", "unicorn.py", (SPOT, PM, USDM), "unicorn-binance-websocket-api", keyless=(SPOT,)),
    Client(
        "binance-js",
        "binance.js",
        (*ALL_SPOT, USDM, DELIVERY, PM, RISK),
        "node",
        rounded,
        short=(USDM, RISK),
    ),
    Client(
        "binance-js-api",
        "binance_api.js",
        (SPOT, MARGIN),
        "node",
        rounded,
        keyless=(SPOT, MARGIN),
        short=(SPOT,),
    ),
    Client("node-ccxt-binance", "ccxt_pro.js", (SPOT, MARGIN), "node", fills, keyless=(SPOT, MARGIN)),
    Client("node-ccxt-bingx", "ccxt_pro.js", (SWAP, BINGX_SPOT), "node", big_orders),
    Client("binance-api-node", "binance_api_node.js", (USDM,), "node"),
    Client("binance-api-node-0.12", "binance_api_node.js", (SPOT,), "node"),
    Client("node-binance-api", "node_binance_api.js", (SPOT,), "node"),
    Client("binance-connector-js", "binance_connector.js", ALL_SPOT, "node", short=(SPOT,)),
    Client("binance-sdk-usds-futures-js", "binance_sdk_usds_futures.js", (USDM,), "node"),
    Client("binance-sdk-coin-futures-js", "binance_sdk.js", (DELIVERY,), "node"),
    Client("binance-sdk-portfolio-margin-js", "binance_sdk.js", (PM,), "node", bigint),
    Client("binance-sdk-spot-js", "binance_sdk_api.js", (SPOT,), "node", keyless=(SPOT,)),
    Client("bingx-api", "bingx_api.js", (SWAP,), "node", as_text, closes=False, short=(SWAP,)),
    Client("bingx-api-coinm", "bingx_api.js", (COINM,), "node", as_text, closes=False, after="bingx-api"),
)
