"""Every call of the admin API, as a table: what it is, what it may be refused with, what it answers."""

from typing import Final, Literal

import msgspec

Scope = Literal["", "admin", "publish", "read"]
Media = Literal["application/json", "application/x-ndjson", "text/plain; version=0.0.4; charset=utf-8"]

STATUS: Final[dict[str, int]] = {
    "bad_api_key": 400, "bad_body": 400, "bad_cursor": 400, "bad_ip_allow": 400, "bad_limit": 400,
    "bad_name": 400, "bad_path": 400, "bad_permission": 400, "bad_public_key": 400, "bad_secret": 400,
    "bad_since": 400, "unauthorized": 401, "bad_host": 403, "bad_origin": 403, "forbidden": 403,
    "not_found": 404, "unknown_account": 404, "unknown_api_key": 404, "unknown_ban": 404,
    "unknown_connection": 404, "unknown_listen_key": 404, "unknown_stream": 404, "unknown_token": 404,
    "body_too_slow": 408, "account_exists": 409, "api_key_exists": 409, "file_exists": 409, "too_large": 413,
    "internal": 500, "store": 503, "store_read_only": 503, "store_damaged": 503, "store_full": 507,
}  # fmt: skip
"""Codes of refusals with their statuses."""

ANYWHERE: Final = ("bad_host", "bad_origin", "internal")
WITH_TOKEN: Final = ("unauthorized", "forbidden", "store", "store_damaged")
WRITING: Final = ("store_read_only", "store_full")
_BODY: Final = ("bad_body", "too_large", "body_too_slow")
_LIST: Final = ("bad_limit", "bad_cursor")


class AdminCall(msgspec.Struct, frozen=True):
    """One call."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    """With `{names}` where it is open."""
    scope: Scope
    """What the token has to allow; none is wanted where empty."""
    does: str
    answer: str
    """Name of a schema; `list of NAME` where it comes in pages, empty for text that is no JSON."""
    errors: tuple[str, ...] = ()
    """Codes besides those that every call may meet."""
    body: str = ""
    query: tuple[str, ...] = ()
    status: int = 200
    media: Media = "application/json"
    """Of the answer."""
    takes: Media = "application/json"
    """Of the body."""
    numbered: bool = False
    """A list in the order of numbers, not of names or ids."""


CALLS: Final = (
    AdminCall(
        "POST", "/v1/accounts", "admin", "Make an account.", "Account",
        (*_BODY, "bad_name", "account_exists"), "NewAccount", status=201,
    ),
    AdminCall("GET", "/v1/accounts", "read", "Accounts, by name.", "list of Account", _LIST),
    AdminCall(
        "DELETE", "/v1/accounts/{name}", "admin",
        "Remove an account with its keys, sockets and journals.", "Nothing", ("unknown_account",),
    ),
    AdminCall(
        "POST", "/v1/accounts/{name}/api-keys", "admin", "Make an API key; it is shown this once.",
        "MadeApiKey",
        (
            *_BODY, "unknown_account", "api_key_exists", "bad_api_key", "bad_permission", "bad_ip_allow",
            "bad_public_key", "bad_secret",
        ),
        "NewApiKey", status=201,
    ),
    AdminCall(
        "GET", "/v1/api-keys", "read", "API keys, masked.", "list of ApiKey", (*_LIST, "unknown_account"),
        query=("account",),
    ),
    AdminCall(
        "DELETE", "/v1/api-keys/{id}", "admin",
        "Revoke an API key; the listen keys that it alone used are closed before the answer.", "Nothing",
        ("unknown_api_key",),
    ),
    AdminCall(
        "GET", "/v1/listen-keys", "read", "Listen keys, never the strings themselves.", "list of ListenKey",
        (*_LIST, "unknown_account", "unknown_stream"), query=("account", "stream"), numbered=True,
    ),
    AdminCall(
        "DELETE", "/v1/listen-keys/{id}", "admin", "Close a listen key as its bot would.", "Nothing",
        ("unknown_listen_key",),
    ),
    AdminCall(
        "GET", "/v1/connections", "read", "Open sockets, oldest first.", "list of Connection", _LIST,
        numbered=True,
    ),
    AdminCall(
        "DELETE", "/v1/connections/{id}", "admin", "Close a socket; its key lives on.", "Nothing",
        ("unknown_connection",),
    ),
    AdminCall(
        "POST", "/v1/tokens", "admin", "Make a token; it is shown this once.", "MadeToken", _BODY, "NewToken",
        status=201,
    ),
    AdminCall("GET", "/v1/tokens", "read", "Tokens, without their texts.", "list of Token", _LIST),
    AdminCall(
        "DELETE", "/v1/tokens/{id}", "admin", "Revoke a token.", "Nothing", ("unknown_token",)
    ),
    AdminCall("GET", "/v1/bans", "read", "Bans in force.", "list of Ban", _LIST),
    AdminCall("DELETE", "/v1/bans/{id}", "admin", "Lift a ban.", "Nothing", ("unknown_ban",)),
    AdminCall(
        "POST", "/v1/publish", "publish",
        "Journal events, one a line; the answer has a line for each, in order, sent when all are durable.",
        "PublishedLine", ("too_large",), "PublishLine", media="application/x-ndjson",
        takes="application/x-ndjson",
    ),
    AdminCall(
        "GET", "/v1/journal/{account}/{stream}", "read",
        "What is kept of a journal, as the native stream's messages, a line each; a position ends it.",
        "NativeMessage", ("unknown_account", "unknown_stream", "bad_since", "bad_limit"),
        query=("since", "events"), media="application/x-ndjson",
    ),
    AdminCall(
        "POST", "/v1/store/backup", "admin", "Write a consistent copy to a file of the gateway's machine.",
        "Backup", (*_BODY, "bad_path", "file_exists"), "NewBackup",
    ),
    AdminCall("GET", "/health/live", "", "Whether the process answers.", "Live"),
    AdminCall("GET", "/health/ready", "", "Whether the store can be read; 503 where not.", "Ready"),
    AdminCall(
        "GET", "/metrics", "", "Metrics for Prometheus.", "",
        media="text/plain; version=0.0.4; charset=utf-8",
    ),
)  # fmt: skip
