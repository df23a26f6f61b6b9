"""A WebSocket API: a channel on which methods are asked for and answered, and events come to subscribers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from listenkey.dialect.api import ApiMethod, ApiMethodKind, WebSocketApi
from listenkey.dialect.era import method_removed_by
from listenkey.reference.asyncapi.messages import KEY, Message, event_key, message
from listenkey.reference.describe import Product, StreamPage
from listenkey.reference.shapes import Json, closed_object, example, shape

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
_SAMPLES: Final[Mapping[str, object]] = {
    "api_key": b'"demo-key"', "authorized_since_ms": 1_700_000_000_000,
    "connected_since_ms": 1_699_999_999_000, "returns_limits": True, "subscribed": True, "subscription": 0,
    "subscriptions": b'[{"subscriptionId":0}]',
    "expires_at_us": 1_700_003_600_000_000, "limit": 6000,
}  # fmt: skip
_MEANINGS: Final[dict[ApiMethodKind, str]] = {
    "ping": "Whether the server answers.",
    "time": "The server's time.",
    "logon": "Log on with an API key: requests after it need not name one.",
    "status": "Who is logged on, and since when.",
    "logout": "Log off; subscriptions that hung on it end.",
    "subscriptions": "The subscriptions of this connection.",
    "create": "Create a listen key.",
    "extend": "Extend a listen key.",
    "close": "Close a listen key.",
    "subscribe": "Send the events of the account that is logged on.",
    "subscribe_signature": "Send the events of the account whose API key signed this.",
    "subscribe_token": "Send the events that a listen token stands for.",
    "unsubscribe": "End a subscription, or all where none is named.",
}
_SIGNED: Final = frozenset[ApiMethodKind](("logon", "subscribe_signature"))
_KEYED: Final = frozenset[ApiMethodKind](("create", "extend", "close"))


def api_name(api: WebSocketApi) -> str:
    """The name of a channel."""
    return ".".join(word for word in api.path.split("/") if word)


def api_messages(product: Product, api: WebSocketApi) -> Iterator[Message]:
    """Requests, answers and events of one WebSocket API."""
    name = api_name(api)
    limits = _rate_limits(api)
    for method in api.methods:
        reply = f"{name}.{method.name}.reply"
        yield _request(product, name, method, (reply, f"{name}.error"))
        yield Message(reply, "reply", _reply(product, api, method, reply, limits))
    yield Message(f"{name}.error", "reply", _error(product, api, f"{name}.error", limits))
    for stream in product.streams:
        if stream.name == api.stream:
            yield from _events(product, api, name, stream)


def _request(product: Product, name: str, method: ApiMethod, replies: tuple[str, ...]) -> Message:
    parameters = dict(_parameters(product, method))
    schema: Json = {"id": _ID, "method": {"type": "string", "const": method.name}}
    sample: Json = {"id": "1", "method": method.name}
    required = ["method"]
    if parameters:
        params = closed_object({each: schema for each, (schema, _, _) in parameters.items()})
        params["required"] = [each for each, (_, _, must) in parameters.items() if must]
        schema["params"] = params
        sample["params"] = {each: value for each, (_, value, _) in parameters.items()}
        required += ["params"] if params["required"] else []
    payload = {"type": "object", "required": required, "properties": schema}
    meaning = _MEANINGS[method.kind]
    more = {**_weight(method), **_era(product, method)}
    told = message(f"{name}.{method.name}", payload, {"sample": sample}, method.name, meaning, **more)
    return Message(f"{name}.{method.name}", "request", told, replies)


def _weight(method: ApiMethod) -> Json:
    return {"correlationId": {"$ref": "#/components/correlationIds/request"}, "x-weight": method.weight}


def _era(product: Product, method: ApiMethod) -> Json:
    era = method_removed_by(product.dialect, method)
    if era is None:
        return {}
    gone = f"Removed by {product.venue} on {era.since}. {era.replaced_by}"
    return {"description": gone, "x-era": {"removed": era.since, "documentation": era.documentation}}


def _parameters(product: Product, method: ApiMethod) -> Iterator[tuple[str, tuple[Json, Any, bool]]]:
    """Name, schema, sample, and whether it must be there."""
    auth = product.dialect.auth
    if method.kind in _SIGNED:
        yield "apiKey", (_TEXT, "demo-key", True)
        yield auth.timestamp_parameter, (_TIME, 1_700_000_000_000, True)
        how = "Made over all other parameters, sorted by name."
        yield auth.signature_parameter, ({**_TEXT, "description": how}, "0" * 64, True)
        yield auth.recv_window_parameter, ({"type": "integer"}, auth.recv_window_ms, False)
    elif method.kind in _KEYED:
        yield "apiKey", ({**_TEXT, "description": "Not needed once logged on."}, "demo-key", False)
        if method.kind != "create" and method.key_in == "parameter":
            yield "listenKey", (KEY["listen_key"], product.sample_key, True)
    elif method.kind == "subscribe_token":
        yield "listenToken", (_TEXT, "a-listen-token", True)
    elif method.kind == "unsubscribe":
        yield "subscriptionId", (_SUBSCRIPTION, 0, False)


def _rate_limits(api: WebSocketApi) -> Json:
    """The member that tells the limits, which a connection may ask to be left out."""
    if not api.rate_limit:
        return {}
    return {"rateLimits": {"type": "array", "items": shape(api.rate_limit, _PLACES)}}


def _reply(product: Product, api: WebSocketApi, method: ApiMethod, key: str, limits: Json) -> Json:
    template = api.answer.replace("$rate_limits", "").replace("$member", method.member)
    template = template.replace("$result", method.result)
    schema = shape(template, _PLACES)
    schema["properties"] = {**schema["properties"], "id": _ID, **limits}
    sample = example(template, {**_SAMPLES, "listen_key": product.sample_key})
    return message(key, schema, {"sample": sample}, f"{method.name}: done", _MEANINGS[method.kind])


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


def api_channel(product: Product, api: WebSocketApi, server: str, said: list[Message]) -> Json:
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
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {each.key: {"$ref": f"#/components/messages/{each.key}"} for each in said},
        "x-heartbeat": {
            "kind": heartbeat.kind,
            "periodMs": heartbeat.period_ms,
            "graceMs": heartbeat.grace_ms,
        },
        "x-limits": {"connectWeight": api.connect_weight, "subscriptions": api.max_subscriptions},
    }
