"""What can be wrong with a request, and how bad it is."""

from typing import Literal

import msgspec

FindingKind = Literal[
    "api_key_missing",
    "api_key_empty",
    "api_key_malformed",
    "api_key_misplaced",  # in another venue's header, or in a parameter
    "secret_exposed",
    "method_wrong",
    "host_wrong",
    "scheme_wrong",
    "unencrypted",
    "unverified",
    "listen_key_missing",
    "listen_key_empty",
    "listen_key_malformed",
    "listen_key_ignored",
    "listen_key_misplaced",
    "symbol_missing",
    "symbol_empty",
    "symbol_malformed",
    "parameter_unknown",
    "parameter_repeated",
    "body_not_read",
    "unsigned",
    "signature_incomplete",
    "signature_malformed",
    "signature_ignored",
    "timestamp_unit",
    "timestamp_malformed",
    "timestamp_old",
    "window_malformed",
    "path_deprecated",
    "path_unnormal",
    "variable_unresolved",
    "subscription_needed",
    "remark",
]


class Finding(msgspec.Struct, frozen=True):
    """One thing to say about a request."""

    kind: FindingKind
    severity: Literal["error", "warning", "note"]
    """`error`: it is refused, or does not do what was meant. `warning`: it works and should be changed.
    `note`: good to know."""
    what: str
    remedy: str = ""


def error(kind: FindingKind, what: str, remedy: str = "") -> Finding:
    """Something that keeps the request from working."""
    return Finding(kind, "error", what, remedy)


def warning(kind: FindingKind, what: str, remedy: str = "") -> Finding:
    """Something that works and should be changed."""
    return Finding(kind, "warning", what, remedy)


def note(kind: FindingKind, what: str, remedy: str = "") -> Finding:
    """Something that is good to know."""
    return Finding(kind, "note", what, remedy)
