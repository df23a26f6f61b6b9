"""The client's side: one listen key kept alive, and a socket open with it at all times.

Inputs come with `now` (monotonic) and give back what is to be done, in order; `wake_at` says when `wake`
wants to be called. Sending is the shell's. Sockets are numbered as they are opened; more than one is open
only while a new one takes over from an old one.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec

from listenkey.base.clock import DAY, SECOND, Micros

FaultKind = Literal[
    "key_gone",  # the venue knows no such key
    "limited",  # too many calls; `until` says when to come back
    "clock",  # the clocks differ too much; the shell has set its own by now
    "transient",  # no answer, or one that says nothing for good
    "refused",  # for good: nothing but the user can help
]
StreamState = Literal["connecting", "open", "reconnecting", "failed", "closed"]
"""How a stream is, as its user sees it."""
Why = Literal["start", "lost", "key", "age", "shutdown", "silent"]
_MUTE: Final = 6
"""By how much more a venue is waited for that never answered a question."""
_LONGEST_WAIT: Final[Micros] = 3 * DAY
"""The longest ban that venues give. A time that is later was misread, or is a lie."""


class Plan(msgspec.Struct, frozen=True):
    """How a key and its sockets are kept. Times in microseconds."""

    lifetime: Micros
    """How long a key lives from its creation or last extension."""
    longest_socket: Micros = 0
    """The age at which a socket is replaced, before the venue cuts it; 0 for never."""
    silent: Micros = 0
    """Without any sign of life for so long a socket is asked for one; 0 for never."""
    probe: Micros = 10 * SECOND
    """How long it has to answer, at least; more where its answers were seen to take longer."""
    patience: Micros = 10 * SECOND
    """The same while none was ever answered. If that is never, both are longer from then on."""
    overlap: Micros = 2 * SECOND
    """How long an old socket stays open beside its successor."""
    first_pause: Micros = SECOND // 2
    longest_pause: Micros = 60 * SECOND
    settled: Micros = 60 * SECOND
    """A socket that lasted so long ends a row of failures; one that opens only to end does not."""
    closes_key: bool = False
    """Close the key at the end. Only where nobody else may use it."""


class Fault(msgspec.Struct, frozen=True):
    """What went wrong with a call or a handshake."""

    kind: FaultKind
    until: Micros = 0
    """For `limited`: not before then (monotonic); 0 where the venue did not say."""
    reason: str = ""


class CreateKey(msgspec.Struct, frozen=True):
    """Ask for a key."""


class ExtendKey(msgspec.Struct, frozen=True):
    """Ask for the key's life to be extended."""

    key: str


class CloseKey(msgspec.Struct, frozen=True):
    """Give the key back."""

    key: str


class Connect(msgspec.Struct, frozen=True):
    """Open a socket with the key."""

    number: int
    key: str


class Probe(msgspec.Struct, frozen=True):
    """Ask a socket for a sign of life."""

    number: int


class Disconnect(msgspec.Struct, frozen=True):
    """Close a socket."""

    number: int


class Tell(msgspec.Struct, frozen=True):
    """Let the user know how the stream is."""

    state: StreamState
    reason: str = ""


Action: TypeAlias = CreateKey | ExtendKey | CloseKey | Connect | Probe | Disconnect | Tell


class _Socket(msgspec.Struct):
    number: int
    key: str
    why: Why
    opened_at: Micros | None = None
    heard_at: Micros = 0
    probed_at: Micros | None = None
    leaves_at: Micros | None = None
    """When it goes, once a successor is open."""
    over: bool = False
    """It gives no more events: its key, or what it was subscribed to, is known to be gone."""


