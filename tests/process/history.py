"""What callers asked, were answered and were sent, and whether that is a history the gateway may have.

The first half is a record that load programs write, the second a pure checker of it: no clock, no socket, no
knowledge of how the gateway works, only of what it promises. All times are seconds of one clock.

An event is known by its `tag`, which its publisher made unique over the whole run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal, TypeAlias

Verb = Literal["create", "extend", "close", "open"]
Outcome = Literal["ok", "refused", "lost"]
Position: TypeAlias = tuple[str, int]
StreamName: TypeAlias = tuple[str, str]  # account, stream

FOREVER = float("inf")


# The record -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Space:
    """A key space as its callers know it. `shared`: a create while a key lives answers that key."""

    name: str
    lifetime: float
    shared: bool


@dataclass(frozen=True)
class Call:
    """A call on a listen key, or a handshake with one (`open`).

    `refused` means refused for the key's sake. `lost` means that no answer came: it was done between
    `asked` and `done`, or never. `key` is empty for a create that was lost.
    """

    verb: Verb
    account: str
    space: str
    key: str
    asked: float
    done: float
    outcome: Outcome


@dataclass(frozen=True)
class Publish:
    """One line of a publish, with its answer where one came."""

    account: str
    stream: str
    tag: str
    asked: float
    done: float
    outcome: Outcome
    at: Position | None = None

    @property
    def name(self) -> StreamName:
        """The journal it is meant for."""
        return self.account, self.stream


@dataclass
class Subscription:
    """A socket × key × stream: what came by it, in order.

    `opened` is when its handshake or request was acked, `wants` the event types that it asked for, None for
    all.
    """

    account: str
    space: str
    stream: str
    key: str
    opened: float
    wants: frozenset[str] | None = None
    tags: list[str] = field(default_factory=list)
    notice_after: int | None = None

    def notice(self) -> None:
        """The dialect's own notice of the key's end came."""
        self.notice_after = len(self.tags)


@dataclass(frozen=True)
class Event:
    """A message of the native stream, or an entry of a journal."""

    epoch: str
    offset: int
    tag: str
    kind: str = ""

    @property
    def at(self) -> Position:
        """Where it stands."""
        return self.epoch, self.offset


@dataclass(frozen=True)
class Reached:
    """A message of the native stream: you have all up to here."""

    epoch: str
    offset: int


@dataclass(frozen=True)
class Gap:
    """A message of the native stream: these are not coming. `onward` is `next`."""

    epoch: str
    first: int
    last: int | None
    reason: str
    onward: Position | None = None


Message: TypeAlias = Event | Reached | Gap


@dataclass
class Reading:
    """One connection to the native stream. `since` is None for one that asked for the live tail."""

    account: str
    stream: str
    since: Position | None
    messages: list[Message] = field(default_factory=list)

    @property
    def name(self) -> StreamName:
        """The journal that is read."""
        return self.account, self.stream


@dataclass(frozen=True)
class Admission:
    """A call that a rate limit counts. Times are of the wall clock, by which windows are aligned."""

    asked: float
    done: float
    admitted: bool
    banned_until: float | None = None


@dataclass
class History:
    """Everything that happened, and the journals as found in the end, from their oldest event on."""

    spaces: Mapping[str, Space]
    calls: list[Call] = field(default_factory=list)
    publishes: list[Publish] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    journals: dict[StreamName, list[Event]] = field(default_factory=dict)


# The checker ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Violation:
    """A promise that the history breaks, and where."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


def check(history: History) -> list[Violation]:
    """Every promise that the history breaks; nothing for a good one."""
    return [
        *check_keys(history),
        *check_journals(history),
        *check_subscriptions(history),
        *check_readings(history),
    ]


@dataclass
class _Life:
    """What is surely known of one key string."""

    lifetime: float
    renewed: list[Call] = field(default_factory=list)
    closes: list[Call] = field(default_factory=list)
    maybe_renewed: list[Call] = field(default_factory=list)

    def surely_lives(self, call: Call) -> bool:
        """Whether the key was valid at every moment between the call's asking and its answer."""
        if any(close.asked < call.done and close is not call for close in self.closes):
            return False
        return any(
            renewal.done <= call.asked and call.done < renewal.asked + self.lifetime
            for renewal in self.renewed
        )

    def closed_by(self, moment: float) -> Call | None:
        """The acked close that ended the key by then."""
        return next((c for c in self.closes if c.outcome == "ok" and c.done <= moment), None)

    def lives_at_most_until(self, moment: float) -> float:
        """The latest end that renewals asked for before `moment` can have given the key."""
        renewals = (*self.renewed, *self.maybe_renewed)
        return max((r.done + self.lifetime for r in renewals if r.asked < moment), default=FOREVER)


