"""An open WebSocket, server side: what comes in is parsed by `websockets`, what goes out is written as it is.

Venue sockets and native ones are subclasses. Their frames arrive ready made; this file queues them, obeys the
transport's back-pressure, and ends the connection as RFC 6455 section 7 asks for.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVarTuple

import structlog
from websockets.frames import BINARY, CONT, PING, PONG, TEXT, CloseCode, Frame
from websockets.protocol import OPEN, SERVER
from websockets.protocol import Protocol as Parser

from listenkey.base.clock import SECOND, Micros
from listenkey.edge.bounds import Bounds
from listenkey.edge.deflate import Agreed
from listenkey.edge.pacer import Pacer
from listenkey.service.metrics import Metrics

if TYPE_CHECKING:
    from listenkey.service.outlet import EndReason, Outlet, Subscription

# A frame takes some microseconds to parse, and the smallest has six bytes: this is how many are looked at
# before the socket's bounds are.
_SLICE: Final = 2048
_SHORTEST_FRAME: Final = 6  # two bytes and a mask
_LONGEST_CONTROL: Final = 125
_PONG_FRAME: Final = 0x8A
_EARLY_FLUSH: Final = 262_144
_Arguments = TypeVarTuple("_Arguments")
_log = structlog.get_logger(__name__)
_quiet: Final = logging.getLogger("listenkey.websocket")
_quiet.setLevel(logging.CRITICAL)


class Registry(Protocol):
    """Who knows all open sockets."""

    def register(self, outlet: "Outlet") -> None:
        """A socket opened."""
        ...

    def unregister(self, outlet: "Outlet") -> None:
        """A socket is gone."""
        ...


class Surroundings:
    """What all sockets of the process share."""

    def __init__(
        self,
        bounds: Bounds,
        pacer: Pacer,
        registry: Registry,
        metrics: Metrics,
        cancel: "Callable[[Subscription], None]",
    ) -> None:
        self.bounds = bounds
        self.pacer = pacer
        self.registry = registry
        self.metrics = metrics
        self.cancel = cancel
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Id of a socket, unique while the process runs."""
        return f"c{next(self._numbers)}"

    def note_slow(self, outlet: "Outlet") -> None:
        """A reader is about to be ended for being slow."""
        self.metrics.sockets_slow += 1
        _log.warning("socket_slow", socket=outlet.id, address=outlet.address)


class _Parser(Parser):
    """Ends a connection that broke the protocol in the words of the socket's close table."""

    def __init__(self, largest: int, words: Callable[[int], str]) -> None:
        super().__init__(SERVER, state=OPEN, max_size=largest, logger=_quiet)
        self._words = words

    def fail(self, code: int, reason: str = "") -> None:
        """As the parser's own, which would tell its reasons."""
        super().fail(code, self._words(code) or reason)


