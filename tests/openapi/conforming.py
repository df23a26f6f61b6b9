"""Whether an answer of a gateway is one that an OpenAPI document tells of: its product's, or the admin API's.

Every REST exchange of the tests with real sockets passes through here (`tests/edge/gate.py`).
"""

import json
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from listenkey.dialect.registry import load_dialects
from listenkey.reference import openapi
from listenkey.reference.describe import describe
from listenkey.reference.own import admin_api
from listenkey.wire.routes import OperationRoute, Route


class Told:
    """What a document tells."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = json.loads(json.dumps(document))
        self._patterns = {
            re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))): row
            for path, row in self.document["paths"].items()
        }
        self._validators: dict[str, Draft202012Validator] = {}

    def faults(self, method: str, path: str, response: httpx.Response) -> list[str]:
        """What the document does not tell of an answer."""
        rows = [row for pattern, row in self._patterns.items() if pattern.fullmatch(path)]
        operation = rows[0].get(method.lower()) if rows else None
        if operation is None:
            return []
        told = operation["responses"].get(str(response.status_code))
        if told is None:
            return [f"status {response.status_code} is not told of"]
        wrong = [
            f"{name}: {response.headers[name]} is no number"
            for name, header in told.get("headers", {}).items()
            if header["schema"]["type"] == "integer" and not response.headers.get(name, "0").isdigit()
        ]
        if response.content:
            kind = response.headers.get("content-type", "")
            media = told.get("content", {}).get(kind)
            if media is None:
                return [*wrong, f"a body of {kind!r} is not told of"]
            wrong += self._body(f"{method} {path} {response.status_code} {kind}", media, response)
        return wrong

    def _body(self, where: str, media: dict[str, Any], response: httpx.Response) -> list[str]:
        if not where.endswith("/json"):
            return []
        if where not in self._validators:
            schema = {**media["schema"], "components": self.document["components"]}
            self._validators[where] = Draft202012Validator(schema)
        return [error.message[:300] for error in self._validators[where].iter_errors(response.json())]


def faults(route: Route, response: httpx.Response) -> list[str]:
    """What is not told of; nothing for a path or a method that no document has."""
    method, path = response.request.method, route.path
    if isinstance(route, OperationRoute) and route.operation.alias:
        # Another spelling of a call is answered as the call itself; an older one may have its own success.
        rows = [each for each in route.dialect.operations if each.kind == route.operation.kind]
        call = next(each for each in rows if not each.alias)
        if response.is_success and route.operation.success_body != call.success_body:
            return []
        path = call.path
    told = _told(route.dialect.name)
    return [] if told is None else told.faults(method, path, response)


@cache
def _told(name: str) -> Told | None:
    """By the dialect as it comes: eras that a test sets are told of there."""
    dialect = load_dialects().get(name)
    return None if dialect is None else Told(openapi.document(describe(dialect)))


def admin_faults(response: httpx.Response) -> list[str]:
    """The same of the admin listener's answers; nothing for its pages."""
    return _admin().faults(response.request.method, response.request.url.path, response)


@cache
def _admin() -> Told:
    return Told(admin_api.document())
