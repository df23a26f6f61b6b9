"""Streams held open by our client, against our gateway over real sockets."""

import asyncio
import threading

import pytest

import listenkey
from listenkey.base.errors import Refused
from listenkey.client import blocking
from listenkey.client.buffer import BufferFull
from listenkey.client.items import Event, Gap, State
from listenkey.client.stream import Stream
from listenkey.core.moment import Moment
from tests.support.gateway import Gateway

WAIT = 20
VENUE_STREAMS = (
    "binance-spot", "binance-margin", "binance-margin-isolated:BTCUSDT", "binance-usdm", "binance-coinm",
    "binance-options", "binance-pm", "binance-pm-pro", "bingx-spot", "bingx-swap", "bingx-coinm",
)  # fmt: skip


def fill(number):
    """A fill that every stream carries; BingX spot knows executionReport by its topic."""
    return {
        "e": "executionReport",
        "s": "BTCUSDT",
        "I": number,
        "t": number,
        "x": "TRADE",
        "c": f"id-{number}",
    }


async def take(stream, wanted=Event):
    """The next item of a kind."""
    while True:
        item = await asyncio.wait_for(stream.next_item(), WAIT)
        assert item is not None, "the stream ended"
        if isinstance(item, wanted):
            return item


async def until(stream, state):
    """Wait for a state; all items before it."""
    items = []
    while True:
        item = await asyncio.wait_for(stream.next_item(), WAIT)
        if isinstance(item, State) and item.state == state:
            return items
        items.append(item)


async def drain(stream):
    """Take everything to the end."""
    while await asyncio.wait_for(stream.next_item(), WAIT) is not None:
        pass


async def subscribed(gate, stream):
    """Wait until a socket is subscribed."""
    for _ in range(400):
        there = (await gate.call("GET", "/v1/connections")).json()["items"]
        if any(each["stream"] == stream for one in there for each in one["subscriptions"]):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"nobody subscribed to {stream}")


def opened(gate, key, stream, **more):
    """A stream by the venue's protocol."""
    base = f"{gate.venue}/{stream.partition(':')[0]}"
    return listenkey.open_stream(stream, api_key=key, base_url=base, **more)


@pytest.mark.parametrize("name", VENUE_STREAMS)
async def test_events_arrive_as_the_venue_sent_them(gate, name):
    """Each product's key, address, codec, heartbeats and subscriptions."""
    key = await gate.api_key()
    async with opened(gate, key, name) as stream:
        await until(stream, "open")
        await subscribed(gate, name)
        await gate.publish(fill(1), fill(2), stream=name)
        got = [await take(stream), await take(stream)]
        assert [event.data for event in got] == [fill(1), fill(2)]
        assert got[0].type == "executionReport"
        assert isinstance(stream.position, Moment)


async def test_a_cut_is_told_and_repeats_are_not(gate):
    """What the gateway tells again after a cut is told once; that there was a cut is said."""
    key = await gate.api_key()
    async with opened(gate, key, "binance-spot") as stream:
        await until(stream, "open")
        await gate.publish(fill(1), fill(2), stream="binance-spot")
        assert (await take(stream)).data == fill(1)
        (connection,) = (await gate.call("GET", "/v1/connections")).json()["items"]
        await gate.call("DELETE", f"/v1/connections/{connection['id']}")
        await gate.publish(fill(3), stream="binance-spot")
        items = await until(stream, "open")
        gap = next(item for item in items if isinstance(item, Gap))
        assert gap.reason == "disconnected"
        assert 0 < gap.since_ms <= gap.until_ms
        later = [item for item in items if isinstance(item, Event)]
        while [event.data for event in later] != [fill(2), fill(3)]:
            later.append(await take(stream))
            assert len(later) <= 2


async def test_a_key_that_was_closed_by_somebody_is_replaced(gate):
    """Another bot's DELETE silences most clients for ever."""
    key = await gate.api_key()
    async with opened(gate, key, "binance-usdm") as stream:
        await until(stream, "open")
        await gate.venue_call("DELETE", "/fapi/v1/listenKey", key)
        gaps = [item for item in await until(stream, "open") if isinstance(item, Gap)]
        assert [gap.reason for gap in gaps] == ["disconnected"], "nothing came between the keys"
        assert 0 < gaps[0].since_ms <= gaps[0].until_ms
        await gate.publish(fill(9))
        assert (await take(stream)).data == fill(9)


