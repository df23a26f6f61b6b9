"""A WebSocket API: a channel on which methods are asked for and answered, and events come to subscribers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from listenkey.dialect.api import WebSocketApi
from listenkey.reference.asyncapi.channels import attempts, binding, time_unit
from listenkey.reference.asyncapi.messages import KEY, Message, event_key, message
from listenkey.reference.describe import Parameter, Product, StreamPage
from listenkey.reference.shapes import Json, closed_object, example, shape
from listenkey.reference.websocket_api import Api, Method

_TIME: Final[Json] = {"type": "integer", "format": "int64"}
_TEXT: Final[Json] = {"type": "string"}
_ID: Final[Json] = {"type": ["integer", "string", "null"], "description": "Comes back in the answer."}
_SUBSCRIPTION: Final[Json] = {"type": "integer", "minimum": 0}
_PLACES: Final[Mapping[str, Json]] = {
    **KEY,
    "api_key": {"type": ["string", "null"], "description": "The API key that is logged on."},
    "authorized_since_ms": {"type": ["integer", "null"], "format": "int64"},
    "connected_since_ms": _TIME,
    "returns_limits": {"type": "boolean"},
    "subscribed": {"type": "boolean"},
    "subscription": _SUBSCRIPTION,
    "subscriptions": {"type": "array", "items": closed_object({"subscriptionId": _SUBSCRIPTION})},
    "expires_at_us": _TIME,
    "count": _TIME,
    "limit": _TIME,
}
_SAMPLES: Final[Mapping[str, object]] = {"subscription": 0}
_LIMITS_ASKED: Final[dict[str, Json]] = {
    "returnRateLimits": {
        "type": "boolean",
        "description": "Whether answers tell the limits; they do if not sent.",
    }
}


def api_name(api: WebSocketApi) -> str:
    """The name of a channel."""
    return ".".join(word for word in api.path.split("/") if word)


def api_messages(product: Product, described: Api) -> Iterator[Message]:
    """Requests, answers and events of one WebSocket API."""
    api, name = described.api, api_name(described.api)
    limits = _rate_limits(api)
    for method, row in zip(described.methods, api.methods, strict=True):
        reply = f"{name}.{method.name}.reply"
        yield _request(product, f"{name}.{method.name}", method, (reply, f"{name}.error"))
        yield Message(reply, "reply", _reply(api, method, row.result, row.member, reply, limits))
    yield Message(f"{name}.error", "reply", _error(product, api, f"{name}.error", limits))
    if described.stream is not None:
        yield from _events(product, api, name, described.stream)


def _request(product: Product, key: str, method: Method, replies: tuple[str, ...]) -> Message:
    properties: Json = {"id": _ID, "method": {"type": "string", "const": method.name}}
    required = ["method"]
    if method.parameters:
        must = [each.name for each in method.parameters if each.required]
        params = {each.name: _parameter(product, each) for each in method.parameters}
        properties["params"] = {"type": "object", "required": must, "properties": params}
        required += ["params"] if must else []
    payload = {"type": "object", "required": required, "properties": properties}
    more = {"correlationId": {"$ref": "#/components/correlationIds/request"}, "x-weight": method.weight}
    samples = {"sample": json.loads(method.request)}
    told = message(key, payload, samples, method.title, method.meaning, **more, **_era(product, method))
    return Message(key, "request", told, replies)


def _era(product: Product, method: Method) -> Json:
    era = method.era
    if era is None:
        return {}
    gone = f"Removed by {product.venue} on {era.since}. {era.replaced_by}"
    return {"description": gone, "x-era": {"removed": era.since, "documentation": era.documentation}}


def _parameter(product: Product, parameter: Parameter) -> Json:
    auth = product.dialect.auth
    known = {
        "listenKey": KEY["listen_key"],
        "subscriptionId": _SUBSCRIPTION,
        auth.timestamp_parameter: _TIME,
        auth.recv_window_parameter: {"type": "integer"},
    }
    schema = known.get(parameter.name, _TEXT)
    return schema if "$ref" in schema else {**schema, "description": parameter.meaning}


def _rate_limits(api: WebSocketApi) -> Json:
    """The member that tells the limits, which a connection may ask to be left out."""
    if not api.rate_limit:
        return {}
    return {"rateLimits": {"type": "array", "items": shape(api.rate_limit, _PLACES)}}


def _reply(api: WebSocketApi, method: Method, result: str, member: str, key: str, limits: Json) -> Json:
    template = api.answer.replace("$rate_limits", "").replace("$member", member).replace("$result", result)
    schema = shape(template, _PLACES)
    schema["properties"] = {**schema["properties"], "id": _ID, **limits}
    samples = {"sample": json.loads(method.answer)}
    return message(key, schema, samples, f"{method.title}: done", method.meaning)


def _error(product: Product, api: WebSocketApi, key: str, limits: Json) -> Json:
    """One message for all failures, an example each: those that only this API knows, then those of REST."""
    rest = {row.kind: row for call in product.calls for row in (*call.failures, *product.when_signed)}
    samples: Json = {row.kind: _failed(api, row.status, row.code, row.msg) for row in api.failures}
    for kind, row in rest.items():
        text = product.dialect.failure(kind)
        if row.code is not None and kind not in {"method_unknown", "body_too_large", "request_malformed"}:
            samples.setdefault(kind, _failed(api, text.status, row.code, text.msg))
    schema = shape(_filled(api, "1", "1", "$reason"), {})
    schema["properties"] |= {"id": _ID, "status": {"type": "integer"}, **limits}
    codes = sorted({sample["error"]["code"] for sample in samples.values()})
    schema["properties"]["error"]["properties"]["code"] = {"type": "integer", "enum": codes}
    return message(key, schema, samples, "Error", "It was not done.")


def _filled(api: WebSocketApi, status: str, code: str, msg: str) -> str:
    template = api.error.replace("$data", "").replace("$rate_limits", "")
    return template.replace("$status", status).replace("$code", code).replace("$msg", msg)


def _failed(api: WebSocketApi, status: int, code: int, msg: str) -> Any:
    return example(_filled(api, str(status), str(code), msg), {"parameter": "apiKey", "limit": 6000})


def _events(product: Product, api: WebSocketApi, name: str, stream: StreamPage) -> Iterator[Message]:
    rows = [(event_key(product, each), each.sample, each.title, each.meaning) for each in stream.events]
    for key, text, title, meaning in rows:
        told = f"{name}.{key}"
        schema = shape(api.event, {**_PLACES, "event": {"$ref": f"#/components/schemas/{key}"}})
        sample = example(api.event, {**_SAMPLES, "event": text.encode()})
        yield Message(told, "event", message(told, schema, {"sample": sample}, title, meaning))
    ends = {"eventStreamTerminated": (api.terminated, True), "serverShutdown": (api.shutdown, False)}
    for what, (template, wrapped) in ends.items():
        if template:
            text = api.event.replace("$event", template) if wrapped else template
            sample = example(text, _SAMPLES)
            schema, told = shape(text, _PLACES), f"{name}.{what}"
            title = "A subscription ended" if wrapped else "The server is about to end"
            yield Message(told, "event", message(told, schema, {"sample": sample}, title, f"{title}."))


def api_channel(product: Product, api: WebSocketApi, servers: list[str], said: list[Message]) -> Json:
    """The channel of one WebSocket API."""
    heartbeat = product.dialect.heartbeats[api.heartbeat]
    parts = ["Methods are asked for and answered here; answers carry the request's id."]
    if api.stream:
        parts.append("Events come to who subscribed, each with the number of its subscription.")
    if api.echo_demanded:
        parts.append("A Pong has to carry the payload of its Ping.")
    if api.version_prefix:
        parts.append(f"A method may have `{api.version_prefix}` before its name.")
    return {
        "address": api.path,
        "title": f"{product.venue}'s WebSocket API",
        "description": "\n\n".join(parts),
        "servers": [{"$ref": f"#/servers/{server}"} for server in servers],
        "messages": {each.key: {"$ref": f"#/components/messages/{each.key}"} for each in said},
        "x-heartbeat": {
            "kind": heartbeat.kind,
            "periodMs": heartbeat.period_ms,
            "graceMs": heartbeat.grace_ms,
        },
        "x-limits": {
            "connectWeight": api.connect_weight,
            "subscriptions": api.max_subscriptions,
            "controlFramesPerSecond": api.control_frames_per_second or None,
            "longestSeconds": api.longest_s or None,
            "attempts": attempts(product.dialect, api.connection_pools),
        },
        **binding({**_LIMITS_ASKED, **time_unit(product.dialect)}),
    }
