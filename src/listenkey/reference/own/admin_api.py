"""The admin API as an OpenAPI 3.1 document."""

import json
import re
from importlib.metadata import version
from typing import Any, Final

from listenkey.reference.own.admin_calls import ANYWHERE, CALLS, STATUS, WITH_TOKEN, WRITING, AdminCall
from listenkey.reference.own.admin_schemas import QUERY, SCHEMAS
from listenkey.reference.shapes import Json

ADMIN: Final = "http://127.0.0.1:8081"
"""Where the admin listener is unless told otherwise."""
_LIST: Final = "list of "


def document() -> Json:
    """The document, ready to be written as JSON."""
    paths: dict[str, Json] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "listenkey's admin API",
            "description": "Accounts, keys, events and what runs. The `listenkey` commands are made of it.",
            "version": version("listenkey"),
        },
        "servers": [
            {
                "url": "{admin}",
                "description": "The admin listener.",
                "variables": {"admin": {"default": ADMIN, "description": "Scheme, host and port."}},
            }
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {name: {**schema, "examples": [sample]} for name, (schema, sample) in SCHEMAS.items()},
        },
    }


def _operation(call: AdminCall) -> Json:
    words = re.findall(r"[a-z0-9]+", re.sub(r"\{(\w+)\}", r"by-\1", call.path))
    operation: Json = {
        "operationId": call.method.lower() + "".join(word.capitalize() for word in words),
        "summary": call.does,
        "security": [{"token": []}] if call.scope else [],
        "parameters": _parameters(call),
        "responses": _responses(call),
    }
    if call.scope:
        operation["x-scope"] = call.scope
    if call.body:
        required = call.takes == "application/json"  # of lines there may be none
        operation["requestBody"] = {"required": required, "content": _content(call.takes, call.body)}
    return operation


def _parameters(call: AdminCall) -> list[Json]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", call.path)
    ]
    cursor = "number" if call.numbered else "cursor"
    listed = ("limit", cursor) if call.answer.startswith(_LIST) else ()
    return path + [QUERY[name] for name in (*call.query, *listed)]


def _responses(call: AdminCall) -> dict[str, Json]:
    answered: Json = {"description": call.does, "content": _content(call.media, call.answer)}
    found = {call.status: answered}
    if call.path == "/health/ready":
        found[503] = {"description": "It cannot.", "content": _content(call.media, "NotReady")}
    codes = (*ANYWHERE, *call.errors, *(WITH_TOKEN if call.scope else ()))
    codes += WRITING if call.method != "GET" else ()
    for code in codes:
        found.setdefault(
            STATUS[code], _error(sorted({each for each in codes if STATUS[each] == STATUS[code]}))
        )
    if 401 in found:
        found[401]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    return {str(status): found[status] for status in sorted(found)}


def _error(codes: list[str]) -> Json:
    narrowed = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    schema = {"$ref": "#/components/schemas/Error", **narrowed}
    told = ", ".join(f"`{code}`" for code in codes)
    return {"description": f"Refused: {told}.", "content": {"application/json": {"schema": schema}}}


def _content(media: str, name: str) -> Json:
    """Of text that is no JSON there is nothing to say; of JSON lines, what each is."""
    if not name:
        return {media: {"schema": {"type": "string"}}}
    reference = {"$ref": f"#/components/schemas/{name.removeprefix(_LIST)}"}
    sample = SCHEMAS[name.removeprefix(_LIST)][1]
    if name.startswith(_LIST):
        items = {"type": "array", "items": reference}
        page: Json = {
            "type": "object",
            "required": ["items", "next"],
            "properties": {"items": items, "next": {"type": ["string", "null"]}},
        }
        return {media: {"schema": page, "example": {"items": [sample], "next": None}}}
    if media == "application/x-ndjson":
        line: Any = json.dumps(sample, separators=(",", ":"))
        return {media: {"schema": {"type": "string"}, "example": f"{line}\n", "x-line-schema": reference}}
    return {media: {"schema": reference, "example": sample}}
