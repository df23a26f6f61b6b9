"""What each name of the dialects' closed vocabulary means to who meets it, and what to do about it."""

from typing import Final, NamedTuple

from listenkey.dialect.api import ApiFailureKind, ApiMethodKind
from listenkey.dialect.model import CloseKind, ControlErrorKind, FailureKind, FieldKind

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
    "time_unit_wrong": (
        "Times are asked for in a unit that there is none of.",
        "Ask for `MICROSECOND` or `MILLISECOND`, or for nothing.",
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
    "too_many_connections": (
        "Too many sockets are open, or too many were opened in a while.",
        "Keep a socket open instead of opening it again; connect with growing pauses.",
    ),
    "path_unknown": ("There is no such path.", "Check the address."),
    "method_unknown": ("The path exists, with other methods.", "Check the method."),
    "body_too_large": ("The request's body is larger than this call takes.", "Send only the parameters."),
    "request_malformed": ("The request cannot be read.", "Encode the parameters as a query or a form."),
    "internal": ("The fault is on the server's side.", "Try again in a moment, with growing pauses."),
    "venue_unreachable": (
        "The call was to be passed to the venue, which could not be reached; it was not sent.",
        "Try again in a moment, with growing pauses.",
    ),
    "venue_timeout": (
        "The call was passed to the venue, which did not answer in time; it may have been carried out.",
        "Ask the venue what became of it before you send it again.",
    ),
    "venue_garbled": (
        "The call was passed to the venue, whose answer broke off or is none; it may have been carried out.",
        "Ask the venue what became of it before you send it again.",
    ),
}

CLOSES: Final[dict[CloseKind, tuple[str, str]]] = {
    "bad_key": (
        "A key that the socket was opened with, or subscribed to, does not live.",
        "Create a listen key and connect with it.",
    ),
    "slow": (
        "More came than was taken, and the queue of this socket is full.",
        "Read faster, or move slow work off the reading loop. Connect again: what was not taken is sent.",
    ),
    "pong_timeout": ("The heartbeat went unanswered for too long.", "Answer it, and connect again."),
    "too_many_requests": (
        "The socket sent more messages a second than it may.",
        "Put several names into one request, and connect again.",
    ),
    "too_big": ("A message of the client's is too long.", "Send shorter messages."),
    "protocol": (
        "The client broke the WebSocket protocol.",
        "Use a library that keeps to RFC 6455, and look what stands between.",
    ),
    "shutdown": ("The server goes down.", "Connect again, with growing pauses."),
    "revoked": (
        "The API key or the account that the key belongs to was taken away.",
        "Ask for another API key; connecting again does not help.",
    ),
    "no_key": (
        "The socket was open for a while and named no listen key.",
        "Name the key in the address, or subscribe to it at once.",
    ),
    "not_text": ("A message in binary where text is wanted.", "Send text frames."),
    "aged": ("The socket is as old as one may get, where limits are as the venue's.", "Connect again."),
}

CONTROL_ERRORS: Final[dict[ControlErrorKind, str]] = {
    "not_json": "The message is no JSON.",
    "method_missing": "The request has no `method`.",
    "method_unknown": "There is no such `method`.",
    "id_wrong": "The `id` is neither a whole number, nor null, nor a text of up to 36 characters.",
    "too_many_parameters": "There are more `params` than the method takes.",
    "property_unknown": "There is no such property; `combined` is the only one.",
    "property_not_text": "The name of the property is no text.",
    "value_not_boolean": "The value of the property is neither true nor false.",
    "topic_unknown": "There is no such `dataType`.",
    "topic_limit": "The socket has as many subscriptions as it may.",
    "request_wrong": "A field lacks or has a value of another type.",
}

NOTICES: Final = {
    "expired": "its time is up",
    "closed": "it is closed",
    "revoked": "its API key is taken away",
}

ALSO_CALLED: Final = {
    "create": "start generate",
    "extend": "keepalive keep alive renew prolong",
    "close": "delete stop",
    "token": "start generate",
}
"""What else people look a call up as."""

ISSUES: Final = {
    "same_extended": "A create while a key lives gives the same key and extends it.",
    "new_coexists": "Each create gives a key of its own; those before it live on.",
    "new_replaces": "A create gives another key and ends the one before.",
    "new_evicts_oldest": "Each create gives a key of its own; when there are too many, the oldest ends.",
    "refuse_over": "Each create gives a key of its own, up to a number; then it is refused.",
}

SIGNATURES: Final = {
    "ignored": "The API key is enough. A signature that is sent is not looked at.",
    "if_sent": "The API key is enough. A signature that is sent has to be right.",
    "required": "The call has to be signed.",
}

