import json

import pytest

from listenkey.base.clock import MILLISECOND, SECOND
from listenkey.wire.rest import Arguments, Fault, Request, error_code, render_fault, render_public
from listenkey.wire.routes import PublicRoute
from tests.wire.asking import DIALECTS, KEY, NOW, ROUTES, Ask

SPOT, OLD_SPOT = "/api/v3/userDataStream", "/api/v1/userDataStream"
MARGIN, ISOLATED = "/sapi/v1/userDataStream", "/sapi/v1/userDataStream/isolated"
USDM = "/fapi/v1/listenKey"
SENT = b"listenKey=" + KEY.encode()
WITH_KEY = json.dumps({"listenKey": KEY}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "method, path, query, body",
    [
        ("POST", SPOT, b"", WITH_KEY),
        ("PUT", SPOT, SENT, b"{}"),
        ("DELETE", SPOT, SENT, b"{}"),
        ("POST", OLD_SPOT, b"", WITH_KEY),
        ("PUT", OLD_SPOT, SENT, b"{}"),
        ("DELETE", OLD_SPOT, SENT, b"{}"),
        ("POST", MARGIN, b"", WITH_KEY),
        ("PUT", MARGIN, SENT, b"{}"),
        ("DELETE", MARGIN, SENT, b"{}"),
        ("DELETE", MARGIN, b"listenkey=" + KEY.encode(), b"{}"),
        ("POST", ISOLATED, b"symbol=BTCUSDT", WITH_KEY),
        ("PUT", ISOLATED, b"symbol=BTCUSDT&" + SENT, b"{}"),
        ("DELETE", ISOLATED, b"symbol=BTCUSDT&" + SENT, b"{}"),
        ("POST", USDM, b"", WITH_KEY),
        ("PUT", USDM, b"", WITH_KEY),
        ("DELETE", USDM, b"", b"{}"),
    ],
)
def test_success_body(method: str, path: str, query: bytes, body: bytes) -> None:
    """Each family and verb answers with its own body, to the byte."""
    assert Ask(method, path, query).answer() == (200, body)


@pytest.mark.parametrize("api_key", [None, b"", b"demo key", b"demo\xc3\xa9", b"demo%20", b"a" * 129, b"{}"])
@pytest.mark.parametrize("path", [SPOT, MARGIN, ISOLATED, USDM])
def test_api_key_that_is_none(api_key: bytes | None, path: str) -> None:
    """A missing, empty or malformed API key is 401 with -2014, before anything else is looked at."""
    assert Ask("PUT", path, api_key=api_key).answer() == (
        401,
        b'{"code":-2014,"msg":"API-key format invalid."}',
    )


MANDATORY = "Mandatory parameter '%s' was not sent, was empty/null, or malformed."
LEGAL = "Illegal characters found in parameter 'listenKey'; legal range is '^[A-Za-z0-9]{1,128}$'."


@pytest.mark.parametrize(
    "method, path, query, code, msg",
    [
        ("PUT", SPOT, b"", -1102, MANDATORY % "listenKey"),
        ("PUT", SPOT, b"listenKey=", -1105, "Parameter 'listenKey' was empty."),
        ("PUT", SPOT, b"listenKey", -1105, "Parameter 'listenKey' was empty."),
        ("PUT", SPOT, b"listenKey=a%20b", -1100, LEGAL),
        ("PUT", SPOT, b"listenKey=%ff%fe", -1100, LEGAL),
        ("PUT", SPOT, b"listenKey=\xff", -1100, LEGAL),
        ("PUT", SPOT, b"listenKey=%C3%A9", -1100, LEGAL),
        ("PUT", SPOT, b"listenKey=" + b"a" * 129, -1100, LEGAL),
        ("PUT", SPOT, b"listenKey=a%0A", -1100, LEGAL),
        ("DELETE", MARGIN, b"", -1102, MANDATORY % "listenKey"),
        ("POST", ISOLATED, b"", -1102, MANDATORY % "symbol"),
        ("POST", ISOLATED, b"symbol=", -1105, "Parameter 'symbol' was empty."),
        ("POST", ISOLATED, b"symbol=BTC-USDT", -1121, "Invalid symbol."),
        ("POST", ISOLATED, b"symbol=%C3%9F", -1121, "Invalid symbol."),
        ("POST", ISOLATED, b"symbol=" + b"A" * 21, -1121, "Invalid symbol."),
        ("PUT", ISOLATED, SENT, -1102, MANDATORY % "symbol"),
        ("PUT", ISOLATED, b"symbol=BTCUSDT", -1102, MANDATORY % "listenKey"),
    ],
)
def test_parameter_that_is_wrong(method: str, path: str, query: bytes, code: int, msg: str) -> None:
    """A parameter that is missing, empty or malformed is 400 with the venue's code and text."""
    status, body = Ask(method, path, query).answer()
    assert (status, json.loads(body)) == (400, {"code": code, "msg": msg})


