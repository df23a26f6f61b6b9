"""binance-sdk-derivatives-trading-usds-futures: the generated SDK, with its typed events."""

from driving import got, page, run

client = page()["client"]


class Life:
    """The SDK opens `/public`, `/market` and `/private`, and subscribes to the key on the last."""

    async def open(self) -> None:
        self.key = client.rest_api.start_user_data_stream().data().listen_key
        connection = await client.websocket_streams.create_connection()
        stream = await connection.user_data(self.key)
        stream.on(
            "message", lambda event: got(event.actual_instance.model_dump(by_alias=True, exclude_unset=True))
        )

    async def extend(self) -> None:
        client.rest_api.keepalive_user_data_stream()

    async def close(self) -> None:
        client.rest_api.close_user_data_stream()


life = Life()
run(life.open, life.extend, life.close)
