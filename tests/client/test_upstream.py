"""The relay's source: all is journaled, or what became of it, and it goes on where the journal ends."""

import asyncio
import contextlib
import json
from types import SimpleNamespace

import pytest

from listenkey.client.items import Event, Gap, State
from listenkey.core.moment import Moment
from listenkey.core.position import Missing, Position
from listenkey.core.repeats import NaturalIds
from listenkey.service.publish import Problem
from listenkey.service.upstreams import Mark, UpstreamFigures
from listenkey.sources.upstream import Upstream, UpstreamReader
from listenkey.testing.clock import FIRST_MOMENT
from tests.service.house import House

STREAM = "binance-usdm"
NOW_MS = FIRST_MOMENT // 1000


def event(number, **more):
    """An event of the venue."""
    kind = more.pop("type", "x")
    content = {"e": kind, "E": NOW_MS + number, "n": number, **more}
    return Event(kind, json.dumps(content, separators=(",", ":")).encode())


class Replayed:
    """A stream that gives some items and then waits, or ends. `position`: what it says of itself when all is
    taken."""

    def __init__(self, items, position=None, *, ends=False, holdings=b""):
        self._items = items
        self._end = position
        self._ends = ends
        self._holdings = holdings
        self._more = asyncio.Event()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    def give(self, item):
        """One more."""
        self._items.append(item)
        self._more.set()

    async def next_item(self):
        if not self._items and not self._ends:
            await self._more.wait()
        self._more.clear()
        return self.waiting_item()

    def waiting_item(self):
        return self._items.pop(0) if self._items else None

    @property
    def position(self):
        return None if self._items else self._end

    @property
    def holdings(self):
        return b"" if self._items else self._holdings


class Relay:
    """A gateway with an upstream that gives what a test says."""

    def __init__(self, house):
        self.house = house
        self.figures = UpstreamFigures("1", "desk", STREAM)
        self.beginnings = []
        self.streams = []
        self.journal = house.gateway.source_journal("desk", STREAM)

    async def run(self, *streams, until=lambda relay: True, seconds=0.0, has_positions=False):
        """Read one stream after the other, until it is so; the reader."""
        self.streams = [*streams]
        upstream = Upstream("1", "desk", STREAM, self._open, NaturalIds(()), has_positions=has_positions)
        reader = UpstreamReader(upstream, self.journal, self.figures)
        task = asyncio.create_task(reader.run())
        async with asyncio.timeout(20):
            while self.streams or not until(self):
                await asyncio.sleep(0.01)
        await asyncio.sleep(seconds)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return reader

    def _open(self, mark, known, symbols):
        beginning = {"since": mark.at, "holdings": mark.holdings, "known": [*known], "symbols": [*symbols]}
        self.beginnings.append(SimpleNamespace(**beginning))
        return self.streams.pop(0)

    def rows(self):
        """What the journal has, in its order: numbers of events, and causes of gaps."""
        back = [json.loads(each.payload) for each in self.journal.read_back()]
        return [each.get("n", each.get("cause")) for each in reversed(back)]


@pytest.fixture
async def relay(tmp_path):
    house = await House(tmp_path).open()
    await house.gateway.accounts.add("desk")
    yield Relay(house)
    await house.close()


def refusing(relay, monkeypatch, code, times=1):
    """Have the journal refuse the next publishing of anything."""
    real, left = relay.journal.publish, [code] * times

    async def publish(found):
        if left:
            code = left.pop()
            return [Problem(code, "") for _ in found]
        return await real(found)

    monkeypatch.setattr(relay.journal, "publish", publish)


@pytest.mark.parametrize(
    ("code", "rows"),
    [("too_large", ["refused"]), ("bad_line", ["refused"]), ("notice", ["refused"]), ("id_conflict", [])],
)
async def test_an_event_that_is_refused_is_a_gap(relay, monkeypatch, code, rows):
    """It stands in the journal, for who reads it; an event that is in there already is none."""
    refusing(relay, monkeypatch, code)
    await relay.run(Replayed([State("open"), event(1)]), until=lambda relay: relay.figures.state == "open")
    await relay.house.store.put_setting("barrier", b"", 0)
    assert relay.figures.gaps == len(rows)
    assert relay.rows() == rows


async def test_what_is_waiting_is_journaled_in_one_commit_and_in_order(relay, monkeypatch):
    """A burst at the venue must not wait for the disk once for each fill; a hole stands between what came
    before and after it."""
    commits, real = [], relay.journal.publish

    async def publish(found):
        commits.append(len(found))
        return await real(found)

    monkeypatch.setattr(relay.journal, "publish", publish)
    items = [State("open"), *map(event, range(500)), Gap("disconnected", since_ms=1), *map(event, range(500))]
    await relay.run(Replayed(items), until=lambda relay: relay.figures.events == 1000)
    assert relay.rows() == [*range(500), "disconnected", *range(500)]
    assert commits == [511, 490]
    assert (relay.figures.gaps, relay.figures.state) == (1, "open")


