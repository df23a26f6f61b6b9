import msgspec
import pytest

from listenkey.base.errors import DialectError
from listenkey.wire.routes import (
    OperationRoute,
    PublicRoute,
    RouteTable,
    SocketRoute,
    UnknownRoute,
    build_routes,
    host_name,
)
from tests.wire.asking import DIALECTS, ROUTES

PRIVATE = ["binance-coinm", "binance-options", "binance-usdm"]
SHARED = [
    "binance-coinm", "binance-margin", "binance-margin-isolated", "binance-margin-risk", "binance-options",
    "binance-pm", "binance-spot", "binance-usdm",
]  # fmt: skip
HOSTS = build_routes(
    DIALECTS,
    {
        "api.example": "binance-spot",
        "COINM.example": "bingx-coinm",
        "::1": "bingx",
        "pro.example": "binance-pm-pro",
    },
)


def operation(route: object) -> tuple[str, str, str]:
    assert isinstance(route, OperationRoute)
    return route.dialect.name, route.operation.kind, route.path


def unknown(route: object) -> tuple[str, str, str]:
    assert isinstance(route, UnknownRoute)
    return route.dialect.name, route.kind, route.path


def streams(route: SocketRoute | None) -> list[str]:
    assert route is not None
    return [candidate.stream for candidate in route.candidates]


@pytest.mark.parametrize(
    "method, path, expected",
    [
        ("POST", "/api/v3/userDataStream", ("binance-spot", "create", "/api/v3/userDataStream")),
        ("PUT", "/api/v1/userDataStream", ("binance-spot", "extend", "/api/v1/userDataStream")),
        ("DELETE", "/sapi/v1/userDataStream", ("binance-margin", "close", "/sapi/v1/userDataStream")),
        (
            "POST",
            "/sapi/v1/userDataStream/isolated",
            ("binance-margin-isolated", "create", "/sapi/v1/userDataStream/isolated"),
        ),
        ("PUT", "/fapi/v1/listenKey", ("binance-usdm", "extend", "/fapi/v1/listenKey")),
        ("POST", "/dapi/v1/listenKey", ("binance-coinm", "create", "/dapi/v1/listenKey")),
        ("PUT", "/eapi/v1/listenKey", ("binance-options", "extend", "/eapi/v1/listenKey")),
        ("DELETE", "/papi/v1/listenKey", ("binance-pm", "close", "/papi/v1/listenKey")),
        (
            "PUT",
            "/sapi/v1/margin/listen-key",
            ("binance-margin-risk", "extend", "/sapi/v1/margin/listen-key"),
        ),
        (
            "POST",
            "/sapi/v2/margin/listen-key",
            ("binance-margin-risk", "create", "/sapi/v2/margin/listen-key"),
        ),
        ("POST", "/binance-us/api/v3/userDataStream", ("binance-us", "create", "/api/v3/userDataStream")),
        (
            "POST",
            "/openApi/user/auth/userDataStream",
            ("bingx", "create", "/openApi/user/auth/userDataStream"),
        ),
        ("POST", "/binance-usdm/fapi/v1/listenKey", ("binance-usdm", "create", "/fapi/v1/listenKey")),
        ("POST", "/binance-pm-pro/fapi/v1/listenKey", ("binance-usdm", "create", "/fapi/v1/listenKey")),
        (
            "PUT",
            "/bingx-coinm/openApi/user/auth/userDataStream",
            ("bingx", "extend", "/openApi/user/auth/userDataStream"),
        ),
    ],
)
def test_operations(method: str, path: str, expected: tuple[str, str, str]) -> None:
    """Each call finds its dialect at the root and behind the names of dialects and streams."""
    assert operation(ROUTES.rest("", "127.0.0.1:8080", method, path)) == expected


@pytest.mark.parametrize(
    "method, path, expected",
    [
        ("GET", "/api/v3/userDataStream", ("binance-spot", "method_unknown", "/api/v3/userDataStream")),
        ("POST", "/api/v3/time", ("binance-spot", "method_unknown", "/api/v3/time")),
        ("GET", "/fapi/v1/listenKey", ("binance-usdm", "method_unknown", "/fapi/v1/listenKey")),
        ("POST", "/fapi/v9/listenKey", ("binance-usdm", "path_unknown", "/fapi/v9/listenKey")),
        ("POST", "/fapi/v1/listenKey/", ("binance-usdm", "path_unknown", "/fapi/v1/listenKey/")),
        ("POST", "/sapi/v1/x", ("binance-margin", "path_unknown", "/sapi/v1/x")),
        ("POST", "/openApi/x", ("bingx", "path_unknown", "/openApi/x")),
        ("GET", "/", ("binance-spot", "path_unknown", "/")),
        ("GET", "", ("binance-spot", "path_unknown", "")),
        ("OPTIONS", "*", ("binance-spot", "path_unknown", "*")),
        ("GET", "/bingx", ("bingx", "path_unknown", "")),
        ("POST", "/bingx/api/v3/userDataStream", ("bingx", "path_unknown", "/api/v3/userDataStream")),
        ("GET", "/binance-spotx/api/v3/time", ("binance-spot", "path_unknown", "/binance-spotx/api/v3/time")),
    ],
)
def test_unknown_calls(method: str, path: str, expected: tuple[str, str, str]) -> None:
    """A call that nobody has is answered by the dialect that it stands nearest to."""
    assert unknown(ROUTES.rest("", "", method, path)) == expected


