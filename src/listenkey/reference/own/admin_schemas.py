"""What the admin API takes and gives, as schemas with an example each."""

from typing import Any, Final, get_args

from listenkey.core.records import Scope
from listenkey.reference.own.native import MESSAGES
from listenkey.reference.shapes import SAMPLE_TIME, Json, closed_object

_TEXT: Final[Json] = {"type": "string"}
_TIME: Final[Json] = {"type": "integer", "format": "int64", "description": "Milliseconds since 1970 UTC."}
_COUNT: Final[Json] = {"type": "integer", "format": "int64", "minimum": 0}
_NAME: Final[Json] = {
    "type": "string", "pattern": r"^[a-z0-9._-]{1,64}$", "description": "Neither `.` nor `..`.",
}  # fmt: skip
_KEY: Final[Json] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}
_SCOPE: Final[Json] = {"type": "string", "enum": list(get_args(Scope))}
_PERMISSIONS: Final[Json] = {"type": "array", "items": {"type": "string", "enum": ["read", "trade"]}}
_ADDRESSES: Final[Json] = {
    "type": "array", "items": _TEXT, "description": "Addresses and networks (CIDR); empty for anywhere.",
}  # fmt: skip
_PEM: Final[Json] = {"type": ["string", "null"], "description": "An Ed25519 or RSA key, PEM."}
_SECRET: Final[Json] = {"type": ["string", "null"], "minLength": 1}
_OPTIONAL_KEY: Final[Json] = {**_KEY, "type": ["string", "null"]}


def _made(properties: dict[str, Json]) -> Json:
    return {**closed_object(properties), "additionalProperties": False}


def _wanted(required: dict[str, Json], optional: dict[str, Json] | None = None) -> Json:
    properties = {**required, **(optional or {})}
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


_SUBSCRIPTION: Final = _made(
    {
        "account": _TEXT,
        "stream": _TEXT,
        "offset": {"type": "integer", "format": "int64", "description": "The last one that was queued."},
        "confirmed": {
            "type": ["integer", "null"],
            "format": "int64",
            "description": "What the client surely has; null where nobody knows.",
        },
        "head": {"type": "integer", "format": "int64", "description": "The journal's last one."},
    }
)
_NATIVE: Final = {schema["title"]: (schema, sample) for schema, sample in MESSAGES.values()}


def _either(*names: str) -> Json:
    return {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}


