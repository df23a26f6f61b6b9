"""A WebSocket API as its users look it up: each method with what it takes, answers and may be refused with.

Beside `describe`, which knows REST calls and streams; the REST call that makes listen tokens is here too,
because a token is for nothing else.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from listenkey.dialect.api import ApiFailure, ApiMethod, ApiMethodKind, TokenCall, WebSocketApi
from listenkey.dialect.era import method_removed_by
from listenkey.dialect.model import Era, Heartbeat, Limit
from listenkey.dialect.template import fill_json
from listenkey.reference.describe import SAMPLE_SYMBOL, Answer, Call, Parameter, Product, StreamPage
from listenkey.reference.words import API_METHODS

_SIGNED: Final = frozenset[ApiMethodKind](("logon", "subscribe_signature"))
_WAYS: Final = {
    "ed25519": "Ed25519 in Base64",
    "rsa": "RSA (PKCS #1 v1.5 with SHA-256) in Base64",
    "hmac": "HMAC-SHA256 in hexadecimal",
}
"""How a signature is made, by the kind of API key."""
_KEYED: Final = frozenset[ApiMethodKind](("create", "extend", "close"))
_OF_KEYS: Final = frozenset(("listen_key_missing", "listen_key_unknown", "parameter_empty"))
_OF_TOKENS: Final = frozenset(("symbol_missing", "symbol_unknown", "parameter_illegal"))
_SAMPLES: Final[dict[str, object]] = {
    "id": 1,
    "now_ms": 1700000000000,
    "api_key": "demo-key",
    "authorized_since_ms": 1700000000000,
    "connected_since_ms": 1699999999000,
    "returns_limits": True,
    "subscribed": True,
    "subscription": 0,
    "expires_at_us": 1700003600000000,
    "limit": 6000,
    "count": 2,
}


class Method(msgspec.Struct, frozen=True):
    """One method."""

    name: str
    kind: ApiMethodKind
    title: str
    meaning: str
    weight: int
    parameters: tuple[Parameter, ...]
    request: str
    """A whole request, as JSON."""
    answer: str
    """A whole answer."""
    era: Era | None
    """The change that took it from the venue; None while it is there."""


class Api(msgspec.Struct, frozen=True):
    """One WebSocket API of a product."""

    path: str
    stream: StreamPage | None
    """What its subscriptions deliver; None where events never come here."""
    heartbeat: Heartbeat
    methods: tuple[Method, ...]
    failures: tuple[ApiFailure, ...]
    """Those that only it knows; all others have status, code and words of REST's."""
    limits: tuple[Limit, ...]
    event: str
    """A whole event as it comes to a subscriber, with `…` for what the venue's event says."""
    terminated: str
    shutdown: str
    api: WebSocketApi
    host: str
    """Where the venue itself has it, without the path; empty where that is not known."""


def describe_apis(product: Product) -> tuple[Api, ...]:
    """The WebSocket APIs of a product."""
    return tuple(_api(product, each) for each in product.dialect.apis)


def _api(product: Product, api: WebSocketApi) -> Api:
    sample = {**_SAMPLES, "event": b'{"e":"\xe2\x80\xa6"}'}
    terminated = fill_json(api.terminated, sample).encode()
    counted = {*api.pools, *api.connection_pools}
    return Api(
        api.path,
        next((each for each in product.streams if each.prefix[1:] == api.stream), None),
        product.dialect.heartbeats[api.heartbeat],
        tuple(_method(product, api, each) for each in api.methods),
        api.failures,
        tuple(each for each in product.dialect.limits.buckets if each.name in counted),
        fill_json(api.event, sample),
        fill_json(api.event, {**sample, "event": terminated}) if api.terminated else "",
        fill_json(api.shutdown, sample),
        api,
        next((each.hosts.api for each in product.streams if each.hosts), ""),
    )


def _method(product: Product, api: WebSocketApi, method: ApiMethod) -> Method:
    parameters = tuple(_parameters(product, api, method))
    request: dict[str, Any] = {"id": 1, "method": method.name}
    if parameters:
        request["params"] = {each.name: _value(each) for each in parameters}
    title, meaning = API_METHODS[method.kind]
    return Method(
        method.name, method.kind, title, meaning, method.weight, parameters, json.dumps(request),
        _answer(product, api, method), method_removed_by(product.dialect, method),
    )  # fmt: skip


