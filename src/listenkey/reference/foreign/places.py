"""Whose a request is: the calls and sockets of all dialects that its path may be for.

The host of an address only decides between several; requests are recognised wherever they are sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

import msgspec

from listenkey.dialect.api import TokenCall, WebSocketApi
from listenkey.dialect.model import Dialect, Host, Operation, PublicCall, SocketPath
from listenkey.reference.foreign.request import Foreign, is_place

_SLASHES: Final = re.compile("/{2,}")
_NAMES: Final = "/{names}"
_NEAREST: Final = 3
_CLOSENESS: Final = 0.7
_FAMILY_CLOSENESS: Final = 0.5
_ABOUT_KEYS: Final = ("listen", "userdata", "user-data")

Call = Operation | PublicCall | TokenCall
Thing = Call | SocketPath | WebSocketApi


class Place(msgspec.Struct, frozen=True):
    """One thing of one dialect that a request is for."""

    dialect: Dialect
    thing: Thing
    names: tuple[str, ...] = ()
    """Of a socket: what stands in its path where keys go."""


class Found(msgspec.Struct, frozen=True):
    """What a request may be for."""

    places: tuple[Place, ...]
    """The likeliest first; several where only the key or the host could tell them apart."""
    methods: tuple[str, ...] = ()
    """Where the path is known and the method is not: the methods that it has. The place is one of them."""
    nearest: tuple[str, ...] = ()
    """For what is nobody's: calls and sockets that are written alike."""
    owners: tuple[str, ...] = ()
    """Dialects that answer at this host."""
    mounted: str = ""
    """The name of a gateway's prefix that the path begins with."""
    untidy: bool = False
    """The path has slashes that the right one has not."""


def find(request: Foreign, dialects: Mapping[str, Dialect], *, nearest: bool = True) -> Found:
    """Everything that a request may be for; what is written like a request of nobody's takes a while."""
    mounted, path = _unmounted(request.path, dialects)
    known = [dialects[mounted]] if mounted in dialects else _of_stream(mounted, dialects)
    owners = tuple(each.name for each in known if _at_host(request.host, each))
    tidy = _SLASHES.sub("/", path).rstrip("/")
    for each in dict.fromkeys((path, tidy)):
        found = _find_at(request, each, known, mounted)
        if found.places:
            return msgspec.structs.replace(found, owners=owners, mounted=mounted, untidy=each != path)
    alike = dict.fromkeys(_nearest(request, path, known)) if nearest else ()
    return Found((), (), tuple(alike), owners, mounted)


def _find_at(request: Foreign, path: str, known: Sequence[Dialect], mounted: str) -> Found:
    for finder in (_sockets, _calls) if _opens_socket(request) else (_calls, _sockets):
        found = finder(request, path, known, mounted)
        if found.places:
            places = _by_host(request.host, found.places)
            if isinstance(places[0].thing, PublicCall):
                places = places[:1]  # shared by families, and of interest to none
            return msgspec.structs.replace(found, places=places)
    return Found(())


def _opens_socket(request: Foreign) -> bool:
    return request.socket or (request.header("Upgrade") or "").lower() == "websocket"


def _unmounted(path: str, dialects: Mapping[str, Dialect]) -> tuple[str, str]:
    head, slash, rest = path[1:].partition("/")
    streams = {stream.name for dialect in dialects.values() for stream in dialect.streams}
    return (head, slash + rest) if slash and (head in dialects or head in streams) else ("", path)


def _of_stream(name: str, dialects: Mapping[str, Dialect]) -> list[Dialect]:
    owning = [each for each in dialects.values() if name in {stream.name for stream in each.streams}]
    return owning or list(dialects.values())


def _calls(request: Foreign, path: str, known: Iterable[Dialect], _: str) -> Found:
    at_path = [
        (call.method, Place(dialect, call))
        for dialect in known
        for call in calls_of(dialect)
        if call.path == path
    ]
    right = tuple(place for method, place in at_path if method == request.method)
    if right or not at_path:
        return Found(right)
    methods = tuple(dict.fromkeys(method for method, _ in at_path))
    return Found(tuple(place for _, place in at_path), methods)


def calls_of(dialect: Dialect) -> Iterator[Call]:
    """All REST calls of a dialect."""
    yield from dialect.operations
    yield from dialect.token_calls
    yield from dialect.public_calls


