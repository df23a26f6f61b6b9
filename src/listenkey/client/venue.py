"""A venue's stream, or the same protocol spoken by a gateway: `core.keeper` joined to real calls and sockets.

One loop, one stream. Calls and sockets are tasks of their own; whatever they come back with goes to the
keeper, and what the keeper wants done is done at once.
"""

import asyncio
import contextlib
import random
from collections.abc import Coroutine, Sequence
from typing import Any, Final, Literal

import msgspec
from websockets.exceptions import InvalidStatus, WebSocketException

from listenkey.base.clock import MILLISECOND, SECOND, Micros
from listenkey.base.errors import Refused
from listenkey.client.buffer import Buffer
from listenkey.client.calls import Calls, headers_of, now_micros, steady_ms, wall_micros
from listenkey.client.credentials import Credentials
from listenkey.client.items import State
from listenkey.client.recovery import Recoverer
from listenkey.client.socket import Socket, open_socket
from listenkey.core.keeper import (
    Action,
    CloseKey,
    Connect,
    CreateKey,
    Disconnect,
    ExtendKey,
    Fault,
    Keeper,
    Plan,
    Probe,
    StreamState,
    Tell,
)
from listenkey.core.lanes import Lanes
from listenkey.core.moment import Moment
from listenkey.core.repeats import Repeats
from listenkey.dialect.model import Dialect, OperationKind
from listenkey.wire.client import (
    CallResult,
    FrameReader,
    Incoming,
    build_call,
    read_result,
    socket_path,
    socket_target,
    subscriptions,
)

_LONGEST_SOCKET: Final[Micros] = 23 * 3600 * SECOND
_NO_KEY: Final = frozenset({400, 401, 403, 404, 410})
"""Answers to a handshake that mean its key."""


