"""How upstreams are, for metrics and pages; and up to where they were journaled."""

from collections import deque
from typing import Final

import msgspec

from listenkey.base.clock import Micros, to_millis
from listenkey.core.keeper import StreamState

_LAGS: Final = 1024
_SENT_AT: Final = b'"E":'
_HEAD: Final = 160


class Mark(msgspec.Struct, frozen=True):
    """Up to where a journal is whole."""

    at: str = ""
    """A line of text."""
    holdings: bytes = b""
    """What the account held after one of its events, as the source writes that."""


class UpstreamFigures:
    """How one upstream is. `name` is the configuration's."""

    def __init__(self, name: str, account: str, stream: str) -> None:
        self.name = name
        self.account = account
        self.stream = stream
        self.state: StreamState = "connecting"
        self.state_since: Micros = 0
        self.reason = ""
        self.events = 0
        self.backfilled = 0
        self.gaps = 0
        self.last_event_at: Micros = 0
        """When the last event was journaled."""
        self._lags: deque[int] = deque(maxlen=_LAGS)

    def became(self, state: StreamState, reason: str, now: Micros) -> None:
        """Note how it is from now on."""
        if state != self.state or not self.state_since:
            self.state_since = now
        self.state, self.reason = state, reason

    def journaled(self, payload: bytes, now: Micros, *, backfilled: bool) -> None:
        """Note an event that is in the journal. Only live ones say how far behind the venue we are."""
        self.events += 1
        self.last_event_at = now
        if backfilled:
            self.backfilled += 1
            return
        sent_ms = sent_at_ms(payload)
        if sent_ms:
            self._lags.append(to_millis(now) - sent_ms)

    def lag_ms(self, quantile: float) -> int | None:
        """The time from the venue's stamp to the journal, by the two clocks, over the last thousand live
        events; None without any."""
        if not self._lags:
            return None
        lags = sorted(self._lags)
        return lags[min(int(len(lags) * quantile), len(lags) - 1)]


def sent_at_ms(payload: bytes) -> int:
    """The venue's stamp in an event's head, in ms; 0 where there is none."""
    at = payload.find(_SENT_AT, 0, _HEAD)
    digits = payload[at + len(_SENT_AT) : at + len(_SENT_AT) + 20].lstrip() if at >= 0 else b""
    length = 0
    while length < len(digits) and 48 <= digits[length] <= 57:
        length += 1
    return int(digits[:length]) if length == len("1732180000000") else 0
