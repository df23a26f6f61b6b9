"""What each failure of the closed vocabulary means to who meets it, and what to do about it."""

from typing import Final

from listenkey.dialect.model import FailureKind

FAILURES: Final[dict[FailureKind, tuple[str, str]]] = {
    "api_key_missing": ("No API key came in the header, or an empty one.", "Send the API key in its header."),
    "api_key_malformed": (
        "The API key has characters that no API key has.",
        "Copy it again, without quotes or blanks.",
    ),
    "api_key_unknown": ("Nobody has this API key, or it was revoked.", "Make another one."),
    "ip_not_allowed": (
        "The API key may not be used from this address.",
        "Add the address to the key's allow-list, or call from one that is on it.",
    ),
    "permission_denied": ("The API key lacks the permission to read.", "Give it that permission."),
    "parameter_empty": ("A parameter that the call needs is there and empty.", "Give it a value."),
    "parameter_illegal": (
        "A parameter has characters or a length that its values never have.",
        "Send the listen key or symbol exactly as it was given.",
    ),
    "symbol_missing": ("The call needs a symbol.", "Name the trading pair."),
    "symbol_unknown": ("There is no such trading pair.", "Check its spelling."),
    "listen_key_missing": ("The call names no listen key.", "Name the one that create gave."),
    "listen_key_unknown": (
        "The listen key has expired, was closed, or belongs to another API key.",
        "Create a new one, and connect with it.",
    ),
    "signature_missing": ("The call has to be signed and is not.", "Sign it."),
    "signature_wrong": (
        "The signature is not that of these parameters with this secret.",
        "Sign exactly the text that is sent, in its order, and send the signature last.",
    ),
    "timestamp_missing": ("A signed call lacks its timestamp.", "Send the time in milliseconds."),
    "timestamp_malformed": ("The timestamp is no number.", "Send whole milliseconds."),
    "timestamp_late": (
        "The request arrived later after its timestamp than its window allows.",
        "Set the clock by the venue's time call, or widen the window.",
    ),
    "timestamp_early": ("The timestamp lies ahead of the server's clock.", "Set the clock."),
    "recv_window_wrong": ("The window is no number or too wide.", "Send fewer milliseconds."),
    "rate_limited": (
        "A limit is used up for this window.",
        "Wait for the next window; going on brings a longer pause.",
    ),
    "endpoint_disabled": (
        "A limit was overrun, and the call is shut for a while.",
        "Wait until it opens again.",
    ),
    "error_breaker": (
        "Too many answers with the same error.",
        "Mend what causes them, and wait as long as the answer says.",
    ),
    "banned": ("Calls went on after refusals; all are refused now.", "Stop, and wait as long as it says."),
    "path_unknown": ("There is no such path.", "Check the address."),
    "method_unknown": ("The path exists, with other methods.", "Check the method."),
    "body_too_large": ("The request's body is larger than this call takes.", "Send only the parameters."),
    "request_malformed": ("The request cannot be read.", "Encode the parameters as a query or a form."),
    "internal": ("The fault is on the server's side.", "Try again in a moment, with growing pauses."),
}