class Venue(msgspec.Struct, frozen=True):
    """Where and as whom a stream is read."""

    dialect: Dialect
    stream: str
    symbol: str
    rest: str
    """Address that the paths of calls are added to."""
    sockets: str
    """Address that the paths of sockets are added to."""
    credentials: Credentials
    rotate: bool = True
    closes_key: bool = False
    since: Moment | None = None
    """Everything up to here was had before."""
    known: tuple[tuple[str, bytes], ...] = ()
    """Events that were had near that moment: their kinds and bytes."""
    holdings: bytes = b""
    """What was held after one of them."""
    recover_within: float = 60.0
    """Seconds for which live events are held back at most, for those that a break made miss; 0 for no
    recovery."""
    dead_after: float = 15.0
    """Seconds within which a socket that gives nothing any more is found."""
    symbols: tuple[str, ...] = ()
    """What the history is asked of besides what is seen."""

    def api_key(self) -> str:
        """The API key as it is now."""
        return self.credentials.key()

    def watched(self, plan: Plan, beat: Micros = 0) -> Plan:
        """A plan that finds dead sockets in time; `beat`: how often the venue says something by itself."""
        third = int(self.dead_after * SECOND) // 3
        return msgspec.structs.replace(
            plan,
            silent=min(max(third, beat + beat // 2), 2 * third),
            probe=third,
            patience=2 * third,
            longest_socket=_LONGEST_SOCKET if self.rotate else 0,
        )

    def api_secret(self) -> str:
        """Its secret, or a private key; nothing where there is none."""
        return self.credentials.secret()


class VenueReader:
    """Holds one stream open and puts what comes into a buffer."""

    def __init__(self, venue: Venue, buffer: Buffer) -> None:
        self._venue = venue
        self._buffer = buffer
        dialect = venue.dialect
        self._path = socket_path(dialect, venue.stream)
        self._frames = FrameReader(dialect, venue.stream, self._path)
        base = venue.stream.partition(":")[0]
        self._name = f"{base}:{venue.symbol}" if venue.symbol else base
        self._repeats = Repeats(tuple(each for each in dialect.events if base in each.streams))
        self._keeper = Keeper(self._plan(), random.random)
        self._calls = Calls(venue.rest)
        self._sockets: dict[int, Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        for kind, raw in venue.known:
            self._repeats.is_repeat(kind, raw)
        self._lanes = Lanes()
        self._key_lived_ms = steady_ms()
        """When the key was last known to live."""
        self._echoed_ms = 0
        """Up to when the main socket proved to have given everything, if the key lived."""
        self._recoverer = Recoverer(
            self._name,
            dialect,
            venue.credentials,
            self._calls,
            buffer,
            symbols=tuple(filter(None, (venue.symbol, *venue.symbols))),
            since=venue.since,
            known=venue.known,
            holdings=venue.holdings,
            limit=int(venue.recover_within * SECOND),
            spawn=self._spawn,
            rest=self._rest,
        )

    def _plan(self) -> Plan:
        heartbeat = self._venue.dialect.heartbeats[self._path.heartbeat]
        lifetime = self._venue.dialect.key_space.lifetime_s * SECOND
        plan = Plan(lifetime=lifetime, closes_key=self._venue.closes_key)
        return self._venue.watched(plan, heartbeat.period_ms * MILLISECOND if heartbeat.send else 0)

    @property
    def holdings(self) -> bytes:
        """What is held after all that was put into the buffer; empty where nobody can tell."""
        return self._recoverer.holdings

    @property
    def position(self) -> Moment | None:
        """Up to when everything was put into the buffer, or named missing; None before it began."""
        return self._recoverer.moment

    # Life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read."""
        self._do(self._keeper.start(now_micros()))

    async def stop(self) -> None:
        """End calls and sockets; nothing of them is left."""
        self._do(self._keeper.stop(now_micros()))
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=2)
        finally:  # also where the user does not want to wait so long
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._calls.close()

    # Doing ------------------------------------------------------------------------------------------

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case CreateKey():
                    self._spawn(self._called("create", ""))
                case ExtendKey(key):
                    self._spawn(self._called("extend", key))
                case CloseKey(key):
                    self._spawn(self._called("close", key))
                case Connect(number, key):
                    self._spawn(self._read(number, key))
                case Probe(number):
                    self._spawn(self._probe(number))
                case Disconnect(number):
                    self._spawn(self._drop(number))
                case Tell(state, reason):
                    self._tell(state, reason)
        self._rest()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._buffer.end(error)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wanted = (self._keeper.wake_at(), self._recoverer.wake_at())
        due = min((at for at in wanted if at is not None), default=None)
        if due is not None:
            delay = max(0, due - now_micros()) / SECOND
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._recoverer.wake()
        self._do(self._keeper.wake(now_micros()))

    def _tell(self, state: StreamState, reason: str) -> None:
        if state == "open":
            self._recoverer.opened()
        elif state == "reconnecting":
            self._recoverer.broke("disconnected")
        reason = self._venue.credentials.masked(reason)  # some venues repeat what they do not know
        self._recoverer.put(State(state, reason))
        if state == "failed":
            self._buffer.end(Refused(f"the stream cannot go on: {reason}", "see what the venue said"))
        elif state == "closed":
            self._buffer.end()

    def _do_about_key(self, actions: Sequence[Action], local_ms: int | None = None) -> None:
        """Do what comes of news about the key. Where it is over, events are missing from then on, or from a
        moment before, though its socket stays open."""
        if not self._keeper.is_giving:
            self._recoverer.broke("disconnected", local_ms)
        for number in self._keeper.given_up:
            self._give(self._lanes.gone(number))
        self._do(actions)

    # Calls ------------------------------------------------------------------------------------------

    async def _called(self, kind: OperationKind, listen_key: str) -> None:
        await self._venue.credentials.refresh()
        await self._call(kind, listen_key)

    async def _call(self, kind: OperationKind, listen_key: str) -> None:
        asked_ms = steady_ms()
        result = await self._send(kind, listen_key)
        if kind == "close":
            return
        if result.outcome != "done":
            await self._failed(kind, result)
            return
        if kind == "create":
            actions = self._keeper.created(result.listen_key, now_micros())
        elif result.listen_key not in {"", listen_key}:  # what was extended is the key of somebody else
            await self._failed("extend", CallResult("key_gone", reason="another key lives"))
            return
        else:
            actions = self._keeper.extended(now_micros())
        self._lived(asked_ms)
        self._do(actions)

    def _lived(self, at_ms: int) -> None:
        """The key lived then, and the socket answers: nothing is missing up to the earlier of both."""
        self._key_lived_ms = at_ms
        self._recoverer.proven(min(at_ms, self._echoed_ms))

    async def _failed(self, kind: Literal["create", "extend"], result: CallResult) -> None:
        fault = await self._calls.fault(result)
        actions = self._keeper.call_failed(kind, fault, now_micros())
        self._do_about_key(actions, self._key_lived_ms)

    async def _send(self, kind: OperationKind, listen_key: str) -> CallResult:
        venue, wall = self._venue, wall_micros()
        call = build_call(
            venue.dialect,
            kind,
            api_key=venue.api_key(),
            secret=venue.api_secret(),
            listen_key=listen_key,
            symbol=venue.symbol,
            now=self._calls.now(),
        )
        answer = await self._calls.request(call)
        if isinstance(answer, CallResult):
            return answer
        return read_result(venue.dialect, kind, answer.status_code, headers_of(answer), answer.content, wall)

    # Sockets ----------------------------------------------------------------------------------------

    async def _read(self, number: int, listen_key: str) -> None:
        fault: Fault | None = None
        await self._venue.credentials.refresh()
        try:
            async with open_socket(self._url(listen_key)) as socket:
                self._sockets[number] = socket
                fault = await self._greet(number, socket, listen_key)
                if fault is None:
                    self._lanes.opened(number, now_micros())
                    self._do(self._keeper.opened(number, now_micros()))
                    while frames := await socket.receive():
                        await self._take(number, socket, frames)
        except InvalidStatus as refused:
            status = refused.response.status_code
            fault = Fault("key_gone" if status in _NO_KEY else "transient", reason=str(status))
        except (OSError, TimeoutError, WebSocketException) as error:
            fault = Fault("transient", reason=type(error).__name__)
        finally:
            self._sockets.pop(number, None)
        self._give(self._lanes.gone(number))
        self._do(self._keeper.lost(number, now_micros(), fault))

    def _give(self, left: tuple[list[tuple[str, bytes]], bool]) -> None:
        """Give out what the socket that takes over had of its own; where something may lie before that, it
        is had again."""
        told, is_holed = left
        if is_holed:
            self._recoverer.broke("disconnected")
            self._recoverer.opened()
        for kind, raw in told:
            self._event(kind, raw)

    def _event(self, kind: str, raw: bytes) -> None:
        if not self._repeats.is_repeat(kind, raw):
            self._recoverer.event(kind, raw)

    def _url(self, listen_key: str) -> str:
        """Where a socket is opened."""
        return self._venue.sockets + socket_target(self._path, listen_key)

    async def _greet(self, number: int, socket: Socket, listen_key: str) -> Fault | None:
        """What has to be said on an open socket before events come; why none will."""
        for text in subscriptions(self._venue.dialect, self._venue.stream, self._path):
            await socket.send(text)
        return None

    async def _take(self, number: int, socket: Socket, frames: Sequence[bytes]) -> None:
        now, at_ms, lanes = now_micros(), steady_ms(), self._lanes
        self._keeper.heard(number, now)
        for frame in frames:
            incoming = self._frames.read(frame)
            if incoming.kind != "event":
                await self._take_other(number, socket, incoming, now)
                continue
            self._key_lived_ms = at_ms
            if lanes.is_plain:
                self._event(incoming.type, incoming.event)
            else:
                for kind, raw in lanes.event(number, incoming.type, incoming.event):
                    self._event(kind, raw)

    async def _take_other(self, number: int, socket: Socket, incoming: Incoming, now: Micros) -> None:
        if incoming.kind == "rubbish":  # whatever it was to be
            self._recoverer.broke("unreadable")
            self._recoverer.opened()
        elif incoming.kind == "not_subscribed":  # on this socket nothing would ever come
            await socket.close()
        elif incoming.kind == "heartbeat":
            await socket.send(incoming.answer)
        elif incoming.kind == "key_ended":
            self._do_about_key(self._keeper.key_ended(number, now))
        elif incoming.kind == "going_down":
            self._do(self._keeper.going_down(number, now))

    async def _probe(self, number: int) -> None:
        socket = self._sockets.get(number)
        if socket is None:
            return
        asked, asked_ms = now_micros(), steady_ms()
        with contextlib.suppress(WebSocketException, asyncio.CancelledError):
            await (await socket.ping())
            now = now_micros()
            self._lanes.echoed(number, asked)
            if number == self._lanes.main:
                self._echoed_ms = asked_ms
                self._recoverer.proven(min(asked_ms, self._lives_until_ms()))
            self._do(self._keeper.echoed(number, now - asked, now))

    def _lives_until_ms(self) -> int:
        """Up to when what delivers events is known to do so: a key may go without a word."""
        return self._key_lived_ms

    async def _drop(self, number: int) -> None:
        socket = self._sockets.pop(number, None)
        if socket is not None:
            await socket.close()
