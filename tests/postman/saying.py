"""Short ways to explain things in tests."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from listenkey.dialect.registry import load_dialects
from listenkey.reference.foreign import Explanation, explain, read_collection, read_line
from tests.postman.venues import PRODUCTS

_ACME = PRODUCTS["acme"].dialect
# None of the built-in ones demands a signature.
DIALECTS = load_dialects() | {"acme": replace(_ACME, auth=replace(_ACME.auth, signature="required"))}
DAY = "2026-11-21"
KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"  # 64 characters, made up
V21 = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def line(text: str, day: str = DAY) -> Explanation:
    """The one request of a line, explained."""
    (explained,) = explain(read_line(text), DIALECTS, day)
    return explained


def kinds(explained: Explanation, severity: str = "") -> list[str]:
    """What is found, of one severity or of all."""
    return [each.kind for each in explained.findings if severity in ("", each.severity)]


def collection(*items: Any, schema: str = V21, **more: Any) -> bytes:
    """A collection of these items as a file."""
    return json.dumps({"info": {"name": "mine", "schema": schema}, "item": [*items], **more}).encode()


def item(request: Any, name: str = "one", **more: Any) -> dict[str, Any]:
    """An item of a collection."""
    return {"name": name, "request": request, **more}


def imported(content: bytes, day: str = DAY) -> list[Explanation]:
    """The requests of a file, explained."""
    return explain(read_collection(content).requests, DIALECTS, day)
