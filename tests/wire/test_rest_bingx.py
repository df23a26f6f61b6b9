import hmac
import json

import pytest

from listenkey.base.clock import MILLISECOND
from listenkey.wire.rest import Arguments, Fault, NoContent, Request, error_code, render_fault, render_public
from listenkey.wire.routes import PublicRoute
from tests.wire.asking import DIALECTS, KEY, NOW, ROUTES, Ask

PATH = "/openApi/user/auth/userDataStream"
BINGX = DIALECTS["bingx"]
SENT = b"listenKey=" + KEY.encode()
MS = NOW // MILLISECOND


def sign(payload: bytes) -> bytes:
    return hmac.new(b"demo-secret", payload, "sha256").hexdigest().encode()


def failure(code: int, msg: str) -> tuple[int, dict[str, object]]:
    return 200, {"code": code, "msg": msg, "success": False, "timestamp": MS}


@pytest.mark.parametrize(
    "method, query, expected",
    [
        ("POST", b"", (200, b'{"listenKey":"%b"}' % KEY.encode())),
        ("PUT", SENT, (200, b"{}")),
        ("DELETE", SENT, (200, b"{}")),
        ("PUT", b"", (204, b"")),
        ("DELETE", b"", (204, b"")),
        ("PUT", b"listenKey=", (204, b"")),
        ("PUT", b"listenKey=%ff", (404, b"")),
        ("DELETE", b"listenKey=a-b", (404, b"")),
    ],
)
def test_answers(method: str, query: bytes, expected: tuple[int, bytes]) -> None:
    """A bare create, empty objects, 204 without a key and 404 for what can be none."""
    assert Ask(method, PATH, query).answer() == expected


@pytest.mark.parametrize(
    "ask, expected",
    [
        (Ask("POST", PATH, api_key=None), failure(100413, "Null apiKey")),
        (Ask("POST", PATH, api_key=b""), failure(100413, "Null apiKey")),
        (
            Ask("POST", PATH, api_key=b"a b"),
            failure(100413, "Incorrect apiKey, please check your valid api key"),
        ),
        (Ask("POST", PATH, b"signature=00"), failure(100421, "Null timestamp or timestamp mismatch")),
        (Ask("POST", PATH, b"timestamp=abc&signature=00"), failure(80014, "timestamp is invalid")),
        (
            Ask("POST", PATH, b"timestamp=%d&signature=0" % (MS - 5001)),
            failure(100421, "Null timestamp or timestamp mismatch"),
        ),
        (
            Ask("POST", PATH, b"timestamp=%d" % (MS + 5000)),
            failure(100421, "Null timestamp or timestamp mismatch"),
        ),
        (
            Ask("POST", PATH, b"timestamp=%d&signature=00" % MS),
            failure(100001, "signature verification failed"),
        ),
        (Ask("POST", PATH, b"timestamp=%d&recvWindow=x" % MS), failure(80014, "recvWindow is invalid")),
        (Ask("POST", PATH, b"timestamp=%d" % MS, signature="required"), failure(100412, "Null signature")),
        (
            Ask("PUT", PATH, b"timestamp=%d&signature=00" % MS),
            failure(100001, "signature verification failed"),
        ),
        (Ask("GET", PATH), failure(100404, "path or method does not exist")),
        (Ask("POST", "/openApi/nothing"), failure(100404, "path or method does not exist")),
    ],
)
def test_failures(ask: Ask, expected: tuple[int, dict[str, object]]) -> None:
    """Business errors travel on HTTP 200 in the gateway's envelope, with the venue's clock."""
    status, body = ask.answer()
    assert (status, json.loads(body)) == expected


NOT_WHITELISTED = (
    "IP does not match IP whitelist , please go to https://bingx.com/en/account/api/ "
    "to verify the ip you have set"
)
DISABLED = (
    "code:100410:The endpoint trigger frequency limit rule is currently in the disabled period "
    "and will be unblocked after 1695899842000"
)
TOO_MANY_ERRORS = (
    "over 20 error code:100413 requests within 480000 ms for this api, please verify and fix it ,"
    "can retry after time: 1695899842000"
)


