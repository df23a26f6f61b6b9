"""Which dialect a request or a socket belongs to: by listener, `Host`, prefix, or at the root.

The first that names a mount decides, and nothing further is tried. At the root stand all dialects that are
reachable there; what two of them claim, and no key can decide, is an error of the configuration.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from listenkey.base.errors import DialectError
from listenkey.dialect.api import TokenCall, WebSocketApi
from listenkey.dialect.model import Dialect, FailureKind, Operation, PublicCall, SocketPath

_NAMES: Final = "/{names}"


class Mount(msgspec.Struct, frozen=True):
    """A dialect under a name of its own; with `stream`, only that stream's sockets."""

    dialect: Dialect
    stream: str = ""


class OperationRoute(msgspec.Struct, frozen=True):
    """An operation was asked for. `path` is without the mount prefix, here and in all routes."""

    dialect: Dialect
    operation: Operation
    path: str


class PublicRoute(msgspec.Struct, frozen=True):
    """A public call was asked for."""

    dialect: Dialect
    call: PublicCall
    path: str


class TokenRoute(msgspec.Struct, frozen=True):
    """A listen token was asked for."""

    dialect: Dialect
    call: TokenCall
    path: str


class UnknownRoute(msgspec.Struct, frozen=True):
    """Nobody's path, or a method that it does not have; the dialect's own error answers."""

    dialect: Dialect
    kind: FailureKind
    path: str
    is_ours: bool = False
    """A path of listen keys or listen tokens."""


Route = OperationRoute | PublicRoute | TokenRoute | UnknownRoute


class SocketCandidate(msgspec.Struct, frozen=True):
    """A dialect that a socket's path may be for."""

    dialect: Dialect
    path: SocketPath

    @property
    def stream(self) -> str:
        """Name of the stream that keys bind to here; empty for none."""
        return self.path.stream


class SocketRoute(msgspec.Struct, frozen=True):
    """A socket's path: whom it may be for, where the key decides, and the names in the path."""

    candidates: tuple[SocketCandidate, ...]
    names: tuple[str, ...]


class ApiRoute(msgspec.Struct, frozen=True):
    """A WebSocket API's path."""

    dialect: Dialect
    api: WebSocketApi


class _View:
    """What is reachable at one place: a mount or the root."""

    def __init__(self, mounts: Iterable[Mount], fallback: Dialect, *, root: bool) -> None:
        self.fallback = fallback
        self.calls: dict[tuple[str, str], OperationRoute | PublicRoute | TokenRoute] = {}
        self.owners: dict[str, Dialect] = {}
        self.ours: set[str] = set()
        self.apis: dict[str, ApiRoute] = {}
        self.exact: dict[str, list[SocketCandidate]] = {}
        self.named: dict[str, list[SocketCandidate]] = {}
        self.unknown: list[tuple[str, Dialect]] = []
        for mount in mounts:
            self._add_calls(mount.dialect, root=root)
            self._add_sockets(mount, root=root)
            self._add_apis(mount.dialect)
            self.unknown += [(row.prefix, mount.dialect) for row in mount.dialect.unknown_paths]
        self.unknown.sort(key=lambda row: -len(row[0]))
        self.named = dict(sorted(self.named.items(), key=lambda row: -len(row[0])))

    def _add_calls(self, dialect: Dialect, *, root: bool) -> None:
        for operation in dialect.operations:
            self._add(OperationRoute(dialect, operation, operation.path), operation.method)
        for call in dialect.public_calls:
            if call.root or not root:
                self._add(PublicRoute(dialect, call, call.path), call.method)
        for token_call in dialect.token_calls:
            self._add(TokenRoute(dialect, token_call, token_call.path), token_call.method)

    def _add_apis(self, dialect: Dialect) -> None:
        for api in dialect.apis:
            other = self.apis.setdefault(api.path, ApiRoute(dialect, api))
            if other.api is not api:
                raise _overlap(api.path, other.dialect, dialect)

    def _add(self, route: OperationRoute | PublicRoute | TokenRoute, method: str) -> None:
        other = self.calls.setdefault((method, route.path), route)
        if other is not route:
            raise _overlap(f"{method} {route.path}", other.dialect, route.dialect)
        self.owners.setdefault(route.path, route.dialect)
        if not isinstance(route, PublicRoute):
            self.ours.add(route.path)

    def _add_sockets(self, mount: Mount, *, root: bool) -> None:
        for path in mount.dialect.sockets:
            if mount.stream and path.stream not in {mount.stream, ""}:
                continue
            if not path.root and not mount.stream:
                continue
            base = path.path.removesuffix(_NAMES)
            table = self.exact if base == path.path else self.named
            candidates = table.setdefault(base, [])
            for other in candidates:
                if root and not (path.shared and other.path.shared):
                    raise _overlap(path.path, other.dialect, mount.dialect)
            candidates.append(SocketCandidate(mount.dialect, path))


