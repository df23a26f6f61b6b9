"""The timing and signature that a request carries, over REST or a WebSocket API. Whether the signature is
right is `wire.signature`'s."""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal

from listenkey.base.clock import MILLISECOND, Micros
from listenkey.dialect.model import Auth
from listenkey.wire.messages import Fault, Signed

SignaturePolicy = Literal["ignored", "if_sent", "required"]

_DIGITS: Final = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
_WINDOW: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?\Z", re.ASCII)
_MICROSECONDS_FROM: Final = 10**14
"""Timestamps from here on are microseconds: as milliseconds they would be in the year 5138."""


def read_signed(
    auth: Auth,
    parameters: Mapping[str, str],
    payloads: Callable[[], tuple[bytes, ...]],
    policy: SignaturePolicy,
    now: Micros,
) -> Signed | Fault | None:
    """The signature of a request, if it has one, with all that it may be a signature of. The timestamp is
    looked at first, then the window, then whether it is in time."""
    offered = parameters.get(auth.signature_parameter, "")
    sent_at = parameters.get(auth.timestamp_parameter, "")
    if policy == "if_sent" and not offered and not sent_at:
        return None
    if not sent_at:
        return Fault("timestamp_missing", {"parameter": auth.timestamp_parameter})
    if not offered and policy == "required":
        return Fault("signature_missing", {"parameter": auth.signature_parameter})
    window = _read_window(auth, parameters.get(auth.recv_window_parameter, ""))
    if isinstance(window, Fault):
        return window
    timestamp = _read_timestamp(auth, sent_at, window, now)
    if isinstance(timestamp, Fault):
        return timestamp
    return Signed(payloads(), offered, timestamp, window) if offered else None


def payload_by_name(auth: Auth, parameters: Mapping[str, str]) -> bytes:
    """All parameters but the signature, sorted by name and not percent-encoded."""
    pairs = sorted(pair for pair in parameters.items() if pair[0] != auth.signature_parameter)
    return "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "replace")


def _read_window(auth: Auth, text: str) -> Micros | Fault:
    """The receive window; empty and 0 stand for the default."""
    match = _WINDOW.match(text or "0")
    window = 0 if match is None else int(match[1]) * MILLISECOND + int((match[2] or "0").ljust(3, "0"))
    if match is None or window > auth.recv_window_max_ms * MILLISECOND:
        return Fault(
            "recv_window_wrong", {"parameter": auth.recv_window_parameter, "limit": auth.recv_window_max_ms}
        )
    return window or auth.recv_window_ms * MILLISECOND


def _read_timestamp(auth: Auth, text: str, window: Micros, now: Micros) -> Micros | Fault:
    fields: dict[str, object] = {"parameter": auth.timestamp_parameter}
    if not _DIGITS.match(text):
        return Fault("timestamp_malformed", fields)
    number = int(text)
    in_micros = auth.timestamp_unit == "ms_or_us" and number >= _MICROSECONDS_FROM
    timestamp = number if in_micros else number * MILLISECOND
    if timestamp >= now + auth.early_ms * MILLISECOND:
        return Fault("timestamp_early", fields)
    if now - timestamp > window:
        return Fault("timestamp_late", fields)
    return timestamp
