"""ccxt's WebSocket half: `watch_orders`, and the implicit REST methods to extend and close by hand."""

import asyncio

from ccxt import BaseError
from driving import RECONNECT, STREAM, got, page, run

exchange = page()["exchange"]
MARKET = {
    "bingx-swap": {"type": "swap"},
    "bingx-spot": {"type": "spot"},
    "binance-usdm": {},
    "binance-coinm": {"type": "inverse"},
    "binance-options": {"type": "option"},
}[STREAM]
TYPE = {"binance-coinm": "inverse", "binance-options": "option"}.get(STREAM, "linear")
CLOSE = {"linear": "fapi", "inverse": "dapi", "option": "eapi"}[TYPE]


class Life:
    """One `watch_orders` loop, as in every ccxt bot."""

    async def open(self) -> None:
        self.reader = asyncio.create_task(self.read())
        while not any(
            client.connected.done()
            for client in exchange.clients.values()
            if "listenKey=" in client.url or "/ws/" in client.url
        ):
            assert not self.reader.done(), self.reader.result()
            await asyncio.sleep(0.02)

    async def read(self) -> None:
        while True:
            try:
                for order in await exchange.watch_orders(params=MARKET):
                    got(order["info"])
            except BaseError:
                if not RECONNECT:
                    raise
                await asyncio.sleep(RECONNECT)

    async def extend(self) -> None:
        await exchange.keep_alive_listen_key({"type": TYPE} if exchange.id.startswith("binance") else {})

    async def close(self) -> None:
        if exchange.id.startswith("binance"):
            await getattr(exchange, f"{CLOSE}PrivateDeleteListenKey")()
        else:
            await exchange.userAuthPrivateDeleteUserDataStream({"listenKey": exchange.options["listenKey"]})


life = Life()
run(life.open, life.extend, life.close)
