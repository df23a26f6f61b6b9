"""ccxt on Binance's WebSocket API: `watch_my_trades` of spot and cross margin."""

import asyncio

from ccxt import BaseError
from driving import RECONNECT, STREAM, got, page, run

exchange = page()["exchange"]
MARKET = {
    "binance-spot": {"type": "spot"},
    "binance-margin": {"type": "margin", "marginMode": "cross"},
}[STREAM]


class Life:
    """One `watch_my_trades` loop, as in every ccxt bot."""

    async def open(self) -> None:
        await exchange.load_markets()
        # At the second fill of an order it adds up fees, by the precision of a currency that it has to know.
        exchange.currencies["BTC"] = {"id": "BTC", "code": "BTC", "precision": 1e-8}
        self.reader = asyncio.create_task(self.read())
        while not exchange.clients:
            assert not self.reader.done(), self.reader.result()
            await asyncio.sleep(0.02)

    async def read(self) -> None:
        while True:
            try:
                for trade in await exchange.watch_my_trades(params=MARKET):
                    got(trade["info"])
            except BaseError:
                if not RECONNECT:
                    raise
                # Of margin it remembers that it was authenticated, also when the socket is gone.
                exchange.options.pop(MARKET["type"], None)
                await asyncio.sleep(RECONNECT)

    async def close(self) -> None:
        self.reader.cancel()
        await exchange.close()


life = Life()
run(life.open, None, life.close)
