"""Our client, whole, against a hostile venue: its user's view held against the truth."""

import asyncio
import random
from functools import partialmethod
from types import SimpleNamespace

import httpx
import msgspec

from listenkey.base.clock import MILLISECOND, MINUTE, SECOND
from listenkey.base.errors import Refused
from listenkey.client import calls, venue
from listenkey.client.buffer import Buffer
from listenkey.client.credentials import Credentials
from listenkey.client.items import Event, Gap, State
from listenkey.core.recovery import Terms
from listenkey.dialect.registry import load_dialects
from listenkey.wire.history import identity_of
from tests.world.client_venue import STREAM, SYMBOLS, HostileVenue
from tests.world.timeloop import run

_LIFETIME_S = 240
_LONGEST_SOCKET = 150 * SECOND
_MOST_SKEW = 600 * SECOND
TROUBLED = 5 * MINUTE
QUIET = 3 * MINUTE


class ClientWorld:
    """One life: five minutes of trouble, and three in which everything gets well."""

    def __init__(self, seed, monkeypatch):
        self.seed = seed
        self.patch = monkeypatch
        dialect = load_dialects()["binance-usdm"]
        key_space = msgspec.structs.replace(dialect.key_space, lifetime_s=_LIFETIME_S)
        self.dialect = msgspec.structs.replace(dialect, key_space=key_space)
        self.history = self.dialect.histories(STREAM)[0]
        self.items = []
        self.opened_ms = 0
        self.failed = ""

    def live(self):
        """From the first to the last moment."""
        run(self._live)

    async def _live(self, loop):
        self.venue = HostileVenue(self.seed, loop, self.dialect)
        dice = self.venue.dice
        skew = dice.choice((0, 0, dice.randrange(-_MOST_SKEW, _MOST_SKEW)))
        clock = SimpleNamespace(
            monotonic_ns=lambda: loop.monotonic() * 1000, time_ns=lambda: (loop.wall() + skew) * 1000
        )
        self.patch.setattr(calls, "time", clock)
        self.patch.setattr(calls.Calls, "request", partialmethod(_request, self.venue))
        self.patch.setattr(venue, "open_socket", self.venue.open_socket)
        self.patch.setattr(venue, "_LONGEST_SOCKET", _LONGEST_SOCKET)
        self.patch.setattr(venue, "random", random.Random(self.seed))
        buffer = Buffer()
        credentials = Credentials("key", "secret")
        where = venue.Venue(self.dialect, STREAM, "", "http://v", "ws://v", credentials, symbols=SYMBOLS)
        self.reader = venue.VenueReader(where, buffer)
        self.reader.start()
        taking = loop.create_task(self._take(buffer))
        await loop.pause(5 * SECOND)
        begin = loop.monotonic()
        happening = loop.create_task(self._happen(loop, begin + TROUBLED + QUIET - 90 * SECOND))
        while loop.monotonic() < begin + TROUBLED:
            await self._trouble(loop, dice)
        self.venue.is_bad = self.venue.is_away = False
        await loop.pause(QUIET)
        happening.cancel()
        self.position = self.reader.position
        await self.reader.stop()
        await asyncio.wait([taking])

    async def _take(self, buffer):
        try:
            while (item := await buffer.get()) is not None:
                self.items.append(item)
                if isinstance(item, State) and item.state == "open":
                    self.opened_ms = self.opened_ms or self.venue.now_ms
        except Refused as error:
            self.failed = str(error)

    async def _happen(self, loop, until):
        dice = self.venue.dice
        while loop.monotonic() < until:
            for _ in range(dice.choice((1, 1, 2, 6))):
                self.venue.act()
                await loop.pause(1000)
            await loop.pause(dice.choice((1000, 50_000, 400_000, 3 * SECOND, 20 * SECOND)))

    async def _trouble(self, loop, dice):
        world = self.venue
        await loop.pause(dice.choice((1, 5, 20, 60)) * SECOND)
        roll = dice.randrange(7)
        if roll == 0:
            world.cut()
        elif roll == 1:
            world.is_away = True
            world.cut()
            await loop.pause(dice.choice((1, 10, 40)) * SECOND)
            world.is_away = False
        elif roll == 2:
            world.deafen()
        elif roll == 3:
            world.end_key(silently=False)
        elif roll == 4:
            world.end_key(silently=True)
        elif roll == 5:
            world.go_down()
        else:
            world.garbles = dice.choice((1, 3))

    # Judgement --------------------------------------------------------------------------------------

    def identity(self, raw):
        """By what a fact is known again."""
        kind = msgspec.json.decode(raw)["e"]
        return identity_of(self.history, kind, raw)

    def check(self):
        """Every fact once and in order, or within a gap; states from the stream alone; well at the end."""
        truth = {self.identity(raw): (place, at, raw) for place, (at, raw) in enumerate(self.venue.told)}
        truth.pop(None, None)
        events = [item for item in self.items if isinstance(item, Event)]
        gaps = [item for item in self.items if isinstance(item, Gap)]
        facts = [each for each in (self.identity(event.raw) for event in events) if each is not None]
        assert len(facts) == len(set(facts)), "a fact was given twice"
        newest, late = 0, Terms().jumble_ms if self.venue.lag_ms else 0
        for fact in facts:  # where history is late, the end of what is fetched may come in pieces
            assert truth[fact][1] >= newest - late, f"{fact} was given out of its order"
            newest = max(newest, truth[fact][1])
        assert not [e for e in events if e.source == "backfill" and self.identity(e.raw) is None]
        slack = Terms().slack_ms
        given, traceless = set(facts), self.traceless(set(facts))
        for fact, (_, at, _) in truth.items():
            if at > self.opened_ms and fact not in given and fact not in traceless:
                named = any(gap.since_ms - slack <= at <= gap.until_ms + slack for gap in gaps)
                assert named, f"{fact} of {at} is missing and nobody said so: {gaps}"
        states = [item.state for item in self.items if isinstance(item, State)]
        assert (states[-1], states[-2], self.failed) == ("closed", "open", ""), "it is not well at the end"
        behind = self.venue.now_ms - self.position.at_ms
        assert -2000 < behind < 180_000, "its position stands still, or is ahead of the venue"

    def traceless(self, given):
        """Orders that came and went without a fill while nobody listened and history was late."""
        if not self.venue.lag_ms:
            return set()
        filled = {fill.order.id for fill in self.venue.ledger.books.fills}
        lost = [order for order in self.venue.ledger.books.orders.values() if order.id not in filled]
        pairs = [
            {("order", o.symbol, str(o.id), "new"), ("order", o.symbol, str(o.id), "ended")} for o in lost
        ]
        return {fact for pair in pairs if not pair & given for fact in pair}


async def _request(own, venue, call):
    asked = calls.steady_ms() * MILLISECOND
    answer = await venue.request(call)
    if isinstance(answer, httpx.Response):
        own._see(answer, asked)
    return answer
