"""Example answers, kept with a request as Postman shows them: success, and the main failures."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from listenkey.dialect.model import Era, FailureKind
from listenkey.dialect.template import fill_json
from listenkey.reference.describe import Answer, Call, Product

_MAIN: Final[tuple[FailureKind, ...]] = (
    "listen_key_unknown", "listen_key_missing", "symbol_missing", "api_key_missing", "api_key_unknown",
    "signature_wrong", "timestamp_late", "rate_limited",
)  # fmt: skip
_NOW: Final = 1_700_000_000_000
_HOUR: Final = 3_600_000
"""The moment of all examples, and how much later what they speak of ends; milliseconds."""


def answer_example(product: Product, request: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """What an answer that is no failure looks like."""
    values = {
        "listen_key": product.sample_key,
        "token": product.sample_key,
        "now_ms": _NOW,
        "expires_at_ms": _NOW + product.lifetime_s * 1000,
    }
    return _example(answer.when, request, answer.status, fill_json(answer.body, values), answer.content_type)


def failure_examples(
    product: Product, call: Call, request: dict[str, Any], kinds: Sequence[FailureKind] = _MAIN
) -> list[dict[str, Any]]:
    """What these failures look like, as far as the call can meet them."""
    return [
        _example(
            row.meaning,
            request,
            row.status,
            fill_json(row.body, _values(product, call, row.kind)),
            row.content_type,
        )
        for row in call.failures
        if row.kind in kinds
    ]


def removal_example(request: dict[str, Any], era: Era) -> dict[str, Any]:
    """What the venue itself answers since it removed the call."""
    return _example(f"The venue, since {era.since}", request, era.status, era.body, era.content_type)


def _values(product: Product, call: Call, kind: FailureKind) -> dict[str, object]:
    auth, bucket = product.dialect.auth, call.limits[0] if call.limits else None
    role = kind.partition("_")[0]
    named = {"signature": auth.signature_parameter, "timestamp": auth.timestamp_parameter, "symbol": "symbol"}
    return {
        "now_ms": _NOW,
        "until_ms": _NOW + _HOUR,
        "parameter": named.get(role, "listenKey"),
        "legal": product.dialect.key_space.legal_pattern,
        "limit": bucket.limit if bucket else 0,
        "interval": bucket.interval_name if bucket else "",
        "method": call.method,
        "path": call.path,
    }


def _example(
    title: str, request: dict[str, Any], status: int, body: str, content_type: str
) -> dict[str, Any]:
    return {
        "name": title,
        "originalRequest": request,
        "status": HTTPStatus(status).phrase,
        "code": status,
        "_postman_previewlanguage": {"{": "json", "<": "html"}.get(body[:1], "text"),
        "header": [{"key": "Content-Type", "value": content_type}] if content_type else [],
        "cookie": [],
        "body": body,
    }