async def test_the_venue_s_very_bytes_are_journaled(relay):
    """A bot that hashes what it gets, or minds how a number is written, finds it as the venue wrote it."""
    raw = b'{"e":"x", "p":1.0,  "n":7, "u":"\xc3\xa9"}'
    await relay.run(Replayed([Event("x", raw)]), until=lambda relay: relay.figures.events == 1)
    assert [each.payload for each in relay.journal.read_back()] == [raw]


async def test_what_finds_no_room_is_tried_again_in_its_order(relay, monkeypatch):
    """A full disk holds a relay up, and loses nothing, no gap either."""
    refusing(relay, monkeypatch, "store_full")
    items = [event(1), Gap("disconnected"), event(2)]
    await relay.run(Replayed(items), until=lambda relay: relay.figures.events == 2)
    assert relay.rows() == [1, "disconnected", 2]


async def test_a_stream_that_never_said_how_far_it_was_leaves_a_gap(relay, monkeypatch):
    """Opened anew, nobody can tell what came between; but of one that had never been open nothing is
    missing."""

    async def broken(_):
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(relay.journal, "publish", broken)
    await relay.run(
        Replayed([State("open"), event(1)]), Replayed([event(2)]), until=lambda r: r.figures.events
    )
    assert relay.rows() == ["disconnected", 2]
    await relay.run(
        Replayed([event(3)], ends=True), Replayed([event(4)]), until=lambda r: r.figures.events == 3
    )
    assert relay.rows() == ["disconnected", 2, 3, 4]


async def test_after_a_kill_it_goes_on_where_the_journal_ends(relay):
    """The client is told up to when all is journaled, what the journal ends with and what is traded, so that
    it can fetch the rest and give nothing twice."""
    items = [State("open"), event(1, s="BTCUSDT"), event(2, o={"s": "ETHUSDT"}), Gap("disconnected")]
    await relay.run(
        Replayed(items, Moment(NOW_MS + 5)),
        until=lambda relay: relay.journal.read_mark().at == str(NOW_MS + 5),
    )
    await relay.house.crash()
    again = Relay(relay.house)
    await again.run(Replayed([]))
    (beginning,) = again.beginnings
    assert beginning.since == str(NOW_MS + 5)
    assert beginning.known == [("x", event(1, s="BTCUSDT").raw), ("x", event(2, o={"s": "ETHUSDT"}).raw)]
    assert beginning.symbols == ["BTCUSDT", "ETHUSDT"]
    assert relay.beginnings[0].since == "", "the first start knows nothing, and begins live"


async def test_the_first_mark_is_kept_before_the_first_event(relay, monkeypatch):
    """Killed in its first second, a relay has journaled nothing, or knows from when on it has to ask."""
    journaled, real = [], relay.journal.publish

    async def publish(found):
        journaled.extend(relay.journal.read_mark().at for what, _ in found if isinstance(what, bytes))
        return await real(found)

    monkeypatch.setattr(relay.journal, "publish", publish)
    first = Replayed([State("open")], Moment(NOW_MS))
    task = asyncio.create_task(relay.run(first, until=lambda relay: relay.figures.events == 1))
    async with asyncio.timeout(20):
        while not relay.journal.read_mark().at:
            await asyncio.sleep(0.01)
        first.give(event(1))
        await task
    assert journaled == [str(NOW_MS)]


async def test_a_journal_that_somebody_else_filled_is_gone_on_with(relay):
    """From its last event on: what came between is asked for, or named missing."""
    await relay.journal.publish([(event(7).raw, None), (Missing("disconnected"), None)])
    await relay.run(Replayed([]))
    assert relay.beginnings[0].since == str(NOW_MS + 7)


async def test_an_old_journal_is_given_back_in_part(relay):
    """Its last events, however old, say what a quiet account held; and all that came near the moment is known
    again, however much that is."""
    old = [(event(number, s="BTCUSDT").raw, None) for number in range(2000)]
    await relay.journal.publish(old)
    relay.house.clock.advance(60_000_000)
    await relay.journal.publish([(event(60_000 + number).raw, None) for number in range(600)])
    await relay.journal.keep_mark(Mark(str(NOW_MS + 60_000)))
    await relay.run(Replayed([]))
    assert [json.loads(raw)["n"] for _, raw in relay.beginnings[-1].known] == [*range(60_000, 60_600)]
    assert relay.beginnings[-1].symbols == ["BTCUSDT"]
    await relay.journal.keep_mark(Mark(str(NOW_MS + 600_000)))
    await relay.run(Replayed([]))
    assert [json.loads(raw)["n"] for _, raw in relay.beginnings[-1].known] == [*range(60_100, 60_600)]


