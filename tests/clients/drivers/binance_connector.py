"""binance-connector 3.x: spot, cross margin and isolated margin over `/ws` and SUBSCRIBE."""

import json

from driving import STREAM, got, page, run

names = page()
rest, streams = names["client"], names["streams"]
family, _, symbol = STREAM.partition(":")
suffix = {"binance-spot": "", "binance-margin": "_margin", "binance-margin-isolated": "_isolated_margin"}[
    family
]
scope = {"symbol": symbol} if symbol else {}
key = ""


def call(verb: str, *args: str) -> dict:
    return getattr(rest, f"{verb}{suffix}_listen_key")(*args, **scope)


def on_message(_: object, text: str) -> None:
    message = json.loads(text)
    if "result" not in message:
        got(message)


def open_() -> None:
    global key
    key = call("new")["listenKey"]
    streams(on_message).user_data(listen_key=key)


run(open_, lambda: call("renew", key) and None, lambda: call("close", key) and None)