CLOCKS_APART = 0.05
"""How far the gateway's clock and ours may drift apart within a run."""


def _lives(history: History) -> dict[str, _Life]:
    lives: dict[str, _Life] = {}
    nameless: dict[tuple[str, str], list[Call]] = defaultdict(list)
    of_space: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in history.calls:
        owner = call.account, call.space
        if not call.key:
            nameless[owner].append(call)
            continue
        of_space[owner].add(call.key)
        life = lives.setdefault(call.key, _Life(history.spaces[call.space].lifetime))
        if call.verb == "close":
            if call.outcome != "refused":
                life.closes.append(call)
        elif call.verb != "open":
            if call.outcome == "ok":
                life.renewed.append(call)
            elif call.outcome == "lost":
                life.maybe_renewed.append(call)
    for owner, calls in nameless.items():
        for key in of_space[owner]:
            lives[key].maybe_renewed.extend(calls)
    return lives


def check_keys(history: History) -> Iterator[Violation]:
    """I1: what was acked of a key holds. I2: a closed key string is neither accepted nor issued again.
    I5: nor is an expired one accepted. I3: no two accounts have the same key."""
    lives = _lives(history)
    owners: dict[str, str] = {}
    for call in history.calls:
        if not call.key:
            continue
        life = lives[call.key]
        told = f"{call.verb} of {call.key[:8]}… at {call.asked:.3f} was {call.outcome}"
        if call.outcome == "refused" and life.surely_lives(call):
            yield Violation("I1", f"{told} while the key lives")
        if call.outcome == "ok":
            if life.closed_by(call.asked):
                yield Violation("I2", f"{told} though its close had been acked")
            elif call.verb != "create" and call.asked > life.lives_at_most_until(call.asked) + CLOCKS_APART:
                yield Violation("I5", f"{told} though its time had run out")
            if owners.setdefault(call.key, call.account) != call.account:
                yield Violation("I3", f"{told}, and the key is another account's")
    yield from _check_issue(history, lives)


def _check_issue(history: History, lives: Mapping[str, _Life]) -> Iterator[Violation]:
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in history.calls:
        if call.verb != "create" or call.outcome != "ok":
            continue
        owner = call.account, call.space
        if history.spaces[call.space].shared:
            for other in known[owner] - {call.key}:
                if lives[other].surely_lives(call):
                    yield Violation("I1", f"a create at {call.asked:.3f} lost the live key {other[:8]}…")
        elif call.key in known[owner]:
            yield Violation("I2", f"a create at {call.asked:.3f} issued {call.key[:8]}… again")
        known[owner].add(call.key)


def check_journals(history: History) -> Iterator[Violation]:
    """I3: an acked publish is in the journal where the answer said, once, and a journal has no holes."""
    where: dict[StreamName, dict[str, Event]] = {}
    for name, journal in history.journals.items():
        where[name] = {}
        for event in journal:
            if event.tag in where[name]:
                first = where[name][event.tag]
                yield Violation("I3", f"{name} has {event.tag} at {first.offset} and again at {event.offset}")
            where[name].setdefault(event.tag, event)
        for one, other in pairwise(journal):
            if one.epoch == other.epoch and other.offset != one.offset + 1:
                yield Violation("I3", f"{name} goes from {one.offset} to {other.offset}")
    for publish in history.publishes:
        if publish.outcome != "ok":
            continue
        found = where.get(publish.name, {}).get(publish.tag)
        if found is None:
            yield Violation("I3", f"{publish.name} lost {publish.tag}, acked at {publish.at}")
        elif found.at != publish.at:
            yield Violation("I3", f"{publish.tag} was acked at {publish.at} and is at {found.at}")


class _Line:
    """The events of one journal that a subscription wants, in order."""

    def __init__(self, events: Sequence[Event], asked: Mapping[str, float]) -> None:
        self.places = {event.at: place for place, event in enumerate(events)}
        latest = accumulate((asked.get(event.tag, 0.0) for event in events), max, initial=0.0)
        self.latest_asked_before = list(latest)
        """By place: when the latest of all earlier events was asked to be published."""


