"""ccxt: `watch_orders`."""

import asyncio
import sys

import ccxt.pro
from meter import Meter

PORT, EVENTS = int(sys.argv[1]), int(sys.argv[2])


async def main() -> None:
    """As in its manual."""
    meter = Meter(EVENTS)
    exchange = ccxt.pro.binanceusdm({"apiKey": "key", "secret": "secret"})
    exchange.options["fetchCurrencies"] = False
    for name, address in exchange.urls["api"].items():
        if isinstance(address, str):
            exchange.urls["api"][name] = f"http://127.0.0.1:{PORT}/fapi/v1"
    exchange.urls["api"]["ws"]["linear"] = f"ws://127.0.0.1:{PORT}/ws"
    while True:
        orders = await exchange.watch_orders()
        if meter.count == 0:
            meter.first()
        for order in orders:
            assert order["status"]
        meter.count += len(orders)
        if meter.count >= meter.wanted:
            meter.done()


asyncio.run(main())