class RouteTable:
    """Every route of a process. Built by `build_routes`."""

    def __init__(self, root: _View, mounts: dict[str, _View], hosts: dict[str, str]) -> None:
        self._root = root
        self._mounts = mounts
        self._hosts = hosts

    @property
    def names(self) -> frozenset[str]:
        """Every name that a listener, a host or a prefix may have."""
        return frozenset(self._mounts)

    def rest(self, listener: str, host: str, method: str, path: str) -> Route:
        """Where a REST call goes. `listener` is the name that the listener is bound to, or nothing."""
        view, inner = self._place(listener, host, path)
        route = view.calls.get((method, inner))
        if route is not None:
            return route
        owner = view.owners.get(inner)
        if owner is not None:
            return UnknownRoute(owner, "method_unknown", inner, is_ours=inner in view.ours)
        for prefix, dialect in view.unknown:
            if inner.startswith(prefix):
                return UnknownRoute(dialect, "path_unknown", inner)
        return UnknownRoute(view.fallback, "path_unknown", inner)

    def api(self, listener: str, host: str, path: str) -> ApiRoute | None:
        """The WebSocket API that a handshake is for, or None where it is for none."""
        view, inner = self._place(listener, host, path)
        return view.apis.get(inner)

    def socket(self, listener: str, host: str, path: str) -> SocketRoute | None:
        """Where a WebSocket handshake goes, or None where there is no such socket."""
        view, inner = self._place(listener, host, path)
        candidates = view.exact.get(inner)
        if candidates is not None:
            return SocketRoute(tuple(candidates), ())
        for base, candidates in view.named.items():
            if inner.startswith(base) and inner[len(base) : len(base) + 1] == "/":
                names = tuple(name for name in inner[len(base) :].split("/") if name)
                return SocketRoute(tuple(candidates), names)
        return None

    def _place(self, listener: str, host: str, path: str) -> tuple[_View, str]:
        name = listener
        if not name and self._hosts:
            name = self._hosts.get(host_name(host), "")
        if name:
            return self._mounts[name], path
        head, slash, rest = path[1:].partition("/")
        view = self._mounts.get(head)
        return (self._root, path) if view is None else (view, slash + rest)


def host_name(host: str) -> str:
    """The name in a `Host` header: lower case, without port, without the dot of a full name."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0][1:]
    return name.partition(":")[0].rstrip(".")


def build_routes(dialects: Mapping[str, Dialect], hosts: Mapping[str, str]) -> RouteTable:
    """The routes of these dialects; `hosts` maps host names to dialect or stream names.
    Errors: `DialectError` for paths that two claim at the root, and for names that nobody has."""
    all_dialects = list(dialects.values())
    if not all_dialects:
        raise DialectError("there is no dialect to serve", "leave the built-in ones enabled or name a file")
    mounts = {}
    for dialect in all_dialects:
        for stream in dialect.streams:
            mounts[stream.name] = Mount(dialect, stream.name)
    for dialect in all_dialects:
        mounts[dialect.name] = Mount(dialect)
    unknown = sorted(set(hosts.values()) - set(mounts))
    if unknown:
        known = ", ".join(sorted(mounts))
        raise DialectError(f"no dialect or stream is called {unknown[0]}", f"choose of {known}")
    root = _View([Mount(dialect) for dialect in all_dialects if dialect.root], all_dialects[0], root=True)
    _refuse_shadows(root, mounts)
    views = {name: _View([mount], mount.dialect, root=False) for name, mount in mounts.items()}
    return RouteTable(root, views, {host_name(host): name for host, name in hosts.items()})


def _refuse_shadows(root: _View, mounts: Mapping[str, Mount]) -> None:
    """A name is the first part of a prefix, so no path at the root may begin with it."""
    paths = [*root.owners, *root.exact, *root.named, *root.apis]
    for path in paths:
        mount = mounts.get(path[1:].partition("/")[0])
        if mount is not None:
            raise DialectError(
                f"{path} at the root begins with the name of {mount.dialect.name}, which is a prefix",
                "call the dialect or the stream otherwise",
            )


def _overlap(what: str, one: Dialect, other: Dialect) -> DialectError:
    return DialectError(
        f"{one.name} and {other.name} both answer {what} at the root",
        f"set dialect.{other.name}.root = false and reach it by prefix, host or listener",
    )
