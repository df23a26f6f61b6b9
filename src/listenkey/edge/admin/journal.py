"""`GET /v1/journal/{account}/{stream}`: what is kept, as NDJSON of the native stream's messages."""

from collections.abc import Iterator
from typing import Final

from listenkey.base.errors import Refused
from listenkey.core.position import Gap, JournalView, Position, Resumption, parse_position, resume
from listenkey.core.records import StreamId
from listenkey.edge.admin.call import Call
from listenkey.service.gateway import Gateway
from listenkey.wire import native

_BATCH: Final = 512
_BATCH_BYTES: Final = 1_048_576
_NDJSON: Final = [(b"content-type", b"application/x-ndjson")]


async def read_journal(gateway: Gateway, call: Call) -> None:
    """Write the messages, a batch at a time, as the reader takes them. `limit` counts events; a position ends
    it. Errors, before anything is written: `unknown_account`, `unknown_stream`, `bad_since`, `bad_limit`."""
    account, stream = call.parts
    found = gateway.store.find_account(account)
    if found is None:
        raise Refused(
            f"there is no account {account}", "listenkey account list shows them", code="unknown_account"
        )
    if not gateway.names.is_stream(stream):
        raise Refused(
            f"there is no stream {stream}", "listenkey dialect list shows them", code="unknown_stream"
        )
    stream_id = StreamId(found.id, stream)
    limit = _limit(call)
    current = gateway.store.read_journal(stream_id)
    assert current is not None
    part = _start(gateway, stream_id, current, call.query.get("since"))
    await call.send({"type": "http.response.start", "status": 200, "headers": _NDJSON})
    for body in _batches(gateway, stream_id, current, part, limit):
        await call.send({"type": "http.response.body", "body": body, "more_body": True})
    await call.send({"type": "http.response.body", "body": b""})


def _limit(call: Call) -> int | None:
    text = call.query.get("limit")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused("limit is not a number", "leave it out, or send a number", code="bad_limit")
    return int(text)


def _start(gateway: Gateway, stream: StreamId, current: JournalView, text: str | None) -> Resumption:
    if text is None:
        return Resumption(current.epoch, current.oldest - 1)
    since = parse_position(text)
    if since is None:
        raise Refused("since is not EPOCH:OFFSET", "use a position that this journal gave", code="bad_since")
    older = gateway.store.read_journal(stream, since.epoch) if since.epoch != current.epoch else None
    return resume(since, current, older)


def _batches(
    gateway: Gateway, stream: StreamId, current: JournalView, first: Resumption, limit: int | None
) -> Iterator[bytes]:
    """Up to the head as it was at the start: who publishes meanwhile does not make the answer endless."""
    part: Resumption | None = first
    left = limit
    reached = Position(first.epoch, first.after)
    while part is not None:
        yield b"".join(native.gap_json(gap) + b"\n" for gap in part.gaps)
        reached = Position(part.epoch, part.after)
        while left is None or left > 0:
            events = gateway.store.read_events(
                stream, part.epoch, reached.offset, min(_BATCH, left or _BATCH), _BATCH_BYTES
            )
            if part.epoch == current.epoch:
                events = [event for event in events if event.offset <= current.head]
            if not events:
                break
            if events[0].offset > reached.offset + 1:  # forgotten since the answer began
                gap = Gap(part.epoch, reached.offset + 1, events[0].offset - 1, "retention")
                yield native.gap_json(gap) + b"\n"
            yield b"".join(native.event_line(part.epoch, event) for event in events)
            reached = Position(part.epoch, events[-1].offset)
            left = None if left is None else left - sum(not event.gap for event in events)
        part = None if left == 0 else part.then
    yield native.position_json(reached, gateway.clock.now()) + b"\n"
