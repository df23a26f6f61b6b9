"""listenkey: what an open stream costs in memory."""

import asyncio
import gc
import json
import os
import sys

import listenkey
from bench.machine import pss_kib

PORT, STREAMS = int(sys.argv[1]), int(sys.argv[2])


async def opened(stream: listenkey.Stream) -> None:
    """Wait until it is open."""
    while getattr(await stream.next_item(), "state", "") != "open":
        pass


def stream() -> listenkey.Stream:
    """One by the venue's protocol."""
    address = f"http://127.0.0.1:{PORT}"
    return listenkey.open_stream("binance-usdm", api_key="key", api_secret="secret", base_url=address)


async def main() -> None:
    """One first, for all that a process has once; then the others."""
    streams = [stream()]
    await streams[0].__aenter__()
    await opened(streams[0])
    gc.collect()
    before = pss_kib(os.getpid())
    for _ in range(STREAMS):
        streams.append(stream())
        await streams[-1].__aenter__()
        await opened(streams[-1])
    gc.collect()
    print(json.dumps({"kib": (pss_kib(os.getpid()) - before) / STREAMS}), flush=True)
    os._exit(0)


asyncio.run(main())