class _Truth:
    """The journals and publishes, by what subscriptions are asked about."""

    def __init__(self, history: History) -> None:
        self._journals = history.journals
        self._lines: dict[tuple[StreamName, frozenset[str] | None], _Line] = {}
        self.home = {event.tag: name for name, journal in history.journals.items() for event in journal}
        self.event = {
            event.tag: event for journal in history.journals.values() for event in reversed(journal)
        }
        self.asked: dict[str, float] = {}
        for publish in history.publishes:
            self.asked[publish.tag] = min(publish.asked, self.asked.get(publish.tag, FOREVER))

    def line(self, name: StreamName, wants: frozenset[str] | None) -> _Line:
        """What a subscription to this journal is to get."""
        if (name, wants) not in self._lines:
            wanted = [event for event in self._journals.get(name, ()) if wants is None or event.kind in wants]
            self._lines[name, wants] = _Line(wanted, self.asked)
        return self._lines[name, wants]


def check_subscriptions(history: History) -> Iterator[Violation]:
    """I3: only the account's own events, only committed ones, in order, each once, none left out.
    I2: nothing that was published after the key's end."""
    truth, lives = _Truth(history), _lives(history)
    for subscription in history.subscriptions:
        yield from _check_content(subscription, truth)
        life = lives.get(subscription.key)
        if life is not None:
            yield from _check_end(subscription, truth, life)


def _check_content(subscription: Subscription, truth: _Truth) -> Iterator[Violation]:
    name, wants = (subscription.account, subscription.stream), subscription.wants
    told = f"{name} by {subscription.key[:8]}… opened at {subscription.opened:.3f}"
    got: list[Event] = []
    for tag in subscription.tags:
        event, home = truth.event.get(tag), truth.home.get(tag)
        if event is None:
            yield Violation("I3", f"{told} was sent {tag}, which is in no journal")
        elif home != name:
            yield Violation("I3", f"{told} was sent {tag} of {home}")
        elif wants is not None and event.kind not in wants:
            yield Violation("I3", f"{told} was sent {tag}, a {event.kind} that it did not ask for")
        else:
            got.append(event)
    if len(got) == len(subscription.tags) > 0:
        yield from _check_order(told, subscription.opened, got, truth.line(name, wants))


def _check_order(told: str, opened: float, got: Sequence[Event], line: _Line) -> Iterator[Violation]:
    for one, other in pairwise(got):
        step = line.places[other.at] - line.places[one.at]
        if step < 1:
            yield Violation("I3", f"{told} was sent {other.offset} after {one.offset}")
        elif step > 1:
            yield Violation("I3", f"{told} was sent {other.offset} after {one.offset}, {step - 1} left out")
    if line.latest_asked_before[line.places[got[0].at]] > opened:
        yield Violation("I3", f"{told} was sent {got[0].offset} first, and not what was published before it")


def _check_end(subscription: Subscription, truth: _Truth, life: _Life) -> Iterator[Violation]:
    told = f"{subscription.key[:8]}… of {subscription.account} opened at {subscription.opened:.3f}"
    closed = life.closed_by(FOREVER)
    over = life.lives_at_most_until(FOREVER) + CLOCKS_APART
    for tag in subscription.tags:
        asked = truth.asked.get(tag, 0.0)
        if closed is not None and asked > closed.done:
            yield Violation("I2", f"{told} was sent {tag}, published after the close was acked")
        if asked > over:
            yield Violation("I5", f"{told} was sent {tag}, published after the key had expired")
    if subscription.notice_after is not None and len(subscription.tags) > subscription.notice_after:
        yield Violation("I2", f"{told} was sent events after the notice of its end")


def check_readings(history: History) -> Iterator[Violation]:
    """I4: a reader that resumes is given every later event or told of a gap, and a gap is a true one."""
    for reading in history.readings:
        journal = history.journals.get(reading.name, [])
        yield from _check_reading(reading, _Known(journal))


class _Known:
    """A journal as found in the end, by position."""

    def __init__(self, journal: Sequence[Event]) -> None:
        self.events = {event.at: event for event in journal}
        self.oldest: dict[str, int] = {}
        self.head: dict[str, int] = {}
        for event in journal:
            self.oldest.setdefault(event.epoch, event.offset)
            self.head[event.epoch] = event.offset


