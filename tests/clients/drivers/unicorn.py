"""unicorn-binance-websocket-api: `!userData` streams, by listen key or on the WebSocket API."""

import json
import time

from driving import KEY, SECRET, STREAM, got, page, run

manager = page()["managers"][STREAM]()
life = {}


def on_data(text: str, **_: object) -> None:
    message = json.loads(text)
    if "result" not in message:
        got(message.get("event", message))


def open_() -> None:
    credentials = {"api_key": KEY, "api_secret": SECRET}
    life["stream"] = manager.create_stream("arr", "!userData", process_stream_data=on_data, **credentials)
    while manager.get_stream_info(life["stream"])["status"] != "running":
        time.sleep(0.02)


def extend() -> None:
    manager.restclient.keepalive_listen_key(life["stream"])


def close() -> None:
    if STREAM == "binance-spot":
        manager.stop_stream(life["stream"])
    else:
        manager.restclient.delete_listen_key(life["stream"])


run(open_, extend, close)
