"""A gateway's native stream: events with their positions, every hole named, resumed from where it stopped."""

import asyncio
import contextlib
import random
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from websockets.exceptions import InvalidStatus, WebSocketException

from listenkey.base.errors import Refused
from listenkey.client.buffer import Buffer
from listenkey.client.credentials import Credentials
from listenkey.client.items import Event, Gap, State
from listenkey.client.socket import Socket, open_socket
from listenkey.core.position import Position
from listenkey.wire.frames import event_type

_LONGEST_PAUSE: Final = 30.0
_SILENT: Final = 30.0
"""A gateway tells its position every few seconds; one that says nothing for so long is gone."""
_FOR_GOOD: Final = frozenset({400, 401, 403, 404})


class _Next(msgspec.Struct):
    epoch: str
    offset: int


class _Gap(msgspec.Struct):
    epoch: str
    first: int = msgspec.field(name="from")
    to: int | None = None
    next: _Next | None = None
    reason: str = ""
    cause: str = ""
    since: int = 0
    until: int = 0
    symbols: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    why: str = ""


class _End(msgspec.Struct):
    reason: str = ""


class _Message(msgspec.Struct):
    position: int | None = None
    offset: int | None = None
    epoch: str = ""
    event: msgspec.Raw = msgspec.Raw()
    gap: _Gap | None = None
    end: _End | None = None


_decode = msgspec.json.Decoder(_Message).decode


class NativeReader:
    """Holds a native stream open and puts what comes into a buffer."""

    def __init__(
        self, gateway: str, stream: str, credentials: Credentials, since: Position | None, buffer: Buffer
    ) -> None:
        self._url = f"{_sockets(gateway)}/lk/v1/stream"
        self._stream = stream
        self._credentials = credentials
        self._buffer = buffer
        self.position = since
        """Everything up to here was put into the buffer, or named missing."""
        self.caught_up = asyncio.Event()
        """Set once the gateway has said that nothing later was there."""
        self._task: asyncio.Task[None] | None = None
        self._pause = 0.0
        self._started = False
        """Whether this connection has said where it starts."""
        self._opened = False
        self._asked_again_at: Position | None = None
        """From where on the gateway was asked a second time, since it had left something out."""

    def start(self) -> None:
        """Begin to read."""
        self._buffer.put(State("connecting"), self.position)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Close the socket; nothing of it is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._buffer.put(State("closed"), self.position)
        self._buffer.end()

    async def _run(self) -> None:
        try:
            while True:
                reason = await self._read_once()
                self._buffer.put(State("reconnecting", reason), self.position)
                await asyncio.sleep(self._pause * (0.5 + random.random() / 2))  # noqa: S311 - spreads returns
        except Refused as error:
            self._buffer.put(State("failed", error.message), self.position)
            self._buffer.end(error)
        except Exception as error:  # noqa: BLE001 - the reader hears of whatever it was
            self._buffer.end(error)

    async def _read_once(self) -> str:
        """One connection, to its end; why it ended."""
        query = {"stream": self._stream}
        if self.position is not None:
            query["since"] = str(self.position)
        self._pause = min(max(self._pause * 2, 0.25), _LONGEST_PAUSE)
        await self._credentials.refresh()
        headers = {"Authorization": f"Bearer {self._credentials.key()}"}
        try:
            async with open_socket(f"{self._url}?{urlencode(query)}", headers) as socket:
                return await self._read(socket)
        except InvalidStatus as refused:
            status = refused.response.status_code
            if status in _FOR_GOOD:
                raise Refused(*_told(refused.response.body, status)) from refused
            return f"the gateway answered {status}"
        except (OSError, TimeoutError, WebSocketException) as error:
            return type(error).__name__

    async def _read(self, socket: Socket) -> str:
        self._opened = self._started = False
        while True:
            try:
                async with asyncio.timeout(_SILENT):
                    frames = await socket.receive()
            except TimeoutError:
                return "the gateway fell silent"
            if not frames:
                return "the gateway closed the socket"
            for frame in frames:
                if ended := self._take_frame(frame):
                    return ended

    def _take_frame(self, frame: bytes) -> str:
        """Deal with one frame; why the connection is over, where it is."""
        try:
            message = _decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "the gateway sent what is no message"
        if self._leaves_out(message):
            return "the gateway left something out"
        if message.position is not None:  # where the stream starts is known before it is called open
            self._take(message)
        if not self._opened:
            self._opened, self._pause = True, 0.0
            self._buffer.put(State("open"), self.position)
        if message.end is not None:
            return message.end.reason or "the gateway ended the stream"
        if message.position is None:
            self._take(message)
        return ""

    def _leaves_out(self, message: _Message) -> bool:
        """Whether something before this message neither came nor was named missing, and has to be asked for
        again. Where that was done already it is named here."""
        here = self.position
        after = message.position if message.offset is None else message.offset - 1
        if here is None or after is None or (here.epoch == message.epoch and after <= here.offset):
            return False
        if self._asked_again_at != here:
            self._asked_again_at = here
            return True
        last = Position(message.epoch, after) if here.epoch == message.epoch else None
        self.position = Position(message.epoch, after)
        self._buffer.put(Gap("left_out", Position(here.epoch, here.offset + 1), last), here)
        return False

    def _take(self, message: _Message) -> None:
        before = self.position
        if message.event and message.offset is not None:
            if before is not None and message.offset <= before.offset:
                return  # a second time
            self.position = Position(message.epoch, message.offset)
            raw = bytes(message.event)
            self._buffer.put(Event(event_type(raw), raw, self.position, stream=self._stream), before)
        elif message.gap is not None:
            gap = message.gap
            last = None if gap.to is None else Position(gap.epoch, gap.to)
            if gap.next is not None:
                self.position = Position(gap.next.epoch, gap.next.offset - 1)
            elif last is not None:
                self.position = last
            self._buffer.put(
                Gap(
                    gap.reason,
                    Position(gap.epoch, gap.first),
                    last,
                    gap.since,
                    gap.until,
                    gap.symbols,
                    gap.differs,
                    gap.why,
                    gap.cause,
                ),
                before,
            )
        elif message.position is not None:
            reached = Position(message.epoch, message.position)
            if self.position == reached or self.position is None:
                self.position = reached
            if self.position == reached and self._started:
                self.caught_up.set()
            self._started = True


def _told(body: bytes | bytearray | None, status: int) -> tuple[str, str]:
    """What a refusal says, and what to do about it."""
    with contextlib.suppress(Exception):
        error: Any = msgspec.json.decode(body or b"")["error"]
        return str(error["message"]), str(error["remedy"])
    return f"the gateway answered {status}", "check its address and the API key"


def _sockets(gateway: str) -> str:
    base = gateway.rstrip("/")
    return "ws" + base.removeprefix("http") if base.startswith("http") else base
