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

    async def next_item(self):
        if not self._items:
            await asyncio.Event().wait()
        return self._items.pop(0)

    def waiting_item(self):
        return self._items.pop(0) if self._items else None


async def counts_after(items, publish, seconds=0.0):
    """What was counted, of a source that was given a moment."""
    counts = SimpleNamespace(upstream_events=0, upstream_gaps=0)
    upstream = Upstream("1", "desk", "binance-spot", lambda: Replayed([*items]), NaturalIds(()))
    task = asyncio.create_task(UpstreamReader(upstream, publish, counts).run())
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.sleep(seconds)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return counts


@pytest.mark.parametrize(
    ("code", "gaps"), [("too_large", 1), ("bad_line", 1), ("notice", 1), ("id_conflict", 0)]
)
async def test_an_event_that_is_refused_is_a_gap(code, gaps):
    """One that is in the journal already is none."""

    async def publish(account, stream, rows):
        return [Problem(code, "") for _ in rows]

    assert (await counts_after([State("open"), EVENT], publish)).upstream_gaps == gaps


async def test_what_is_waiting_is_journaled_in_one_commit_and_in_order():
    """A burst at the venue must not wait for the disk once for each fill."""
    commits = []

    async def publish(account, stream, rows):
        commits.append([payload for payload, _ in rows])
        return [None for _ in rows]

    events = [Event("x", b'{"e":"x","n":%d}' % number) for number in range(1000)]
    counts = await counts_after([State("open"), *events], publish)
    assert counts.upstream_events == 1000
    assert [payload for commit in commits for payload in commit] == [event.raw for event in events]
    assert len(commits) == 2


async def test_what_finds_no_room_is_tried_again_in_its_order():
    """A full disk holds a relay up, and loses nothing."""
    journaled, full = [], [True]

    async def publish(account, stream, rows):
        if full.pop() if full else False:
            return [Problem("store_full", "") for _ in rows]
        journaled.extend(payload for payload, _ in rows)
        return [None for _ in rows]

    events = [Event("x", b'{"e":"x","n":%d}' % number) for number in range(3)]
    await counts_after([State("open"), *events], publish, seconds=1.5)
    assert journaled == [event.raw for event in events]


async def test_a_stream_that_is_opened_anew_leaves_a_gap():
    """The event that could not be journaled is lost, and all that was waiting behind it."""

    async def publish(*_):
        raise ZeroDivisionError

    assert (await counts_after([State("open"), EVENT], publish)).upstream_gaps == 1
    assert (await counts_after([EVENT], publish)).upstream_gaps == 0, "it had never been open"