@pytest.mark.parametrize(
    "kind, fields, code, msg",
    [
        (
            "ip_not_allowed",
            {},
            100419,
            NOT_WHITELISTED,
        ),
        (
            "permission_denied",
            {},
            100004,
            "Permission denied, the API key was created without the permission",
        ),
        ("api_key_unknown", {}, 100413, "Incorrect apiKey, please check your valid api key"),
        ("rate_limited", {"limit": 2, "interval": "", "until_ms": 5}, 100410, "rate limited"),
        (
            "endpoint_disabled",
            {"until_ms": 1695899842000},
            100410,
            DISABLED,
        ),
        (
            "error_breaker",
            {"count": 20, "code": 100413, "window_ms": 480000, "until_ms": 1695899842000},
            100410,
            TOO_MANY_ERRORS,
        ),
        ("internal", {}, 100500, "internal error"),
        ("body_too_large", {}, 100400, "request body too large"),
    ],
)
def test_failures_of_the_service(kind: str, fields: dict[str, object], code: int, msg: str) -> None:
    """What the service finds out has the venue's code and text; 100410 has its three wordings."""
    reply = render_fault(BINGX, Fault(kind, fields), request=Request("POST", PATH), now=NOW)
    assert json.loads(reply.body) == {"code": code, "msg": msg, "success": False, "timestamp": MS}
    assert error_code(BINGX, kind) == code


def test_unknown_key() -> None:
    """A key that is over is 404 without a body, and has no code that the breaker could count."""
    reply = render_fault(BINGX, Fault("listen_key_unknown"), request=Request("PUT", PATH), now=NOW)
    assert (reply.status, reply.headers, reply.body) == (404, [], b"")
    assert error_code(BINGX, "listen_key_unknown") is None


def signed_in_query(payload: bytes) -> Ask:
    return Ask("PUT", PATH, payload + b"&signature=" + sign(payload))


STAMP = b"timestamp=%d" % MS


@pytest.mark.parametrize(
    "ask",
    [
        signed_in_query(SENT + b"&" + STAMP),
        signed_in_query(STAMP + b"&" + SENT),
        Ask("PUT", PATH, b"signature=" + sign(SENT + b"&" + STAMP) + b"&" + STAMP + b"&" + SENT),
        Ask("PUT", PATH, b"", SENT + b"&" + STAMP + b"&signature=" + sign(SENT + b"&" + STAMP)),
        Ask("PUT", PATH, SENT, STAMP + b"&signature=" + sign(SENT + STAMP)),
        Ask("PUT", PATH, SENT + b"&a=%5B1%5D&" + STAMP + b"&signature=" + sign(SENT + b"&a=[1]&" + STAMP)),
        Ask(
            "PUT",
            PATH,
            b"",
            json.dumps(
                {
                    "timestamp": MS,
                    "listenKey": KEY,
                    "signature": sign(SENT + b"&" + STAMP).decode(),
                }
            ).encode(),
        ),
        Ask("PUT", PATH, SENT + b"&" + STAMP + b"&signature=" + sign(SENT + b"&" + STAMP).upper()),
        Ask("PUT", PATH, SENT),
        Ask("PUT", PATH, SENT + b"&" + STAMP),
    ],
)
def test_signed_in_every_way(ask: Ask) -> None:
    """As sent, sorted, in query, form or JSON, percent-encoded or not, or unsigned: all are accepted."""
    assert ask.answer() == (200, b"{}")


def test_signature_of_something_else() -> None:
    """A signature of other parameters is refused, however they are arranged."""
    signature = sign(b"listenKey=other&" + STAMP)
    _status, body = Ask("PUT", PATH, SENT + b"&" + STAMP + b"&signature=" + signature).answer()
    assert json.loads(body)["code"] == 100001


def test_no_content_only_with_a_right_signature() -> None:
    """A request without a key is answered with 204 only after its signature was found right."""
    good = Ask("PUT", PATH, STAMP + b"&signature=" + sign(STAMP))
    assert isinstance(good.read(), NoContent)
    assert good.answer() == (204, b"")


def test_key_in_many_places() -> None:
    """The query beats the form, the form beats nothing, and unknown parameters do not matter."""
    read = Ask("PUT", PATH, b"x=1&" + SENT + b"&" + SENT, b"listenKey=other&y=2").read()
    assert read == Arguments(KEY)


@pytest.mark.parametrize(
    "path, data",
    [
        ("/openApi/swap/v2/server/time", {"serverTime": MS}),
        ("/openApi/spot/v1/server/time", {"serverTime": MS}),
        ("/openApi/spot/v1/common/symbols", {"symbols": []}),
        ("/openApi/swap/v2/quote/contracts", []),
        ("/openApi/cswap/v1/market/contracts", []),
        ("/openApi/wallets/v1/capital/config/getall", []),
    ],
)
def test_public_calls(path: str, data: object) -> None:
    """What clients ask before their stream is answered in the enveloped form."""
    route = ROUTES.rest("", "", "GET", path)
    assert isinstance(route, PublicRoute)
    body = json.loads(render_public(route.call, NOW).body)
    assert (body["code"], body["data"]) == (0, data)
