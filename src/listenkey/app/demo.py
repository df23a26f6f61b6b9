"""What `serve --demo` adds: an account with a known API key, and an event a second on each of its streams."""

import asyncio
import sys

from listenkey.base.errors import Refused
from listenkey.service.accounts import DEMO_ACCOUNT, NewApiKey
from listenkey.service.gateway import Gateway
from listenkey.sources import demo
from listenkey.store.base import Store

DEMO_KEY = "demo-key"
DEMO_SECRET = "demo-secret"  # noqa: S105 - printed for everybody to use
_SYMBOL = "BTCUSDT"


def check_absent(store: Store, folder: str) -> None:
    """Errors: `Refused("demo_account")` where a demonstration left its account, whose key everybody knows."""
    if store.find_account(DEMO_ACCOUNT) is not None:
        raise Refused(
            f"{folder} has the account of a demonstration, whose API key everybody knows",
            f"serve it with --demo and remove the account {DEMO_ACCOUNT}, or name another data folder",
            code="demo_account",
        )


async def prepare(gateway: Gateway) -> None:
    """Make the demo account and its API key, unless they are there."""
    try:
        await gateway.accounts.add(DEMO_ACCOUNT)
    except Refused as error:
        if error.code != "account_exists":
            raise
    if gateway.credentials.find(DEMO_KEY) is None:
        wanted = NewApiKey(permissions=("read", "trade"), key=DEMO_KEY, secret=DEMO_SECRET)
        await gateway.accounts.add_api_key(DEMO_ACCOUNT, wanted)


def start(gateway: Gateway) -> "asyncio.Task[None]":
    """Begin the events."""
    streams = gateway.names.all_with(_SYMBOL)
    return asyncio.create_task(demo.run(gateway.publisher.publish, gateway.clock.now, DEMO_ACCOUNT, streams))


def print_lines(venue: str) -> None:
    """The three lines to copy, on standard error."""
    stream = f"'{venue}/lk/v1/stream?stream=binance-usdm'"
    print(
        "\n".join(
            (
                "Create a listen key, watch its stream, close it:",
                f"  curl -X POST -H 'X-MBX-APIKEY: {DEMO_KEY}' {venue}/fapi/v1/listenKey",
                f"  curl -N -H 'Accept: text/event-stream' -H 'Authorization: Bearer {DEMO_KEY}' {stream}",
                f"  curl -X DELETE -H 'X-MBX-APIKEY: {DEMO_KEY}' {venue}/fapi/v1/listenKey",
            )
        ),
        file=sys.stderr,
        flush=True,
    )
