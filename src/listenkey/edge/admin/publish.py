"""`POST /v1/publish`: NDJSON in while it arrives, an answer a line out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from listenkey.base.errors import Refused
from listenkey.edge.admin.call import Answer, Call
from listenkey.service.gateway import Gateway

_LINE_ROOM: Final = 65_536
"""What a line may have besides its event."""
_NDJSON: Final = (b"content-type", b"application/x-ndjson")


async def publish(gateway: Gateway, call: Call, most: int, event_bytes: int) -> Answer:
    """Lines are journaled as they come; the answers follow in their order once the body is over.
    `most`: longest body. Errors: `too_large`; lines before that are journaled."""
    declared = call.headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    batches: list[asyncio.Task[list[bytes]]] = []
    try:
        async for lines in _whole_lines(call, most, event_bytes + _LINE_ROOM):
            task = asyncio.ensure_future(_answer(gateway, lines, event_bytes))
            batches.append(task)
    finally:
        answers = await asyncio.gather(*batches)
    body = b"".join(answer + b"\n" for batch in answers for answer in batch)
    return Answer(200, body, [_NDJSON])


async def _answer(gateway: Gateway, lines: bytes | None, event_bytes: int) -> list[bytes]:
    if lines is None:
        return [_line_too_large(event_bytes)]
    return await gateway.publisher.publish_lines(lines)


async def _whole_lines(call: Call, most: int, longest: int) -> AsyncIterator[bytes | None]:
    """Whole lines, as many as came in a piece; None for one that is longer than any good one could be."""
    kept, size, skipping, more = b"", 0, False, True
    while more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise _too_large(most)
        if skipping:
            _, newline, piece = piece.partition(b"\n")
            skipping = not newline
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            yield kept + head
            kept = tail
        else:
            kept += piece
        if len(kept) > longest:
            yield None
            kept, skipping = b"", True
    if kept.strip():
        yield kept


def _too_large(most: int) -> Refused:
    return Refused(f"the body has over {most} bytes", "publish in smaller pieces", code="too_large")


def _line_too_large(event_bytes: int) -> bytes:
    return msgspec.json.encode(
        {"error": {"code": "too_large", "message": f"the event has over {event_bytes} bytes"}}
    )