SCHEMAS: Final[dict[str, tuple[Json, Any]]] = {
    "Nothing": ({"type": "object", "maxProperties": 0}, {}),
    "NewAccount": (_wanted({"name": _NAME}), {"name": "alice"}),
    "Account": (_made({"name": _NAME, "created_at": _TIME}), {"name": "alice", "created_at": SAMPLE_TIME}),
    "NewApiKey": (
        _wanted(
            {},
            {
                "permissions": {**_PERMISSIONS, "default": ["read"]},
                "ip_allow": _ADDRESSES,
                "key": _OPTIONAL_KEY,
                "secret": _SECRET,
                "public_key": _PEM,
            },
        ),
        {"permissions": ["read"], "ip_allow": ["192.0.2.0/24"]},
    ),
    "MadeApiKey": (
        _made({"id": _TEXT, "key": _KEY, "secret": _SECRET}),
        {"id": "k7f2", "key": "an-api-key", "secret": "its-secret"},
    ),
    "ApiKey": (
        _made(
            {
                "id": _TEXT,
                "account": _NAME,
                "key": {**_TEXT, "description": "Masked."},
                "permissions": _PERMISSIONS,
                "ip_allow": _ADDRESSES,
                "created_at": _TIME,
            }
        ),
        {
            "id": "k7f2", "account": "alice", "key": "an-a…-key", "permissions": ["read"],
            "ip_allow": ["192.0.2.0/24"], "created_at": SAMPLE_TIME,
        },
    ),
    "ListenKey": (
        _made(
            {
                "id": _TEXT,
                "account": _NAME,
                "key_space": _TEXT,
                "scope": {**_TEXT, "description": "The symbol of isolated margin; empty otherwise."},
                "api_key": {**_TEXT, "description": "Id of the API key that holds it."},
                "state": {"type": "string", "enum": ["active", "closed", "expired"]},
                "created_at": _TIME,
                "expires_at": _TIME,
            }
        ),
        {
            "id": "17", "account": "alice", "key_space": "binance-spot", "scope": "", "api_key": "k7f2",
            "state": "active", "created_at": SAMPLE_TIME, "expires_at": SAMPLE_TIME + 3_600_000,
        },
    ),
    "Connection": (
        _made(
            {
                "id": _TEXT,
                "address": _TEXT,
                "opened_at": _TIME,
                "subscriptions": {"type": "array", "items": _SUBSCRIPTION},
                "queued_bytes": _COUNT,
            }
        ),
        {
            "id": "c3", "address": "192.0.2.7", "opened_at": SAMPLE_TIME, "queued_bytes": 0,
            "subscriptions": [
                {"account": "alice", "stream": "binance-spot", "offset": 18, "confirmed": 17, "head": 18}
            ],
        },
    ),
    "NewToken": (_wanted({"scope": _SCOPE}), {"scope": "publish"}),
    "MadeToken": (
        _made({"id": _TEXT, "scope": _SCOPE, "token": _TEXT}),
        {"id": "t4d1", "scope": "publish", "token": "shown-this-once"},
    ),
    "Token": (
        _made({"id": _TEXT, "scope": _SCOPE, "created_at": _TIME}),
        {"id": "t4d1", "scope": "publish", "created_at": SAMPLE_TIME},
    ),
    "Ban": (
        _made(
            {
                "id": _TEXT, "dialect": _TEXT, "bucket": _TEXT, "since": _TIME, "until": _TIME,
                "strikes": _COUNT,
            }
        ),
        {
            "id": "b2", "dialect": "binance-spot", "bucket": "weight", "since": SAMPLE_TIME,
            "until": SAMPLE_TIME + 120_000, "strikes": 1,
        },
    ),
    "PublishLine": (
        _wanted(
            {"account": _TEXT, "stream": _TEXT, "event": {"type": "object"}},
            {"id": {"type": "string", "minLength": 1, "maxLength": 256}},
        ),
        {"account": "alice", "stream": "binance-spot", "event": {"e": "balanceUpdate"}, "id": "fill-4711"},
    ),
    "Journaled": (_made({"epoch": _TEXT, "offset": _COUNT}), {"epoch": "k3f9", "offset": 18}),
    "RefusedLine": (
        _made({"error": _made({"code": _TEXT, "message": _TEXT})}),
        {"error": {"code": "unknown_account", "message": "there is no account bob"}},
    ),
    "PublishedLine": (_either("Journaled", "RefusedLine"), {"epoch": "k3f9", "offset": 18}),
    **_NATIVE,
    "NativeMessage": (_either(*_NATIVE), MESSAGES["position"][1]),
    "NewBackup": (_wanted({"path": {**_TEXT, "pattern": "^/"}}), {"path": "/backups/monday.sqlite"}),
    "Backup": (_made({"path": _TEXT, "bytes": _COUNT}), {"path": "/backups/monday.sqlite", "bytes": 65536}),
    "Live": (_made({"status": {"type": "string", "const": "live"}}), {"status": "live"}),
    "Ready": (_made({"status": {"type": "string", "const": "ready"}}), {"status": "ready"}),
    "NotReady": (
        _made({"status": {"type": "string", "const": "not ready"}, "reason": _TEXT}),
        {"status": "not ready", "reason": "store_damaged"},
    ),
    "Error": (
        _made({"error": _made({"code": _TEXT, "message": _TEXT, "remedy": _TEXT})}),
        {"error": {"code": "unknown_account", "message": "there is no account bob", "remedy": "add one"}},
    ),
}  # fmt: skip
"""By name; what is taken has the names that begin with `New`."""

QUERY: Final[dict[str, Json]] = {
    "limit": {
        "name": "limit", "in": "query", "description": "Items of a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    },
    "cursor": {
        "name": "cursor", "in": "query", "description": "`next` of the page before.",
        "schema": {"type": "string", "pattern": "^([a-z0-9._-]{1,64})?$"},
    },
    "number": {
        "name": "cursor", "in": "query", "description": "`next` of the page before.",
        "schema": {"type": "string", "pattern": "^([0-9]{1,18})?$"},
    },
    "account": {"name": "account", "in": "query", "description": "Of this account only.", "schema": _NAME},
    "stream": {"name": "stream", "in": "query", "description": "Of this stream only.", "schema": _TEXT},
    "since": {
        "name": "since", "in": "query", "description": "Start after this position, EPOCH:OFFSET.",
        "schema": {"type": "string", "pattern": "^[0-9a-z]{1,32}:(0|[1-9][0-9]{0,17})$"},
    },
    "events": {
        "name": "limit", "in": "query", "description": "No more events than this.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    },
}  # fmt: skip