def _answer(product: Product, api: WebSocketApi, method: ApiMethod) -> str:
    values = {**_SAMPLES, "listen_key": product.sample_key, "subscriptions": b'[{"subscriptionId":0}]'}
    quoted = method.result.replace("$api_key", '"$api_key"')
    result = fill_json(quoted, values).encode()
    limits = f',"rateLimits":[{fill_json(api.rate_limit, values)}]'.encode() if api.rate_limit else b""
    return fill_json(api.answer, {**values, "member": method.member, "result": result, "rate_limits": limits})


def _value(parameter: Parameter) -> object:
    return (
        int(parameter.sample)
        if parameter.sample.isdigit() and len(parameter.sample) < 20
        else parameter.sample
    )


def _parameters(product: Product, api: WebSocketApi, method: ApiMethod) -> Iterator[Parameter]:
    auth = product.dialect.auth
    if method.kind in _SIGNED:
        yield Parameter("apiKey", True, "The API key that signs.", "demo-key")
        units = "milliseconds or microseconds" if auth.timestamp_unit == "ms_or_us" else "milliseconds"
        moment = f"Now, in {units} since 1970 UTC."
        yield Parameter(auth.timestamp_parameter, True, moment, "1700000000000")
        ways = [words for kind, words in _WAYS.items() if method.kind != "logon" or kind in api.logon_keys]
        how = f"Of all other parameters, sorted by name and joined by `&`: {', or '.join(ways)}."
        yield Parameter(auth.signature_parameter, True, how, "0" * 64)
        window = (
            f"How old the request may be when it arrives, in milliseconds with up to three decimals; "
            f"{auth.recv_window_ms} if not sent, {auth.recv_window_max_ms} at most."
        )
        yield Parameter(auth.recv_window_parameter, False, window, str(auth.recv_window_ms))
    elif method.kind in _KEYED:
        yield Parameter("apiKey", False, "Whose listen key; not needed once logged on.", "demo-key")
        if method.kind != "create" and method.key_in == "parameter":
            yield Parameter("listenKey", True, "The listen key.", product.sample_key)
    elif method.kind == "subscribe_token":
        yield Parameter("listenToken", True, "The listen token.", "LISTEN_TOKEN")
    elif method.kind == "unsubscribe":
        yield Parameter("subscriptionId", False, "Which one to end; all of them where it is left out.", "0")


def token_call(product: Product, row: TokenCall) -> Call:
    """The REST call that makes a listen token, as a call like the others."""
    create = product.call("create")
    kinds = ({each.kind for each in create.failures} | _OF_TOKENS) - _OF_KEYS
    rows = {
        each.kind: each
        for each in (*(failure for call in product.calls for failure in call.failures), *product.elsewhere)
    }
    return Call(
        "create",
        "Create a listen token",
        row.method,
        row.path,
        create.header,
        create.signature,
        create.permission,
        tuple(_token_parameters(row)),
        row.weight,
        tuple(each for each in product.dialect.limits.buckets if each.name in row.pools),
        (
            Answer(
                200,
                fill_json(row.success_body, {"token": "LISTEN_TOKEN", "expires_at_ms": 1700086400000}),
                "application/json",
                "A listen token is good now: subscribe with it.",
            ),
        ),
        tuple(each for kind, each in rows.items() if kind in kinds),
        None,
    )


def _token_parameters(row: TokenCall) -> Iterator[Parameter]:
    if row.isolated_parameter:
        meaning = "Whether the token is for one pair's isolated account."
        yield Parameter(row.isolated_parameter, False, meaning, "true")
    if row.symbol_parameter:
        meaning = "The trading pair; needed for an isolated account."
        yield Parameter(row.symbol_parameter, False, meaning, SAMPLE_SYMBOL)
    meaning = f"How long the token is good, in milliseconds; {row.longest_ms} if not sent, and at most."
    yield Parameter(row.validity_parameter, False, meaning, str(row.longest_ms))
