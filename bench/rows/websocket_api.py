"""How many requests a second on WebSocket APIs, beside the same or the nearest call over REST."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import load, prepare
from bench.prepare import BINANCE, api_key_of
from bench.report import Measure, Options, Sheet, alternate
from bench.targets import Target, running

TITLE = "requests on WebSocket APIs, 64 sockets, beside REST over 64 keep-alive connections, 8,000 accounts"
REST = "REST"
ACCOUNTS = 8000
CONNECTIONS = 64
HALF = 0.5
PING, EXTEND, SUBSCRIBE = "ping", "extend", "subscribe and unsubscribe, each"
STATUS, SUBSCRIPTIONS = "session.status", "session.subscriptions"
FIGURES = (PING, EXTEND, STATUS, SUBSCRIPTIONS, SUBSCRIBE)
MEASURES = tuple(Measure(what, "/s", "higher", against=REST, ratio=HALF) for what in FIGURES)
SPOT, FUTURES = "/ws-api/v3", "/ws-fapi/v1"


@dataclass(frozen=True)
class Asked:
    """A file of requests, and the API that they are for."""

    path: str
    file: Path


def _request(method: str, **params: str) -> str:
    return json.dumps({"id": 1, "method": method, "params": params}, separators=(",", ":"))


def _token(answer: str) -> str:
    token: str = json.loads(answer)["token"]
    return token


def _tokens(target: Target, names: Iterable[str]) -> list[str]:
    """A listen token for each account; it needs no signature, so that none is measured."""
    requests = (f"200\tPOST\t/sapi/v1/userListenToken\tX-MBX-APIKEY: {api_key_of(name)}\t-" for name in names)
    return [_token(body) for body in prepare.calls(target.venue, requests).bodies]


def _asked(stack: ExitStack, target: Target, names: list[str]) -> dict[str, Asked]:
    keyed = [api_key_of(name) for name in names]
    subscribing = [
        *(
            _request("userDataStream.subscribe.listenToken", listenToken=token)
            for token in _tokens(target, names[:CONNECTIONS])
        ),
        *[_request("userDataStream.unsubscribe")] * CONNECTIONS,
    ]
    requests = {
        PING: (FUTURES, [_request("ping")] * CONNECTIONS),
        EXTEND: (FUTURES, [_request("userDataStream.ping", apiKey=key) for key in keyed]),
        STATUS: (SPOT, [_request(STATUS)] * CONNECTIONS),
        SUBSCRIPTIONS: (SPOT, [_request(SUBSCRIPTIONS)] * CONNECTIONS),
        SUBSCRIBE: (SPOT, subscribing),
    }
    return {
        what: Asked(path, stack.enter_context(load.lines_file(lines)))
        for what, (path, lines) in requests.items()
    }


def measure(options: Options) -> Sheet:
    """One gateway, asked both ways in turn. Over REST, whatever has no call of its own stands beside the
    extension of a key."""
    with running(["listenkey"]) as (target,), ExitStack() as stack:
        names = prepare.account_names(max(CONNECTIONS, options.scaled(ACCOUNTS)))
        prepare.accounts(target, len(names))
        prepare.create(target, names, BINANCE)
        asked = _asked(stack, target, names)
        extends = stack.enter_context(
            load.lines_file(BINANCE.request("PUT", api_key_of(name)) for name in names)
        )
        pings = stack.enter_context(load.lines_file(["200\tGET\t/fapi/v1/ping\t-\t-"] * CONNECTIONS))

        def over_rest(file: Path) -> float:
            common = {"connections": CONNECTIONS, "server_pid": target.pid, "seconds": options.seconds}
            rate: float = load.run("calls", server=target.venue, requests=file, **common)["requests_per_s"]
            return rate

        def over_sockets(each: Asked) -> float:
            common = {"connections": CONNECTIONS, "server_pid": target.pid, "seconds": options.seconds}
            where = {"venue": target.venue, "path": f"{each.path}?returnRateLimits=false"}
            wanted = {"requests": each.file, "contains": '"status":200'}
            rate: float = load.run("ask", **where, **wanted, **common)["requests_per_s"]
            return rate

        def once(how: Target) -> Mapping[str, float]:
            if how.name == REST:
                extend = over_rest(extends)
                return dict.fromkeys(FIGURES, extend) | {PING: over_rest(pings)}
            return {what: over_sockets(each) for what, each in asked.items()}

        return alternate([target, replace(target, name=REST)], options, Sheet(MEASURES), once)