def _sockets(request: Foreign, path: str, known: Iterable[Dialect], mounted: str) -> Found:
    apis = [Place(each, api) for each in known for api in each.apis if api.path == path]
    if apis:
        return Found(tuple(apis))
    exact: list[tuple[str, Place]] = []
    named: list[tuple[str, Place]] = []
    for dialect in known:
        for socket in dialect.sockets:
            if not _reachable(request.host, dialect, socket, mounted):
                continue
            base = socket.path.removesuffix(_NAMES)
            if base == socket.path == path:
                exact.append((socket.stream, Place(dialect, socket)))
            elif base != socket.path and path.startswith(f"{base}/"):
                names = tuple(filter(None, path[len(base) :].split("/"))) or ("",)
                named.append((socket.stream, Place(dialect, socket, names)))
    longest = max((len(_base(place)) for _, place in named), default=0)
    found = exact or [(stream, place) for stream, place in named if len(_base(place)) == longest]
    carrying = tuple(place for stream, place in found if stream)
    return Found(carrying or tuple(place for _, place in found))


def _base(place: Place) -> str:
    """What stands before the names."""
    return place.thing.path.removesuffix(_NAMES)


def _reachable(host: str, dialect: Dialect, socket: SocketPath, mounted: str) -> bool:
    """Whether a path may be meant. Some are a gateway's alone: below a stream's own name or at its own host,
    and short forms of a longer path, for clients that bring the beginning in their base address."""
    if mounted:
        return mounted == dialect.name or socket.stream in {mounted, ""}
    if not socket.root:
        return any(_name(host) in _names(row) for row in dialect.hosts if row.stream == socket.stream)
    longer = [
        each for each in dialect.sockets if each.path != socket.path and each.path.endswith(socket.path)
    ]
    once_there = any(socket.path in era.removes for era in dialect.eras)
    return once_there or not any(each.stream == socket.stream for each in longer)


def _by_host(host: str, places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Those that answer at the host, else those with hosts of its domain (venues have more than are named:
    `api1.binance.com`), or all where there are none; first who answers without a host of its own."""
    here = tuple(each for each in places if _name(host) in _hosts(each))
    domain = _domain(_name(host))
    near = () if here else tuple(each for each in places if domain in map(_domain, _hosts(each)))
    return tuple(sorted(here or near or places, key=lambda each: not each.dialect.root))


def _hosts(place: Place) -> set[str]:
    stream = place.thing.stream if isinstance(place.thing, SocketPath) else ""
    rows = [row for row in place.dialect.hosts if not stream or row.stream in {stream, ""}]
    return {name for row in rows for name in _names(row)}


def _domain(name: str) -> str:
    return ".".join(name.rsplit(".", 2)[-2:])


def _at_host(host: str, dialect: Dialect) -> bool:
    return any(_name(host) in _names(row) for row in dialect.hosts)


def _names(row: Host) -> set[str]:
    return {_name(urlsplit(row.rest).netloc), _name(urlsplit(row.sockets).netloc)}


def _name(host: str) -> str:
    return host if is_place(host) else host.partition(":")[0]


def _nearest(request: Foreign, path: str, known: Sequence[Dialect]) -> Iterator[str]:
    """Calls and sockets of keys that are written alike, the nearest first; of the family whose path or host
    it is, whatever comes near."""
    sent = f"{request.method} {path}"
    if any(word in path.lower() for word in _ABOUT_KEYS):
        family = [each for each in known if _owns(each, path) or _at_host(request.host, each)]
        yield from _alike((sent,), family, _FAMILY_CLOSENESS)
    yield from _alike((sent, path), known, _CLOSENESS)


def _owns(dialect: Dialect, path: str) -> bool:
    return any(row.prefix.strip("/") and path.startswith(row.prefix) for row in dialect.unknown_paths)


def _alike(asked: Iterable[str], known: Iterable[Dialect], closeness: float) -> Iterator[str]:
    spelled: dict[str, str] = {}
    for dialect in known:
        for call in calls_of(dialect):
            if not isinstance(call, PublicCall):
                spelled.setdefault(f"{call.method} {call.path}".lower(), f"{call.method} {call.path}")
        for own in (*(each.path for each in dialect.sockets), *(each.path for each in dialect.apis)):
            spelled.setdefault(own.lower(), own.replace("{names}", "KEY"))
    for each in asked:
        for near in get_close_matches(each[:200].lower(), spelled, _NEAREST, closeness):
            yield spelled[near]