async def test_what_was_held_is_kept_until_there_is_a_hole(relay):
    """A restart begins with the holdings of the last moment in which they were known; of before a hole they
    say nothing any more."""
    stream = Replayed([State("open"), event(1)], Moment(NOW_MS), holdings=b'{"of":1}\n')
    reader = await relay.run(stream, until=lambda relay: relay.figures.events == 1)
    await reader.keep_mark()
    await relay.run(Replayed([event(2)], Moment(NOW_MS + 1)), until=lambda relay: relay.figures.events == 2)
    assert relay.beginnings[-1].holdings == b'{"of":1}\n'
    items = [Gap("disconnected"), event(3)]
    reader = await relay.run(Replayed(items, Moment(NOW_MS + 2)), until=lambda r: r.figures.events == 3)
    await reader.keep_mark()
    await relay.run(Replayed([]))
    assert (relay.beginnings[-1].since, relay.beginnings[-1].holdings) == (str(NOW_MS + 2), b"")


async def test_a_quiet_hour_is_no_hole(relay):
    """A stream on which nothing happens says how far it is all the same, and that is kept: a kill after it
    makes a recovery of seconds, not of an hour."""
    quiet = Replayed([State("open")], Moment(NOW_MS))
    task = asyncio.create_task(
        relay.run(quiet, until=lambda relay: relay.journal.read_mark().at == str(NOW_MS + 3_600_000))
    )
    async with asyncio.timeout(20):
        while relay.journal.read_mark().at != str(NOW_MS):
            relay.house.clock.advance(5_000_000)
            await asyncio.sleep(0.01)
        quiet._end = Moment(NOW_MS + 3_600_000)
        relay.house.clock.advance(3_600_000_000)
        await task


async def test_what_was_taken_and_not_journaled_is_no_part_of_the_mark(relay, monkeypatch):
    """Killed while the disk is full, it goes on before what it could not journal."""
    await relay.journal.keep_mark(Mark(str(NOW_MS)))
    refusing(relay, monkeypatch, "store_full", times=1000)
    reader = await relay.run(Replayed([event(1)], Moment(NOW_MS + 5)), seconds=1.2)
    await reader.keep_mark()
    assert relay.journal.read_mark().at == str(NOW_MS)


async def test_a_relay_of_a_relay_goes_on_by_position(relay):
    """Its holes are journaled here too, with what is known of them, and nothing is journaled twice, state
    neither."""
    first, second = Position("abc", 7), Position("abc", 8)
    items = [
        Event("x", b'{"e":"x","n":1}', Position("abc", 6)),
        Gap("upstream", first, first, 5, 9, ("BTCUSDT",), ("USDT",), "too long", "disconnected"),
        Event("x", b'{"e":"x","n":2}', second),
    ]
    both = {"has_positions": True}
    await relay.run(Replayed([*items], second), until=lambda relay: relay.figures.events == 2, **both)
    reader = await relay.run(Replayed([*items], second), until=lambda r: r.figures.events == 4, **both)
    await reader.keep_mark()
    assert relay.rows() == [1, "disconnected", 2]
    (gap,) = [json.loads(each.payload) for each in relay.journal.read_back() if each.gap]
    assert gap == {
        "cause": "disconnected",
        "since": 5,
        "until": 9,
        "symbols": ["BTCUSDT"],
        "differs": ["USDT"],
        "why": "too long",
    }
    await relay.run(Replayed([]), **both)
    assert (relay.beginnings[-1].since, relay.beginnings[-1].known) == ("abc:8", [])


async def test_an_upstream_that_becomes_another_kind_does_not_trip(relay):
    """From a gateway to the venue itself: the last event says from when on; the other way: from now on."""
    await relay.journal.publish([(event(7).raw, None)])
    await relay.journal.keep_mark(Mark("abc:8"))
    await relay.run(Replayed([]))
    assert relay.beginnings[-1].since == str(NOW_MS + 7)
    await relay.journal.keep_mark(Mark(str(NOW_MS)))
    await relay.run(Replayed([]), has_positions=True)
    assert relay.beginnings[-1].since == ""


async def test_how_far_behind_the_venue_it_is(relay):
    """By the venue's stamp, of live events alone: what is fetched later is old by its nature."""
    relay.house.clock.advance(150_000)
    backfilled = Event("x", event(0).raw, source="backfill")
    stampless = [Event("x", payload) for payload in (b'{"e":"x"}', b'{"e":"x","E":12}', b'{"e":"x","E":"?"}')]
    items = [backfilled, *stampless, *map(event, range(100))]
    await relay.run(Replayed(items), until=lambda relay: relay.figures.events == 104)
    assert (relay.figures.backfilled, relay.figures.last_event_at) == (1, NOW_MS * 1000 + 150_000)
    assert (relay.figures.lag_ms(0.5), relay.figures.lag_ms(0.99)) == (101, 150)
    assert UpstreamFigures("2", "desk", STREAM).lag_ms(0.5) is None
