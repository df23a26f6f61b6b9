"""A venue's stream, or the same protocol spoken by a gateway: `core.keeper` joined to real calls and sockets.

One loop, one stream. Calls and sockets are tasks of their own; whatever they come back with goes to the
keeper, and what the keeper wants done is done at once.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx
import msgspec
from websockets.exceptions import InvalidStatus, WebSocketException

from listenkey.base.clock import MILLISECOND, SECOND, Micros, to_millis
from listenkey.base.errors import Refused
from listenkey.client.buffer import Buffer
from listenkey.client.credentials import Credentials
from listenkey.client.items import Event, Gap, State
from listenkey.client.socket import Socket, open_socket, tls
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
    Tell,
)
from listenkey.core.moment import Moment
from listenkey.core.repeats import Repeats
from listenkey.dialect.model import Dialect, OperationKind
from listenkey.wire.client import (
    Call,
    CallResult,
    FrameReader,
    Incoming,
    build_call,
    read_result,
    socket_path,
    socket_target,
    subscriptions,
)

_CALL_TIMEOUT = 10.0
_LARGEST_ANSWER = 1 << 20
_NO_KEY = frozenset({400, 401, 403, 404, 410})
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
    recover: bool = True
    symbols: tuple[str, ...] = ()
    """What the history is asked of besides what is seen."""

    def api_key(self) -> str:
        """The API key as it is now."""
        return self.credentials.key()

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
        # Not a whole client: that one logs each address, and with it listen keys.
        self._http = httpx.AsyncHTTPTransport(verify=tls())
        self._sockets: dict[int, Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        for kind, raw in venue.known:
            self._repeats.is_repeat(kind, raw)
        self._whole_until = None if venue.since is None else venue.since.at_ms
        """Wall-clock milliseconds up to which nothing is missing, while no socket is open."""
        self._heard_ms = _wall()
        """When a socket last gave a sign of life."""
        self._key_lived_ms = _wall()
        """When the key was last known to live."""
        self._clock_offset: Micros = 0

    def _plan(self) -> Plan:
        heartbeat = self._venue.dialect.heartbeats[self._path.heartbeat]
        quiet = max(30 * SECOND, 2 * heartbeat.period_ms * MILLISECOND) if heartbeat.send else 60 * SECOND
        return Plan(
            lifetime=self._venue.dialect.key_space.lifetime_s * SECOND,
            longest_socket=(23 * 3600 * SECOND) if self._venue.rotate else 0,
            silent=quiet,
            closes_key=self._venue.closes_key,
        )

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
        await self._http.aclose()

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

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._buffer.end(error)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._keeper.wake_at()
        if due is not None:
            delay = max(0, due - now_micros()) / SECOND
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._do(self._keeper.wake(now_micros()))

    def _tell(self, state: Any, reason: str) -> None:
        if state == "open" and self._whole_until is not None:
            self._buffer.put(Gap("disconnected", since_ms=self._whole_until, until_ms=_wall()))
            self._whole_until = None
        elif state == "reconnecting" and self._whole_until is None:
            self._whole_until = self._heard_ms
        if state == "open":
            self._heard_ms = _wall()
        reason = self._venue.credentials.masked(reason)  # some venues repeat what they do not know
        self._buffer.put(State(state, reason))
        if state == "failed":
            self._buffer.end(Refused(f"the stream cannot go on: {reason}", "see what the venue said"))
        elif state == "closed":
            self._buffer.end()

    def _do_about_key(self, actions: Sequence[Action], whole_until: int) -> None:
        """Do what comes of news about the key. Where it is over, events are missing from a moment on, though
        its socket stays open."""
        if not self._keeper.has_key and self._whole_until is None:
            self._whole_until = whole_until
        self._do(actions)

    # Calls ------------------------------------------------------------------------------------------

    async def _called(self, kind: OperationKind, listen_key: str) -> None:
        await self._venue.credentials.refresh()
        await self._call(kind, listen_key)

    async def _call(self, kind: OperationKind, listen_key: str) -> None:
        asked_ms = _wall()
        result = await self._send(kind, listen_key)
        if kind == "close":
            return
        if result.outcome != "done":
            await self._failed(kind, result)
            return
        if kind == "create":
            actions = self._keeper.created(result.listen_key, now_micros())
            if self._keeper.is_open:  # with the same key, which had been alive all along
                self._whole_until = None
        else:
            actions = self._keeper.extended(now_micros())
        self._key_lived_ms = asked_ms
        self._do(actions)

    async def _failed(self, kind: Literal["create", "extend"], result: CallResult) -> None:
        fault = await self._fault(result)
        actions = self._keeper.call_failed(kind, fault, now_micros())
        self._do_about_key(actions, self._key_lived_ms)

    async def _fault(self, result: CallResult) -> Fault:
        """What a failure means to the keeper; a clock that is wrong has been set by then."""
        assert result.outcome != "done"
        if result.outcome == "clock":
            await self._set_clock()
        until = now_micros() + max(0, result.retry_at - wall_micros()) if result.retry_at else 0
        return Fault(result.outcome, until, result.reason)

    async def _send(self, kind: OperationKind, listen_key: str) -> CallResult:
        venue, wall = self._venue, wall_micros()
        call = build_call(
            venue.dialect,
            kind,
            api_key=venue.api_key(),
            secret=venue.api_secret(),
            listen_key=listen_key,
            symbol=venue.symbol,
            now=wall + self._clock_offset,
        )
        answer = await self._request(call)
        if isinstance(answer, CallResult):
            return answer
        return read_result(venue.dialect, kind, answer.status_code, headers_of(answer), answer.content, wall)

    async def _request(self, call: Call) -> httpx.Response | CallResult:
        """The answer to a call, with its body; or why there is none."""
        request = httpx.Request(
            call.method,
            self._venue.rest + call.path,
            headers={"Accept": "*/*", "Accept-Encoding": "gzip", **dict(call.headers)},
            extensions={"timeout": httpx.Timeout(_CALL_TIMEOUT).as_dict()},
        )
        try:
            async with asyncio.timeout(_CALL_TIMEOUT):
                response = await self._http.handle_async_request(request)
                try:
                    body = await _body(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            return CallResult("transient", reason=type(error).__name__)
        if body is None:
            return CallResult("transient", reason="an answer without an end")
        return httpx.Response(response.status_code, headers=_plain(response), content=body)

    async def _set_clock(self) -> None:
        """Take the venue's time from the `Date` of any answer; a second's grain is enough for the windows."""
        answer = await self._request(Call("GET", "/", ()))
        if isinstance(answer, httpx.Response):
            with contextlib.suppress(KeyError, ValueError, OverflowError):
                told = parsedate_to_datetime(answer.headers["date"]).timestamp()
                self._clock_offset = int(told * SECOND) - wall_micros()

    # Sockets ----------------------------------------------------------------------------------------

    async def _read(self, number: int, listen_key: str) -> None:
        fault: Fault | None = None
        await self._venue.credentials.refresh()
        try:
            async with open_socket(self._url(listen_key)) as socket:
                self._sockets[number] = socket
                fault = await self._greet(number, socket, listen_key)
                if fault is None:
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
        self._do(self._keeper.lost(number, now_micros(), fault))

    def _url(self, listen_key: str) -> str:
        """Where a socket is opened."""
        return self._venue.sockets + socket_target(self._path, listen_key)

    async def _greet(self, number: int, socket: Socket, listen_key: str) -> Fault | None:
        """What has to be said on an open socket before events come; why none will."""
        for text in subscriptions(self._venue.dialect, self._venue.stream, self._path):
            await socket.send(text)
        return None

    async def _take(self, number: int, socket: Socket, frames: Sequence[bytes]) -> None:
        now, now_ms = now_micros(), _wall()
        self._keeper.heard(number, now)
        for frame in frames:
            incoming = self._frames.read(frame)
            if incoming.kind == "event":
                if not self._repeats.is_repeat(incoming.type, incoming.event):
                    self._buffer.put(Event(incoming.type, incoming.event, stream=self._name))
                self._key_lived_ms = now_ms
            else:
                await self._take_other(number, socket, incoming, now)
        self._heard_ms = now_ms

    async def _take_other(self, number: int, socket: Socket, incoming: Incoming, now: Micros) -> None:
        if incoming.kind == "rubbish":  # whatever it was to be
            self._buffer.put(Gap("unreadable", since_ms=self._heard_ms, until_ms=_wall()))
        elif incoming.kind == "not_subscribed":  # on this socket nothing would ever come
            await socket.close()
        elif incoming.kind == "heartbeat":
            await socket.send(incoming.answer)
        elif incoming.kind == "key_ended":
            self._do_about_key(self._keeper.key_ended(number, now), _wall())
        elif incoming.kind == "going_down":
            self._do(self._keeper.going_down(number, now))

    async def _probe(self, number: int) -> None:
        socket = self._sockets.get(number)
        if socket is None:
            return
        with contextlib.suppress(WebSocketException, asyncio.CancelledError):
            await (await socket.ping())
            self._heard_ms = _wall()
            self._keeper.heard(number, now_micros())
            self._rest()

    async def _drop(self, number: int) -> None:
        socket = self._sockets.pop(number, None)
        if socket is not None:
            await socket.close()


def now_micros() -> Micros:
    """The monotonic clock."""
    return time.monotonic_ns() // 1000


def wall_micros() -> Micros:
    """The wall clock."""
    return time.time_ns() // 1000


async def _body(response: httpx.Response) -> bytes | None:
    """The body, decompressed; None where it is longer than any answer is."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _LARGEST_ANSWER:
            return None
    return bytes(body)


def _plain(response: httpx.Response) -> list[tuple[str, str]]:
    """The headers of an answer whose body was decompressed."""
    told = {"content-encoding", "content-length", "transfer-encoding"}
    return [(name, value) for name, value in response.headers.multi_items() if name.lower() not in told]


def headers_of(response: httpx.Response) -> dict[str, str]:
    """The headers by lower-case name."""
    return {name.lower(): value for name, value in response.headers.items()}


def _wall() -> int:
    return to_millis(wall_micros())
