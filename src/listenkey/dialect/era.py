"""A dialect as its venue answers on a day: what an era took away by then is gone."""

from collections.abc import Iterator
from datetime import date

from msgspec.structs import replace

from listenkey.dialect.api import ApiMethod
from listenkey.dialect.model import Dialect, Era, Event, Operation, PublicCall, SocketPath


def is_day(text: str) -> bool:
    """Whether a text is a day that exists, written `YYYY-MM-DD`."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def call_removed_by(dialect: Dialect, call: Operation) -> Era | None:
    """The era that removes a call; None while the venue has it."""
    return next((era for era in dialect.eras if f"{call.method} {call.path}" in era.removes), None)


def path_removed_by(dialect: Dialect, path: SocketPath) -> Era | None:
    """The era since which a WebSocket path carries no user data; None while it does."""
    return next((era for era in dialect.eras if _takes(era, path)), None)


def method_removed_by(dialect: Dialect, method: ApiMethod) -> Era | None:
    """The era that removes a method from the dialect's WebSocket APIs; None while they have it."""
    return next((era for era in dialect.eras if method.name in era.removes), None)


def _takes(era: Era, path: SocketPath) -> bool:
    return path.path in era.removes and (not era.streams or path.stream in era.streams)


def on_day(dialect: Dialect, day: str) -> Dialect:
    """The dialect as it is on a day: calls that are removed by then answer as the venue does since, or are
    unknown paths, WebSocket paths that are removed open and stay quiet, and methods that are removed are
    unknown."""
    past = replace(dialect, eras=tuple(era for era in dialect.eras if era.since <= day))
    return replace(
        dialect,
        operations=tuple(each for each in dialect.operations if not call_removed_by(past, each)),
        public_calls=(*dialect.public_calls, *_gone(past)),
        events=tuple(_events(dialect, past)),
        past_events=(),
        apis=tuple(
            replace(api, methods=tuple(each for each in api.methods if not method_removed_by(past, each)))
            for api in dialect.apis
        ),
        sockets=tuple(
            _quiet(dialect, path) if path_removed_by(past, path) else path for path in dialect.sockets
        ),
    )


def _events(dialect: Dialect, past: Dialect) -> Iterator[Event]:
    """The events of that day: what is past since takes the place of what it became."""
    over = {era.name for era in past.eras}
    then = [event for event in dialect.past_events if event.until not in over]
    changed = {(event.type, stream) for event in then for stream in event.streams}
    yield from then
    for event in dialect.events:
        streams = tuple(stream for stream in event.streams if (event.type, stream) not in changed)
        if streams:
            yield event if streams == event.streams else replace(event, streams=streams)


def _quiet(dialect: Dialect, path: SocketPath) -> SocketPath:
    """Requests get their answers as far as these are those of all streams; else nothing."""
    answers = any(not row.stream for row in dialect.controls)
    return replace(path, stream="", control=path.control if answers else "none")


def _gone(past: Dialect) -> Iterator[PublicCall]:
    for call in past.operations:
        era = call_removed_by(past, call)
        if era is not None and era.status:
            yield PublicCall(
                method=call.method,
                path=call.path,
                status=era.status,
                body=era.body,
                content_type=era.content_type,
            )
