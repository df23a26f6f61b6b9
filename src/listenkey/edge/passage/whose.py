"""Whose a socket is: the gateway's, where a listen key is or may be named on it, else the venue's.

Some say it with their address, others not before their first message.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec

from listenkey.core.session import requested_names
from listenkey.dialect.model import KeySpace
from listenkey.wire.api import ApiFault, ApiRequest, parse_request
from listenkey.wire.routes import ApiRoute, SocketCandidate, SocketRoute

Whose = Literal["gateway", "venue", "unsaid"]

_KEY_PARAMETER: Final = "listenKey"
_ABOUT_KEYS: Final = frozenset({"create", "extend", "close"})


class _Request(msgspec.Struct):
    params: Any = None


_decode = msgspec.json.Decoder(_Request).decode


def by_address(route: SocketRoute | ApiRoute | None, query: bytes) -> Whose:
    """What a handshake says."""
    if route is None:
        return "venue"
    if isinstance(route, ApiRoute):
        return "unsaid"
    names = [wanted.name for wanted in requested_names(route.candidates, route.names, query)]
    if _names_key(route.candidates, names) or _KEY_PARAMETER in _parameters(query):
        return "gateway"
    if names or not any(candidate.stream for candidate in route.candidates):
        return "venue"
    by_request = any(candidate.path.control == "method" for candidate in route.candidates)
    return "unsaid" if by_request else "venue"


def by_message(route: SocketRoute | ApiRoute, message: str) -> Whose:
    """What a first message says. One that is no request is answered by the gateway."""
    if isinstance(route, ApiRoute):
        request = parse_request(route.api, message)
        if isinstance(request, ApiRequest):
            return "gateway" if request.method.kind in _ABOUT_KEYS else "venue"
        return "gateway" if _is_none(request) else "venue"
    try:
        asked = _decode(message)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return "gateway"
    names = asked.params if isinstance(asked.params, list) else []
    return "gateway" if _names_key(route.candidates, names) else "venue"


def _parameters(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))


def _is_none(fault: ApiFault) -> bool:
    return fault.kind == "not_json"


def _names_key(candidates: Sequence[SocketCandidate], names: Sequence[object]) -> bool:
    """Whether one of them is or may be a listen key, or one type of its events (`KEY@TYPE`)."""
    spaces = {candidate.dialect.key_space for candidate in candidates}
    keys = [name.partition("@")[0] for name in names if isinstance(name, str)]
    return any(_looks_like_key(key, space) for key in keys for space in spaces)


def _looks_like_key(name: str, space: KeySpace) -> bool:
    return len(name) == space.length and _letters(space.alphabet).issuperset(name)


@lru_cache(maxsize=64)
def _letters(alphabet: str) -> frozenset[str]:
    return frozenset(alphabet)
