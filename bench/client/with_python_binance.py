"""python-binance: its futures user socket."""

import asyncio
import sys

from binance import AsyncClient, BinanceSocketManager
from meter import Meter

PORT, EVENTS = int(sys.argv[1]), int(sys.argv[2])
AsyncClient.API_URL = f"http://127.0.0.1:{PORT}/api"
AsyncClient.FUTURES_URL = f"http://127.0.0.1:{PORT}/fapi"
BinanceSocketManager.FSTREAM_URL = f"ws://127.0.0.1:{PORT}/"


async def main() -> None:
    """As in its README; its queue may be of any length, so that it does not end for being fast."""
    meter = Meter(EVENTS)
    client = await AsyncClient.create("key", "secret")
    manager = BinanceSocketManager(client, max_queue_size=10**9)
    async with manager.futures_user_socket() as socket:
        while True:
            event = await socket.recv()
            if meter.count == 0:
                meter.first()
            assert event["o"]["X"]
            meter.count += 1
            if meter.count == meter.wanted:
                meter.done()


asyncio.run(main())
