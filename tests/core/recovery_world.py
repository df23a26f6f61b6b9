"""A stream that breaks, by seed: `core.recovery` between a venue and its user, on a clock that tests move."""

import heapq
import itertools
import json
import random

from listenkey.base.clock import SECOND
from listenkey.core.recovery import Answer, Ask, Give, Look, Miss, Recovery, Terms
from tests.core.ledger_venue import SYMBOLS, Books, LedgerVenue

START_MS = 1_700_000_000_000
FACTS = {"new", "ended", "fill"}


class World:
    """Time in milliseconds. `lag_ms`: how late history is, and the snapshot up to less than what the client
    waits before it asks; `knows`: whether all symbols were named by the user."""

    def __init__(self, seed, *, minutes=4, terms=None):
        self.dice = dice = random.Random(seed)
        self.venue = LedgerVenue(dice)
        self.lag_ms = dice.choice((0, 0, 300, 3000, 200_000))
        self.knows = dice.random() < 0.7
        self.fails = dice.choice((0.0, 0.0, 0.3, 1.0))
        self.terms = terms or Terms(jumble_ms=0)
        self.recovery = Recovery(Books(), self.terms, symbols=SYMBOLS if self.knows else ())
        self.now = START_MS
        self.end = START_MS + minutes * 60_000
        self.queue, self.counter = [], itertools.count()
        self.connection = 0
        """The number of the socket that is open; 0 for none."""
        self.heard_ms = START_MS
        self.wire_ms = 40
        self.given = []
        """What the user got: `(kind, raw, source)`, or a `Miss`."""
        self.asks = 0
        self.flight = []

    # Clock ------------------------------------------------------------------------------------------

    def at(self, ms, do):
        """Do something then."""
        heapq.heappush(self.queue, (ms, next(self.counter), do))

    def run(self):
        """From the beginning to the end, the last minute without trouble."""
        self.at(self.now, self.open)
        self.at(self.now + 5000, self.happen)
        self.at(self.now + 20_000, self.trouble)
        while self.now < self.end:
            coming = self.queue[0][0] if self.queue else self.end
            due = self.recovery.wake_at()
            if due is not None and due // 1000 < coming:
                self.now = max(self.now, -(-due // 1000))
                self.do(self.recovery.wake(self.micros))
                continue
            self.now = coming
            if self.queue:
                heapq.heappop(self.queue)[2]()

    @property
    def micros(self):
        """The monotonic clock."""
        return self.now * 1000

    # The venue --------------------------------------------------------------------------------------

    def happen(self):
        """The account's life, in bursts and pauses."""
        if self.now > self.end - 30_000:
            return
        for _ in range(self.dice.choice((1, 1, 1, 2, 5))):
            for word in self.venue.act(self.now):
                if self.connection:
                    self.flight.append(word)
                    self.at(
                        self.now + self.wire_ms, lambda word=word, by=self.connection: self.come(word, by)
                    )
        self.at(self.now + self.dice.choice((0, 1, 30, 200, 2000, 9000)), self.happen)

    def come(self, word, connection):
        """An event reaches the client, if its socket still stands."""
        if connection != self.connection:
            return
        kind, raw = word
        self.heard_ms = max(self.heard_ms, json.loads(raw)["at"])
        if not self.recovery.is_live:
            self.do(self.recovery.hold(kind, raw, self.micros))
        elif not self.recovery.is_late(kind, raw, self.micros):
            self.given.append((kind, raw, "stream"))
            self.recovery.note(kind, raw)

    # Trouble ----------------------------------------------------------------------------------------

    def open(self):
        """A socket is open, and the stream begins or goes on."""
        self.connection = next(self.counter) + 1
        if self.heard_ms == START_MS and not self.given:
            self.recovery.began(START_MS)
        self.do(self.recovery.opened(self.now, self.micros))
        self.heard_ms = max(self.heard_ms, self.now) if self.recovery.is_live else self.heard_ms

    def trouble(self):
        """Cuts, and frames that cannot be read."""
        if self.now > self.end - 100_000:
            return
        if self.connection and self.dice.random() < 0.8:
            self.connection = 0
            self.recovery.broke(self.heard_ms, "disconnected")
            self.at(self.now + self.dice.choice((50, 400, 5000, 20_000)), self.open)
        elif self.connection:  # what comes in this moment is lost on the way
            self.connection = next(self.counter) + 1
            self.recovery.broke(self.heard_ms, "unreadable")
            self.do(self.recovery.opened(self.now + self.wire_ms, self.micros))
        self.at(self.now + self.dice.choice((300, 2000, 30_000, 90_000)), self.trouble)

    # The shell --------------------------------------------------------------------------------------

    def do(self, actions):
        """What the client would do."""
        for action in actions:
            match action:
                case Give(kind, raw, source):
                    self.given.append((kind, raw, source))
                case Miss():
                    self.given.append(action)
                case Ask():
                    self.asks += 1
                    self.at(self.now + self.dice.choice((20, 300)), lambda ask=action: self.read(ask))
                case Look(number):
                    self.at(self.now + 30, lambda number=number: self.look(number))

    def read(self, ask):
        """History is read, then the snapshot asked for, and the answer comes a moment later."""
        if self.dice.random() < self.fails:
            until = (self.now + self.dice.choice((0, 0, 5000, 120_000))) * 1000
            self.do(self.recovery.failed(ask.number, "busy", self.micros, for_good=False, until=until))
            return
        resting = set(self.venue.open.values())
        held = {name[4:] for name in self.venue.snapshot() if name.startswith("pos ")}
        symbols = {*ask.symbols, *resting, *held}
        facts = self.venue.facts(ask.from_ms, ask.to_ms, symbols, self.now - self.lag_ms)
        asked = self.now + 20
        self.at(asked, lambda: self.recovery.snapshot_asked(ask.number))
        totals_at = asked + self.dice.choice((1, 100))

        def answer():
            totals = self.venue.totals(totals_at - min(self.lag_ms, 800))
            told = Answer(facts, totals, tuple(sorted(symbols)))
            self.do(self.recovery.answered(ask.number, told, self.micros))

        self.at(totals_at + 20, answer)

    def look(self, number):
        """A snapshot, to compare with later."""
        totals = self.venue.totals(self.now - 15)
        self.do(self.recovery.looked(number, totals, self.now))

    # Judgement --------------------------------------------------------------------------------------

    def misses(self):
        """What was said to be missing."""
        return [each for each in self.given if isinstance(each, Miss)]

    def traceless(self):
        """Orders that came and went without a fill while nobody listened: of a symbol that nobody named, or
        that history shows too late, they leave nothing behind that could be seen."""
        given = {raw for each in self.given if not isinstance(each, Miss) for raw in each[1:2]}
        lives = {}
        for at, (_, kind, raw, _) in enumerate(self.venue.published):
            if kind in FACTS:
                lives.setdefault(json.loads(raw)["i"], []).append((at, kind, raw))
        unseen = [
            life
            for life in lives.values()
            if [kind for _, kind, _ in life] == ["new", "ended"] and not any(raw in given for *_, raw in life)
        ]
        return {at for life in unseen for at, *_ in life} if self.lag_ms or not self.knows else set()

    def check(self):
        """Every fact once and in its order, or within what was said to be missing."""
        place = {raw: at for at, (_, _, raw, _) in enumerate(self.venue.published)}
        got = [each for each in self.given if not isinstance(each, Miss)]
        facts = [place[raw] for kind, raw, _ in got if kind in FACTS]
        assert len(facts) == len(set(facts)), "a fact was given twice"
        assert facts == sorted(facts), "facts were given out of their order"
        assert all(source == "stream" for kind, _, source in got if kind not in FACTS), "a state was replayed"
        left = self.traceless()
        spans = [(miss.since_ms, miss.until_ms + self.terms.slack_ms) for miss in self.misses()]
        for at, kind, raw, _ in self.venue.published:
            if kind in FACTS and place[raw] not in left and place[raw] not in set(facts):
                named = any(since <= at <= until for since, until in spans)
                assert named, f"{raw} is missing and nobody said so: {self.misses()}"


def seconds(count):
    """Microseconds."""
    return int(count * SECOND)
