"""The native stream's messages as schemas."""

from typing import Any, Final, get_args

from listenkey.core.position import GapReason
from listenkey.reference.shapes import Json, closed_object
from listenkey.wire.native import EndReason

_EPOCH: Final[Json] = {"type": "string"}
_OFFSET: Final[Json] = {"type": "integer", "format": "int64", "minimum": 0}
_TIME: Final[Json] = {"type": "integer", "format": "int64", "description": "Milliseconds since 1970 UTC."}


def _only(
    title: str, properties: dict[str, Json], meaning: str, optional: dict[str, Json] | None = None
) -> Json:
    schema = closed_object(properties)
    schema["properties"] = {**properties, **(optional or {})}
    return {"title": title, "description": meaning, **schema, "additionalProperties": False}


_NEXT: Final = _only("NextEvent", {"epoch": _EPOCH, "offset": _OFFSET}, "The next event.")
_NAMES: Final[Json] = {"type": "array", "items": {"type": "string"}}
_GAP: Final = _only(
    "Missing",
    {
        "epoch": _EPOCH,
        "from": _OFFSET,
        "to": {**_OFFSET, "type": ["integer", "null"]},
        "reason": {"type": "string", "enum": list(get_args(GapReason))},
    },
    "From here to there, or on where `to` is null; what comes is `next`, or `to` + 1.",
    {
        "next": _NEXT,
        "cause": {"type": "string", "description": "Of `upstream`: why, in a word."},
        "since": {**_TIME, "description": "Of `upstream`: the last moment at which nothing was missing."},
        "until": {**_TIME, "description": "Of `upstream`: the first at which nothing is again."},
        "symbols": {**_NAMES, "description": "Of `upstream`: what was fetched from history nevertheless."},
        "differs": {
            **_NAMES,
            "description": "Of `upstream`: of what the venue tells otherwise.",
        },
        "why": {"type": "string", "description": "Of `upstream`: why it could not be filled, for people."},
    },
)
_END: Final = _only("WhyEnded", {"reason": {"type": "string", "enum": list(get_args(EndReason))}}, "Why.")
_EVENT: Final[Json] = {"title": "Event", "type": "object", "description": "As it was published."}

MESSAGES: Final[dict[str, tuple[Json, Any]]] = {
    "event": (
        _only(
            "EventMessage",
            {"offset": _OFFSET, "epoch": _EPOCH, "time": _TIME, "event": _EVENT},
            "An event with its place in the journal.",
        ),
        {"offset": 18, "epoch": "k3f9", "time": 1_700_000_000_000, "event": {"e": "balanceUpdate"}},
    ),
    "position": (
        _only(
            "PositionMessage",
            {"position": _OFFSET, "epoch": _EPOCH, "time": _TIME},
            "You have all up to this offset.",
        ),
        {"position": 17, "epoch": "k3f9", "time": 1_700_000_000_000},
    ),
    "gap": (
        _only("GapMessage", {"gap": _GAP}, "Events that were asked for are not there."),
        {"gap": {"epoch": "k3f9", "from": 12, "to": 15, "reason": "retention"}},
    ),
    "end": (_only("EndMessage", {"end": _END}, "Nothing follows."), {"end": {"reason": "expired"}}),
}
"""Each kind of message with its schema and an example."""
