"""The official SDKs with listen keys: COIN-M, options, portfolio margin, margin's risk stream."""

from driving import RECONNECT, STREAM, come_back, got, page, run

client = page()["client"]
risk = STREAM == "binance-margin-risk"


class Life:
    """A key by REST, and a socket that subscribes to it. Where that breaks, a bot opens another."""

    async def open(self) -> None:
        self.key = client.rest_api.start_user_data_stream().data().listen_key
        await self.connect()

    async def connect(self) -> None:
        # A client takes its key for subscribed also when the socket is gone, so each socket has its own.
        connection = await page()["client"].websocket_streams.create_connection()
        if RECONNECT:
            connection.on_connection("close", come_back(self.connect))
        stream = await (connection.risk_data if risk else connection.user_data)(self.key)
        stream.on("message", lambda event: got(told(event)))

    async def extend(self) -> None:
        client.rest_api.keepalive_user_data_stream(*[self.key] if risk else [])

    async def close(self) -> None:
        client.rest_api.close_user_data_stream()


def told(event: object) -> object:
    """A typed event as the venue spells it; what the SDK has no type for it hands on as it came."""
    told = event.actual_instance
    return told if isinstance(told, dict) else told.model_dump(by_alias=True, exclude_unset=True)


life = Life()
run(life.open, life.extend, life.close)