PAYLOADS: Final = {
    "query_then_body": (
        "HMAC-SHA256, keyed with the API secret, in hexadecimal: of the query string as it is sent and the "
        "body as it is sent, one after the other with nothing between, without the signature itself."
    ),
    "as_sent_or_sorted": (
        "HMAC-SHA256, keyed with the API secret, in hexadecimal: of the parameters as they are sent, or "
        "sorted by name and not percent-encoded, without the signature itself."
    ),
}

FIELDS: Final[dict[FieldKind, str]] = {
    "text": "text",
    "integer": "whole number",
    "decimal": "decimal",
    "boolean": "true or false",
    "time_ms": "time, ms",
    "time_us": "time, µs",
    "object": "object",
    "list": "list",
    "any": "anything",
}

API_METHODS: Final[dict[ApiMethodKind, tuple[str, str]]] = {
    "ping": ("Ask whether the server answers", "Nothing else happens."),
    "time": ("Ask the time", "The server's clock, which timestamps are compared with."),
    "logon": ("Log on", "Requests on this connection need not name an API key from then on."),
    "status": ("Ask who is logged on", "And since when."),
    "logout": ("Log off", "Subscriptions that hung on it end."),
    "subscriptions": ("List subscriptions", "Those of this connection, by their numbers."),
    "create": ("Create a listen key", "As the REST call of that name."),
    "extend": ("Extend a listen key", "As the REST call of that name."),
    "close": ("Close a listen key", "As the REST call of that name."),
    "subscribe": ("Subscribe, logged on", "Events of the account that is logged on come from now on."),
    "subscribe_signature": (
        "Subscribe by signature",
        "Events of the account whose API key signed this come from now on; nobody has to be logged on.",
    ),
    "subscribe_token": (
        "Subscribe by listen token",
        "Events that the token stands for come from now on, until it expires.",
    ),
    "unsubscribe": ("End a subscription", "No event comes by it any more."),
}

API_FAILURES: Final[dict[ApiFailureKind, tuple[str, str]]] = {
    "not_json": ("The message is no JSON object.", "Send one request a message."),
    "method_missing": ("The request has no `method`.", "Name one."),
    "method_unknown": ("There is no such `method`.", "Check its spelling, dots and capitals included."),
    "parameter_missing": ("A parameter is missing or of another type.", "Send it."),
    "not_logged_on": ("The method is for who is logged on.", "Log on first."),
    "logon_key_kind": (
        "An API key of this kind may not log on.",
        "Use one of a kind that may, or a method that takes its own signature.",
    ),
    "subscription_active": ("That subscription is there already.", "Go on reading it, or end it first."),
    "subscription_inactive": ("There is no such subscription.", "List those that there are."),
    "subscription_ids_spent": (
        "The connection has given out all the numbers that it has.",
        "Connect again.",
    ),
    "too_many_subscriptions": (
        "The connection has as many subscriptions as it may.",
        "End one, or open another connection.",
    ),
    "listen_token_unknown": ("The token has expired or never was.", "Make another one."),
}


class Request(NamedTuple):
    """A message that a client may send on a socket."""

    name: str
    sample: str
    meaning: str


REQUESTS: Final[dict[str, tuple[Request, ...]]] = {
    "method": (
        Request(
            "SUBSCRIBE",
            '{"method":"SUBSCRIBE","params":["$listen_key"],"id":1}',
            "Begin to receive the events of one or more listen keys.",
        ),
        Request(
            "UNSUBSCRIBE",
            '{"method":"UNSUBSCRIBE","params":["$listen_key"],"id":2}',
            "Receive them no more; the key lives on.",
        ),
        Request(
            "LIST_SUBSCRIPTIONS", '{"method":"LIST_SUBSCRIPTIONS","id":3}', "Which names the socket has."
        ),
        Request(
            "SET_PROPERTY",
            '{"method":"SET_PROPERTY","params":["combined",true],"id":4}',
            "Whether events come wrapped, from now on.",
        ),
        Request(
            "GET_PROPERTY",
            '{"method":"GET_PROPERTY","params":["combined"],"id":5}',
            "Whether events come wrapped.",
        ),
    ),
    "topics": (
        Request(
            "sub",
            '{"id":"1","reqType":"sub","dataType":"$topic"}',
            "Begin to receive a topic; no event comes before.",
        ),
        Request("unsub", '{"id":"2","reqType":"unsub","dataType":"$topic"}', "Receive it no more."),
    ),
    "acks": (
        Request(
            "sub",
            '{"id":"1","reqType":"sub","dataType":"$topic"}',
            "Not needed: account events come by themselves. Acknowledged, and nothing hangs on it.",
        ),
    ),
    "none": (),
}
"""What can be asked on a socket, by the `control` of its path."""
