"""A socket whose first message says whose it is. Until then it is kept alive and nothing of it is lost."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from websockets.frames import BINARY, CONT, TEXT, CloseCode, Frame
from websockets.protocol import OPEN, SERVER
from websockets.protocol import Protocol as Parser

from listenkey.edge.handshake import Refusal
from listenkey.edge.passage.tunnel import leave
from listenkey.edge.passage.whose import Whose
from listenkey.wire.frames import ws_frame

_MOST_MESSAGE: Final = 131_072
"""Bytes of a first message: of a thousand names, a few times over. It is kept for whoever goes on, and its
sender has shown nothing yet."""
_MOST_PINGS: Final = 65_536
"""Bytes that a client may send without saying what it wants."""
_CLOSE: Final = 0x8
_quiet: Final = logging.getLogger("listenkey.websocket")
Successor = Callable[[Whose], asyncio.Protocol | Refusal]


class Undecided(asyncio.Protocol):
    """The client's end, welcomed, until somebody takes it over."""

    def __init__(
        self,
        transport: asyncio.Transport,
        decide: Callable[[str], Whose],
        take_over: Successor,
        *,
        over: Callable[["Undecided"], None],
        seconds: float,
    ) -> None:
        """`decide`: whose a first message makes it. `take_over`: who goes on, given all that was said.
        `over`: is told when the client left without a word. `seconds`: without a message by then it is the
        gateway's."""
        self._transport = transport
        self._decide = decide
        self._take_over = take_over
        self._when_over = over
        self._parser = Parser(SERVER, state=OPEN, max_size=_MOST_MESSAGE, logger=_quiet)
        self._raw = bytearray()
        self._message: bytearray | None = None
        self._over = False
        self._timer = asyncio.get_running_loop().call_later(seconds, self._hand_over, "gateway")

    def data_received(self, data: bytes) -> None:
        """Frames of the client's."""
        if self._over:
            return
        self._raw += data
        self._parser.receive_data(data)
        for event in self._parser.events_received():
            message = self._take(event) if isinstance(event, Frame) else None
            if message is not None:
                self._hand_over(self._whose(message))
                return
        self._answer()

    def _take(self, frame: Frame) -> bytes | None:
        """The message that is whole with this frame."""
        if frame.opcode is TEXT or frame.opcode is BINARY:
            self._message = bytearray(frame.data)
        elif frame.opcode is CONT and self._message is not None:
            self._message += frame.data
        else:
            return None
        return bytes(self._message) if frame.fin else None

    def _whose(self, message: bytes) -> Whose:
        try:
            return self._decide(message.decode())
        except UnicodeDecodeError:
            return "gateway"

    def _answer(self) -> None:
        """Pongs, and what ends a connection."""
        writes = self._parser.data_to_send()
        self._transport.write(b"".join(writes))
        if writes and not writes[-1]:
            self._over = True
            leave(self._transport)
        elif len(self._raw) > _MOST_MESSAGE + _MOST_PINGS:
            self._end(CloseCode.POLICY_VIOLATION, "nothing was asked for")

    def _hand_over(self, whose: Whose) -> None:
        self._timer.cancel()
        if self._transport.is_closing():
            return
        successor = self._take_over(whose)
        if isinstance(successor, Refusal):
            self._end(CloseCode.POLICY_VIOLATION, successor.message.decode("latin-1")[:100])
            return
        self._transport.set_protocol(successor)
        successor.data_received(bytes(self._raw))

    def _end(self, code: int, reason: str) -> None:
        self._over = True
        self._timer.cancel()
        self._transport.write(ws_frame(code.to_bytes(2, "big") + reason.encode(), _CLOSE))
        leave(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left without a word."""
        self._timer.cancel()
        self._when_over(self)

    def abort(self) -> None:
        """Cut the connection."""
        self._timer.cancel()
        self._transport.abort()
