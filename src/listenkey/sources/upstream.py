"""The relay's source: a venue's stream, or a gateway's, read by our client and journaled here.

The journal itself says where to go on: the client is told up to when it is whole and what it ends with,
fetches what came later, and names what it could not get; that is journaled in its place. An event that the
venue repeats is journaled once, by the ids that the venue itself gives.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

import msgspec
import structlog

from listenkey.base.clock import SECOND, Micros, to_millis
from listenkey.base.errors import ListenKeyError, StoreError
from listenkey.client.items import Event, Gap, Item
from listenkey.client.stream import Stream
from listenkey.core.keeper import StreamState
from listenkey.core.position import Missing
from listenkey.core.repeats import NaturalIds
from listenkey.service.publish import Problem
from listenkey.service.source import SourceJournal
from listenkey.service.upstreams import Mark, UpstreamFigures, sent_at_ms
from listenkey.wire.frames import event_type

_LONGEST_ID: Final = 200
_MOST_AT_ONCE: Final = 512
_RETRY_SECONDS: Final = 1.0
_LONGEST_RETRY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0
"""A mark is kept so often while events come."""
_KEEP: Final[Micros] = SECOND // 2
"""What is held is asked for so often."""
_KEEP_QUIET: Final[Micros] = 5 * SECOND
"""A mark is kept so often while nothing comes, so that a quiet hour is no hole after a crash."""
_NEAR_MS: Final = 10_000
_KNOWN: Final = 500
"""Events that the client is given back at least."""
_SEARCHED: Final = 2_000
"""Events of the journal's end that are looked through for symbols."""
_MOST_READ_BACK: Final = 20_000
_SYMBOL: Final = re.compile(rb'"s":"([A-Z0-9_-]{1,40})"')
_log = structlog.get_logger(__name__)


Known = Sequence[tuple[str, bytes]]
"""Events by type and bytes."""


class Upstream(msgspec.Struct, frozen=True):
    """One stream to read, and whose it becomes. `open` is told up to where all is journaled (an empty mark at
    the first start), what the journal ends with, and the symbols that the account trades."""

    name: str
    account: str
    stream: str
    open: Callable[[Mark, Known, Sequence[str]], Stream]
    ids: NaturalIds
    has_positions: bool = False
    """Whether it is a gateway's, which says where it is by positions; a venue's says it by moments."""


