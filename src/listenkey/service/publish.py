"""Publish: NDJSON lines in, one answer a line out, each durable before it is answered."""

import json
from collections import OrderedDict
from collections.abc import Collection, Sequence

import msgspec

from listenkey.base.errors import StoreError
from listenkey.core.position import Missing
from listenkey.core.records import StreamId
from listenkey.service.catalogue import Catalogue
from listenkey.service.clock import ServiceClock
from listenkey.service.metrics import Metrics
from listenkey.service.names import StreamNames
from listenkey.store.base import Appended, NotAppended, Store, Submission
from listenkey.wire.frames import event_type
from listenkey.wire.native import missing_json

_REMEMBERED = 100_000
_LONGEST_ID = 256
_FAILED = "store_full"
"""Whatever keeps the store from taking an event: publishers are to do the same, keep it and try again."""


class _Line(msgspec.Struct):
    account: str
    stream: str
    event: msgspec.Raw
    id: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """Why one line was not journaled."""

    code: str
    message: str


class Publisher:
    """Takes events from whoever knows them and puts them into their journals."""

    def __init__(
        self,
        store: Store,
        clock: ServiceClock,
        names: StreamNames,
        metrics: Metrics,
        *,
        notices: Collection[str],
        catalogue: Catalogue,
        max_event_bytes: int,
    ) -> None:
        """`notices`: event types that only the gateway itself may send."""
        self._store = store
        self._clock = clock
        self._names = names
        self._metrics = metrics
        self._notices = frozenset(notices)
        # A payload with none of these is no notice: its type may be written with escapes, else as it is.
        self._notice_marks = (b"\\", *(notice.encode() for notice in notices))
        self._catalogue = catalogue
        self._max_event_bytes = max_event_bytes
        self._decode = msgspec.json.Decoder(_Line).decode
        self._streams: OrderedDict[tuple[str, str], StreamId] = OrderedDict()

    def forget(self) -> None:
        """An account is gone: what is remembered of names may be wrong."""
        self._streams.clear()

    async def publish_lines(self, body: bytes) -> list[bytes]:
        """Journal the lines of an NDJSON body; one JSON answer for each that is not empty, in order."""
        parsed = [self._read(line) for line in body.split(b"\n") if line.strip()]
        return [_render(outcome) for outcome in await self._append(parsed)]

    async def publish(
        self, account: str, stream: str, payload: bytes, event_id: str | None = None
    ) -> Appended | Problem:
        """Journal one event of a source inside the process. What happened at a venue is journaled even where
        the catalogue knows less of it than the venue."""
        return (await self.publish_all(account, stream, [(payload, event_id)]))[0]

    async def publish_all(
        self, account: str, stream: str, found: Sequence[tuple[bytes | Missing, str | None]]
    ) -> list[Appended | Problem]:
        """The same for several events, or what is known of missing ones, and their ids, in their order and in
        one commit."""
        return await self._append(
            [
                self._gap(account, stream, what, event_id)
                if isinstance(what, Missing)
                else self._check(account, stream, what.strip(), event_id, refuses=False)
                for what, event_id in found
            ]
        )

    async def _append(self, parsed: list[Submission | Problem]) -> list[Appended | Problem]:
        submissions = [item for item in parsed if isinstance(item, Submission)]
        results: list[Appended | NotAppended]
        try:
            results = await self._store.append(submissions, self._clock.now()) if submissions else []
        except StoreError as error:
            results = [NotAppended(_FAILED, error.message)] * len(submissions)
        return self._merge(parsed, results)

    def _merge(
        self, parsed: list[Submission | Problem], results: list[Appended | NotAppended]
    ) -> list[Appended | Problem]:
        merged: list[Appended | Problem] = []
        remaining = iter(results)
        for item in parsed:
            outcome = next(remaining) if isinstance(item, Submission) else item
            if isinstance(outcome, Appended) and isinstance(item, Submission) and item.gap:
                merged.append(outcome)
            elif isinstance(outcome, Appended):
                self._metrics.events_repeated += outcome.repeated
                self._metrics.events_published += not outcome.repeated
                merged.append(outcome)
            else:
                self._metrics.events_refused += 1
                code = _FAILED if outcome.code.startswith("store") else outcome.code
                merged.append(Problem(code, outcome.message))
        return merged

    def _read(self, line: bytes) -> Submission | Problem:
        try:
            if not line.isascii():
                line.decode()
            parsed = self._decode(line)
        except UnicodeDecodeError:
            return Problem("bad_line", "the line is not UTF-8")
        except (msgspec.DecodeError, RecursionError) as error:
            return Problem("bad_line", f"not a line of account, stream and event: {error}")
        return self._check(parsed.account, parsed.stream, bytes(parsed.event), parsed.id)

    def _check(
        self, account: str, stream: str, payload: bytes, event_id: str | None, *, refuses: bool = True
    ) -> Submission | Problem:
        if not payload.startswith(b"{"):
            return Problem("bad_line", "the event is not a JSON object")
        if len(payload) > self._max_event_bytes:
            return Problem("too_large", f"the event has over {self._max_event_bytes} bytes")
        if event_id is not None and not 0 < len(event_id) <= _LONGEST_ID:
            return Problem("bad_line", f"an id has 1 to {_LONGEST_ID} characters")
        stream_id = self._streams.get((account, stream)) or self._find(account, stream)
        if isinstance(stream_id, Problem):
            return stream_id
        if _may_repeat_type(payload) and _repeats_type(payload):
            return Problem("bad_line", "the event has its type, e, more than once")
        if any(mark in payload for mark in self._notice_marks) and event_type(payload) in self._notices:
            return Problem("notice", "notices of a key's life are sent by the gateway alone")
        refusal = self._catalogue.refusal(stream, payload)
        if refuses and refusal is not None:
            return Problem("bad_line", refusal)
        return Submission(stream_id, payload, event_id)

    def _gap(self, account: str, stream: str, missing: Missing, event_id: str | None) -> Submission | Problem:
        found = self._streams.get((account, stream)) or self._find(account, stream)
        if isinstance(found, Problem):
            return found
        return Submission(found, missing_json(missing), event_id, gap=True)

    def _find(self, account: str, stream: str) -> StreamId | Problem:
        if not self._names.is_stream(stream):
            return Problem("unknown_stream", "there is no such stream")
        found = self._store.find_account(account)
        if found is None:
            return Problem("unknown_account", "there is no such account")
        stream_id = self._streams[account, stream] = StreamId(found.id, stream)
        if len(self._streams) > _REMEMBERED:
            self._streams.popitem(last=False)
        return stream_id


def _may_repeat_type(payload: bytes) -> bool:
    return payload.count(b'"e"') + payload.count(b"\\u0065") > 1


def _repeats_type(payload: bytes) -> bool:
    """Programs differ in which one they take, and so might take it for another event than we do."""
    pairs: list[tuple[str, object]]
    try:
        pairs = json.loads(payload, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return False
    return sum(name == "e" for name, _ in pairs) > 1


def _render(outcome: Appended | Problem) -> bytes:
    if isinstance(outcome, Appended):
        return b'{"epoch":"%b","offset":%d}' % (outcome.epoch.encode(), outcome.offset)
    return msgspec.json.encode({"error": {"code": outcome.code, "message": outcome.message}})
