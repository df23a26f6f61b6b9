"""What a stream missed, had again: the client's side of a break, from its first moment to the last.

Inputs come with `now` (monotonic) and give back what is to be done, in order. Calls are the shell's, and so
is what a venue's bytes mean (`Books`). After a break, events are held back until the venue's history has told
what was missed; then both are given out in their order, and a `Miss` stands after what was fetched unless the
venue's own snapshot says that nothing else is missing. Whatever fails, live events go on within `limit`.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from listenkey.base.clock import SECOND, Micros
from listenkey.core.ledger import Change, Ledger, kept_ledger

Identity: TypeAlias = tuple[str, ...]
Source: TypeAlias = Literal["stream", "backfill"]
_REMEMBERED: Final = 512
_READ_AT_ONCE: Final = 64
"""Events that wait for the ledger: so few that nobody waits for their reading."""
_MOST_EARLY: Final = 4096
"""Events that a snapshot on its way may or may not know."""
_LATE: Final[Micros] = 300 * SECOND
"""For how long an event that was fetched may still come over the stream as well."""
_LOOK_PAUSE: Final[Micros] = 5 * SECOND
_LONGEST_LOOK_PAUSE: Final[Micros] = 300 * SECOND
_MOST_SYMBOLS: Final = 500
_SETTLED_MS: Final = 600_000
"""What is older will not be told of any more."""


class Terms(msgspec.Struct, frozen=True):
    """How much is done for what was missed."""

    margin_ms: int = 10_000
    """How long before the break history is asked from: venues are late to write it, and clocks differ."""
    slack_ms: int = 3_000
    """How long after the new beginning it is asked to; what is later comes over the stream."""
    limit: Micros = 60 * SECOND
    """How long live events are held back at most."""
    most_bytes: int = 16 << 20
    """How much of them."""
    jumble_ms: int = 50
    """By how much the times of facts may stand against their order, where a venue keeps one a symbol."""
    settle: Micros = SECOND
    """How long after the new beginning history is first asked: it may be late."""
    first_pause: Micros = SECOND // 2
    longest_pause: Micros = 8 * SECOND


class Reading(msgspec.Struct, frozen=True):
    """What an event means."""

    at_ms: int
    """When it happened, by the venue's clock; 0 where it does not say."""
    identity: Identity | None = None
    """By what history knows it again: its second part is the symbol. None where history does not tell it."""
    changes: tuple[Change, ...] = ()
    """What it says of holdings."""
    follows: str = ""
    """The name of the order that must have rested before; empty for a new order, and for what is of none."""


class Books(Protocol):
    """What a venue's events mean."""

    def read(self, kind: str, raw: bytes, names: Collection[str]) -> Reading:
        """One event. `names`: the assets that are known to be there."""
        ...


class Fact(msgspec.Struct, frozen=True):
    """An event that is held back, or that history told."""

    kind: str
    raw: bytes
    at_ms: int
    identity: Identity | None
    source: Source = "stream"
    changes: tuple[Change, ...] | None = None
    """What it says of holdings, where history knows that better than its bytes do."""


class Answer(msgspec.Struct, frozen=True):
    """What the venue answered to one `Ask`."""

    facts: tuple[Fact, ...]
    """Of the span that was asked for, in order."""
    totals: Mapping[str, Decimal]
    """The snapshot."""
    symbols: tuple[str, ...]
    """Of which history was asked for."""
    why: str = ""
    """Why something may be missing among the facts; empty where nothing is."""


class Give(msgspec.Struct, frozen=True):
    """Give an event out."""

    kind: str
    raw: bytes
    source: Source


class Miss(msgspec.Struct, frozen=True):
    """Say that something may be missing."""

    reason: str
    since_ms: int
    until_ms: int
    symbols: tuple[str, ...]
    differs: tuple[str, ...]
    why: str


class Look(msgspec.Struct, frozen=True):
    """Ask for a snapshot, to compare with later."""

    number: int


class Ask(msgspec.Struct, frozen=True):
    """Ask for a snapshot, and for history."""

    number: int
    from_ms: int
    to_ms: int
    symbols: tuple[str, ...]
    names: tuple[str, ...]
    """What was held before: assets, positions and open orders."""


Action: TypeAlias = Give | Miss | Look | Ask


