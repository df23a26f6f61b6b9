"""python-binance: USD-M, COIN-M and portfolio margin with the newest; with 1.0.19 spot, margin, Binance.US,
which had listen keys then."""

import asyncio
import contextlib

from driving import KEY, RECONNECT, SECRET, STREAM, got, page, run

names = page()
AsyncClient, BinanceSocketManager = names["AsyncClient"], names["BinanceSocketManager"]
family, _, symbol = STREAM.partition(":")
prefix = {
    "binance-spot": "",
    "binance-margin": "margin_",
    "binance-margin-isolated": "isolated_margin_",
    "binance-usdm": "futures_",
    "binance-coinm": "futures_coin_",
    "binance-pm": "papi_",
    "binance-us": "",
}[family]
scope = [symbol] if symbol else []


class Life:
    """One stream, as a bot has it: a socket of the manager, and the REST calls of the same client."""

    async def open(self) -> None:
        self.client = await AsyncClient.create(KEY, SECRET)
        manager = BinanceSocketManager(self.client)
        factories = {
            "binance-spot": "user_socket",
            "binance-us": "user_socket",
            "binance-usdm": "futures_user_socket",
            "binance-coinm": "coin_futures_user_socket",
            "binance-pm": "portfolio_margin_socket",
        }
        factory = factories.get(family, f"{prefix}socket")
        self.socket = getattr(manager, factory)(*scope)
        await self.socket.__aenter__()
        self.key = await getattr(self.client, f"{prefix}stream_get_listen_key")(*scope)
        self.reader = asyncio.create_task(self.read())

    async def read(self) -> None:
        while True:
            try:
                got(await self.socket.recv())
            except Exception as error:
                # It comes back by itself, a few times; after that its user is told to open the socket again.
                if not RECONNECT:
                    raise
                print(error, flush=True)
                await asyncio.sleep(RECONNECT)
                with contextlib.suppress(Exception):
                    await self.socket.__aenter__()

    async def extend(self) -> None:
        await getattr(self.client, f"{prefix}stream_keepalive")(*scope, self.key)

    async def close(self) -> None:
        await getattr(self.client, f"{prefix}stream_close")(*scope, self.key)


life = Life()
run(life.open, life.extend, life.close)
