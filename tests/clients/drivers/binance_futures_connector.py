"""binance-futures-connector 4.x: USD-M over `/ws` and SUBSCRIBE."""

import json

from driving import got, page, run

names = page()
rest, streams = names["client"], names["streams"]
key = ""


def on_message(_: object, text: str) -> None:
    message = json.loads(text)
    if "result" not in message:
        got(message)


def open_() -> None:
    global key
    key = rest.new_listen_key()["listenKey"]
    streams(on_message).user_data(listen_key=key)


run(open_, lambda: rest.renew_listen_key(key) and None, lambda: rest.close_listen_key(key) and None)
