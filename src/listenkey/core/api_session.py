"""The server's side of one WebSocket API connection: who is logged on, what is subscribed, when it ends.

Inputs come with `now`; parsing, wording and sending are the rooms' around it. Ids of subscriptions count up
from 0 and are never used again on a connection.
"""

from typing import Literal

import msgspec

from listenkey.base.clock import MILLISECOND, Micros
from listenkey.core.records import ApiKey, StreamId
from listenkey.dialect.model import Heartbeat

Means = Literal["logon", "signature", "token"]
Refusal = Literal["subscription_active", "subscription_ids_spent", "too_many_subscriptions"]


class Subscribed(msgspec.Struct):
    """An active subscription of a connection."""

    id: int
    stream: StreamId
    means: Means
    expires_at: Micros = 0
    """0 where it does not end by itself."""


class Liveness:
    """Whether the peer still answers Pings. With `echo`, only the payload of the last Ping will do."""

    __slots__ = ("_echo", "_grace", "_last", "_payload", "_period", "_unanswered_since")

    def __init__(self, heartbeat: Heartbeat, now: Micros, *, echo: bool) -> None:
        self._period = heartbeat.period_ms * MILLISECOND
        self._grace = heartbeat.grace_ms * MILLISECOND
        self._echo = echo
        self._last = now
        self._payload = b""
        self._unanswered_since: Micros | None = None

    def wake_at(self) -> Micros:
        """When something is due."""
        due = self._last + self._period
        return due if self._unanswered_since is None else min(due, self._unanswered_since + self._grace)

    def wake(self, now: Micros, payload: bytes) -> Literal["dead", "ping", "wait"]:
        """What is due: nothing, a Ping with this payload, or the end."""
        if self._unanswered_since is not None and now >= self._unanswered_since + self._grace:
            return "dead"
        if now < self._last + self._period:
            return "wait"
        self._last, self._payload = now, payload
        if self._unanswered_since is None:
            self._unanswered_since = now
        return "ping"

    def ponged(self, payload: bytes) -> None:
        """A Pong came."""
        if not self._echo or payload == self._payload:
            self.alive()

    def alive(self) -> None:
        """The peer answered, to whichever Ping it was."""
        self._unanswered_since = None


class Age:
    """How old a connection may grow, and when it is told that it soon ends."""

    __slots__ = ("_ends_at", "_tell_at", "_told")

    def __init__(self, opened_at: Micros, longest: Micros, lead: Micros) -> None:
        """`lead`: how long before the end it is told; 0 for not at all."""
        self._ends_at = opened_at + longest
        self._tell_at = self._ends_at - lead
        self._told = not lead

    def wake_at(self) -> Micros:
        """When something is due."""
        return self._ends_at if self._told else self._tell_at

    def wake(self, now: Micros) -> Literal["end", "tell", "wait"]:
        """What is due: nothing, to tell of the end, or the end itself."""
        if now >= self._ends_at:
            return "end"
        if self._told or now < self._tell_at:
            return "wait"
        self._told = True
        return "tell"


class ApiSession:
    """Who is logged on and what is subscribed."""

    def __init__(self, connected_at: Micros, *, most: int, most_ids: int) -> None:
        """Wall-clock time; how many subscriptions may be active, and how many there may ever be."""
        self.connected_at = connected_at
        self.api_key: ApiKey | None = None
        self.authorized_at: Micros = 0
        self._most = most
        self._most_ids = most_ids
        self._next_id = 0
        self._active: dict[int, Subscribed] = {}

    def log_on(self, api_key: ApiKey, now: Micros) -> None:
        """From now on requests may leave their API key out; whoever was logged on is so no more."""
        self.api_key, self.authorized_at = api_key, now

    def log_out(self) -> list[Subscribed]:
        """Nobody is logged on; the subscriptions that hung on it, which end."""
        self.api_key, self.authorized_at = None, 0
        return self._drop([each for each in self.active if each.means == "logon"])

    @property
    def active(self) -> list[Subscribed]:
        """All subscriptions, the oldest first."""
        return list(self._active.values())

    def subscribe(self, stream: StreamId, means: Means, expires_at: Micros = 0) -> Subscribed | Refusal:
        """Begin a subscription. A stream has one at most; a further listen token makes its own last
        longer."""
        there = next((each for each in self._active.values() if each.stream == stream), None)
        if there is not None:
            if means == there.means == "token":
                there.expires_at = max(there.expires_at, expires_at)
                return there
            return "subscription_active"
        if len(self._active) >= self._most:
            return "too_many_subscriptions"
        if self._next_id >= self._most_ids:
            return "subscription_ids_spent"
        subscribed = Subscribed(self._next_id, stream, means, expires_at)
        self._active[subscribed.id] = subscribed
        self._next_id += 1
        return subscribed

    def unsubscribe(self, subscription_id: int | None) -> list[Subscribed] | None:
        """End one, or all where none is named; None where there is none such."""
        if subscription_id is None:
            return self._drop(self.active)
        found = self._active.get(subscription_id)
        return None if found is None else self._drop([found])

    def expire(self, now: Micros) -> list[Subscribed]:
        """End those whose time is over."""
        return self._drop([each for each in self.active if 0 < each.expires_at <= now])

    def next_expiry(self) -> Micros | None:
        """When the next one ends by itself."""
        return min((each.expires_at for each in self._active.values() if each.expires_at), default=None)

    def _drop(self, ended: list[Subscribed]) -> list[Subscribed]:
        for each in ended:
            del self._active[each.id]
        return ended
