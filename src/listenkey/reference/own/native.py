"""The native stream's messages as schemas."""

from typing import Any, Final, get_args

from listenkey.core.position import GapReason
from listenkey.reference.shapes import Json, closed_object
from listenkey.wire.native import EndReason

_EPOCH: Final[Json] = {"type": "string"}
_OFFSET: Final[Json] = {"type": "integer", "format": "int64", "minimum": 0}
_TIME: Final[Json] = {"type": "integer", "format": "int64", "description": "Milliseconds since 1970 UTC."}


def _only(properties: dict[str, Json], meaning: str, optional: dict[str, Json] | None = None) -> Json:
    schema = closed_object(properties)
    schema["properties"] = {**properties, **(optional or {})}
    return {"description": meaning, **schema, "additionalProperties": False}


MESSAGES: Final[dict[str, tuple[Json, Any]]] = {
    "event": (
        _only(
            {"offset": _OFFSET, "epoch": _EPOCH, "time": _TIME, "event": {"type": "object"}},
            "An event as it was published, with its place in the journal.",
        ),
        {"offset": 18, "epoch": "k3f9", "time": 1_700_000_000_000, "event": {"e": "balanceUpdate"}},
    ),
    "position": (
        _only({"position": _OFFSET, "epoch": _EPOCH, "time": _TIME}, "You have all up to this offset."),
        {"position": 17, "epoch": "k3f9", "time": 1_700_000_000_000},
    ),
    "gap": (
        _only(
            {
                "gap": _only(
                    {
                        "epoch": _EPOCH,
                        "from": _OFFSET,
                        "to": {**_OFFSET, "type": ["integer", "null"]},
                        "reason": {"type": "string", "enum": list(get_args(GapReason))},
                    },
                    "From here to there, or on where `to` is null; what comes is `next`, or `to` + 1.",
                    {"next": _only({"epoch": _EPOCH, "offset": _OFFSET}, "The next event.")},
                )
            },
            "Events that were asked for are not there.",
        ),
        {"gap": {"epoch": "k3f9", "from": 12, "to": 15, "reason": "retention"}},
    ),
    "end": (
        _only(
            {"end": _only({"reason": {"type": "string", "enum": list(get_args(EndReason))}}, "Why.")},
            "Nothing follows.",
        ),
        {"end": {"reason": "expired"}},
    ),
}
"""Each kind of message with its schema and an example."""
