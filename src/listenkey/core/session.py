"""The server's side of one venue socket: which names it has, when it is asked for a sign of life, when it
ends.

Inputs come with `now` (monotonic) and give back what is to be done, in order. `wake_at` says when `wake`
wants to be called. Parsing requests and wording answers is `wire`'s; sending them is the shell's.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol, TypeAlias
from urllib.parse import unquote_plus

import msgspec

from listenkey.base.clock import MILLISECOND, SECOND, Micros
from listenkey.core.penalty import RecentCounter
from listenkey.dialect.model import Dialect, Heartbeat, SocketPath

CloseKind = Literal["aged", "bad_key", "no_key", "pong_timeout", "revoked", "too_many_requests"]
FailKind = Literal["too_many_parameters", "topic_limit", "topic_unknown"]


class Candidate(Protocol):
    """What a socket may turn out to be: a product's socket path, and the stream that its keys open there."""

    @property
    def dialect(self) -> Dialect:
        """The product."""
        ...

    @property
    def path(self) -> SocketPath:
        """Its path."""
        ...

    @property
    def stream(self) -> str:
        """The stream's name; empty where the path carries no user data."""
        ...


class Live(Protocol):
    """A name that is a live key."""

    @property
    def dialect(self) -> Dialect:
        """The product whose key it is."""
        ...


Resolve: TypeAlias = Callable[[str], Live | None]
"""The live key that a name is, if it is one that may be used here."""


class Policy(msgspec.Struct, frozen=True):
    """Where faithful and useful differ."""

    bad_key: Literal["reject", "silent"] = "reject"
    no_key: Micros = 60 * SECOND
    """A socket on a user-data path that has bound no key by then is closed; 0 for never."""
    enforce: bool | None = None
    """Whether silence ends a socket; None leaves it to the heartbeat's own default."""
    ended_key: Literal["silence", "close"] = "silence"
    """Whether a socket goes on, quiet, when its last key is over."""
    limits: Literal["account", "venue", "off"] = "account"
    """Messages are counted unless this is `off`; under `venue` a socket grows no older than it does there."""


class Bind(msgspec.Struct, frozen=True):
    """Send the key's stream from now on; `events` lets only these types through, None all."""

    name: str
    live: Live
    candidate: Candidate
    events: frozenset[str] | None


class Unbind(msgspec.Struct, frozen=True):
    """Send nothing more of this key."""

    name: str


class Rewrap(msgspec.Struct, frozen=True):
    """From now on events go out wrapped, or bare."""

    combined: bool


class SetTopics(msgspec.Struct, frozen=True):
    """From now on only these topics' events go out."""

    topics: frozenset[str]


class Acknowledge(msgspec.Struct, frozen=True):
    """Say that a request was done. `id` is JSON, as the request had it."""

    id: bytes


class TellNames(msgspec.Struct, frozen=True):
    """Answer a question for the names."""

    id: bytes
    names: tuple[str, ...]


class TellCombined(msgspec.Struct, frozen=True):
    """Answer a question for the property `combined`."""

    id: bytes
    combined: bool


class Fail(msgspec.Struct, frozen=True):
    """Say that a request was not done."""

    kind: FailKind
    id: bytes
    name: str = ""
    """The topic that it was about."""


class Beat(msgspec.Struct, frozen=True):
    """Ask for a sign of life."""

    heartbeat: Heartbeat


class Close(msgspec.Struct, frozen=True):
    """End the socket by the close table; as the first answer to `open`: refuse the handshake."""

    kind: CloseKind


Action: TypeAlias = (
    Bind | Unbind | Rewrap | SetTopics | Acknowledge | TellNames | TellCombined | Fail | Beat | Close
)


class Wanted(msgspec.Struct, frozen=True):
    """A name that a handshake asks for, with the event types wanted of it."""

    name: str
    events: frozenset[str] | None = None


