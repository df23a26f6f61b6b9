"""The native stream as an AsyncAPI 3.0 document, written from the server's side."""

from importlib.metadata import version
from typing import Final

from listenkey.reference.own.native import MESSAGES
from listenkey.reference.shapes import Json

PATH: Final = "/lk/v1/stream"
GATEWAY: Final = "127.0.0.1:8080"
"""Where a gateway listens unless told otherwise."""
_CHANNEL: Final = "nativeStream"
_QUERY: Final[dict[str, Json]] = {
    "stream": {
        "type": "string",
        "description": "Which; may be left out with a listen key that opens one stream alone.",
    },
    "since": {
        "type": "string",
        "pattern": "^[0-9a-z]{1,32}:(0|[1-9][0-9]{0,18})$",
        "description": "Start after this position, EPOCH:OFFSET; without it, live.",
    },
    "listenKey": {"type": "string", "description": "A listen key, for what cannot set headers."},
}


def document() -> Json:
    """The document, ready to be written as JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "listenkey's native stream",
            "version": version("listenkey"),
            "description": (
                "Events with offsets, for programs that must not miss any. Written from the server's side. "
                "The same messages come as server-sent events to a GET request that accepts "
                "`text/event-stream`; `Last-Event-ID` then counts before `since`."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {
                "host": "{address}",
                "protocol": "ws",
                "description": "A venue listener of a gateway.",
                "variables": {"address": {"default": GATEWAY, "description": "Host and port of a gateway."}},
                "security": [{"$ref": "#/components/securitySchemes/credential"}],
            }
        },
        "channels": {
            _CHANNEL: {
                "address": PATH,
                "description": "A position first, then events and further positions; the last is an end.",
                "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in MESSAGES},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "query": {"type": "object", "properties": _QUERY},
                        "bindingVersion": "0.1.0",
                    }
                },
            }
        },
        "operations": {
            "sendMessages": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{_CHANNEL}"},
                "messages": [{"$ref": f"#/channels/{_CHANNEL}/messages/{kind}"} for kind in MESSAGES],
            }
        },
        "components": {
            "messages": {
                kind: {
                    "name": kind,
                    "summary": schema["description"],
                    "payload": schema,
                    "examples": [{"name": "sample", "payload": sample}],
                }
                for kind, (schema, sample) in MESSAGES.items()
            },
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key with the permission `read`, or a listen key.",
                }
            },
        },
    }