async def test_no_library_logs_what_is_called(gate, caplog):
    """Listen keys are in addresses; a bot's log at level INFO is no place for them."""
    caplog.set_level("INFO")
    async with opened(gate, await gate.api_key(), "binance-spot", close_key=True) as stream:
        await until(stream, "open")
    ours = [
        record for record in caplog.records if record.name.startswith(("httpx", "httpcore", "websockets"))
    ]
    assert not [record for record in ours if "userDataStream" in record.getMessage()]


async def test_no_library_logs_listen_keys_at_any_level(gate, caplog):
    """Who debugs sends logs to others."""
    caplog.set_level("DEBUG")
    keys = []
    async with opened(gate, await gate.api_key(), "binance-spot") as stream:
        await until(stream, "open")
        keys.append(stream._reader._keeper._key)
    assert keys[0]
    assert not [record.name for record in caplog.records if keys[0] in record.getMessage()]


async def test_a_wrong_api_key_is_said_at_once(gate):
    """An error that names what the venue said, not retries for ever."""
    await gate.api_key()
    with pytest.raises(Refused, match="Invalid API-key"):
        async with opened(gate, "nobody", "binance-spot") as stream:
            await asyncio.wait_for(until(stream, "open"), WAIT)


async def test_a_removed_call_is_named_with_what_replaces_it(make_gate):
    """A bot on the venue of today learns why, and what to do."""
    async with make_gate(era="2026-03-01") as gate:
        key = await gate.api_key()
        with pytest.raises(Refused, match=r"410.*userDataStream\.subscribe"):
            async with opened(gate, key, "binance-spot") as stream:
                await asyncio.wait_for(until(stream, "open"), WAIT)


async def test_leaving_leaves_nothing_behind(gate):
    """No task, no socket, and the key only where it was asked for."""
    key = await gate.api_key()
    before = len(asyncio.all_tasks())
    for close_key in (False, True):
        async with opened(gate, key, "binance-usdm", close_key=close_key) as stream:
            await until(stream, "open")
        (listed,) = (await gate.call("GET", "/v1/listen-keys")).json()["items"]
        assert listed["state"] == ("closed" if close_key else "active")
    for _ in range(100):
        if not (await gate.call("GET", "/v1/connections")).json()["items"]:
            break
        await asyncio.sleep(0.02)
    assert len(asyncio.all_tasks()) <= before


async def test_a_gateways_stream_is_resumed_by_position(gate):
    """Nothing twice, nothing missing, over a cut; the position says up to where."""
    key = await gate.api_key()
    async with listenkey.open_stream("binance-spot", api_key=key, gateway=gate.venue) as stream:
        await until(stream, "open")
        await gate.publish(fill(1), stream="binance-spot")
        first = await take(stream)
        assert stream.position == first.position
        (connection,) = (await gate.call("GET", "/v1/connections")).json()["items"]
        await gate.call("DELETE", f"/v1/connections/{connection['id']}")
        await gate.publish(fill(2), fill(3), stream="binance-spot")
        assert [(await take(stream, (Event, Gap))).data for _ in range(2)] == [fill(2), fill(3)]
    since = first.position
    async with listenkey.open_stream("binance-spot", api_key=key, gateway=gate.venue, since=since) as stream:
        assert (await take(stream)).data == fill(2)


async def test_a_position_is_that_of_what_was_taken(gate):
    """Kept by a bot that stops with events still waiting, it leads back to the first of them."""
    key = await gate.api_key()
    async with listenkey.open_stream("binance-spot", api_key=key, gateway=gate.venue) as stream:
        await until(stream, "open")
        await gate.publish(*map(fill, range(1, 11)), stream="binance-spot")
        await arrived(stream, 10)
        third = [await take(stream) for _ in range(3)][-1]
        assert stream.position == third.position
    assert stream.position == third.position, "also when it is over"
    since = stream.position
    async with listenkey.open_stream("binance-spot", api_key=key, gateway=gate.venue, since=since) as stream:
        assert (await take(stream, (Event, Gap))).data == fill(4)