class Recovery:
    """One stream's completeness. `why_not`: why nothing can be fetched; empty where it can. `known`: events
    that were had before, `holdings`: what `holdings` said, after any of them."""

    def __init__(
        self,
        books: Books,
        terms: Terms,
        *,
        why_not: str = "",
        symbols: Iterable[str] = (),
        known: Sequence[tuple[str, bytes]] = (),
        holdings: bytes = b"",
    ) -> None:
        self._books = books
        self._terms = terms
        self._why_not = why_not
        self._symbols = dict.fromkeys(symbols)
        self._ledger: Ledger | None = None
        self._recent: deque[tuple[str, bytes]] = deque(maxlen=_REMEMBERED)
        self._unread: list[tuple[str, bytes]] = []
        """Of the recent ones, those that the ledger does not know yet."""
        self._early: deque[tuple[str, bytes]] = deque(maxlen=_MOST_EARLY)  # that came before there was one
        self._floor_ms = 0
        """What happened before is known to have been had."""
        self._last_dropped: tuple[str, bytes] | None = None
        self._fetched: set[Identity] = set()
        """What was fetched of late, and may still be streamed."""
        self._fetched_until: Micros = 0
        self._state: Literal["live", "broken", "asking"] = "live"
        self._since_ms = self._until_ms = self._looked_ms = 0
        self._reason = self._latest = ""  # what the first break was, and the latest
        self._held: list[Fact] = []
        self._held_bytes = 0
        self._held_at_snapshot = 0
        self._breaks: list[int] = []  # how many were held at each break after the first one
        self._number = 0
        """Of the last thing that was asked for; answers to earlier ones are passed over."""
        self._pause = self._deadline = 0
        self._due: Micros | None = None
        self._answers = 0
        """How many came since the new beginning."""
        self._told: dict[Identity | None, tuple[Change, ...] | None] = {}
        """What history says of holdings by each of its facts, those that were streamed included."""
        self._last: tuple[Answer | None, tuple[str, ...], str] = (None, (), "")
        """What is known if the limit is reached: the last answer, what differs, and why it is not whole."""
        kept = kept_ledger(holdings, [raw for _, raw in known]) if holdings else None
        if kept is not None or known:
            self._ledger, in_it = kept or (Ledger({}, whole=False), 0)
            for kind, raw in known[:in_it]:
                self._remember(kind, raw)
            for kind, raw in known[in_it:]:
                self.note(kind, raw)
        if known:
            first = self._books.read(*known[0], ())
            self._floor_ms = first.at_ms

    # The stream -------------------------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """Whether events are given out as they come; `note` is told of them then, `hold` else."""
        return self._state == "live"

    @property
    def since_ms(self) -> int:
        """While it is not live: up to when everything was had."""
        return self._since_ms

    @property
    def until_ms(self) -> int:
        """When events came again after the last break."""
        return self._until_ms

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that were ever seen or named."""
        return tuple(self._symbols)

    def holdings(self) -> bytes:
        """What is held after all that was given out, to begin with another time; empty where nobody can
        tell."""
        if self._state != "live" or self._ledger is None or not self._ledger.is_whole:
            return b""
        self._read_up()
        return self._ledger.keep(self._recent[-1][1] if self._recent else b"")

    @property
    def has_fetched(self) -> bool:
        """Whether a live event may be one that was fetched, which `is_late` tells."""
        return bool(self._fetched)

    def note(self, kind: str, raw: bytes) -> None:
        """An event was given out."""
        if self._why_not:
            return
        self._remember(kind, raw)
        self._unread.append((kind, raw))
        if len(self._unread) >= _READ_AT_ONCE:
            self._read_up()

    def _remember(self, kind: str, raw: bytes) -> None:
        if len(self._recent) == _REMEMBERED:
            self._last_dropped = self._recent[0]
        self._recent.append((kind, raw))

    def is_late(self, kind: str, raw: bytes, now: Micros) -> bool:
        """Whether a live event was fetched already. Cheap but for some minutes after a break."""
        if not self._fetched:
            return False
        if now >= self._fetched_until:
            self._fetched.clear()
            return False
        return self._books.read(kind, raw, ()).identity in self._fetched

    def hold(self, kind: str, raw: bytes, now: Micros) -> list[Action]:
        """An event came while something is missing before it."""
        reading = self._books.read(kind, raw, self._names())
        if reading.identity is not None and reading.identity in self._fetched:
            return []
        if reading.identity is not None and len(self._symbols) < _MOST_SYMBOLS:
            self._symbols[reading.identity[1]] = None
        self._held.append(Fact(kind, raw, reading.at_ms, reading.identity))
        self._held_bytes += len(raw)
        if self._held_bytes > self._terms.most_bytes:
            return self._give_up("more came meanwhile than is held back", now)
        return []

    # Breaks -----------------------------------------------------------------------------------------

    def began(self, at_ms: int) -> None:
        """The stream begins: nobody asked for what was before."""
        self._floor_ms = max(self._floor_ms, at_ms)

    def broke(self, since_ms: int, reason: str) -> None:
        """Something is missing from this moment on; where something was already, from the earlier one."""
        if self._state == "live":
            self._since_ms, self._reason = since_ms, reason
            self._last = (None, (), "")
        elif self._held:
            self._breaks.append(len(self._held))
        self._since_ms = min(self._since_ms, since_ms)
        if self._since_ms < self._looked_ms - self._terms.slack_ms:
            self._ledger = None  # what is to compare with may already be without what is missing
        self._state, self._due, self._latest = "broken", None, reason
        self._number += 1

    def opened(self, until_ms: int, now: Micros) -> list[Action]:
        """Events come again, or for the first time; before this moment they may be missing."""
        if self._state == "live":
            return self._look() if self._ledger is None else []
        if self._state == "asking":
            return []
        self._state, self._until_ms = "asking", until_ms
        is_away = self._latest != "unreadable" and (not self._held or now >= self._deadline)
        if is_away or not self._deadline:  # else events have been held back since an earlier one
            self._deadline = now + self._terms.limit
        self._pause = self._answers = 0
        if self._why_not:
            return self._give_up(self._why_not, now)
        self._read_up()
        self._due = now + self._terms.settle
        return self.wake(now)

    # Answers ----------------------------------------------------------------------------------------

    def snapshot_asked(self, number: int) -> None:
        """The snapshot of an `Ask` is being asked for: what came before this moment has to be in it."""
        if number == self._number:
            self._held_at_snapshot = len(self._held)

    def answered(self, number: int, answer: Answer, now: Micros) -> list[Action]:
        """The venue answered an `Ask`."""
        if number != self._number or self._state != "asking":
            return []
        self._symbols.update(dict.fromkeys(answer.symbols))
        self._answers += 1
        missed = self._missed(answer.facts)
        differs, why = self._compare(missed, answer)
        if not why:
            return self._finish(missed, now)
        self._last = (answer, differs, why)
        if not differs and self._answers > 1:  # asking again would not tell more
            return self._give_up(why, now)
        return self._again(now)

    def failed(
        self, number: int, why: str, now: Micros, *, for_good: bool, until: Micros = 0
    ) -> list[Action]:
        """The venue did not answer an `Ask` or a `Look`. `until`: not to be asked again before then."""
        if number != self._number:
            return []
        if self._state == "live":
            self._pause = min(max(self._pause * 2, _LOOK_PAUSE), _LONGEST_LOOK_PAUSE)
            self._due = None if for_good else max(now + self._pause, until)
            return []
        if self._state != "asking":
            return []
        self._last = (self._last[0], self._last[1], why)
        if for_good or until >= self._deadline:
            return self._give_up(why, now)
        return self._again(now, until)

    def looked(self, number: int, totals: Mapping[str, Decimal], at_ms: int) -> list[Action]:
        """The snapshot of a `Look`, asked for then by the venue's clock. What came meanwhile may be in it:
        totals may be told twice, and each fill is followed by one."""
        if number == self._number and self._state == "live":
            self._looked_ms = at_ms
            self._ledger, self._pause = Ledger(totals, whole=True), 0
            self._unread = [*self._early, *self._unread]
            self._read_up()
            self._early.clear()
        return []

    # Time -------------------------------------------------------------------------------------------

    def wake_at(self) -> Micros | None:
        """When `wake` wants to be called; None for never."""
        if self._state == "broken":
            return None
        if self._state == "asking":
            return self._deadline if self._due is None else min(self._due, self._deadline)
        return self._due

    def wake(self, now: Micros) -> list[Action]:
        """The time that `wake_at` gave has come."""
        if self._state == "asking" and now >= self._deadline:
            return self._give_up(self._last[2] or "the venue's history did not come in time", now)
        if self._due is None or now < self._due:
            return []
        self._due = None
        if self._state == "asking":
            return self._ask()
        return self._look() if self._state == "live" else []

    # Steps ------------------------------------------------------------------------------------------

    def _look(self) -> list[Action]:
        if self._why_not:
            return []
        self._due = None
        self._number += 1
        self._read_up()
        self._early.clear()
        return [Look(self._number)]

    def _ask(self) -> list[Action]:
        self._number += 1
        self._held_at_snapshot = len(self._held)
        start = self._since_ms - self._terms.margin_ms
        if self._last_dropped is not None:
            dropped = self._books.read(*self._last_dropped, ())
            self._floor_ms = max(self._floor_ms, dropped.at_ms)
        start = max(start, self._floor_ms)
        newest = max((fact.at_ms for fact in self._held), default=0)
        end = max(self._until_ms + self._terms.slack_ms, newest)
        return [Ask(self._number, min(start, end), end, tuple(self._symbols), tuple(self._names()))]

    def _again(self, now: Micros, until: Micros = 0) -> list[Action]:
        self._number += 1
        self._pause = min(max(self._pause * 2, self._terms.first_pause), self._terms.longest_pause)
        self._due = max(now + self._pause, until)
        return []

    def _read_up(self) -> None:
        """Let the ledger know what was given out."""
        names, newest = self._names(), 0
        for kind, raw in self._unread:
            reading = self._books.read(kind, raw, names)
            newest = max(newest, reading.at_ms)
            if self._ledger is not None:
                self._ledger.apply(reading.changes)
            if reading.identity is not None and len(self._symbols) < _MOST_SYMBOLS:
                self._symbols[reading.identity[1]] = None
        if self._ledger is None:
            self._early.extend(self._unread)
        elif newest:
            self._ledger.settle(newest - _SETTLED_MS)
        self._unread.clear()

    def _names(self) -> Collection[str]:
        return () if self._ledger is None else self._ledger.names

    def _missed(self, facts: Sequence[Fact]) -> list[Fact]:
        """What of history was never streamed. What is older than the last fact that was given out would have
        come before it; where it turns up now it is too late for its place."""
        readings = [self._books.read(kind, raw, ()) for kind, raw in self._recent]
        had = {each.identity for each in readings} | {fact.identity for fact in self._held} | self._fetched
        newest = max((each.at_ms for each in readings if each.identity is not None), default=0)
        floor_ms = max(self._floor_ms, newest - self._terms.jumble_ms)
        return [fact for fact in facts if fact.identity not in had and fact.at_ms >= floor_ms]

    def _compare(self, missed: list[Fact], answer: Answer) -> tuple[tuple[str, ...], str]:
        """Of what the snapshot says other than the events do, and why it cannot be called whole."""
        if self._ledger is None:
            return (), "there is no snapshot from before to compare with"
        names = {*self._ledger.names, *answer.totals}
        self._told = {fact.identity: fact.changes for fact in answer.facts}
        unexplained = self._unexplained(self._ledger, missed, names)
        ledger, differs = self._differing(self._ledger, missed, names, answer)
        unknown = {name for name in differs if ledger.amounts(name) is None}
        if differs - unknown or unexplained:
            told = tuple(sorted((differs - unknown) | unexplained))
            return told, "the venue says other than the events do"
        if unknown:
            return (), f"what was held before is not known of {', '.join(sorted(unknown)[:5])}"
        return (), answer.why

    def _differing(
        self, before: Ledger, missed: list[Fact], names: set[str], answer: Answer
    ) -> tuple[Ledger, set[str]]:
        """What the snapshot says other. It was taken at some moment since it was asked for, so it may know
        any number of the events since."""
        ledger = before.copy()
        for fact in _merged(missed, self._held[: self._held_at_snapshot]):
            ledger.apply(self._reading(fact, names).changes)
        differs = {name for name in {*names, *ledger.names} if not _agrees(ledger, name, answer.totals)}
        for fact in self._held[self._held_at_snapshot :]:
            changes = self._reading(fact, names).changes
            ledger.apply(changes)
            differs -= {each.name for each in changes if _agrees(ledger, each.name, answer.totals)}
        return ledger, differs

    def _reading(self, fact: Fact, names: Collection[str]) -> Reading:
        reading = self._books.read(fact.kind, fact.raw, names)
        told = fact.identity and self._told.get(fact.identity)
        return msgspec.structs.replace(reading, changes=told) if told else reading

    def _unexplained(self, before: Ledger, missed: list[Fact], names: set[str]) -> set[str]:
        """What the events after a break say that those before it and the missed ones do not lead to: the
        first total of each name after each break, and orders that were never new. Else a total would hide
        what was missed."""
        merged = _merged(missed, self._held)
        readings = [self._reading(fact, names) for fact in merged]
        ledger, strange = before.copy(), set[str]()
        for reading in readings:
            if before.is_whole and reading.follows and not _rested(ledger, reading.follows):
                strange.add(reading.follows)
            ledger.apply(
                each for each in reading.changes if not each.is_total or reading.identity is not None
            )
        newest = max((reading.at_ms for reading in readings), default=0)
        held = [reading for fact, reading in zip(merged, readings, strict=True) if fact.source == "stream"]
        for begin, end in pairwise((0, *self._breaks, len(held))):
            states = [reading.changes for reading in held[begin:end] if reading.identity is None]
            totals = [change for changes in states for change in changes if change.is_total]
            strange |= _unled(ledger, totals, newest)
            ledger.apply(totals)
        return strange

    def _finish(self, missed: list[Fact], now: Micros) -> list[Action]:
        """Nothing is missing any more."""
        merged = _merged(missed, self._held)
        self._leave(missed, merged, now)
        return [Give(fact.kind, fact.raw, fact.source) for fact in merged]

    def _give_up(self, why: str, now: Micros) -> list[Action]:
        """Something may be missing for good: what was fetched is given out, then it is said, and live events
        go on."""
        answer, differs, told = self._last
        missed = [] if answer is None else self._missed(answer.facts)
        merged = _merged(missed, self._held)
        late = max((at for at, fact in enumerate(merged, 1) if fact.source == "backfill"), default=0)
        actions: list[Action] = [Give(fact.kind, fact.raw, fact.source) for fact in merged]
        symbols = () if answer is None else answer.symbols
        reason, since, until = self._reason, self._since_ms, self._until_ms
        actions.insert(late, Miss(reason, since, until, symbols, differs, told or why))
        self._ledger = None
        self._floor_ms = max(self._floor_ms, until)
        self._leave(missed, merged, now)
        return [*actions, *self._look()]

    def _leave(self, missed: list[Fact], merged: list[Fact], now: Micros) -> None:
        self._state, self._due, self._pause = "live", None, 0
        self._held, self._held_bytes, self._breaks, self._deadline = [], 0, [], 0
        names = self._names()
        for fact in merged:
            self._remember(fact.kind, fact.raw)
            if self._ledger is not None:
                self._ledger.apply(self._reading(fact, names).changes)
        self._told = {}
        self._fetched |= {fact.identity for fact in missed if fact.identity is not None}
        self._fetched_until = now + _LATE


def _unled(ledger: Ledger, totals: Iterable[Change], newest: int) -> set[str]:
    """The names whose first total is none that what was held before leads to. `newest`: the latest moment of
    all that is known."""
    first: dict[str, Change] = {}
    for change in totals:
        if first.setdefault(change.name, change).at_ms == change.at_ms:
            first[change.name] = change  # the last one of the moment knows all its fills
    strange = set[str]()
    for name, change in first.items():
        amounts = ledger.amounts(name, change.at_ms, all_of_it=change.at_ms < newest)
        if amounts is not None and not amounts.has(change.amount):
            strange.add(name)
    return strange


def _rested(ledger: Ledger, order: str) -> bool:
    amounts = ledger.amounts(order)
    return amounts is None or any(amounts.held)


def _agrees(ledger: Ledger, name: str, totals: Mapping[str, Decimal]) -> bool:
    amounts = ledger.amounts(name)
    return amounts is not None and amounts.has(totals.get(name, Decimal(0)))


def _merged(missed: Sequence[Fact], held: Sequence[Fact]) -> list[Fact]:
    """Both by their times; what was streamed keeps its own order."""
    merged: list[Fact] = []
    waiting = deque(missed)
    for fact in held:
        while waiting and fact.at_ms and waiting[0].at_ms <= fact.at_ms:
            merged.append(waiting.popleft())
        merged.append(fact)
    return [*merged, *waiting]
