"""Requests shown again without what is secret in them: listen keys, API keys, signatures, passwords.

Nothing is shown because it looks harmless; a value is shown where its place says that it is.
"""

import re
from collections.abc import Iterable
from typing import Final

from listenkey.reference.foreign.request import Foreign, Pair, is_place, show_places

HIDDEN: Final = "…"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-\[\]]{0,23}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~@!-]{1,24}")
_HOST: Final = re.compile(r"([a-z0-9-]{1,24}\.){0,6}[a-z0-9-]{1,24}(:[0-9]{1,5})?")
_METHOD: Final = re.compile(r"[A-Z]{1,10}")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_SYMBOL: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
_LONG: Final = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_NUMBERS: Final = frozenset(("timestamp", "recvwindow", "validity"))
_SYMBOLS: Final = frozenset(("symbol",))
_LONGEST: Final = 12
"""So many parameters are shown."""


def shown(request: Foreign, path: str = "") -> str:
    """A request on one line; `path` is written for its own where that is known to hold no secret."""
    scheme = f"{request.scheme}://" if request.scheme else ""
    address = f"{scheme}{_host(request)}{path or shown_path(request.path)}{_query(request.query)}"
    return address if request.socket else f"{shown_method(request.method)} {address}"


def shown_method(method: str) -> str:
    """A method, or what came in its place."""
    return method if _METHOD.fullmatch(method) else HIDDEN


def shown_path(path: str) -> str:
    """A path of nobody's: long parts, which may be keys, are hidden."""
    return "/".join(_segment(each) for each in path.split("/")[:_LONGEST])


def shown_name(name: str) -> str:
    """The name of a parameter or a header, unless it looks like a value that stands in the wrong place."""
    return name if _NAME.fullmatch(name) else show_places(name) if is_place(name) else HIDDEN


def shown_title(title: str) -> str:
    """What the owner calls a request, on one line, without what looks like a key."""
    line = "".join(each if each.isprintable() else " " for each in show_places(title))
    return _LONG.sub(HIDDEN, line)[:160]


def _host(request: Foreign) -> str:
    before = f"{HIDDEN}@" if request.credentials_in_address else ""
    if not request.host or is_place(request.host) or _HOST.fullmatch(request.host):
        return before + show_places(request.host)
    return before + HIDDEN


def _segment(text: str) -> str:
    if not text or is_place(text):
        return show_places(text)
    return text if _SEGMENT.fullmatch(text) else HIDDEN


def _query(pairs: Iterable[Pair]) -> str:
    named = [f"{shown_name(each.name)}={_value(each)}" for each in pairs]
    more = f"&{HIDDEN}" if len(named) > _LONGEST else ""
    return f"?{'&'.join(named[:_LONGEST])}{more}" if named else ""


def _value(pair: Pair) -> str:
    name = pair.name.lower()
    if not pair.value or is_place(pair.value):
        return show_places(pair.value)
    harmless = (name in _NUMBERS and _NUMBER.fullmatch(pair.value)) or (
        name in _SYMBOLS and _SYMBOL.fullmatch(pair.value)
    )
    return pair.value if harmless else HIDDEN
