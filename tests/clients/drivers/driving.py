"""What the Python drivers share: the lines of the how-to page, orders in on standard input, NDJSON out.

A driver is told `extend` and `close` on standard input, a line each, and ends at its end. It writes one JSON
object a line: `{"did": "open"}` when its stream is open, `{"did": …}` when an order was carried out,
`{"got": event}` for what the client's own handler was given.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

KEY = os.environ["API_KEY"]
SECRET = os.environ["API_SECRET"]
STREAM = os.environ["STREAM"]
RECONNECT = float(os.environ.get("RECONNECT_MS", "0")) / 1000
"""How long to wait before coming back when the stream breaks, for tests that break it; 0 where a break is to
be seen as an error."""
_writing = threading.Lock()


def page() -> dict[str, Any]:
    """Run the block of the how-to page as it would stand in a program; returns the names that it defines."""
    names: dict[str, Any] = {"API_KEY": KEY, "API_SECRET": SECRET}
    exec(compile(os.environ["PAGE_BLOCK"], "point-your-client.md", "exec"), names)
    return names


def tell(**line: Any) -> None:
    """Write one line to the test; clients call their handlers from threads of their own."""
    with _writing:
        print(json.dumps(line, default=str), flush=True)


def got(event: Any) -> None:
    """Pass on what the client's handler was given."""
    tell(got=event)


Order = Callable[[], None] | Callable[[], Awaitable[None]]


def come_back(open_: Callable[[], Awaitable[None]]) -> Callable[..., None]:
    """A callback for a client that says that its socket is gone and leaves the rest to its user: open again,
    until it is."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def until_open() -> None:
        while True:
            await asyncio.sleep(RECONNECT)
            try:
                return await open_()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next attempt is due
                print(error, flush=True)

    def gone(*_: Any) -> None:
        task = loop.create_task(until_open())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return gone


def run(open_: Order, extend: Order | None, close: Order) -> None:
    """Open, obey until standard input ends, and leave without the client's own farewells. A subscription on a
    WebSocket API has nothing to extend."""
    asyncio.run(_run({"open": open_, "close": close} | ({"extend": extend} if extend else {})))
    sys.stdout.flush()
    os._exit(0)


async def _run(orders: dict[str, Order]) -> None:
    word = "open"
    while word:
        done = orders[word]()
        if inspect.isawaitable(done):
            await done
        tell(did=word)
        word = (await asyncio.to_thread(sys.stdin.readline)).strip()