class WebSocket(asyncio.Protocol):
    """One socket; an `Outlet`. Subclasses take messages and Pongs, wake by the pacer, and know the close
    codes."""

    __slots__ = (
        "_binary",
        "_closing",
        "_deflate",
        "_drained",
        "_frames",
        "_message",
        "_parser",
        "_paused",
        "_pending",
        "_second",
        "_shared",
        "_transport",
        "_waiting",
        "address",
        "id",
        "opened_at",
        "subscriptions",
        "tick",
    )

    def __init__(
        self,
        shared: Surroundings,
        transport: asyncio.Transport,
        address: str,
        opened_at: Micros,
        deflate: Agreed | None = None,
    ) -> None:
        """`deflate`: how messages that come in may be compressed."""
        self.id = shared.new_id()
        self.address = address
        self.opened_at = opened_at
        self.subscriptions: list[Subscription] = []
        self.tick = 0
        self._shared = shared
        self._transport = transport
        self._parser: Parser | None = None
        self._message: bytearray | None = None
        self._binary = False
        self._pending: list[bytes] = []
        self._waiting = 0
        self._paused = False
        self._drained: asyncio.Event | None = None
        self._closing = False
        self._deflate = deflate
        self._second = 0
        self._frames = 0

    # What subclasses do -----------------------------------------------------------------------------

    def message_received(self, message: str, now: Micros) -> None:
        """A whole message; one that came in a binary frame was UTF-8."""
        raise NotImplementedError

    def pong_received(self, payload: bytes, now: Micros) -> None:
        """A Pong, asked for or not."""
        raise NotImplementedError

    def words_of(self, code: int) -> str:
        """The reason that goes with the code of a broken connection; empty for the parser's own."""
        return ""

    def ping_received(self, now: Micros) -> None:
        """A Ping, which is answered by itself."""

    def woken(self, now: Micros) -> None:
        """The time has come that was asked for."""
        raise NotImplementedError

    def close(self, kind: str) -> None:
        """End the socket, with the code and words that `kind` has here."""
        raise NotImplementedError

    def subscription_ended(self, subscription: "Subscription", reason: "EndReason") -> None:
        """What a subscription hung on is gone."""
        raise NotImplementedError

    # Going out --------------------------------------------------------------------------------------

    def push(self, data: bytes) -> None:
        """Queue bytes. A reader that lets more than the bound wait is closed as slow."""
        if self._closing:
            return
        self._pending.append(data)
        self._waiting += len(data)
        if self._paused:
            if self._waiting > self._shared.bounds.queue_bytes:
                self._shared.note_slow(self)
                self.close("slow")
        elif self._waiting > _EARLY_FLUSH:
            self.flush()

    def flush(self) -> None:
        """Give the transport what is queued, in one piece."""
        if self._paused or not self._pending:
            return
        pending, self._pending = self._pending, []
        self._waiting = 0
        self._transport.write(pending[0] if len(pending) == 1 else b"".join(pending))

    def queued_bytes(self) -> int:
        """What the peer has not taken, as far as this process knows."""
        return self._waiting + self._transport.get_write_buffer_size()

    async def writable(self) -> None:
        """Wait until the transport asks for more, or is gone."""
        if self._paused and not self._closing:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()

    def pause_writing(self) -> None:
        """The transport has enough for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._paused = False
        self.flush()
        if not self._paused:
            self._wake_writers()

    def _wake_writers(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    # Coming in --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        now = self._shared.pacer.now()
        if self._parser is None and _is_lone_pong(data):
            if self._admits(now):
                self._guarded(self.pong_received, _unmask(data), now)
            return
        for start in range(0, len(data), _SLICE):
            parser = self._parser or self._make_parser()
            if parser.eof_sent:
                return
            parser.receive_data(data[start : start + _SLICE])
            for event in parser.events_received():
                if isinstance(event, Frame) and not self._closing:
                    self._guarded(self._frame_received, event, now)
            self._answer(parser)

    def _guarded(self, work: "Callable[[*_Arguments], None]", *arguments: *_Arguments) -> None:
        """Do something on behalf of the peer; a fault of ours ends this socket, aloud, and nothing else."""
        try:
            work(*arguments)
        except Exception:  # noqa: BLE001 - whatever it was, other sockets go on
            _log.exception("socket_failed", connection=self.id)
            self._shared.metrics.internal_errors += 1
            self.close_with(CloseCode.INTERNAL_ERROR, "internal error")

    def _make_parser(self) -> Parser:
        parser = _Parser(self._shared.bounds.message_bytes, self.words_of)
        if self._deflate is not None:
            parser.extensions = [self._deflate.reader()]
        self._parser = parser
        return parser

    def _admits(self, now: Micros) -> bool:
        """Count a frame; ends the socket where they come too fast."""
        second = now // SECOND
        if second != self._second:
            self._second, self._frames = second, 0
        self._frames += 1
        if self._frames <= self._shared.bounds.frames_per_second:
            return True
        self.close("too_many_requests")
        return False

    def _frame_received(self, frame: Frame, now: Micros) -> None:
        if not self._admits(now):
            return
        if frame.opcode is TEXT or frame.opcode is BINARY:
            self._binary = frame.opcode is BINARY
            if frame.fin:
                self._take(frame.data, now)
            else:
                self._message = bytearray(frame.data)
        elif frame.opcode is CONT and self._message is not None:
            self._message += frame.data
            if frame.fin:
                message, self._message = self._message, None
                self._take(message, now)
        elif frame.opcode is PONG:
            self.pong_received(bytes(frame.data), now)
        elif frame.opcode is PING:
            self.ping_received(now)

    def _take(self, message: bytes | bytearray | memoryview, now: Micros) -> None:
        try:
            text = str(message, "utf-8")
        except UnicodeDecodeError:
            if self._binary:
                self.close("not_text")
            else:
                assert self._parser is not None
                self._parser.fail(CloseCode.INVALID_DATA, "not UTF-8")
            return
        self.message_received(text, now)

    def _answer(self, parser: Parser) -> None:
        """Send what the parser has to say: Pongs, the echo of a Close, the Close of a failure."""
        writes = parser.data_to_send()
        if not writes:
            return
        ending = not writes[-1]
        if self._closing:  # our own Close is out; all that can follow is the end
            if ending:
                self._transport.close()
            return
        for data in writes:
            if data:
                self.push(data)
        if ending:
            self._leave(failed=parser.close_rcvd is None)
        else:
            self.flush()

    # Ending -----------------------------------------------------------------------------------------

    def close_with(self, code: int, reason: str, *, drop_queue: bool = False) -> None:
        """Send a Close, and wait a while for the peer's. The code 1006 stands for an end without one."""
        if self._closing:
            return
        if code == CloseCode.ABNORMAL_CLOSURE:
            self._closing = True
            self._transport.abort()
            return
        parser = self._parser or self._make_parser()
        if parser.state is not OPEN:
            return
        parser.send_close(code, reason)
        if drop_queue:
            self._pending.clear()
        self._pending += [data for data in parser.data_to_send() if data]
        self._end_output()

    def _leave(self, *, failed: bool) -> None:
        """Both Closes are out, or the connection failed: the server is to end TCP first. After a failure the
        peer may be sending still; ending with its bytes unread would reset the connection and swallow our
        Close."""
        self._end_output()
        if failed and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _end_output(self) -> None:
        self._closing = True
        for subscription in tuple(self.subscriptions):
            self._shared.cancel(subscription)
        self._message = None
        if self._pending:
            self._transport.write(b"".join(self._pending))
            self._pending.clear()
            self._waiting = 0
        self._wake_writers()
        pacer = self._shared.pacer
        pacer.wake_at(self, pacer.now() + self._shared.bounds.closing)

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def wake(self, now: Micros) -> None:
        """The pacer's call."""
        if self._closing:
            self.abort()
        else:
            self._guarded(self.woken, now)

    def eof_received(self) -> None:
        """The peer sends no more; the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._closing = True
        self._pending.clear()
        self._waiting = 0
        self._parser = self._message = None
        shared = self._shared
        shared.pacer.forget(self)
        for subscription in tuple(self.subscriptions):
            shared.cancel(subscription)
        self._wake_writers()
        shared.registry.unregister(self)


def _is_lone_pong(data: bytes) -> bool:
    """Whether these bytes are one whole Pong and nothing else. That is all that most sockets ever send: they
    need no parser, which would make up a quarter of their memory."""
    size = len(data) - _SHORTEST_FRAME
    return 0 <= size <= _LONGEST_CONTROL and data[0] == _PONG_FRAME and data[1] == 0x80 | size


def _unmask(frame: bytes) -> bytes:
    """The payload of a short frame, whose mask follows its first two bytes (RFC 6455 section 5.3)."""
    mask = frame[2:_SHORTEST_FRAME]
    return bytes(byte ^ mask[place & 3] for place, byte in enumerate(frame[_SHORTEST_FRAME:]))