@pytest.mark.parametrize(
    "path, expected, names",
    [
        ("/ws", SHARED, ()),
        ("/ws/", SHARED, ()),
        ("/ws/K", SHARED, ("K",)),
        ("/ws/K1/K2", SHARED, ("K1", "K2")),
        ("/stream", SHARED, ()),
        ("/private/ws", PRIVATE, ()),
        ("/private/ws/K", PRIVATE, ("K",)),
        ("/private/stream", PRIVATE, ()),
        ("/public/ws/btcusdt@trade", [""], ("btcusdt@trade",)),
        ("/public/stream", [""], ()),
        ("/market/ws", [""], ()),
        ("/market/stream", [""], ()),
        ("/pm-classic/ws/K", ["binance-pm-pro"], ("K",)),
        ("/pm/ws/K", ["binance-pm"], ("K",)),
        ("/pm/stream", ["binance-pm"], ()),
        ("/eoptions/ws/K", ["binance-options"], ("K",)),
        ("/binance-pm/ws/K", ["binance-pm"], ("K",)),
        ("/binance-us/ws/K", ["binance-us"], ("K",)),
        ("/binance-coinm/stream", ["binance-coinm"], ()),
        ("/market", ["bingx-spot"], ()),
        ("/swap-market", ["bingx-swap"], ()),
        ("/bingx/market", ["bingx-spot"], ()),
        ("/bingx-spot/market", ["bingx-spot"], ()),
        ("/bingx-coinm/market", ["bingx-coinm"], ()),
        ("/binance-spot/ws/K", ["binance-spot"], ("K",)),
        ("/binance-usdm/ws/K", ["binance-usdm"], ("K",)),
        ("/binance-usdm/pm-classic/ws/K", ["binance-pm-pro"], ("K",)),
        ("/binance-pm-pro/ws/K", ["binance-pm-pro"], ("K",)),
        ("/binance-pm-pro/stream", ["binance-pm-pro"], ()),
        ("/binance-margin-isolated/stream", ["binance-margin-isolated"], ()),
    ],
)
def test_sockets(path: str, expected: list[str], names: tuple[str, ...]) -> None:
    """Each socket path leads to the streams that it may be for, with the names in it."""
    route = ROUTES.socket("", "", path)
    assert sorted(streams(route)) == expected
    assert route is not None
    assert route.names == names


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/wsx",
        "/ws2/K",
        "/private",
        "/private/wsK",
        "/swap-market/x",
        "/binance-spot/private/ws",
        "/lk/v1/x",
    ],
)
def test_no_socket(path: str) -> None:
    """A path that is nobody's socket is none."""
    assert ROUTES.socket("", "", path) is None


@pytest.mark.parametrize(
    "listener, host, path, expected",
    [
        ("bingx-coinm", "", "/market", ["bingx-coinm"]),
        ("bingx-coinm", "api.example", "/market", ["bingx-coinm"]),
        ("", "coinm.EXAMPLE:8080", "/market", ["bingx-coinm"]),
        ("", "[::1]:8080", "/market", ["bingx-spot"]),
        ("", "pro.example.", "/ws/K", ["binance-pm-pro"]),
        ("", "other.example", "/market", ["bingx-spot"]),
    ],
)
def test_listener_then_host_then_root(listener: str, host: str, path: str, expected: list[str]) -> None:
    """The listener's name decides before the Host header, and that before the path."""
    assert streams(HOSTS.socket(listener, host, path)) == expected


def test_a_mount_is_a_world_of_its_own() -> None:
    """Behind a listener or a host no other dialect answers, and no prefix is looked for."""
    assert unknown(HOSTS.rest("bingx", "", "POST", "/fapi/v1/listenKey"))[0] == "bingx"
    assert unknown(HOSTS.rest("", "api.example", "POST", "/bingx/openApi/x"))[0] == "binance-spot"
    assert HOSTS.socket("bingx", "", "/ws/K") is None


