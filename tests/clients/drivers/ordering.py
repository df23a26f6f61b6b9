"""python-binance of 2023, as a bot has it: opens its stream by listen key, orders, and waits for its fill."""

import asyncio

from driving import KEY, SECRET, page, tell

names = page()
AsyncClient, BinanceSocketManager = names["AsyncClient"], names["BinanceSocketManager"]
NAME = "bought-by-a-bot"


async def main() -> None:
    """From the start to the fill."""
    client = await AsyncClient.create(KEY, SECRET)
    socket = BinanceSocketManager(client).user_socket()
    await socket.__aenter__()
    tell(markets=(await client.get_exchange_info())["symbols"])
    order = await client.create_order(
        symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1", newClientOrderId=NAME
    )
    tell(ordered=order)
    while (event := await socket.recv()).get("c") != NAME:
        tell(passed_over=event)
    tell(filled=event)
    await client.close_connection()


asyncio.run(main())
