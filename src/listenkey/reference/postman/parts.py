"""The parts that every request of a collection is put together from."""

from collections.abc import Sequence
from typing import Any

from listenkey.reference.postman.scripts import event

Query = list[dict[str, Any]]
"""Rows of `key`, `value` and `description`; those that are `disabled` are shown and not sent."""


def make_item(
    title: str, request: dict[str, Any], tests: list[str], examples: Sequence[dict[str, Any]], words: str
) -> dict[str, Any]:
    """A request with what is said about it, what is tested of its answer, and what answers look like."""
    described = {**request, "description": words}
    return {"name": title, "event": [event("test", tests)], "request": described, "response": [*examples]}


def make_request(method: str, path: str, header: str, query: Query) -> dict[str, Any]:
    """A request to `baseUrl`, with the API key where a header for it is named."""
    sent = "&".join(f"{row['key']}={row['value']}" for row in query if not row.get("disabled"))
    url = {
        "raw": f"{{{{baseUrl}}}}{path}" + (f"?{sent}" if sent else ""),
        "host": ["{{baseUrl}}"],
        "path": path.strip("/").split("/"),
    }
    headers = [{"key": header, "value": "{{apiKey}}"}] if header else []
    return {"method": method, "header": headers, "url": {**url, "query": query} if query else url}