class Session:
    """One socket. Names are kept in the order in which they came; those that are no live key are silent."""

    __slots__ = (
        "_active",
        "_candidates",
        "_carries_data",
        "_combined",
        "_ever_bound",
        "_filters",
        "_last_beat",
        "_messages",
        "_names",
        "_opened_at",
        "_policy",
        "_topics",
        "_unanswered_since",
    )

    def __init__(self, candidates: Sequence[Candidate], policy: Policy, now: Micros) -> None:
        self._candidates = self._active = tuple(candidates)
        self._carries_data = any(candidate.stream for candidate in candidates)
        self._policy = policy
        self._names: dict[str, Candidate | None] = {}
        self._filters: dict[str, frozenset[str]] = {}
        """The types that the handshake wants of a key, where it does not want all."""
        self._topics: frozenset[str] = frozenset()
        self._combined = candidates[0].path.combined
        self._opened_at = self._last_beat = now
        self._unanswered_since: Micros | None = None
        self._ever_bound = False
        self._messages: RecentCounter | None = None

    @property
    def combined(self) -> bool:
        """Whether events go out wrapped."""
        return self._combined

    @property
    def topics(self) -> frozenset[str]:
        """The topics subscribed to, where the stream has topics."""
        return self._topics

    @property
    def speaks_for(self) -> Candidate:
        """Whose words and close codes are used: the product of the first key, until then the first
        candidate."""
        return self._active[0]

    @property
    def carries_data(self) -> bool:
        """Whether user data can come here at all."""
        return self._carries_data

    @property
    def awaits_key(self) -> bool:
        """Whether the socket could carry user data and never has."""
        return self._carries_data and not self._ever_bound

    # Names ------------------------------------------------------------------------------------------

    def open(self, wanted: Sequence[Wanted], resolve: Resolve) -> list[Action]:
        """The handshake, with the names in its path and query."""
        actions, bad = self._add(wanted, resolve)
        if bad and not self._has_live:
            return [Close("bad_key")]
        return actions if len(self._names) <= self._most_names() else [Close("too_many_requests")]

    def subscribe(self, request_id: bytes, names: Sequence[str], resolve: Resolve) -> list[Action]:
        """Add names. Every name is acknowledged; one that is no live key may end the socket after that."""
        if len(self._names.keys() | set(names)) > self._most_names():
            return [Fail("too_many_parameters", request_id)]
        actions, bad = self._add([Wanted(name) for name in names], resolve)
        actions.append(Acknowledge(request_id))
        if bad and not self._has_live:
            actions.append(Close("bad_key"))
        return actions

    def unsubscribe(self, request_id: bytes, names: Iterable[str]) -> list[Action]:
        """Take names away; those that are not there do not matter."""
        names = tuple(names)
        for name in names:
            self._filters.pop(name, None)
        gone = [Unbind(name) for name in names if self._names.pop(name, None) is not None]
        return [*gone, Acknowledge(request_id)]

    def list_names(self, request_id: bytes) -> list[Action]:
        """Tell the names."""
        return [TellNames(request_id, tuple(self._names))]

    def set_combined(self, request_id: bytes, combined: bool) -> list[Action]:
        """Wrap events from now on, or no more."""
        changed = combined != self._combined
        self._combined = combined
        return [Rewrap(combined), Acknowledge(request_id)] if changed else [Acknowledge(request_id)]

    def get_combined(self, request_id: bytes) -> list[Action]:
        """Tell whether events are wrapped."""
        return [TellCombined(request_id, self._combined)]

    def key_ended(self, name: str, *, revoked: bool) -> list[Action]:
        """A key is over. Its name stays, silent, and so does the socket, unless what let it in was taken
        away or the policy ends it."""
        if name in self._names:
            self._names[name] = None
        if self._has_live:
            return []
        if revoked:
            return [Close("revoked")]
        return [Close("bad_key")] if self._policy.ended_key == "close" else []

    @property
    def _has_live(self) -> bool:
        return any(candidate is not None for candidate in self._names.values())

    def _add(self, wanted: Iterable[Wanted], resolve: Resolve) -> tuple[list[Action], bool]:
        actions: list[Action] = []
        bad = False
        for item in wanted:
            if self._names.get(item.name) is not None:
                actions += self._widen(item, resolve)
                continue
            if self._add_item(item, resolve, actions):
                continue
            if not self._carries_data or self._is_market(item.name):
                self._names[item.name] = None
                continue
            live = resolve(item.name)
            candidate = self._meant_by(live)
            self._names[item.name] = candidate if candidate and candidate.stream else None
            if candidate is None or live is None:
                bad = bad or self._policy.bad_key == "reject"
                continue
            self._activate(candidate)
            if candidate.stream:
                if item.events is not None:
                    self._filters[item.name] = item.events
                actions += self._without_items(item.name)
                actions.append(Bind(item.name, live, candidate, item.events))
        return actions, bad

    def _widen(self, item: Wanted, resolve: Resolve) -> list[Action]:
        """A key that some types were wanted of, and that is now asked for whole."""
        if item.events is not None or item.name not in self._filters:
            return []
        candidate, live = self._names[item.name], resolve(item.name)
        if candidate is None or live is None:
            return []
        del self._filters[item.name]
        gone = [Unbind(item.name), *self._without_items(item.name)]
        return [*gone, Bind(item.name, live, candidate, None)]

    def _add_item(self, item: Wanted, resolve: Resolve, actions: list[Action]) -> bool:
        """`KEY@TYPE` where the path has such names: whether this was one of a live key. Where the key itself
        is there and brings that type, it adds nothing."""
        key, at, kind = item.name.partition("@")
        if not (at and kind and any(_has_items(each, key) for each in self._candidates)):
            return False
        live = resolve(key)
        candidate = self._meant_by(live)
        if live is None or candidate is None or not candidate.path.event_items:
            return False
        is_new = self._names.get(key) is None or kind not in self._filters.get(key, (kind,))
        self._names[item.name] = candidate if is_new else None
        self._activate(candidate)
        if is_new:
            actions.append(Bind(item.name, live, candidate, frozenset((kind,))))
        return True

    def _without_items(self, key: str) -> Iterable[Action]:
        """The key itself brings what its items brought, which stay as names that bring nothing."""
        for name, candidate in self._names.items():
            if candidate is not None and name.startswith(f"{key}@"):
                self._names[name] = None
                yield Unbind(name)

    def _meant_by(self, live: Live | None) -> Candidate | None:
        """Whose path this is for a live key: its product's that carries the stream, or else one that carries
        none any more, on which the key is good and silent."""
        own = [each for each in self._candidates if live and each.dialect.name == live.dialect.name]
        return max(own, key=lambda each: bool(each.stream), default=None)

    def _activate(self, candidate: Candidate) -> None:
        if not self._ever_bound:
            self._ever_bound = True
            self._active = (candidate,)
        elif all(candidate is not other for other in self._active):
            self._active = (*self._active, candidate)

    def _is_market(self, name: str) -> bool:
        """Market data streams are named with `@` or `!`, which no key has."""
        return self._candidates[0].path.control == "method" and ("@" in name or "!" in name)

    def _most_names(self) -> int:
        return max(candidate.dialect.frames.names_per_socket for candidate in self._active)

    # Topics -----------------------------------------------------------------------------------------

    def change_topic(
        self,
        request_id: bytes,
        name: str,
        kind: Literal["user", "market", "unknown"],
        *,
        add: bool,
        limit: int,
    ) -> list[Action]:
        """Add or drop a topic of the stream, of which `limit` may be had; 0 for any number. Market data
        topics are acknowledged and silent."""
        if kind == "unknown":
            return [Fail("topic_unknown", request_id, name)]
        topics = self._topics | {name} if add else self._topics - {name}
        if limit and len(topics) > limit:
            return [Fail("topic_limit", request_id, name)]
        changed, self._topics = topics != self._topics, topics
        if kind == "user" and changed:
            return [Acknowledge(request_id), SetTopics(topics)]
        return [Acknowledge(request_id)]

    # Time -------------------------------------------------------------------------------------------

    def alive(self) -> None:
        """A sign of life: a Pong asked for or not, echoed or empty, or the answer to a heartbeat."""
        self._unanswered_since = None

    def count_message(self, now: Micros) -> list[Action]:
        """A message came in; ends the socket where they come too fast."""
        limits = [candidate.dialect.frames.messages_per_second for candidate in self._active]
        if not all(limits) or self._policy.limits == "off":
            return []
        if self._messages is None:
            self._messages = RecentCounter(SECOND)
        return [Close("too_many_requests")] if self._messages.count(now) > max(limits) else []

    def wake_at(self) -> Micros:
        """When `wake` wants to be called."""
        due = self._last_beat + self._heartbeat().period_ms * MILLISECOND
        if self._unanswered_since is not None and self._enforced():
            due = min(due, self._unanswered_since + self._grace())
        if self._policy.no_key and self.awaits_key:
            due = min(due, self._opened_at + self._policy.no_key)
        ends_at = self._ends_at()
        return due if ends_at is None else min(due, ends_at)

    def wake(self, now: Micros) -> list[Action]:
        """The time that `wake_at` gave has come."""
        if self._policy.no_key and self.awaits_key and now >= self._opened_at + self._policy.no_key:
            return [Close("no_key")]
        ends_at = self._ends_at()
        if ends_at is not None and now >= ends_at:
            return [Close("aged")]
        unanswered = self._unanswered_since
        if unanswered is not None and self._enforced() and now >= unanswered + self._grace():
            return [Close("pong_timeout")]
        heartbeat = self._heartbeat()
        if now < self._last_beat + heartbeat.period_ms * MILLISECOND:
            return []
        self._last_beat = now
        if unanswered is None:
            self._unanswered_since = now
        return [Beat(heartbeat)]

    def _ends_at(self) -> Micros | None:
        """When the socket is too old, as the venue has it: that of the product that lets it grow oldest."""
        if self._policy.limits != "venue":
            return None
        ages = [candidate.dialect.frames.longest_s for candidate in self._active]
        return self._opened_at + max(ages) * SECOND if all(ages) else None

    def _heartbeats(self) -> list[Heartbeat]:
        return [candidate.dialect.heartbeats[candidate.path.heartbeat] for candidate in self._active]

    def _heartbeat(self) -> Heartbeat:
        """The most frequent one of all that may be meant."""
        return min(self._heartbeats(), key=lambda heartbeat: heartbeat.period_ms)

    def _grace(self) -> Micros:
        return max(heartbeat.grace_ms for heartbeat in self._heartbeats()) * MILLISECOND

    def _enforced(self) -> bool:
        if self._policy.enforce is not None:
            return self._policy.enforce
        return all(heartbeat.enforced for heartbeat in self._heartbeats())


