"""binance-connector 3.x: spot, cross margin and isolated margin over `/ws` and SUBSCRIBE."""

import json
import threading
import time

from driving import RECONNECT, STREAM, got, page, run

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
    opened = subscribe()
    if RECONNECT:
        threading.Thread(target=stay, args=(opened,), daemon=True).start()


def subscribe() -> threading.Thread:
    """Open a socket and subscribe; the client's thread, which lives as long as the connection."""
    opened = streams(on_message)
    opened.user_data(listen_key=key)
    return opened.socket_manager


def stay(opened: threading.Thread) -> None:
    """Come back whenever the client's thread has ended, as a bot has to do itself."""
    while True:
        opened.join()
        time.sleep(RECONNECT)
        try:
            opened = subscribe()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt is due
            print(error, flush=True)


run(open_, lambda: call("renew", key) and None, lambda: call("close", key) and None)
