"""The relay's source: each event is journaled, or what became of it is counted."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from listenkey.client.items import Event, State
from listenkey.core.repeats import NaturalIds
from listenkey.service.publish import Problem
from listenkey.sources.upstream import Upstream, UpstreamReader

EVENT = Event("x", b'{"e":"x"}')


class Replayed:
    """A stream that gives some items and then waits."""

    def __init__(self, items):
        self._items = items

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def __aiter__(self):
        for item in self._items:
            yield item
        await asyncio.Event().wait()


async def counts_after(items, publish):
    """What was counted, of a source that was given a moment."""
    counts = SimpleNamespace(upstream_events=0, upstream_gaps=0)
    upstream = Upstream("1", "desk", "binance-spot", lambda: Replayed(items), NaturalIds(()))
    task = asyncio.create_task(UpstreamReader(upstream, publish, counts).run())
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return counts


@pytest.mark.parametrize(
    ("code", "gaps"), [("too_large", 1), ("bad_line", 1), ("notice", 1), ("id_conflict", 0)]
)
async def test_an_event_that_is_refused_is_a_gap(code, gaps):
    """One that is in the journal already is none."""

    async def publish(*_):
        return Problem(code, "")

    assert (await counts_after([State("open"), EVENT], publish)).upstream_gaps == gaps


async def test_a_stream_that_is_opened_anew_leaves_a_gap():
    """The event that could not be journaled is lost, and all that was waiting behind it."""

    async def publish(*_):
        raise ZeroDivisionError

    assert (await counts_after([State("open"), EVENT], publish)).upstream_gaps == 1
    assert (await counts_after([EVENT], publish)).upstream_gaps == 0, "it had never been open"
