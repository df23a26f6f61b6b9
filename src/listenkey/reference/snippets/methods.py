"""Programs for the methods of WebSocket APIs: one a method, and where it is signed one a way of signing."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from listenkey.dialect.api import ApiMethodKind
from listenkey.reference.describe import Parameter, Product
from listenkey.reference.snippets.plan import GATEWAY
from listenkey.reference.websocket_api import Api, Method, describe_apis

WAYS: Final = {"hmac": "HMAC", "rsa": "RSA", "ed25519": "Ed25519"}
"""The ways of signing, as people write them."""
_SIGNED: Final = frozenset[ApiMethodKind](("logon", "subscribe_signature"))
_SUBSCRIBES: Final = frozenset[ApiMethodKind](("subscribe", "subscribe_signature", "subscribe_token"))
_BEFORE: Final[dict[ApiMethodKind, ApiMethodKind]] = {
    "status": "logon",
    "logout": "logon",
    "subscribe": "logon",
    "subscriptions": "subscribe_signature",
    "unsubscribe": "subscribe_signature",
}
"""What has to be asked first on the same connection, so that there is something to tell or to end."""


class Argument(msgspec.Struct, frozen=True):
    """One parameter that a program sends."""

    name: str
    variable: str
    """The environment variable that gives it."""
    sample: str


class Step(msgspec.Struct, frozen=True):
    """One request."""

    name: str
    signed: bool
    arguments: tuple[Argument, ...]


class Ask(msgspec.Struct, frozen=True):
    """One method asked over a connection of its own."""

    product: str
    title: str
    base: str
    path: str
    steps: tuple[Step, ...]
    """The last one is the method itself."""
    way: str
    """Which of `WAYS` signs; empty where nothing is signed."""
    timestamp: str
    signature: str
    receives: bool
    """Whether events follow the answer."""
    terminated: str
    """The type of the event after which there are no more; empty where there is none."""

    @property
    def credential(self) -> bool:
        """Whether an API key is sent at all."""
        return bool(self.way) or any(each.variable == "API_KEY" for each in self.steps[-1].arguments)

    @property
    def variables(self) -> tuple[Argument, ...]:
        """What has to be given beside credentials."""
        return tuple(each for each in self.steps[-1].arguments if each.variable != "API_KEY")


class Asked(msgspec.Struct, frozen=True):
    """A plan with the names that its program goes by."""

    of: str
    file: str
    """Without the language's suffix."""
    plan: Ask


def asked(product: Product) -> Iterator[Asked]:
    """The plans of all programs for a product's WebSocket APIs."""
    for api in describe_apis(product):
        for method in api.methods:
            steps = _steps(api, method)
            for way in _ways(api, steps):
                name = re.sub(r"[^\w.-]", "-", f"{product.name}-{method.name}{'-' if way else ''}{way}")
                yield Asked(f"method:{method.name}", name, _ask(product, api, method, steps, way))


def _ask(product: Product, api: Api, method: Method, steps: tuple[Method, ...], way: str) -> Ask:
    auth = product.dialect.auth
    ended = re.search(r'"e":"(\w+)"', api.terminated)
    return Ask(
        product.title,
        f"{method.name}: {method.title}",
        f"{GATEWAY}/{product.name}",
        api.path,
        tuple(Step(each.name, each.kind in _SIGNED, tuple(_arguments(each))) for each in steps),
        way,
        auth.timestamp_parameter,
        auth.signature_parameter,
        method.kind in _SUBSCRIBES,
        ended[1] if ended else "",
    )


def _steps(api: Api, method: Method) -> tuple[Method, ...]:
    first = [each for each in api.methods if each.kind == _BEFORE.get(method.kind)]
    return (*first[:1], method)


def _ways(api: Api, steps: tuple[Method, ...]) -> list[str]:
    """Each way that every signed step takes; one nameless way where none is signed."""
    kinds = {each.kind for each in steps} & _SIGNED
    if not kinds:
        return [""]
    return [way for way in WAYS if "logon" not in kinds or way in api.api.logon_keys]


def _arguments(method: Method) -> Iterator[Argument]:
    """What `signed` does not make by itself: all that is needed, and whose key it is."""
    if method.kind in _SIGNED:
        return
    for each in method.parameters:
        if each.required or each.name == "apiKey":
            yield Argument(each.name, _variable(each), each.sample)


def _variable(parameter: Parameter) -> str:
    """`listenKey` is given by `LISTEN_KEY`."""
    return re.sub(r"\W", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parameter.name).upper(), flags=re.ASCII)
