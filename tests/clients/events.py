"""What an exchange would say about an account, stream by stream, with every field that it sends.

Each round has ids and times of its own, so that an event that comes twice, or late,
cannot be taken for another one."""

from __future__ import annotations

import json
import re
from typing import Any

from listenkey.dialect.registry import load_dialects

Event = dict[str, Any]
_SAMPLES = {
    name: [event.sample for event in dialect.events]
    for name, dialect in load_dialects().items()
    if name in {"binance-coinm", "binance-margin-risk", "binance-options", "binance-pm", "binance-us"}
}


def round_of(stream: str, number: int) -> list[Event]:
    """One round of events for a stream, in the order of publishing."""
    makers = {
        "binance-usdm": _usdm,
        "bingx-swap": _bingx_swap,
        "bingx-coinm": _bingx_swap,
        "bingx-spot": _bingx_spot,
    }
    if stream in _SAMPLES:
        return _samples(stream, 1_763_700_000_000 + number * 60_000, number * 100)
    make = makers.get(stream, _spot)
    return make(1_763_700_000_000 + number * 60_000, number * 100)


def _samples(stream: str, now: int, base: int) -> list[Event]:
    """The events of the catalogue, with times and order ids of their own."""
    events: list[Event] = [
        json.loads(sample) | {"E": now + place} for place, sample in enumerate(_SAMPLES[stream])
    ]
    for event in events:
        order = event["o"] if event["e"] == "ORDER_TRADE_UPDATE" else event
        if isinstance(order.get("i"), int):
            order["i"] += base
    return events


def _spot(now: int, base: int) -> list[Event]:
    order: Event = {
        "e": "executionReport", "E": now, "s": "BTCUSDT", "c": f"mUvoqJxFIILMdfAW5i{base}", "S": "BUY",
        "o": "LIMIT", "f": "GTC", "q": "0.01000000", "p": "52000.00000000", "P": "0.00000000",
        "F": "0.00000000", "g": -1, "C": "", "x": "NEW", "X": "NEW", "r": "NONE", "i": 4_293_153 + base,
        "l": "0.00000000", "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "T": now - 1, "t": -1,
        "I": 8_641_984 + base, "w": True, "m": False, "M": False, "O": now - 1, "Z": "0.00000000",
        "Y": "0.00000000", "Q": "0.00000000", "W": now - 1, "V": "NONE",
    }  # fmt: skip
    fill = order | {
        "E": now + 20, "x": "TRADE", "X": "FILLED", "l": "0.01000000", "z": "0.01000000",
        "L": "51999.50000000", "n": "0.00001000", "N": "BTC", "T": now + 19, "t": 77_001 + base,
        "I": 8_641_985 + base, "w": False, "m": True, "M": True, "Z": "519.99500000", "Y": "519.99500000",
    }  # fmt: skip
    return [
        order,
        {
            "e": "outboundAccountPosition", "E": now + 1, "u": now,
            "B": [{"a": "USDT", "f": "9480.000000", "l": "520.000000"}],
        },
        fill,
        {"e": "balanceUpdate", "E": now + 30, "a": "BTC", "d": f"{base}.00000000", "T": now + 29},
        {
            "e": "listStatus", "E": now + 40, "s": "ETHBTC", "g": 2 + base, "c": "OCO", "l": "EXEC_STARTED",
            "L": "EXECUTING", "r": "NONE", "C": f"F4QN4G8DlFATFlIUQ0cj{base}", "T": now + 39,
            "O": [
                {"s": "ETHBTC", "i": 17, "c": "AJYsMjErWJesZvqlJCTUgL"},
                {"s": "ETHBTC", "i": 18, "c": "bfYPSQdLoqAJeNrOr9adzq"},
            ],
        },
    ]  # fmt: skip


def _usdm(now: int, base: int) -> list[Event]:
    def order(number: int, **fields: Any) -> Event:
        body: Event = {
            "s": "BTCUSDT", "c": f"bot-{base + number}", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.010",
            "p": "52000.10", "ap": "0", "sp": "0", "x": "NEW", "X": "NEW", "i": 8_886_774 + base + number,
            "l": "0", "z": "0", "L": "0", "n": "0", "N": "USDT", "T": now + number, "t": 0, "b": "520.001",
            "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH",
            "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE",
            "gtd": 0, "er": "0",
        }  # fmt: skip
        return {"e": "ORDER_TRADE_UPDATE", "T": now + number, "E": now + number + 1, "o": body | fields}

    trade = {
        "x": "TRADE",
        "X": "FILLED",
        "ap": "52000",
        "l": "0.010",
        "z": "0.010",
        "L": "52000",
        "n": "0.20800000",
    }
    return [
        order(1),
        order(2, **trade, t=109_100_866 + base, o="MARKET", ot="MARKET", p="0", m=False),
        {
            "e": "TRADE_LITE", "E": now + 4, "T": now + 3, "s": "BTCUSDT", "q": "0.010", "p": "0", "m": False,
            "c": f"bot-{base + 2}", "S": "BUY", "L": "52000", "l": "0.010", "t": 109_100_866 + base,
            "i": 8_886_776 + base,
        },
        {
            "e": "ACCOUNT_UPDATE", "E": now + 6, "T": now + 5,
            "a": {
                "m": "ORDER",
                "B": [{"a": "USDT", "wb": "122624.12345678", "cw": "100.12345678", "bc": "50.12345678"}],
                "P": [
                    {
                        "s": "BTCUSDT", "pa": "0.010", "ep": "52000.0", "bep": "52010.4", "cr": "0",
                        "up": "2.85021200", "mt": "isolated", "iw": "13200.70726908", "ps": "BOTH",
                    }
                ],
            },
        },
        {
            "e": "MARGIN_CALL", "E": now + 8, "cw": "3.16812045",
            "p": [
                {
                    "s": "ETHUSDT", "ps": "LONG", "pa": "1.327", "mt": "CROSSED", "iw": "0",
                    "mp": "187.17127", "up": "-1.166074", "mm": "1.614445",
                }
            ],
        },
        {"e": "ACCOUNT_CONFIG_UPDATE", "E": now + 10, "T": now + 9, "ac": {"s": "BTCUSDT", "l": 25}},
        order(11, S="SELL", R=True),
    ]  # fmt: skip