@pytest.mark.parametrize(
    "host, name",
    [
        ("example", "example"),
        ("Example.COM:80", "example.com"),
        ("example.", "example"),
        ("[2001:DB8::1]:80", "2001:db8::1"),
        ("[::1", "::1"),
        ("", ""),
        (" a:b:c ", "a"),
    ],
)
def test_host_name(host: str, name: str) -> None:
    """Names are compared without case, port, brackets and the final dot."""
    assert host_name(host) == name


def test_names() -> None:
    """A listener, host or prefix may be called after every dialect and every stream."""
    expected = set(DIALECTS) | {stream.name for each in DIALECTS.values() for stream in each.streams}
    assert ROUTES.names == expected


def renamed(name: str, **changes: object) -> dict[str, object]:
    copy = msgspec.structs.replace(DIALECTS["binance-usdm"], name=name, streams=(), sockets=(), **changes)
    return {**DIALECTS, name: copy}


def test_two_that_answer_one_call() -> None:
    """Two dialects with one call at the root are an error that names both and says what to do."""
    with pytest.raises(
        DialectError, match="binance-usdm and my-futures both answer POST /fapi/v1/listenKey"
    ) as caught:
        build_routes(renamed("my-futures"), {})
    assert "dialect.my-futures.root = false" in caught.value.remedy


def test_overlap_that_a_prefix_resolves() -> None:
    """A dialect that is not at the root may have every path that others have."""
    table = build_routes(renamed("my-futures", root=False), {})
    assert operation(table.rest("", "", "POST", "/my-futures/fapi/v1/listenKey"))[0] == "my-futures"
    assert operation(table.rest("", "", "POST", "/fapi/v1/listenKey"))[0] == "binance-usdm"


def test_two_that_answer_one_socket() -> None:
    """A socket path of two dialects is an error unless both say that the key decides."""
    bingx = DIALECTS["bingx"]
    other = msgspec.structs.replace(bingx, name="other", operations=(), public_calls=())
    with pytest.raises(DialectError, match="bingx and other both answer /market at the root"):
        build_routes({"bingx": bingx, "other": other}, {})
    twice: RouteTable = build_routes(
        {"bingx": bingx, "other": msgspec.structs.replace(other, root=False)}, {}
    )
    assert streams(twice.socket("", "", "/other/market")) == ["bingx-spot"]


@pytest.mark.parametrize("name", ["ws", "api", "market", "openApi"])
def test_name_that_hides_paths(name: str) -> None:
    """A dialect whose name is the beginning of somebody's path would hide it, and is refused."""
    with pytest.raises(DialectError, match=f"begins with the name of {name}, which is a prefix"):
        build_routes(renamed(name, root=False), {})


def test_host_for_nobody() -> None:
    """A host that is bound to no dialect or stream is an error that lists the names."""
    with pytest.raises(DialectError, match="no dialect or stream is called binance"):
        build_routes(DIALECTS, {"a.example": "binance"})


def test_nothing_to_serve() -> None:
    """Without any dialect there is nothing to route."""
    with pytest.raises(DialectError, match="no dialect"):
        build_routes({}, {})


def test_nobody_at_the_root() -> None:
    """Where no dialect is at the root, the first one still words the errors there."""
    hidden = {name: msgspec.structs.replace(each, root=False) for name, each in DIALECTS.items()}
    table = build_routes(hidden, {})
    assert unknown(table.rest("", "", "GET", "/api/v3/time"))[:2] == ("binance-coinm", "path_unknown")


def test_public_call_belongs_to_one() -> None:
    """A public call that several dialects know is answered by one of them at the root."""
    route = ROUTES.rest("", "", "GET", "/api/v3/time")
    assert isinstance(route, PublicRoute)
    assert route.dialect.name == "binance-spot"


@pytest.mark.parametrize("moved, resolved", [("binance-us", "binance-spot")])
def test_families_that_share_paths_cannot_both_be_at_the_root(moved: str, resolved: str) -> None:
    """Binance.US at the root needs spot to leave it, and `config check` says so."""
    at_root = {**DIALECTS, moved: msgspec.structs.replace(DIALECTS[moved], root=True)}
    with pytest.raises(DialectError, match=f"{resolved} and {moved} both answer"):
        build_routes(at_root, {})
    hidden = msgspec.structs.replace(DIALECTS[resolved], root=False)
    table = build_routes({**at_root, resolved: hidden}, {})
    assert operation(table.rest("", "", "POST", "/api/v3/userDataStream"))[0] == moved
    assert operation(table.rest("", "", "POST", f"/{resolved}/api/v3/userDataStream"))[0] == resolved
