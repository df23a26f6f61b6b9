"""Paths with their operations: the calls of a key's life, and the public ones around them."""

import json
from typing import Final

from listenkey.dialect.api import TokenCall
from listenkey.dialect.model import FailureKind, Limit, PublicCall
from listenkey.reference.describe import Answer, Call, Parameter, Product
from listenkey.reference.openapi.responses import Body, answer_body, failure_bodies, responses, signing_bodies
from listenkey.reference.shapes import Json
from listenkey.reference.websocket_api import token_call

CALLS: Final = "listen key"
PUBLIC: Final = "public"
_OF_A_PUBLIC_CALL: Final = frozenset[FailureKind](
    (
        "rate_limited", "endpoint_disabled", "error_breaker", "banned", "body_too_large", "request_malformed",
        "internal", "time_unit_wrong",
    )
)  # fmt: skip
_FORM: Final = "application/x-www-form-urlencoded"
_TIME_UNITS: Final = ("MICROSECOND", "MILLISECOND")


def paths(product: Product) -> dict[str, Json]:
    """Every path, in the order in which the product names them."""
    found: dict[str, Json] = {}
    for call in product.calls:
        found.setdefault(call.path, {})[call.method.lower()] = _operation(product, call)
    for row in product.dialect.token_calls:
        found.setdefault(row.path, {})[row.method.lower()] = _token(product, row)
    for public in product.dialect.public_calls:
        found.setdefault(public.path, {})[public.method.lower()] = _public(product, public)
    return found


def _operation(product: Product, call: Call) -> Json:
    operation: Json = {
        "operationId": f"{call.kind}ListenKey",
        "tags": [CALLS],
        "summary": call.title,
        "description": _description(product, call),
        "deprecated": call.era is not None,
        "security": [{"apiKey": []}],
        "parameters": [_parameter(product, each) for each in call.parameters],
        "responses": _responses(product, call),
        "x-permission": call.permission,
        "x-signature": call.signature,
        "x-weight": call.weight,
        "x-limits": [_limit(each) for each in call.limits],
    }
    if call.parameters:
        operation["requestBody"] = _form(product, call)
    if call.era is not None:
        operation["x-era"] = {
            "removed": call.era.since,
            "status": call.era.status,
            "replacedBy": call.era.replaced_by,
            "documentation": call.era.documentation,
        }
    return operation


def _description(product: Product, call: Call) -> str:
    parts = [call.answers[0].when]
    if call.kind != "close":
        parts.append(f"A key lives {product.lifetime_s // 60} minutes from its creation or last extension.")
    if call.signature == "if_sent":
        parts.append("A signature is checked where one is sent.")
    if call.era is not None:
        parts.append(f"Removed by {product.venue} on {call.era.since}. {call.era.replaced_by}")
    return "\n\n".join(parts)


def _parameter(product: Product, parameter: Parameter) -> Json:
    shown: Json = {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.meaning,
        "schema": _value(product, parameter),
        "example": _sample(product, parameter),
    }
    if parameter.aliases:
        shown["x-aliases"] = list(parameter.aliases)
    return shown


def _value(product: Product, parameter: Parameter) -> Json:
    if parameter.role == "listen_key":
        return {"$ref": "#/components/schemas/ListenKey"}
    if parameter.role == "timestamp":
        return {"type": "integer", "format": "int64", "minimum": 0}
    if parameter.role == "window":
        return {"type": "integer", "minimum": 0, "maximum": product.dialect.auth.recv_window_max_ms}
    if parameter.role == "other" and parameter.sample.isdigit():
        return {"type": "integer", "minimum": 1}
    return {"type": "boolean" if parameter.sample == "true" else "string"}


def _sample(product: Product, parameter: Parameter) -> object:
    kind = _value(product, parameter).get("type")
    return json.loads(parameter.sample) if kind in {"integer", "boolean"} else parameter.sample