class UpstreamReader:
    """Reads one upstream for as long as the process runs."""

    def __init__(self, upstream: Upstream, journal: SourceJournal, figures: UpstreamFigures) -> None:
        self._upstream = upstream
        self._journal = journal
        self._figures = figures
        self._mark = Mark()
        """Up to where everything is journaled, as far as this process knows."""
        self._kept = Mark()
        self._kept_at: Micros = 0
        self._held_at: Micros = 0
        self._busy = False
        """Whether items were taken that are not journaled yet."""
        self._was_open = False

    async def run(self) -> None:
        """Read until cancelled. A stream that the venue refuses for good is asked for again now and then: the
        operator may have mended what was wrong."""
        pause = _RETRY_SECONDS
        while True:
            self._was_open, self._busy, before = False, False, self._figures.events
            try:
                async with self._upstream.open(*self._beginning()) as stream:
                    await self._read(stream)
            except ListenKeyError as error:
                self._became("failed", str(error))
                _log.error("upstream_refused", upstream=self._upstream.name, error=str(error))
            except Exception as error:  # noqa: BLE001 - whatever it was, the stream is opened again
                self._became("failed", type(error).__name__)
                _log.exception("upstream_failed", upstream=self._upstream.name)
            if self._was_open and not self._mark.at:  # the next stream cannot know what is missing
                await self._write([self._missing(Gap("disconnected"))])
            if self._figures.events > before:
                pause = _RETRY_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)

    async def keep_mark(self) -> None:
        """Keep up to where everything is journaled. What cannot be kept now is kept later, and costs a longer
        recovery at most."""
        if self._mark.at and self._mark != self._kept:
            with contextlib.suppress(StoreError):
                mark = self._mark
                await self._journal.keep_mark(mark)
                self._kept, self._kept_at = mark, self._journal.now()

    # Reading ----------------------------------------------------------------------------------------

    async def _read(self, stream: Stream) -> None:
        keeping = asyncio.create_task(self._keep_marks(stream))
        try:
            while items := await _take_waiting(stream):
                if any(isinstance(item, Gap) for item in items):  # what was held before says nothing any more
                    self._mark = Mark(self._mark.at)
                mark, self._busy = self._mark_of(stream), True
                await self._take(items)
                self._mark, self._busy = mark, False
                if not self._kept.at:  # no event may be journaled before there is a first one
                    await self.keep_mark()
        finally:
            keeping.cancel()
            self._look(stream)

    def _look(self, stream: Stream) -> None:
        """Take the stream's word for how far it is, which moves on though nothing comes."""
        if not self._busy:
            self._mark = self._mark_of(stream)

    def _mark_of(self, stream: Stream) -> Mark:
        """How far it is once all is journaled that was taken. What is held is asked for now and then: earlier
        holdings will do as well, until there is a hole."""
        if stream.position is None:
            return self._mark
        now, holdings = self._journal.now(), b""
        if now - self._held_at >= _KEEP or not self._mark.holdings:
            holdings = stream.holdings
        if holdings:
            self._held_at = now
        return Mark(str(stream.position), holdings or self._mark.holdings)

    async def _keep_marks(self, stream: Stream) -> None:
        had = self._figures.events
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._look(stream)
            learnt = bool(self._mark.holdings) != bool(self._kept.holdings)
            is_old = self._journal.now() - self._kept_at >= _KEEP_QUIET
            if learnt or is_old or self._figures.events != had:
                had = self._figures.events
                await self.keep_mark()

    async def _take(self, items: Sequence[Item]) -> None:
        found: list[tuple[Event | Missing, str | None]] = []
        for item in items:
            if isinstance(item, Event):
                found.append((item, self._id_of(item)))
            elif isinstance(item, Gap):
                found.append(self._missing(item))
            else:
                self._was_open = self._was_open or item.state == "open"
                self._became(item.state, item.reason)
                _log.info("upstream", upstream=self._upstream.name, state=item.state, reason=item.reason)
        await self._write(found)

    def _became(self, state: StreamState, reason: str) -> None:
        self._figures.became(state, reason, self._journal.now())

    def _id_of(self, event: Event) -> str | None:
        if event.position is not None:
            return str(event.position)
        return _text_of(self._upstream.ids.of(event.type, event.raw))

    def _missing(self, gap: Gap) -> tuple[Missing, str | None]:
        """What is journaled of a gap, which is counted and logged here."""
        self._figures.gaps += 1
        missing = Missing(
            gap.cause or gap.reason, gap.since_ms, gap.until_ms, gap.symbols, gap.differs, gap.why
        )
        _log.warning("upstream_gap", upstream=self._upstream.name, **msgspec.structs.asdict(missing))
        return missing, None if gap.first is None else f"gap/{gap.first}"

    # Journaling -------------------------------------------------------------------------------------

    async def _write(self, found: Sequence[tuple[Event | Missing, str | None]]) -> None:
        """Journal events and gaps in one commit, again and again while the store has no room: what was had is
        not lost."""
        pause = _RETRY_SECONDS
        while found:
            rows = [(each.raw if isinstance(each, Event) else each, id_) for each, id_ in found]
            outcomes = await self._journal.publish(rows)
            now, left = self._journal.now(), []
            refused: list[tuple[Event | Missing, str | None]] = []
            for row, outcome in zip(found, outcomes, strict=True):
                code = outcome.code if isinstance(outcome, Problem) else ""
                if code == "store_full":
                    left.append(row)
                elif isinstance(row[0], Missing):
                    continue
                elif not code:
                    self._figures.journaled(row[0].raw, now, backfilled=row[0].source == "backfill")
                elif code != "id_conflict":  # that is one that is there but for the time of its sending
                    _log.warning("upstream_event_refused", upstream=self._upstream.name, code=code)
                    refused.append(self._missing(Gap("refused", why=code)))
            if left:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
            found = left + refused

    # Going on ---------------------------------------------------------------------------------------

    def _beginning(self) -> tuple[Mark, Known, Sequence[str]]:
        self._kept = self._journal.read_mark()
        mark = self._mark if self._mark.at else self._kept
        if mark.at.isdigit() == self._upstream.has_positions:  # of another kind of upstream, before this one
            mark = Mark()
        if self._upstream.has_positions:
            self._mark = mark
            return mark, (), ()
        self._mark = mark = mark if mark.at else Mark(self._last_moment())
        known, symbols = self._journal_end(int(mark.at or "0"))
        return mark, known[::-1], sorted(symbols)

    def _last_moment(self) -> str:
        """When the last event came, of a journal without a mark: somebody else filled it so far."""
        newest = next((each for each in self._journal.read_back() if not each.gap), None)
        return "" if newest is None else str(sent_at_ms(newest.payload) or to_millis(newest.time))

    def _journal_end(self, since_ms: int) -> tuple[list[tuple[str, bytes]], set[str]]:
        """The last events of the journal, the newest first, with all that came about then and later, and the
        symbols of these and some more."""
        known: list[tuple[str, bytes]] = []
        symbols: set[str] = set()
        for seen, event in enumerate(islice(self._journal.read_back(), _MOST_READ_BACK)):
            if event.gap:
                continue
            is_near = to_millis(event.time) >= since_ms - _NEAR_MS
            if is_near or len(known) < _KNOWN:
                known.append((event_type(event.payload), event.payload))
            elif seen >= _SEARCHED:
                break
            if found := _SYMBOL.search(event.payload):
                symbols.add(found[1].decode())
        return known, symbols


async def _take_waiting(stream: Stream) -> list[Item]:
    """The next item, and what else is there by then; nothing at the end."""
    first = await stream.next_item()
    if first is None:
        return []
    items = [first]
    while len(items) < _MOST_AT_ONCE and (item := stream.waiting_item()) is not None:
        items.append(item)
    return items


def _text_of(identity: tuple[object, ...] | None) -> str | None:
    if identity is None:
        return None
    text = "/".join(str(part) for part in identity)
    return text if len(text) <= _LONGEST_ID else hashlib.sha256(text.encode()).hexdigest()
