"""The relay's source: a venue's stream, read by our client and journaled here.

An event that the venue repeats after a reconnect is journaled once, by the ids that the venue itself gives.
What the venue sent while nobody was connected is not known; it is logged and counted.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol

import msgspec
import structlog

from listenkey.base.errors import ListenKeyError
from listenkey.client.items import Event, Gap, State
from listenkey.client.stream import Stream
from listenkey.core.repeats import NaturalIds

_LONGEST_ID: Final = 200
_RETRY_SECONDS: Final = 1.0
_LONGEST_RETRY_SECONDS: Final = 60.0
_log = structlog.get_logger(__name__)


class Upstream(msgspec.Struct, frozen=True):
    """One stream to read, and whose it becomes."""

    name: str
    account: str
    stream: str
    open: Callable[[], Stream]
    ids: NaturalIds


class Counts(Protocol):
    """What is counted of all upstreams."""

    upstream_events: int
    upstream_gaps: int


class Refusal(Protocol):
    """Why an event was not journaled."""

    @property
    def code(self) -> str:
        """A code of the publish call."""
        ...


Publish = Callable[[str, str, bytes, str | None], Awaitable[object]]
Health = Literal["connecting", "open", "reconnecting", "failed", "closed"]


class UpstreamReader:
    """Reads one upstream for as long as the process runs."""

    def __init__(self, upstream: Upstream, publish: Publish, counts: Counts) -> None:
        self._upstream = upstream
        self._publish = publish
        self._counts = counts
        self.state: Health = "connecting"

    async def run(self) -> None:
        """Read until cancelled. A stream that the venue refuses for good is asked for again now and then: the
        operator may have mended what was wrong."""
        pause = _RETRY_SECONDS
        while True:
            was_open = False
            try:
                async with self._upstream.open() as stream:
                    async for item in stream:
                        if isinstance(item, Event):
                            pause = _RETRY_SECONDS
                        was_open = was_open or (isinstance(item, State) and item.state == "open")
                        await self._take(item)
            except ListenKeyError as error:
                self.state = "failed"
                _log.error("upstream_refused", upstream=self._upstream.name, error=str(error))
            except Exception:  # noqa: BLE001 - whatever it was, the stream is opened again
                self.state = "failed"
                _log.exception("upstream_failed", upstream=self._upstream.name)
            if was_open:  # the next stream knows nothing of what this one was still to give
                self._note_gap(Gap("disconnected"))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)

    async def _take(self, item: Event | Gap | State) -> None:
        if isinstance(item, Event):
            await self._journal(item)
        elif isinstance(item, Gap):
            self._note_gap(item)
        else:
            self.state = item.state
            _log.info("upstream", upstream=self._upstream.name, state=item.state, reason=item.reason)

    def _note_gap(self, gap: Gap) -> None:
        self._counts.upstream_gaps += 1
        _log.warning(
            "upstream_gap",
            upstream=self._upstream.name,
            reason=gap.reason,
            since_ms=gap.since_ms,
            until_ms=gap.until_ms,
        )

    async def _journal(self, event: Event) -> None:
        """Journal an event, again and again while the store has no room: what was had is not lost."""
        upstream, pause = self._upstream, _RETRY_SECONDS
        event_id = _id_of(upstream.ids.of(event.type, event.raw))
        while True:
            outcome = await self._publish(upstream.account, upstream.stream, event.raw, event_id)
            code = getattr(outcome, "code", "")
            if not code:
                self._counts.upstream_events += 1
                return
            if code == "id_conflict":  # had, but for the time of its sending
                return
            if code != "store_full":
                _log.warning("upstream_event_refused", upstream=upstream.name, code=code, type=event.type)
                self._note_gap(Gap("refused"))
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)


def _id_of(identity: tuple[object, ...] | None) -> str | None:
    if identity is None:
        return None
    text = "/".join(str(part) for part in identity)
    return text if len(text) <= _LONGEST_ID else hashlib.sha256(text.encode()).hexdigest()