def _time_unit(product: Product) -> list[Json]:
    """The header that asks for a unit of times, where the venue has one."""
    name = product.dialect.time_unit_header
    what = "The unit of times in the answer; milliseconds unasked. Capitals do not matter."
    either = "|".join("".join(f"[{each}{each.lower()}]" for each in unit) for unit in _TIME_UNITS)
    units = {"type": "string", "pattern": f"^({either})?$", "examples": list(_TIME_UNITS)}
    header = {"name": name, "in": "header", "required": False, "description": what, "schema": units}
    return [header] if name else []


def _form(product: Product, call: Call) -> Json:
    properties = {each.name: _value(product, each) for each in call.parameters}
    return {
        "description": "The same, for clients that send a form. What the query names counts first.",
        "required": False,
        "content": {_FORM: {"schema": {"type": "object", "properties": properties}}},
    }


def _responses(product: Product, call: Call) -> dict[str, Json]:
    names = ("done", "without a key")
    bodies = [
        *(answer_body(product, answer, name) for answer, name in zip(call.answers, names, strict=False)),
        *failure_bodies(product, call),
        *signing_bodies(product, call),
    ]
    if call.era is not None and call.era.status:
        bodies.append(_removed(product, call))
    found = responses(bodies, call.limits)
    if call.gives_key:
        found[str(call.answers[0].status)]["links"] = _links(product)
    return found


def _removed(product: Product, call: Call) -> Body:
    era = call.era
    assert era is not None
    when = f"{product.venue}'s own answer since {era.since}; a gateway serves the call."
    content_type = era.content_type if era.body else ""
    return Body("removed", era.status, content_type, when, {"type": "string"}, era.body)


def _links(product: Product) -> dict[str, Json]:
    """What to do with the key that an answer gives."""
    return {
        each.kind: {
            "operationId": f"{each.kind}ListenKey",
            "description": each.title,
            "parameters": {parameter.name: "$response.body#/listenKey"},
        }
        for each in product.calls
        for parameter in each.parameters
        if parameter.role == "listen_key"
    }


def _token(product: Product, row: TokenCall) -> Json:
    call = token_call(product, row)
    done = Answer(200, row.success_body, "application/json", call.answers[0].when)
    bodies = [
        answer_body(product, done, "done"),
        *failure_bodies(product, call),
        *signing_bodies(product, call),
    ]
    return {
        "operationId": "createListenToken",
        "tags": [CALLS],
        "summary": call.title,
        "description": "The token subscribes to the account's events on a WebSocket API.",
        "security": [{"apiKey": []}],
        "parameters": [_parameter(product, each) for each in call.parameters],
        "responses": responses(bodies, call.limits),
        "x-permission": call.permission,
        "x-weight": call.weight,
        "x-limits": [_limit(each) for each in call.limits],
    }


def _limit(limit: Limit) -> Json:
    return {
        "name": limit.name,
        "by": {"ip": "address", "uid": "account"}[limit.dimension],
        "counts": limit.counts,
        "limit": limit.limit,
        "windowMs": limit.window_ms,
        "sharedByCalls": limit.per == "pool",
    }


def _public(product: Product, public: PublicCall) -> Json:
    limits = tuple(each for each in product.dialect.limits.buckets if each.name in public.pools)
    answer = Answer(public.status, public.body, public.content_type, "The answer.")
    known = product.calls[0]
    rows = tuple(row for row in known.failures if row.kind in _OF_A_PUBLIC_CALL)
    call = Call(
        known.kind, "", public.method, public.path, known.header, "ignored", "", (), public.weight, limits,
        (answer,), rows, None,
    )  # fmt: skip
    words = [part for part in public.path.replace("-", "/").split("/") if part]
    return {
        "operationId": public.method.lower() + "".join(word[0].upper() + word[1:] for word in words),
        "tags": [PUBLIC],
        "summary": f"{public.method} {public.path}",
        "security": [],
        "parameters": _time_unit(product),
        "responses": responses(
            [answer_body(product, answer, "done"), *failure_bodies(product, call)], limits
        ),
        "x-weight": public.weight,
        "x-limits": [_limit(each) for each in limits],
    }
