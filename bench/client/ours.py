"""listenkey: events as structures, one after another."""

import asyncio
import sys

from meter import Meter

import listenkey

PORT, EVENTS = int(sys.argv[1]), int(sys.argv[2])


async def main() -> None:
    """As in the README."""
    meter = Meter(EVENTS)
    address = f"http://127.0.0.1:{PORT}"
    async with listenkey.open_stream(
        "binance-usdm", api_key="key", api_secret="secret", base_url=address, recover=False
    ) as stream:
        async for event in stream.events():
            if meter.count == 0:
                meter.first()
            order = event.typed
            assert order.o.X
            meter.count += 1
            if meter.count == meter.wanted:
                meter.done()


asyncio.run(main())
