"""python-binance since listen keys were removed: spot, cross and isolated margin on the WebSocket API.

Its socket comes back by itself, its subscription does not: the user is given an event of the type `error`.
"""

import asyncio
import contextlib

from driving import KEY, RECONNECT, SECRET, STREAM, got, page, run

names = page()
AsyncClient, BinanceSocketManager = names["AsyncClient"], names["BinanceSocketManager"]
family, _, symbol = STREAM.partition(":")
factory = {
    "binance-spot": "user_socket",
    "binance-margin": "margin_socket",
    "binance-margin-isolated": "isolated_margin_socket",
}[family]
scope = [symbol] if symbol else []


class Life:
    """One subscription, as a bot has it."""

    async def open(self) -> None:
        self.client = await AsyncClient.create(KEY, SECRET)
        self.manager = BinanceSocketManager(self.client)
        await self.subscribe()
        self.reader = asyncio.create_task(self.read())

    async def subscribe(self) -> None:
        self.socket = getattr(self.manager, factory)(*scope)
        await self.socket.__aenter__()

    async def read(self) -> None:
        while True:
            event = await self.socket.recv()
            got(event)
            if RECONNECT and event["e"] == "error":
                await self.come_back()

    async def come_back(self) -> None:
        while True:
            # One break may bring several errors, also when it has subscribed again.
            with contextlib.suppress(Exception):
                await self.socket.__aexit__(None, None, None)
            try:
                return await self.subscribe()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt is due
                print(error, flush=True)
                await asyncio.sleep(RECONNECT)

    async def close(self) -> None:
        await self.socket.__aexit__(None, None, None)


life = Life()
run(life.open, None, life.close)
