"""binance-sdk-spot: a subscription on the WebSocket API, by signature or after a logon, with typed events."""

from driving import RECONNECT, SECRET, come_back, got, page, run

client = page()["client"]
signed = not SECRET.startswith("-----BEGIN")


class Life:
    """One connection and one subscription on it. Where that breaks, a bot opens another."""

    async def open(self) -> None:
        self.connection = await client.websocket_api.create_connection()
        if RECONNECT:
            self.connection.on_connection("close", come_back(self.open))
        if signed:
            subscribed = await self.connection.user_data_stream_subscribe_signature()
        else:
            await self.connection.session_logon()
            subscribed = await self.connection.user_data_stream_subscribe()
        subscribed.stream.on("message", lambda event: got(told(event)))

    async def close(self) -> None:
        await self.connection.user_data_stream_unsubscribe()


def told(event: object) -> object:
    """A typed event as the venue spells it; what the SDK has no type for it hands on as it came."""
    told = event.actual_instance
    return told if isinstance(told, dict) else told.model_dump(by_alias=True, exclude_unset=True)


life = Life()
run(life.open, None, life.close)