async def test_a_position_stands_before_what_overflowed(gate):
    """The gap is taken with its item, not before."""
    key = await gate.api_key()
    async with listenkey.open_stream(
        "binance-spot", api_key=key, gateway=gate.venue, buffer_bytes=2000, overflow="gap"
    ) as stream:
        await until(stream, "open")
        start = stream.position
        await gate.publish(*map(fill, range(1, 31)), stream="binance-spot")
        await arrived(stream, 30)
        assert stream.position == start
        gap = await take(stream, Gap)
        assert stream.position == gap.last


async def arrived(stream, offset):
    """Wait until so much was read, though not taken."""
    for _ in range(400):
        reached = stream._reader.position
        if reached is not None and reached.offset == offset:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never read up to {offset}")


async def test_a_hole_in_a_gateways_journal_is_named(gate):
    """A position of another history is never taken for this one."""
    key = await gate.api_key()
    await gate.publish(fill(1), stream="binance-spot")
    async with listenkey.open_stream(
        "binance-spot", api_key=key, gateway=gate.venue, since="zzz:5"
    ) as stream:
        gap = await take(stream, Gap)
        assert (gap.reason, str(gap.first)) == ("epoch", "zzz:6")
        assert (await take(stream)).data == fill(1)


@pytest.mark.parametrize(
    ("name", "more", "match"),
    [
        ("nowhere", {}, "choose of"),
        ("binance-margin-isolated", {}, "SYMBOL"),
        ("binance-spot:BTCUSDT", {}, "name it binance-spot"),
        ("binance-spot", {"since": "e:1"}, "cannot be resumed from e:1"),
        ("binance-spot", {"gateway": "http://127.0.0.1:1", "since": "x"}, "EPOCH:OFFSET"),
    ],
)
def test_what_cannot_be_opened(name, more, match):
    """Said before anything is sent, with what to do."""
    with pytest.raises(Refused, match=match):
        listenkey.open_stream(name, api_key="k", **more)


async def test_a_slow_user_is_told_what_he_lost(gate):
    """Reading never stops; the oldest goes, and a gap says which."""
    key = await gate.api_key()
    async with listenkey.open_stream(
        "binance-spot", api_key=key, gateway=gate.venue, buffer_bytes=2000, overflow="gap"
    ) as stream:
        await until(stream, "open")
        await gate.publish(*map(fill, range(1, 31)), stream="binance-spot")
        await arrived(stream, 30)
        gap = await take(stream, Gap)
        assert (gap.reason, gap.first.offset) == ("overflow", 1)
        rest = [(await take(stream)).position.offset for _ in range(30 - gap.last.offset)]
        assert rest == list(range(gap.last.offset + 1, 31))


async def test_or_by_an_error(gate):
    """Where that was asked for."""
    key = await gate.api_key()
    async with listenkey.open_stream(
        "binance-spot", api_key=key, gateway=gate.venue, buffer_bytes=2000, overflow="error"
    ) as stream:
        await until(stream, "open")
        await gate.publish(*map(fill, range(1, 31)), stream="binance-spot")
        await asyncio.sleep(0.2)
        with pytest.raises(BufferFull):
            await drain(stream)


def test_programs_without_a_loop_have_the_same(tmp_path, monkeypatch):
    """`with` and `for`, and no thread left."""
    before = threading.active_count()
    with Gateway(tmp_path / "data") as gateway:
        gateway.add_account("alice")
        _, key, _ = gateway.add_api_key("alice")
        gateway.publish("alice", "binance-spot", [fill(1)])
        position, asked_on = None, set()
        real = Stream.position

        def told(stream):
            asked_on.add(threading.current_thread())
            return real.fget(stream)

        monkeypatch.setattr(Stream, "position", property(told))
        with blocking.open_stream("binance-spot", api_key=key, gateway=gateway.venue) as stream:
            for item in stream:
                if isinstance(item, State) and item.state == "open":
                    gateway.publish("alice", "binance-spot", [fill(2)])
                if isinstance(item, Event):
                    assert item.data == fill(2)
                    asked_on.clear()
                    position = stream.position
                    assert threading.current_thread() not in asked_on, "an event may come meanwhile"
                    assert stream.holdings == b""
                    break
        assert position is not None
        assert stream.position == position
        assert position.offset == 2
        with pytest.raises(Refused), blocking.open_stream("nowhere", api_key=key):
            pass
    assert threading.active_count() <= before + 1  # of the harness