class Keeper:
    """One stream. `chance` gives numbers from 0 up to 1, which spread pauses so that bots do not return all
    at once."""

    def __init__(self, plan: Plan, chance: Callable[[], float]) -> None:
        self._plan = plan
        self._chance = chance
        self._key = ""
        self._key_ends: Micros = 0
        self._due: Micros | None = None
        """When the next create or extension is to be sent; None while one is on its way, or none is
        wanted."""
        self._asking: Literal["", "create", "extend"] = ""
        self._pause: Micros = 0
        self._connect_due: Micros | None = None
        self._connect_pause: Micros = 0
        self._key_pause: Micros = 0
        self._why: Why = "start"
        self._sockets: dict[int, _Socket] = {}
        self._took: Micros = 0
        """How long answers to questions take of late, and by how much that varies; 0 before the first."""
        self._varies: Micros = 0
        self._is_mute = False
        """Whether a socket was given up for want of an answer, and none ever came."""
        self._next = 1
        self._told = ""
        """Why nothing is open, as it was told last."""
        self._over = False

    # The user's wishes ------------------------------------------------------------------------------

    def start(self, now: Micros) -> list[Action]:
        """Begin."""
        return [Tell("connecting"), *self._create(now)]

    def stop(self, now: Micros) -> list[Action]:
        """End everything."""
        return self._finish("closed", "")

    # What came of calls -----------------------------------------------------------------------------

    def created(self, key: str, now: Micros) -> list[Action]:
        """A key lives; it may be the one that lived before."""
        if self._over:
            return []
        self._asking, self._pause = "", 0
        self._key, self._key_ends = key, now + self._plan.lifetime
        self._due = now + self._extend_after()
        if self._has_current():
            return []
        return self._connect(self._why, now)

    def extended(self, now: Micros) -> list[Action]:
        """The key lives its whole life again."""
        if self._over or self._asking != "extend":
            return []
        self._asking, self._pause = "", 0
        self._key_ends = now + self._plan.lifetime
        self._due = now + self._extend_after()
        return []

    def outdated(self, now: Micros) -> list[Action]:
        """Instead of an extension another key is wanted, while this one still lives."""
        if self._over or self._asking != "extend":
            return []
        self._asking = ""
        return self._replace_key(now)

    def call_failed(self, asked: Literal["create", "extend"], fault: Fault, now: Micros) -> list[Action]:
        """A create or an extension was not done. An answer that nobody waits for any more is passed over."""
        if self._over or asked != self._asking:
            return []
        self._asking = ""
        if fault.kind == "refused":
            return self._finish("failed", fault.reason)
        if fault.kind == "key_gone" and asked == "extend":
            return self._give_up_key(now)
        first, self._pause = not self._pause, self._longer(self._pause)
        at = now + self._spread(self._pause)
        if fault.kind == "limited":
            at = max(at, self._until(fault, now) + self._spread(self._plan.first_pause))
        elif fault.kind == "clock" and first:  # a clock that was set and is wrong still is not set at once
            at = now
        if asked == "extend" and at >= self._key_ends:
            self._end_sockets()
            return self._replace_key(now, at)
        self._due = at
        return self._tell_why(fault) if asked == "create" else []

    # What became of sockets -------------------------------------------------------------------------

    def opened(self, number: int, now: Micros) -> list[Action]:
        """A socket is open; those before it may go once it has been for a moment."""
        socket = self._sockets.get(number)
        if socket is None:
            return [Disconnect(number)]
        actions: list[Action] = []
        socket.opened_at = socket.heard_at = now
        for other in self._sockets.values():
            if other.number < number and other.leaves_at is None:
                other.leaves_at = now + self._plan.overlap
                if (
                    other.opened_at is not None and not other.over
                ):  # its answer proves that nothing is between
                    actions.append(Probe(other.number))
        self._told = ""
        actions.append(Tell("open", socket.why))
        if socket.why == "lost" and not self._asking:
            # A venue may accept a key that is dead and then stay silent; an extension tells.
            actions += self._extend()
        return actions

    def heard(self, number: int, now: Micros) -> list[Action]:
        """A socket gave a sign of life."""
        if socket := self._sockets.get(number):
            socket.heard_at, socket.probed_at = now, None
        return []

    def echoed(self, number: int, took: Micros, now: Micros) -> list[Action]:
        """A socket answered a question, after so long."""
        if self._took:
            self._varies += (abs(took - self._took) - self._varies) // 4
            self._took += (took - self._took) // 8
        else:
            self._took, self._varies = max(took, 1), took // 2
        self._is_mute = False
        return self.heard(number, now)

    def lost(self, number: int, now: Micros, fault: Fault | None = None) -> list[Action]:
        """A socket is gone, or never came to be; `fault` says what its handshake was told."""
        socket = self._sockets.pop(number, None)
        if self._over or socket is None:
            return []
        if fault is not None and fault.kind == "refused":
            return self._finish("failed", fault.reason)
        self._note_age(socket, now)
        if socket.leaves_at is not None:
            return []
        told: list[Action] = []
        if not self._keep_predecessor() and socket.opened_at is not None and not self.is_open:
            told.append(Tell("reconnecting", "lost"))
        if self._has_current():
            if socket.why in {"age", "shutdown"} and not self._opening():
                self._connect_later(socket.why, now, fault)
            return told
        if fault is not None and fault.kind == "key_gone" and socket.key == self._key:
            return [*told, *self._tell_why(fault), *self._give_up_key(now)]
        if not self._key:  # another one is on its way, and brings its own socket
            return told
        told += self._tell_why(fault)
        self._connect_later("lost", now, fault)
        return [*told, *self._connect_if_due(now)]

    def key_ended(self, number: int, now: Micros) -> list[Action]:
        """A socket was told that its key is over."""
        socket = self._sockets.get(number)
        if self._over or socket is None or socket.key != self._key or socket.over:
            return []
        self._note_age(socket, now)
        return self._give_up_key(now)

    @property
    def is_giving(self) -> bool:
        """Whether a socket is open whose key is not known to be over, though another may be on its way."""
        return any(each.opened_at is not None and not each.over for each in self._sockets.values())

    @property
    def given_up(self) -> tuple[int, ...]:
        """The numbers of sockets that give no more events."""
        return tuple(each.number for each in self._sockets.values() if each.over)

    @property
    def is_open(self) -> bool:
        """Whether events come in, as far as is known."""
        return any(each.opened_at is not None and self._is_current(each) for each in self._sockets.values())

    def going_down(self, number: int, now: Micros) -> list[Action]:
        """A socket was told that the server will end it soon."""
        socket = self._sockets.get(number)
        if self._over or socket is None or socket.leaves_at is not None or self._successor(number):
            return []
        if not self._key or self._connect_due is not None:  # another socket is about to come anyway
            return []
        return self._connect("shutdown", now)

    # Time -------------------------------------------------------------------------------------------

    def wake_at(self) -> Micros | None:
        """When `wake` wants to be called; None for never."""
        due = [at for at in (self._due, self._connect_due) if at is not None]
        for socket in self._sockets.values():
            due += [at for at in self._due_of(socket) if at is not None]
        return None if self._over else min(due, default=None)

    def _due_of(self, socket: _Socket) -> tuple[Micros | None, ...]:
        plan = self._plan
        if socket.opened_at is None:
            return ()
        if socket.leaves_at is not None:
            return (socket.leaves_at,)
        old = socket.opened_at + plan.longest_socket
        replaces = plan.longest_socket and self._may_rotate(socket)
        if socket.probed_at is not None:
            silent: Micros | None = socket.probed_at + self._answer_within()
        else:
            silent = socket.heard_at + self._silent() if plan.silent else None
        return (old if replaces else None, silent)

    def wake(self, now: Micros) -> list[Action]:
        """The time that `wake_at` gave has come."""
        if self._over:
            return []
        actions: list[Action] = []
        for socket in tuple(self._sockets.values()):
            actions += self._wake_socket(socket, now)
        if self._due is not None and now >= self._due:
            self._due = None
            actions += self._extend() if self._key else self._create(now)
        return actions + self._connect_if_due(now)

    def _wake_socket(self, socket: _Socket, now: Micros) -> list[Action]:
        if socket.opened_at is None:
            return []
        if socket.leaves_at is not None:
            if now < socket.leaves_at:
                return []
            del self._sockets[socket.number]
            return [Disconnect(socket.number)]
        actions: list[Action] = []
        if socket.probed_at is not None:
            if now >= socket.probed_at + self._answer_within():
                self._is_mute = not self._took
                return [Disconnect(socket.number), *self.lost(socket.number, now)]
        elif self._plan.silent and now >= socket.heard_at + self._silent():
            socket.probed_at = now
            actions.append(Probe(socket.number))
        longest = self._plan.longest_socket
        if longest and now >= socket.opened_at + longest and self._may_rotate(socket):
            actions += self._connect("age", now)
        return actions

    # Steps ------------------------------------------------------------------------------------------

    def _create(self, now: Micros) -> list[Action]:
        if self._asking == "create":
            return []
        self._asking, self._due = "create", None
        return [CreateKey()]

    def _extend(self) -> list[Action]:
        self._asking, self._due = "extend", None
        return [ExtendKey(self._key)]

    def _give_up_key(self, now: Micros) -> list[Action]:
        """The key is known to be gone, and what is open with it is silent from now on. Keys that are gone
        one after the other are made at a slower and slower pace."""
        self._end_sockets()
        at = now + self._spread(self._key_pause)
        self._key_pause = self._longer(self._key_pause)
        return self._replace_key(now, at)

    def _end_sockets(self) -> None:
        for socket in self._sockets.values():
            socket.over = socket.over or socket.key == self._key

    def _replace_key(self, now: Micros, at: Micros | None = None) -> list[Action]:
        """The key is over: another one, at once or then. The sockets stay until its socket is open."""
        self._key, self._key_ends, self._why = "", 0, "key"
        self._connect_due = None
        if at is not None and at > now:
            self._due = at
            return []
        return self._create(now)

    def _connect_if_due(self, now: Micros) -> list[Action]:
        if self._connect_due is None or now < self._connect_due or not self._key:
            return []
        return self._connect(self._why, now)

    def _connect_later(self, why: Why, now: Micros, fault: Fault | None) -> None:
        at = now + self._spread(self._connect_pause)
        self._connect_pause = self._longer(self._connect_pause)
        self._connect_due = at if fault is None else max(at, self._until(fault, now))
        self._why = why

    def _connect(self, why: Why, now: Micros) -> list[Action]:
        self._connect_due = None
        socket = _Socket(self._next, self._key, why)
        self._sockets[socket.number] = socket
        self._next += 1
        return [Connect(socket.number, self._key)]

    def _has_current(self) -> bool:
        """Whether a socket with the key that lives is open, or on its way."""
        return any(self._is_current(each) for each in self._sockets.values())

    def _is_current(self, socket: _Socket) -> bool:
        return socket.key == self._key and not socket.over and socket.leaves_at is None

    def _opening(self) -> bool:
        return any(each.opened_at is None for each in self._sockets.values())

    def _keep_predecessor(self) -> bool:
        """A socket that was to go stays where its successor went first; whether there is one."""
        if self._has_current():
            return False
        kept = [each for each in self._sockets.values() if each.key == self._key and not each.over]
        for socket in kept:
            socket.leaves_at = None
        return bool(kept)

    def _may_rotate(self, socket: _Socket) -> bool:
        return bool(self._key) and self._connect_due is None and not self._successor(socket.number)

    def _note_age(self, socket: _Socket, now: Micros) -> None:
        if socket.opened_at is not None and now - socket.opened_at >= self._plan.settled:
            self._connect_pause = self._key_pause = 0

    def _silent(self) -> Micros:
        return self._plan.silent * (_MUTE if self._is_mute else 1)

    def _answer_within(self) -> Micros:
        if not self._took:
            return self._plan.patience * (_MUTE if self._is_mute else 1)
        return max(self._plan.probe, self._took + 4 * self._varies)

    def _tell_why(self, fault: Fault | None) -> list[Action]:
        """Why nothing opens though it is tried again and again: once for each reason in a row."""
        if self.is_open or fault is None or fault.reason in {"", self._told}:
            return []
        self._told = fault.reason
        return [Tell("connecting", fault.reason)]

    def _until(self, fault: Fault, now: Micros) -> Micros:
        return min(fault.until, now + _LONGEST_WAIT)

    def _successor(self, number: int) -> bool:
        return any(other > number for other in self._sockets)

    def _finish(self, state: Literal["failed", "closed"], reason: str) -> list[Action]:
        if self._over:
            return []
        self._over = True
        actions: list[Action] = [Disconnect(number) for number in self._sockets]
        if self._plan.closes_key and self._key and state == "closed":
            actions.append(CloseKey(self._key))
        self._sockets.clear()
        return [*actions, Tell(state, reason)]

    def _extend_after(self) -> Micros:
        """A third of the lifetime, less up to a tenth of that."""
        third = self._plan.lifetime // 3
        return third - int(third * self._chance()) // 10

    def _longer(self, pause: Micros) -> Micros:
        return min(max(pause * 2, self._plan.first_pause), self._plan.longest_pause)

    def _spread(self, pause: Micros) -> Micros:
        return pause - int(pause * self._chance()) // 2
