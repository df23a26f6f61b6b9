"""permessage-deflate (RFC 7692) as a server agrees to it.

What goes out is compressed message by message, with a small window: so the same bytes are good for every
socket that agreed, whatever it offered. A client may keep its context from message to message; where it lets
itself be asked, its window is as small, since the gateway has to remember as much for each such socket.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec
from websockets.exceptions import InvalidHeaderFormat
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.headers import parse_extension

from listenkey.wire.frames import DEFLATE_WINDOW_BITS

_NAME: Final = "permessage-deflate"
_WINDOWS: Final = {str(bits): bits for bits in range(8, 16)}
_LARGEST_WINDOW: Final = 15
_SMALLEST_TO_READ: Final = 9  # who promises 8 may use 9: zlib cannot do less


class Agreed(msgspec.Struct, frozen=True):
    """What was agreed to, and the header that says so."""

    header: bytes
    forgets: bool
    """The client begins each message anew."""
    window_bits: int
    """How far back a client's message reaches."""

    def reader(self) -> PerMessageDeflate:
        """What takes a client's messages apart. It bounds what they swell to."""
        return PerMessageDeflate(
            remote_no_context_takeover=self.forgets,
            local_no_context_takeover=True,
            remote_max_window_bits=self.window_bits,
            local_max_window_bits=DEFLATE_WINDOW_BITS,
        )


@lru_cache(maxsize=64)
def agree(offered: bytes) -> Agreed | None:
    """The first offer of a `Sec-WebSocket-Extensions` header that can be met, if there is one. Most clients
    offer what a thousand others do."""
    if not offered:
        return None
    try:
        offers = parse_extension(offered.decode("latin-1"))
    except InvalidHeaderFormat:
        return None
    for name, parameters in offers:
        agreed = _accept(parameters) if name == _NAME else None
        if agreed is not None:
            return agreed
    return None


def _accept(parameters: Iterable[tuple[str, str | None]]) -> Agreed | None:
    asked: dict[str, str | None] = {}
    for name, value in parameters:
        if name in asked or not _is_known(name, value):
            return None
        asked[name] = value
    answer = [_NAME, *(name for name in asked if name.endswith("_no_context_takeover"))]
    if "server_max_window_bits" in asked:
        answer.append(f"server_max_window_bits={DEFLATE_WINDOW_BITS}")
    window = _LARGEST_WINDOW
    if "client_max_window_bits" in asked:
        window = min(DEFLATE_WINDOW_BITS, _WINDOWS[asked["client_max_window_bits"] or str(window)])
        answer.append(f"client_max_window_bits={window}")
    header = "; ".join(answer).encode()
    return Agreed(header, "client_no_context_takeover" in asked, max(window, _SMALLEST_TO_READ))


def _is_known(name: str, value: str | None) -> bool:
    """Whether a parameter can be met. A window of the server's that is smaller than the one used cannot."""
    match name:
        case "server_no_context_takeover" | "client_no_context_takeover":
            return value is None
        case "server_max_window_bits":
            return value in _WINDOWS and _WINDOWS[value] >= DEFLATE_WINDOW_BITS
        case "client_max_window_bits":
            return value is None or value in _WINDOWS
        case _:
            return False
