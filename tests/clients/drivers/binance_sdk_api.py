"""binance-sdk-spot: a subscription on the WebSocket API, by signature or after a logon, with typed events.

The SDK logs on again where its socket breaks, but does not subscribe again; a bot has to.
"""

import asyncio
import contextlib

from driving import RECONNECT, SECRET, got, page, run

client = page()["client"]
signed = not SECRET.startswith("-----BEGIN")


class Life:
    """One connection and one subscription on it."""

    async def open(self) -> None:
        self.connection = await client.websocket_api.create_connection()
        if not signed:
            await self.connection.session_logon()
        await self.subscribe()
        if RECONNECT:
            self.loop = asyncio.get_running_loop()
            self.connection.on_connection("reconnect", self.again)

    def again(self, *_: object) -> None:
        self.task = self.loop.create_task(self.until_subscribed())

    async def until_subscribed(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                return await self.subscribe()
            await asyncio.sleep(RECONNECT)

    async def subscribe(self) -> None:
        subscribe = (
            self.connection.user_data_stream_subscribe_signature
            if signed
            else self.connection.user_data_stream_subscribe
        )
        self.subscribed = await subscribe()
        self.subscribed.stream.on("message", lambda event: got(told(event)))

    async def close(self) -> None:
        await self.connection.user_data_stream_unsubscribe()


def told(event: object) -> object:
    """A typed event as the venue spells it; what the SDK has no type for it hands on as it came."""
    told = event.actual_instance
    return told if isinstance(told, dict) else told.model_dump(by_alias=True, exclude_unset=True)


life = Life()
run(life.open, None, life.close)