@pytest.mark.parametrize("query", [b"", SENT, b"listenKey=", b"listenKey=%ff", b"listenKey=wrong"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_futures_take_no_key(method: str, query: bytes) -> None:
    """On USD-M the API key names the listen key, and whatever is sent as one is ignored."""
    assert Ask(method, USDM, query).read() == Arguments()


@pytest.mark.parametrize("query", [b"symbol=btcusdt", b"symbol=BtcUsdt", b"symbol=%62TCUSDT"])
def test_symbol_in_any_case(query: bytes) -> None:
    """An isolated symbol may come in lower case or percent-encoded; the stream's name is upper case."""
    assert Ask("POST", ISOLATED, query).read() == Arguments(scope="BTCUSDT")


@pytest.mark.parametrize(
    "headers, body, types",
    [
        (
            {b"accept": b"text/html,application/xhtml+xml"},
            b"<html><body><h2>404 Not found</h2></body></html>",
            1,
        ),
        ({b"accept": b"TEXT/HTML"}, b"<html><body><h2>404 Not found</h2></body></html>", 1),
        ({b"accept": b"*/*"}, b"", 0),
        ({}, b"", 0),
    ],
)
@pytest.mark.parametrize(
    "method, path", [("GET", "/api/v3/nothing"), ("GET", SPOT), ("POST", "/"), ("GET", "/sapi/v1/x")]
)
def test_unknown_path_of_spot(
    method: str, path: str, headers: dict[bytes, bytes], body: bytes, types: int
) -> None:
    """A path that is nobody's is 404, with the page only for who accepts HTML."""
    reply = Ask(method, path, headers=headers).reply()
    assert (reply.status, reply.body, len(reply.headers)) == (404, body, types)


@pytest.mark.parametrize(
    "method, path", [("POST", "/fapi/v1/nothing"), ("GET", USDM), ("POST", '/fapi/v1/a"b\\\u00e9')]
)
def test_unknown_path_of_futures(method: str, path: str) -> None:
    """Futures name path and method with -5000, and stay JSON whatever the path holds."""
    status, body = Ask(method, path).answer()
    assert status == 404
    assert json.loads(body) == {"code": -5000, "msg": f"Path {path}, Method {method} is invalid"}


UNTIL = (NOW + 23 * SECOND) // MILLISECOND
BAN = f"IP banned until {UNTIL}. Please use WebSocket Streams for live updates to avoid bans."
WEIGHT_USED = (
    "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)
REQUESTS_MADE = (
    "Too many requests; current limit is 2400 requests per minute. "
    "Please use the websocket for live updates to avoid polling the API."
)
FUTURES_BAN = f"IP banned until {UNTIL}. Please use the websocket for live updates to avoid bans."


@pytest.mark.parametrize(
    "name, kind, fields, status, msg",
    [
        (
            "binance-spot",
            "rate_limited",
            {"limit": 6000, "interval": "1 MINUTE"},
            429,
            WEIGHT_USED,
        ),
        ("binance-spot", "banned", {"until_ms": UNTIL}, 418, f"Way too much request weight used; {BAN}"),
        (
            "binance-usdm",
            "rate_limited",
            {"limit": 2400, "interval": "1 MINUTE"},
            429,
            REQUESTS_MADE,
        ),
        ("binance-usdm", "banned", {"until_ms": UNTIL}, 418, f"Way too many requests; {FUTURES_BAN}"),
    ],
)
def test_limit_texts(name: str, kind: str, fields: dict[str, object], status: int, msg: str) -> None:
    """A refusal by limit tells the numbers in the venue's own words."""
    reply = render_fault(DIALECTS[name], Fault(kind, fields), request=Request("GET", "/"), now=NOW)
    assert (reply.status, json.loads(reply.body)) == (status, {"code": -1003, "msg": msg})


REJECTED = (401, -2015, "Invalid API-key, IP, or permissions for action.")
UNKNOWN = (-1000, "An unknown error occurred while processing the request.")


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("api_key_unknown", REJECTED),
        ("ip_not_allowed", REJECTED),
        ("permission_denied", REJECTED),
        ("listen_key_unknown", (400, -1125, "This listenKey does not exist.")),
        ("signature_wrong", (400, -1022, "Signature for this request is not valid.")),
        ("internal", (500, *UNKNOWN)),
        ("body_too_large", (413, *UNKNOWN)),
        ("request_malformed", (400, -1100, "Illegal characters found in a parameter.")),
    ],
)
@pytest.mark.parametrize("name", [name for name in DIALECTS if name.startswith("binance")])
def test_failures_of_the_service(name: str, kind: str, expected: tuple[int, int, str]) -> None:
    """What only the service can find out is answered in the same words by every Binance family."""
    status, code, msg = expected
    reply = render_fault(DIALECTS[name], Fault(kind), request=Request("GET", "/"), now=NOW)
    assert (reply.status, json.loads(reply.body)) == (status, {"code": code, "msg": msg})
    assert error_code(DIALECTS[name], kind) == code


@pytest.mark.parametrize(
    "name, path, weights",
    [
        ("binance-spot", SPOT, {"POST": 2, "PUT": 2, "DELETE": 2}),
        ("binance-margin", MARGIN, {"POST": 1, "PUT": 1, "DELETE": 3000}),
        ("binance-margin-isolated", ISOLATED, {"POST": 1, "PUT": 1, "DELETE": 3000}),
        ("binance-usdm", USDM, {"POST": 1, "PUT": 1, "DELETE": 1}),
    ],
)
def test_weights(name: str, path: str, weights: dict[str, int]) -> None:
    """Each call costs what the venue charges for it."""
    rows = {row.method: row.weight for row in DIALECTS[name].operations if row.path == path}
    assert rows == weights


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/api/v3/ping", {}),
        ("/api/v1/ping", {}),
        ("/api/v3/time", {"serverTime": NOW // 1000}),
        ("/fapi/v1/time", {"serverTime": NOW // 1000}),
        ("/dapi/v1/time", {"serverTime": NOW // 1000}),
        ("/sapi/v1/system/status", {"status": 0, "msg": "normal"}),
        ("/sapi/v1/capital/config/getall", []),
        ("/binance-margin/api/v3/time", {"serverTime": NOW // 1000}),
    ],
)
def test_public_calls(path: str, expected: object) -> None:
    """What clients ask before their stream is answered, at the root and behind a prefix."""
    route = ROUTES.rest("", "", "GET", path)
    assert isinstance(route, PublicRoute)
    reply = render_public(route.call, NOW)
    assert (reply.status, json.loads(reply.body)) == (200, expected)


@pytest.mark.parametrize("path", ["/api/v3/exchangeInfo", "/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"])
def test_exchange_info(path: str) -> None:
    """An exchangeInfo is empty but has what clients look for."""
    route = ROUTES.rest("", "", "GET", path)
    assert isinstance(route, PublicRoute)
    body = json.loads(render_public(route.call, NOW).body)
    assert body["serverTime"] == NOW // 1000
    assert body["symbols"] == []


SIGNED = b"&timestamp=%d&signature=00"


@pytest.mark.parametrize("query", [SENT + SIGNED % 1, SENT + b"&timestamp=x&recvWindow=no&signature="])
def test_signature_is_ignored(query: bytes) -> None:
    """Key-only calls take no offence at signatures, right, wrong or stale."""
    assert Ask("PUT", SPOT, query).answer() == (200, b"{}")


AHEAD = "Timestamp for this request was 1000ms ahead of the server's time."
BEHIND = "Timestamp for this request is outside of the recvWindow."
MS = NOW // MILLISECOND


@pytest.mark.parametrize(
    "extra, code, msg",
    [
        (b"", -1102, MANDATORY % "timestamp"),
        (b"&timestamp=", -1102, MANDATORY % "timestamp"),
        (b"&timestamp=%d" % MS, -1102, MANDATORY % "signature"),
        (b"&signature=00&timestamp=1e3", -1102, MANDATORY % "timestamp"),
        (b"&signature=00&timestamp=-5", -1102, MANDATORY % "timestamp"),
        (b"&signature=00&timestamp=%d" % (MS + 1000), -1021, AHEAD),
        (b"&signature=00&timestamp=%d" % (MS - 5001), -1021, BEHIND),
        (b"&signature=00&timestamp=%d&recvWindow=100.5" % (MS - 101), -1021, BEHIND),
        (b"&signature=00&timestamp=%d&recvWindow=60001" % MS, -1131, "recvWindow must be less than 60000"),
        (b"&signature=00&timestamp=%d&recvWindow=1.2345" % MS, -1131, "recvWindow must be less than 60000"),
        (b"&signature=00&timestamp=%d&recvWindow=-1" % MS, -1131, "recvWindow must be less than 60000"),
        (b"&signature=00&timestamp=%d" % MS, -1022, "Signature for this request is not valid."),
    ],
)
def test_signature_required(extra: bytes, code: int, msg: str) -> None:
    """Where a signature is demanded, timestamp, window and signature fail each in its own words."""
    status, body = Ask("PUT", SPOT, SENT + extra, signature="required").answer()
    assert (status, json.loads(body)) == (400, {"code": code, "msg": msg})


@pytest.mark.parametrize(
    "extra",
    [
        b"&timestamp=%d" % (MS + 999),
        b"&timestamp=%d" % (MS - 5000),
        b"&timestamp=%d000" % MS,
        b"&timestamp=%d&recvWindow=0" % (MS - 5000),
        b"&timestamp=%d&recvWindow=60000" % (MS - 60000),
        b"&timestamp=%d&recvWindow=100.5" % (MS - 100),
    ],
)
def test_timestamp_within_the_window(extra: bytes) -> None:
    """The window's edges are the venue's: under 1 s ahead, up to recvWindow behind; in ms or µs."""
    read = Ask("PUT", SPOT, SENT + extra + b"&signature=00", signature="required").read()
    assert isinstance(read, Arguments)
    assert read.signed is not None


def test_futures_know_milliseconds_only() -> None:
    """A timestamp in microseconds is far ahead on futures."""
    query = b"timestamp=%d000&signature=00" % MS
    assert Ask("PUT", USDM, query, signature="required").read() == Fault(
        "timestamp_early", {"parameter": "timestamp"}
    )
