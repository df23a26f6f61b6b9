"""What should be, told naively: one thing after the other, in dictionaries, with no idea of transactions."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

LIFETIME = 3600 * 10**6
GRACE = 60 * 10**6

Stream = tuple[str, str]
"""Account and stream."""


@dataclass
class Key:
    """A listen key as it should be in the store."""

    account: str
    space: str
    scope: str
    expires_at: int
    holder: str
    state: str = "active"
    ended_at: int = 0
    users: set[str] = field(default_factory=set)


@dataclass
class Epoch:
    """One history of a stream: all its payloads, of which those below `oldest` are forgotten."""

    payloads: list[bytes] = field(default_factory=list)
    oldest: int = 1

    @property
    def head(self) -> int:
        return len(self.payloads)

    @property
    def kept(self) -> bool:
        """Whether anything of it can still be read."""
        return self.oldest <= self.head


@dataclass
class Told:
    """Something that sockets hear of: an event, or the end of a key."""

    stream: Stream | None = None
    epoch: int = 0
    offset: int = 0
    key: int = 0
    reason: str = ""


class Model:
    """Everything that a gateway should remember, and what it should have said, in order."""

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared
        """Whether an account's API keys share a key where the venue gives it one; else each has its own."""
        self.keys: dict[int, Key] = {}
        self.journals: dict[Stream, list[Epoch]] = {}
        self.ids: dict[tuple[Stream, str], tuple[int, int, bytes]] = {}
        self.last_id = 0
        self.told: list[Told] = []

    def copy(self) -> "Model":
        other = Model(shared=self.shared)
        other.keys = {number: replace(key, users=set(key.users)) for number, key in self.keys.items()}
        other.journals = {
            stream: [replace(epoch, payloads=epoch.payloads.copy()) for epoch in epochs]
            for stream, epochs in self.journals.items()
        }
        other.ids, other.told, other.last_id = self.ids.copy(), self.told.copy(), self.last_id
        return other

    # Keys ------------------------------------------------------------------------------------------

    def create(self, account: str, space: str, scope: str, user: str, now: int) -> int:
        """The id of the key that the caller gets."""
        self.last_id += 1
        same = [number for number in self.active() if self._place(number) == (account, space, scope)]
        for number in same:
            self._expire(number, now)
        living = [
            number for number in same if self.keys[number].state == "active" and self._may(number, user)
        ]
        if space == "bingx" or not living:
            number = self.last_id
            self.keys[number] = Key(account, space, scope, now + LIFETIME, holder=user, users={user})
            return number
        number = max(living)
        self.keys[number].expires_at = now + LIFETIME
        self.keys[number].users.add(user)
        return number

    def change(
        self,
        what: Literal["extend", "close"],
        number: int | None,
        account: str,
        space: str,
        scope: str,
        user: str,
        now: int,
    ) -> int | None:
        """The id of the key that was changed, or None where there was none to change. Without a number, the
        caller's own."""
        if number is None:
            mine = [number for number in self.active() if self._place(number) == (account, space, scope)]
            number = max((number for number in mine if self._may(number, user)), default=None)
        if number is None or self._place(number) != (account, space, scope) or not self._may(number, user):
            return None
        self._expire(number, now)
        key = self.keys[number]
        if key.state != "active":
            return None
        if what == "extend":
            key.expires_at = now + LIFETIME
            key.users.add(user)
        else:
            self._end(number, "closed", "closed", now)
        return number

    def expire_due(self, now: int) -> None:
        for number in self.active():
            self._expire(number, now)

    def revoke(self, user: str, now: int) -> None:
        """An API key is taken away: what it alone used is closed."""
        for number in self.active():
            users = self.keys[number].users
            if user in users:
                users.discard(user)
                if not users:
                    self._end(number, "closed", "revoked", now)

    def leap(self, before: int, after: int) -> None:
        """The clock leapt ahead: what would be over lives a minute more."""
        for number in self.active():
            key = self.keys[number]
            if before < key.expires_at <= after:
                key.expires_at = after + GRACE

    def is_live(self, number: int, now: int) -> bool:
        key = self.keys[number]
        return key.state == "active" and now < key.expires_at

    def active(self) -> list[int]:
        """The keys that have not ended on record, in the order of their making."""
        return [number for number, key in self.keys.items() if key.state == "active"]

    def _may(self, number: int, user: str) -> bool:
        """Whether a key is there for this API key: it may be another holder's."""
        key = self.keys[number]
        return self.shared or key.space == "bingx" or key.holder == user

    def _place(self, number: int) -> tuple[str, str, str]:
        key = self.keys[number]
        return key.account, key.space, key.scope

    def _expire(self, number: int, now: int) -> None:
        key = self.keys[number]
        if key.state == "active" and now >= key.expires_at:
            self._end(number, "expired", "expired", now)

    def _end(self, number: int, state: str, reason: str, now: int) -> None:
        key = self.keys[number]
        key.state, key.ended_at = state, now
        self.told.append(Told(key=number, reason=reason))

    # Journals --------------------------------------------------------------------------------------

    def publish(self, stream: Stream, payload: bytes, event_id: str | None) -> tuple[int, int] | str:
        """Number of the epoch and offset, or the code of the refusal."""
        if event_id is not None and (stream, event_id) in self.ids:
            epoch, offset, first = self.ids[stream, event_id]
            return (epoch, offset) if first == payload else "id_conflict"
        epochs = self.journals.setdefault(stream, [Epoch()])
        epochs[-1].payloads.append(payload)
        where = len(epochs) - 1, epochs[-1].head
        if event_id is not None:
            self.ids[stream, event_id] = (*where, payload)
        self.told.append(Told(stream, *where))
        return where

    def break_history(self) -> None:
        """An unclean end below full durability: whatever has a history gets a new one."""
        for epochs in self.journals.values():
            if epochs[-1].head:
                epochs.append(Epoch())

    def trim(self, keep: int) -> None:
        for epochs in self.journals.values():
            for epoch in epochs:
                epoch.oldest = max(epoch.oldest, epoch.head - keep + 1)

    # What sockets hear -----------------------------------------------------------------------------

    def heard(self, since: int, number: int, streams: Iterable[Stream]) -> tuple[list[tuple[int, int]], str]:
        """What a socket of a key hears that opened when so much had been told: events, and why it ended."""
        wanted = set(streams)
        events: list[tuple[int, int]] = []
        for item in self.told[since:]:
            if item.key == number and item.reason:
                return events, item.reason
            if item.stream in wanted:
                events.append((item.epoch, item.offset))
        return events, ""