def _has_items(candidate: Candidate, key: str) -> bool:
    return candidate.path.event_items and len(key) == candidate.dialect.key_space.length


def requested_names(candidates: Iterable[Candidate], path_names: Sequence[str], query: bytes) -> list[Wanted]:
    """The names that a handshake asks for: those in its path, and those in its query. A list of event types
    belongs to the name before it; one that comes before all names, to the first."""
    if path_names:
        return [Wanted(name) for name in path_names]
    paths = [candidate.path for candidate in candidates if candidate.path.names_in == "query"]
    if not paths or not query:
        return []
    keys = {parameter for path in paths for parameter in path.names_parameters}
    filters = {path.events_parameter for path in paths if path.events_parameter}
    wanted: list[Wanted] = []
    early: frozenset[str] | None = None
    for parameter, value in _pairs(query):
        if parameter in keys:
            wanted.extend(Wanted(name, early) for name in value.split("/") if name)
            early = None
        elif parameter in filters:
            events = frozenset(part for part in value.split("/") if part) or None
            if wanted:
                wanted[-1] = Wanted(wanted[-1].name, events)
            else:
                early = events
    return _merged(wanted)


def _merged(wanted: Iterable[Wanted]) -> list[Wanted]:
    """A name that is asked for again brings what either of its lists names."""
    by_name: dict[str, Wanted] = {}
    for each in wanted:
        other = by_name.get(each.name, each).events
        both = None if other is None or each.events is None else other | each.events
        by_name[each.name] = Wanted(each.name, both)
    return list(by_name.values())


def _pairs(query: bytes) -> Iterable[tuple[str, str]]:
    for part in query.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        yield unquote_plus(name), unquote_plus(value)