def _check_reading(reading: Reading, known: _Known) -> Iterator[Violation]:
    told = f"a reader of {reading.name} since {reading.since}"
    expected = None if reading.since is None else (reading.since[0], reading.since[1] + 1)
    for message in reading.messages:
        match message:
            case Event():
                if expected is not None and message.at != expected:
                    yield Violation("I4", f"{told} was sent {message.at} in place of {expected}")
                true = known.events.get(message.at)
                if true is None or true.tag != message.tag:
                    yield Violation("I3", f"{told} was sent {message.tag} at {message.at}: not there")
                expected = message.epoch, message.offset + 1
            case Reached():
                here = message.epoch, message.offset + 1
                if expected is not None and (here[0] != expected[0] or here[1] > expected[1]):
                    yield Violation("I4", f"{told} was told of {message} and expects {expected}")
                expected = expected or here
            case Gap():
                yield from _check_gap(told, message, expected, known)
                expected = message.onward or (message.epoch, (message.last or 0) + 1)


def _check_gap(told: str, gap: Gap, expected: Position | None, known: _Known) -> Iterator[Violation]:
    if expected is not None and gap.reason != "ahead" and (gap.epoch, gap.first) != expected:
        yield Violation("I4", f"{told} was told of {gap} and expects {expected}")
    if gap.reason == "retention":
        if gap.last is None or gap.last >= known.oldest.get(gap.epoch, 0):
            yield Violation("I4", f"{told} was told of {gap}, which the journal still has")
    elif gap.reason == "epoch":
        if gap.onward is None or gap.onward[0] == gap.epoch:
            yield Violation("I4", f"{told} was told of {gap}, which is no new epoch")
    elif gap.reason == "ahead":
        yield Violation("I3", f"{told} was told of {gap}: it had been sent what is not in the journal")
    else:
        yield Violation("I4", f"{told} was told of {gap}, which has no known reason")


def check_limit(admissions: Iterable[Admission], most: int, window: float) -> Iterator[Violation]:
    """I6: no aligned window of `window` seconds admits more than `most`, and a ban is never forgotten."""
    counts: dict[int, int] = defaultdict(int)
    banned, known_at = 0.0, FOREVER
    for call in sorted(admissions, key=lambda admission: admission.asked):
        if call.banned_until is not None and call.banned_until > banned:
            banned, known_at = call.banned_until, call.done
        if not call.admitted:
            continue
        if known_at <= call.asked and call.done < banned:
            yield Violation("I6", f"admitted at {call.asked:.3f}, banned until {banned:.3f}")
        if int(call.asked // window) == int(call.done // window):
            counts[int(call.asked // window)] += 1
    for number, count in counts.items():
        if count > most:
            yield Violation("I6", f"{count} of {most} admitted in the window from {number * window:.0f}")


def check_all_read(history: History, readers: Mapping[StreamName, Sequence[Reading]]) -> Iterator[Violation]:
    """I4, over one reader's connections, each resumed where the last one was: it has the whole journal."""
    for name, readings in readers.items():
        messages = [message for reading in readings for message in reading.messages]
        had = {message.at for message in messages if isinstance(message, Event)}
        missing = [event.at for event in history.journals[name] if event.at not in had]
        if missing:
            yield Violation("I4", f"the reader of {name} never got {missing[0]} and {len(missing) - 1} more")


def check_consumers(history: History, names: Iterable[StreamName]) -> Iterator[Violation]:
    """At least once: what one program was sent by all its sockets, over keys and crashes, has no hole from
    its first create on. Holds for who wants every event and stays away no longer than a replay goes back."""
    truth = _Truth(history)
    for account, stream in names:
        sockets = [s for s in history.subscriptions if (s.account, s.stream) == (account, stream)]
        spaces = {socket.space for socket in sockets}
        creates = [
            c for c in history.calls if (c.verb, c.account) == ("create", account) and c.space in spaces
        ]
        begun = min((c.done for c in creates if c.outcome == "ok"), default=FOREVER)
        got = {tag for socket in sockets for tag in socket.tags}
        journal = history.journals.get((account, stream), [])
        last = max((place for place, event in enumerate(journal) if event.tag in got), default=0)
        lost = [e for e in journal[:last] if e.tag not in got and truth.asked.get(e.tag, 0.0) > begun]
        if lost:
            told = f"the bot of {account} on {stream} was sent {journal[last].offset}"
            yield Violation("once", f"{told} and never {[event.offset for event in lost][:20]}")
