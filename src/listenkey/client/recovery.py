"""Between a stream's sockets and its buffer: `core.recovery` joined to real calls.

Events go straight through while nothing is missing. After a break they are held back until the venue's
history has told what was missed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from listenkey.base.clock import Micros
from listenkey.client.buffer import Buffer
from listenkey.client.calls import Calls, now_micros, steady_ms
from listenkey.client.credentials import Credentials
from listenkey.client.history import EventBooks, HistoryCalls, Unanswered
from listenkey.client.items import Event, Gap, Item, sent_at_ms
from listenkey.core.moment import Moment
from listenkey.core.recovery import Action, Ask, Give, Look, Miss, Recovery, Terms
from listenkey.dialect.model import Dialect
from listenkey.wire.client import CallResult
from listenkey.wire.history import totals_of

_NO_HISTORY: Final = "what this venue tells of the past is not known"
_NO_SECRET: Final = "without the API secret history cannot be asked for"  # noqa: S105 - a message
_SWITCHED_OFF: Final = "recovery is switched off"
_OVERLAP_MS: Final = 1000
"""What is given again of before a moment where nobody says what was had near it."""


class Recoverer:
    """What a stream's sockets give goes in here, and comes out whole or with a gap.

    `limit`: for how long live events are held back at most; 0 for no recovery. `spawn` runs a call beside
    everything else; `rest` is called when `wake_at` may have changed.
    """

    def __init__(
        self,
        stream: str,
        dialect: Dialect,
        credentials: Credentials,
        calls: Calls,
        buffer: Buffer,
        *,
        symbols: Sequence[str],
        since: Moment | None,
        known: Sequence[tuple[str, bytes]],
        holdings: bytes,
        limit: Micros,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        rest: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._calls = calls
        self._buffer = buffer
        self._credentials = credentials
        self._spawn = spawn
        self._asking: asyncio.Task[None] | None = None
        self._rest = rest
        histories = dialect.histories(stream)
        self._history = HistoryCalls(dialect, histories, credentials, calls)
        why_not = "" if histories else _NO_HISTORY
        why_not = why_not if credentials.has_secret else _NO_SECRET
        self._core = Recovery(
            EventBooks(histories),
            Terms(limit=limit),
            why_not=why_not if limit else _SWITCHED_OFF,
            symbols=symbols,
            known=known,
            holdings=holdings,
        )
        self._began_ms = 0
        """When it did, by our own clock: how far that is from the venue's may not be known yet."""
        self._proven_ms = 0
        """Up to when everything was had while nothing is missing, as far as anybody proved; by our own."""
        self._whole_ms = 0
        """The same of the end of the last break, and of a start in the middle, by the venue's."""
        self._last = b""
        """The last event that was streamed."""
        if since is not None:
            self._whole_ms, self._began_ms = since.at_ms, steady_ms()
            if not known:
                self._core.began(since.at_ms - _OVERLAP_MS)
            self._core.broke(since.at_ms, "disconnected")

    # The stream -------------------------------------------------------------------------------------

    def event(self, kind: str, raw: bytes) -> None:
        """A socket gave an event."""
        core = self._core
        if not core.is_live:
            self._do(core.hold(kind, raw, now_micros()))
        elif not (core.has_fetched and core.is_late(kind, raw, now_micros())):
            self._last = raw
            self._buffer.put(Event(kind, raw, stream=self._stream))
            core.note(kind, raw)

    def proven(self, local_ms: int) -> None:
        """All that was published before a moment of our clock has come."""
        self._proven_ms = max(self._proven_ms, local_ms)

    @property
    def holdings(self) -> bytes:
        """What is held after all that was put into the buffer; empty where nobody can tell."""
        return self._core.holdings()

    @property
    def moment(self) -> Moment | None:
        """Up to when everything was put into the buffer, or named missing; None before it began."""
        if not self._core.is_live:
            return Moment(self._core.since_ms)
        proven = self._calls.at_venue_ms(self._proven_ms) if self._proven_ms else 0
        at_ms = max(proven, self._whole_ms, sent_at_ms(self._last))
        return Moment(at_ms) if at_ms else None

    def put(self, item: Item) -> None:
        """Put an item among the events."""
        self._buffer.put(item, self.moment)

    # Breaks -----------------------------------------------------------------------------------------

    def broke(self, reason: str, local_ms: int | None = None) -> None:
        """Events are missing from a moment of our clock on, or since the last of which that is not so."""
        moment = self.moment
        if not self._began_ms or moment is None:
            return
        since = moment.at_ms if local_ms is None else min(moment.at_ms, self._calls.at_venue_ms(local_ms))
        self._core.broke(since, reason)
        self._rest()

    def opened(self) -> None:
        """Events come, or come again."""
        if not self._began_ms:
            self._began_ms = steady_ms()
            self.proven(self._began_ms)
        elif not self._whole_ms:  # nobody asked for what was before
            self._core.began(self._calls.at_venue_ms(self._began_ms))
        self._do(self._core.opened(self._calls.now_ms(), now_micros()))

    def wake_at(self) -> Micros | None:
        """When `wake` wants to be called, on the monotonic clock; None for never."""
        return self._core.wake_at()

    def wake(self) -> None:
        """The time has come."""
        self._do(self._core.wake(now_micros()))

    # Doing ------------------------------------------------------------------------------------------

    def _do(self, actions: Sequence[Action]) -> None:
        """Whoever has not taken all of what was fetched goes on from before the break."""
        from_before = max((at for at, each in enumerate(actions) if _is_recovered(each)), default=-1)
        for at, action in enumerate(actions):
            before = Moment(self._core.since_ms) if at <= from_before else None
            match action:
                case Give(kind, raw, source):
                    self._last = raw if source == "stream" else self._last
                    self._buffer.put(Event(kind, raw, source=source, stream=self._stream), before)
                case Miss():
                    self._buffer.put(self._gap(action), before)
                case Ask():
                    self._call(self._ask(action))
                case Look(number):
                    self._call(self._look(number))
        if from_before >= 0:
            self._whole_ms = self._core.until_ms
        self._rest()

    def _gap(self, miss: Miss) -> Gap:
        return Gap(
            miss.reason,
            since_ms=miss.since_ms,
            until_ms=miss.until_ms,
            symbols=miss.symbols,
            differs=miss.differs,
            why=self._credentials.masked(miss.why),
        )

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        """Ask the venue something, and no longer what was asked before: nobody waits for its answer."""
        if self._asking is not None and self._asking is not asyncio.current_task():
            self._asking.cancel()
        self._asking = self._spawn(work)

    async def _ask(self, ask: Ask) -> None:
        try:
            self._core.snapshot_asked(ask.number)
            answer = await self._history.since(ask, await self._history.snapshot(ask.symbols))
        except Unanswered as unanswered:
            await self._failed(ask.number, unanswered)
        else:
            self._do(self._core.answered(ask.number, answer, now_micros()))

    async def _look(self, number: int) -> None:
        try:
            at_ms = self._calls.at_venue_ms(steady_ms())
            rows = await self._history.snapshot(self._core.symbols)
            totals = {name: amount for part, of in rows for name, amount in totals_of(part, of).items()}
        except Unanswered as unanswered:
            await self._failed(number, unanswered)
        except ValueError as error:  # what is no amount
            await self._failed(number, Unanswered(CallResult("transient", reason=str(error))))
        else:
            self._do(self._core.looked(number, totals, at_ms))

    async def _failed(self, number: int, unanswered: Unanswered) -> None:
        fault = await self._calls.fault(unanswered.result)
        for_good = fault.kind == "refused"
        actions = self._core.failed(number, fault.reason, now_micros(), for_good=for_good, until=fault.until)
        self._do(actions)


def _is_recovered(action: Action) -> bool:
    return isinstance(action, Miss) or (isinstance(action, Give) and action.source == "backfill")
