"""Leaving leaves nothing: no task, no socket, no file, no thread; however it comes about, on any loop."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import uvloop

import listenkey
from listenkey.client import blocking
from listenkey.client.items import State
from tests.repo.test_bare_install import server_modules
from tests.support.gateway import Gateway

WAIT = 30
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
MANY = 50


class Oops(Exception):
    """What a user's own code raises."""


@pytest.fixture(scope="module")
def alice(tmp_path_factory):
    """A gateway, and an API key that may read."""
    with Gateway(tmp_path_factory.mktemp("leaving") / "data") as gateway:
        gateway.add_account("alice")
        _, key, _ = gateway.add_api_key("alice")
        gateway.publish("alice", "binance-usdm", [{"e": "x"}])  # over a connection that it keeps
        yield gateway, key


def open_files():
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(params=LOOPS)
def run(request):
    """Runs a coroutine on a loop of its own; nothing may be left of it."""

    def run(work):
        gc.collect()
        files, threads = open_files(), threading.active_count()
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            result = runner.run(alone(work))
        gc.collect()
        assert open_files() <= files
        assert threading.active_count() <= threads
        return result

    async def alone(work):
        result = await work
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        return result

    return run


def ways(gateway, key):
    """The same stream from a gateway, and by the venue's protocol."""
    address = f"{gateway.venue}/binance-usdm"
    return [
        lambda: listenkey.open_stream("binance-usdm", api_key=key, gateway=gateway.venue),
        lambda: listenkey.open_stream("binance-usdm", api_key=key, base_url=address, recover=False),
    ]


def is_open(item):
    """Whether this says that the stream is open."""
    return isinstance(item, State) and item.state == "open"


async def until_open(stream):
    """Wait for it."""
    while (item := await asyncio.wait_for(stream.next_item(), WAIT)) is not None:
        if is_open(item):
            return
    raise AssertionError("it ended")


@pytest.mark.parametrize("way", [0, 1], ids=["native", "venue"])
def test_what_a_handler_raises_reaches_the_user(alice, run, way):
    """As it is, and the stream is closed by then."""

    async def work():
        async with ways(*alice)[way]() as stream:
            async for item in stream:
                if is_open(item):
                    raise Oops

    with pytest.raises(Oops):
        run(work())


@pytest.mark.parametrize("way", [0, 1], ids=["native", "venue"])
def test_cancelled_at_any_moment(alice, run, way):
    """While it connects, while it waits, while it closes."""

    async def hold():
        async with ways(*alice)[way]() as stream:
            async for _ in stream:
                pass

    async def work():
        for turns in (0, 1, 2, 3, 5, 8, 13, 21, 34, 200):
            task = asyncio.create_task(hold())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=WAIT)
            assert done
            assert task.cancelled()

    run(work())


@pytest.mark.parametrize("way", [0, 1], ids=["native", "venue"])
def test_many_streams_in_one_process(alice, run, way):
    """Each gets each event; none holds another up."""

    async def take(opened, event, ready):
        async with opened() as stream:
            await until_open(stream)
            ready.release()
            async for got in stream.events():
                if got.data == event:  # what an earlier test published may be told again
                    return got.raw
        raise AssertionError("it ended")

    async def work():
        gateway, key = alice
        ready, event = asyncio.Semaphore(0), {"e": "ORDER_TRADE_UPDATE", "E": time.time_ns(), "o": {}}
        opened = ways(gateway, key)[way]
        tasks = [asyncio.create_task(take(opened, event, ready)) for _ in range(MANY)]
        for _ in tasks:
            await asyncio.wait_for(ready.acquire(), WAIT)
        await asyncio.to_thread(gateway.publish, "alice", "binance-usdm", [event])
        raws = await asyncio.wait_for(asyncio.gather(*tasks), WAIT)
        assert len(raws) == MANY
        await asyncio.get_running_loop().shutdown_default_executor()

    run(work())


@pytest.mark.parametrize("end", [None, Oops, KeyboardInterrupt])
def test_the_blocking_facade_leaves_no_thread(alice, end):
    """Whatever the program does in its loop."""
    gateway, key = alice
    before = threading.active_count()
    try:
        with blocking.open_stream("binance-usdm", api_key=key, gateway=gateway.venue) as stream:
            for item in stream:
                if is_open(item):
                    if end is not None:
                        raise end
                    break
    except (Oops, KeyboardInterrupt) as error:
        assert isinstance(error, end)  # noqa: PT017 - both kinds are looked for
    assert threading.active_count() <= before


def test_one_that_was_never_entered_costs_nothing():
    """No task before `async with`, and none that would have to be ended."""
    stream = listenkey.open_stream("binance-usdm", api_key="k")
    assert stream.waiting_item() is None


WITHOUT = """
import asyncio, sys
for name in sys.argv.pop().split(","):
    sys.modules[name] = None  # as if it were not installed
import listenkey

async def main(gateway, venue, key):
    for more in ({"gateway": gateway}, {"base_url": venue}):
        async with listenkey.open_stream("binance-usdm", api_key=key, **more) as stream:
            async for item in stream:
                if getattr(item, "state", "") == "open":
                    break

asyncio.run(main(*sys.argv[1:]))
print(*sorted(name for name in sys.modules if name.startswith("listenkey.")))
"""


def test_a_stream_needs_nothing_of_the_servers(alice):
    """The bare install is small, and starts fast."""
    gateway, key = alice
    servers = ",".join(set(server_modules()) - {"h"})  # h11 comes with httpx
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, gateway.venue, f"{gateway.venue}/binance-usdm", key, servers],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rooms = {name.split(".")[1] for name in done.stdout.split()}
    assert rooms <= {"base", "client", "core", "dialect", "wire"}
