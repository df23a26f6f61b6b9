"""Events as structures. What reads them is made once a process, when a kind is first asked for."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from listenkey.base.errors import ListenKeyError
from listenkey.dialect.registry import load_dialects
from listenkey.dialect.typed import Typed

_T = TypeVar("_T")


class UnfitEvent(ListenKeyError):
    """An event is not as the catalogue, or the type that was asked for, says. Its bytes are as they came."""

    code = "event_unfit"


def typed(stream: str, kind: str, raw: bytes) -> msgspec.Struct | None:
    """An event as the structure that the catalogue has for it; None for a kind that it does not know. Errors:
    `UnfitEvent`."""
    read = _typed_reader(stream, kind)
    if read is None:
        return None
    try:
        return read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unfit(kind, error) from error


def read_into(wanted: type[_T], kind: str, raw: bytes) -> _T:
    """An event as a type of the caller's. Errors: `UnfitEvent`."""
    try:
        result: _T = _reader_into(wanted).decode(raw)  # type: ignore[arg-type] # a type has a hash
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unfit(kind, error) from error
    return result


@cache
def _typed_reader(stream: str, kind: str) -> Callable[[bytes], msgspec.Struct] | None:
    base = stream.partition(":")[0]
    for dialect in load_dialects().values():
        for event in dialect.events:
            if event.type == kind and base in event.streams:
                return Typed(event).read
    return None


@cache
def _reader_into(wanted: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(wanted)


def _unfit(kind: str, error: Exception) -> UnfitEvent:
    return UnfitEvent(f"{kind} is not as expected: {error}", "read its `data`, or its `raw` bytes")
