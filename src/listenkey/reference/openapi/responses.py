"""Answers by status: schemas, examples, headers. Statuses are shared by failures, and by what is none."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from listenkey.dialect.model import FailureKind, Limit
from listenkey.reference.describe import SAMPLE_SYMBOL, Answer, Call, FailureRow, Product
from listenkey.reference.shapes import Json, example, shape
from listenkey.reference.websocket_api import token_call

NOT_OF_A_CALL: Final = frozenset[FailureKind](("method_unknown",))
"""Failures that no request can meet which keeps to a documented operation."""
_LISTEN_KEY: Final[Mapping[str, Json]] = {"listen_key": {"$ref": "#/components/schemas/ListenKey"}}


class Body(msgspec.Struct, frozen=True):
    """One thing that a status may mean."""

    name: str
    """Of its example."""
    status: int
    content_type: str
    when: str
    schema: Json
    sample: object
    failure: FailureRow | None = None


def error_schemas(product: Product) -> dict[str, Json]:
    """A schema for each failure that has a JSON body; failures with one body share it."""
    found: dict[str, Json] = {}
    for alike in _by_body(product).values():
        row = alike[0]
        if "json" in row.content_type:
            meanings = " ".join(dict.fromkeys(f"{each.meaning} {each.remedy}" for each in alike))
            found[_name(row.kind)] = {"description": meanings, **shape(row.body, _LISTEN_KEY)}
    return found


def _by_body(product: Product) -> dict[str, list[FailureRow]]:
    tokens = [token_call(product, row) for row in product.dialect.token_calls]
    found = (*product.calls, *tokens)
    rows = {
        row.kind: row
        for row in (*(row for call in found for row in call.failures), *product.when_signed)
        if row.kind not in NOT_OF_A_CALL
    }
    alike: dict[str, list[FailureRow]] = {}
    for row in rows.values():
        alike.setdefault(row.body, []).append(row)
    return alike


def _name(kind: FailureKind) -> str:
    return "".join(part.capitalize() for part in kind.split("_"))


def answer_body(product: Product, answer: Answer, name: str) -> Body:
    """An answer that is no failure."""
    schema: Json = {}
    sample: object = None
    if answer.body:
        schema = shape(answer.body, _LISTEN_KEY)
        sample = example(answer.body, {"listen_key": product.sample_key})
    return Body(name, answer.status, answer.content_type, answer.when, schema, sample)


def failure_bodies(product: Product, call: Call) -> list[Body]:
    """What a call may fail with."""
    schemas = {
        body: {"$ref": f"#/components/schemas/{_name(rows[0].kind)}"}
        for body, rows in _by_body(product).items()
    }
    return [
        _failure_body(product, call, row, schemas[row.body])
        for row in call.failures
        if row.kind not in NOT_OF_A_CALL
    ]


def signing_bodies(product: Product, call: Call) -> list[Body]:
    """What a call may fail with besides, where the gateway is told to demand signatures."""
    rows = tuple(
        replace(row, meaning=f"{row.meaning} Only where the gateway demands signatures.")
        for row in product.when_signed
    )
    return failure_bodies(product, replace(call, failures=rows))


def _failure_body(product: Product, call: Call, row: FailureRow, schema: Json) -> Body:
    if "json" not in row.content_type:
        return Body(row.kind, row.status, row.content_type, row.meaning, {"type": "string"}, row.body, row)
    limit = next((each for each in call.limits if each.interval_name), None)
    more: dict[str, object] = {
        "parameter": _in_question(product, call, row.kind),
        "legal": product.dialect.key_space.legal_pattern,
        "path": call.path,
        "method": call.method,
        "limit": limit.limit if limit is not None else 0,
        "interval": limit.interval_name if limit is not None else "",
    }
    return Body(row.kind, row.status, row.content_type, row.meaning, schema, example(row.body, more), row)


def _in_question(product: Product, call: Call, kind: FailureKind) -> str:
    """The parameter that a failure is about, as its text names it."""
    auth = product.dialect.auth
    of_all = {
        "signature": auth.signature_parameter,
        "timestamp": auth.timestamp_parameter,
        "recv": auth.recv_window_parameter,
    }
    subject = kind.partition("_")[0]
    own = {each.sample: each.name for each in reversed(call.parameters)}
    if subject == "symbol":
        return own.get(SAMPLE_SYMBOL, "")
    return of_all.get(subject) or next((each.name for each in call.parameters), "")


def responses(bodies: Iterable[Body], limits: Iterable[Limit]) -> dict[str, Json]:
    """The responses of an operation, in the order of their statuses."""
    by_status: dict[int, list[Body]] = {}
    for body in bodies:
        by_status.setdefault(body.status, []).append(body)
    limits = tuple(limits)
    return {str(status): _response(by_status[status], limits) for status in sorted(by_status)}


def _response(bodies: list[Body], limits: tuple[Limit, ...]) -> Json:
    meanings = list(dict.fromkeys(body.when for body in bodies))
    response: Json = {"description": meanings[0] if len(meanings) == 1 else "- " + "\n- ".join(meanings)}
    headers = _headers(bodies, limits)
    if headers:
        response["headers"] = headers
    content = {
        kind: _media([body for body in bodies if body.content_type == kind])
        for kind in dict.fromkeys(body.content_type for body in bodies)
        if kind
    }
    if content:
        response["content"] = content
    failures = [body.failure for body in bodies if body.failure is not None]
    if failures:
        response["x-failures"] = [
            {"kind": row.kind, "code": row.code, "meaning": row.meaning, "remedy": row.remedy}
            for row in failures
        ]
    return response


def _media(bodies: list[Body]) -> Json:
    schemas: list[Json] = []
    for body in bodies:
        if body.schema not in schemas:
            schemas.append(body.schema)
    return {
        "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas},
        "examples": {body.name: {"summary": body.when, "value": body.sample} for body in bodies},
    }


def _headers(bodies: list[Body], limits: tuple[Limit, ...]) -> dict[str, Json]:
    headers: dict[str, Json] = {}
    for limit in limits:
        headers |= {name: _header("Used of the limit in this window, in all.") for name in limit.used_headers}
        headers |= {name: _header("Left in this window.") for name in limit.remaining_headers}
        headers |= {
            name: _header("When the window ends, in milliseconds since 1970 UTC.")
            for name in limit.reset_headers
        }
    refused = {body.failure.kind for body in bodies if body.failure is not None} & {"rate_limited", "banned"}
    if refused and any(limit.retry_after for limit in limits):
        headers["Retry-After"] = _header("Whole seconds to the end of the window or of the ban.")
    return headers


def _header(meaning: str) -> Json:
    return {"description": meaning, "schema": {"type": "integer", "format": "int64", "minimum": 0}}
