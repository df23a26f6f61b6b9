"""The relay's source: a venue's stream, read by our client and journaled here.

An event that the venue repeats after a reconnect is journaled once, by the ids that the venue itself gives.
What the venue sent while nobody was connected is not known; it is logged and counted.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, Protocol

import msgspec
import structlog

from listenkey.base.errors import ListenKeyError
from listenkey.client.items import Event, Gap, Item, State
from listenkey.client.stream import Stream
from listenkey.core.repeats import NaturalIds

_LONGEST_ID: Final = 200
_MOST_AT_ONCE: Final = 512
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


PublishAll = Callable[[str, str, Sequence[tuple[bytes, str | None]]], Awaitable[Sequence[object]]]
Health = Literal["connecting", "open", "reconnecting", "failed", "closed"]


class UpstreamReader:
    """Reads one upstream for as long as the process runs."""

    def __init__(self, upstream: Upstream, publish_all: PublishAll, counts: Counts) -> None:
        self._upstream = upstream
        self._publish_all = publish_all
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
                    while items := await _take_waiting(stream):
                        was_open = was_open or any(_is_open(item) for item in items)
                        await self._take(items)
                        if isinstance(items[-1], Event):
                            pause = _RETRY_SECONDS
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

    async def _take(self, items: Sequence[Item]) -> None:
        events: list[Event] = []
        for item in items:
            if isinstance(item, Event):
                events.append(item)
                continue
            await self._journal(events)
            events = []
            if isinstance(item, Gap):
                self._note_gap(item)
            else:
                self.state = item.state
                _log.info("upstream", upstream=self._upstream.name, state=item.state, reason=item.reason)
        await self._journal(events)

    def _note_gap(self, gap: Gap) -> None:
        self._counts.upstream_gaps += 1
        _log.warning(
            "upstream_gap",
            upstream=self._upstream.name,
            reason=gap.reason,
            since_ms=gap.since_ms,
            until_ms=gap.until_ms,
        )

    async def _journal(self, events: Sequence[Event]) -> None:
        """Journal events in one commit, again and again while the store has no room: what was had is not
        lost."""
        upstream, pause = self._upstream, _RETRY_SECONDS
        while events:
            rows = [(each.raw, _id_of(upstream.ids.of(each.type, each.raw))) for each in events]
            outcomes = await self._publish_all(upstream.account, upstream.stream, rows)
            again = [
                each
                for each, outcome in zip(events, outcomes, strict=True)
                if not self._is_settled(each, getattr(outcome, "code", ""))
            ]
            if again:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
            events = again

    def _is_settled(self, event: Event, code: str) -> bool:
        """Whether nothing more is to be done for an event: it was journaled, was there but for the time of
        its sending, or was refused for good."""
        if code == "store_full":
            return False
        if not code:
            self._counts.upstream_events += 1
        elif code != "id_conflict":
            _log.warning("upstream_event_refused", upstream=self._upstream.name, code=code, type=event.type)
            self._note_gap(Gap("refused"))
        return True


def _is_open(item: Item) -> bool:
    return isinstance(item, State) and item.state == "open"


async def _take_waiting(stream: Stream) -> list[Item]:
    """The next item, and what else is there by then; nothing at the end."""
    first = await stream.next_item()
    if first is None:
        return []
    items = [first]
    while len(items) < _MOST_AT_ONCE and (item := stream.waiting_item()) is not None:
        items.append(item)
    return items


def _id_of(identity: tuple[object, ...] | None) -> str | None:
    if identity is None:
        return None
    text = "/".join(str(part) for part in identity)
    return text if len(text) <= _LONGEST_ID else hashlib.sha256(text.encode()).hexdigest()