def _bingx_swap(now: int, base: int) -> list[Event]:
    def order(number: int, **fields: Any) -> Event:
        body: Event = {
            "s": "BTC-USDT", "c": "", "i": 1_970_374_651_259_388_000 + base + number, "S": "SELL",
            "o": "MARKET", "q": "0.00100000", "p": "112848.10000000", "sp": "0.00000000",
            "ap": "112848.10000000", "x": "TRADE", "X": "FILLED", "N": "USDT", "n": "-0.05642405",
            "T": now + number, "wt": "", "ps": "SHORT", "rp": "0.00000000", "z": "0.00100000", "sg": "false",
            "ti": 0, "ro": False, "td": 511_178_071 + base, "tv": "112.8",
        }  # fmt: skip
        return {"e": "ORDER_TRADE_UPDATE", "E": now + number, "T": now + number, "o": body | fields}

    return [
        order(1, x="NEW", X="NEW", n="0", z="0.00000000", td=0, tv="0"),
        order(2),
        {
            "e": "ACCOUNT_UPDATE", "E": now + 4, "T": now + 3,
            "a": {
                "m": "ORDER",
                "B": [{"a": "USDT", "wb": "117.80007595", "cw": "95.23045595", "bc": "0"}],
                "P": [
                    {
                        "s": "BTC-USDT", "pa": "0.00100000", "ep": "112848.10000000", "up": "-0.00004435",
                        "mt": "cross", "iw": "22.56957565", "ps": "SHORT", "cr": "-0.05642405",
                    }
                ],
            },
        },
        {"e": "ACCOUNT_CONFIG_UPDATE", "E": now + 6, "ac": {"s": "BTC-USDT", "l": 12, "S": 9, "mt": "cross"}},
        order(7, S="BUY", ps="LONG"),
    ]  # fmt: skip


def _bingx_spot(now: int, base: int) -> list[Event]:
    def order(number: int, **fields: Any) -> Event:
        body: Event = {
            "e": "executionReport", "E": now + number, "s": "LTC-USDT", "S": "BUY", "o": "MARKET", "q": 0,
            "p": 62.29, "x": "TRADE", "X": "FILLED", "i": 1_702_245_001_712_369_664 + base + number,
            "l": 0.0802, "z": 0.0802, "L": 62.308, "n": -0.0000802, "N": "LTC", "T": now + number,
            "t": 38_259_147 + base, "O": now + number - 1, "Z": 4.9971016, "Y": 4.9971016, "Q": 5,
            "C": "123", "m": False,
        }  # fmt: skip
        return body | fields

    zero = "0.00000000000000000000"
    total = "0.00000016900000000000"
    balance = {"a": "ETH", "bc": zero, "cw": total, "lk": zero, "wb": total}
    return [
        order(1, x="NEW", X="PENDING", l=0, z=0, L=0, n=0, t=-1, Z=0, Y=0),
        {"e": "ACCOUNT_UPDATE", "E": now + 2, "T": now + 2, "a": {"B": [balance], "m": "ORDER"}},
        order(3),
        order(5, S="SELL"),
    ]


def fill(stream: str, number: int) -> Event:
    """A fill with this trade id, of an order of its own."""
    now = 1_763_700_000_000 + number
    if stream == "binance-usdm":
        event = _usdm(now, 0)[1]
        event["o"] |= {"t": number, "i": 8_886_774 + number, "c": f"bot-{number}"}
    elif stream == "bingx-swap":
        event = _bingx_swap(now, 0)[1]
        event["o"] |= {"td": number, "i": 1_970_374_651_259_388_000 + number}
    elif stream == "bingx-spot":
        event = _bingx_spot(now, 0)[2] | {"t": number, "i": 1_702_245_001_712_369_664 + number}
    else:
        event = _spot(now, 0)[2] | {"t": number, "i": 4_293_153 + number, "c": f"mUvoqJxFIILMdfAW5i{number}"}
    return event


def fill_number(seen: Any) -> int | None:
    """The trade id of a fill, as any of the clients hands it to its user; None for what is not a fill."""
    body = seen.get("o") if isinstance(seen.get("o"), dict) else seen
    number = body.get("td", body.get("t"))
    return None if number is None else int(number)


FILL_ON_THE_WIRE = re.compile(rb'"td?":(\d+)')
"""The trade id in the bytes of a fill, whatever it is wrapped in."""
