"""The check that exchanges pass through finds what is wrong."""

import httpx
import pytest

from listenkey.dialect.registry import load_dialects
from listenkey.wire.routes import build_routes
from tests.openapi.conforming import faults

ROUTES = build_routes(load_dialects(), {})
KEY = "k" * 64


def answer(status, method="POST", path="/api/v3/userDataStream", **more):
    """An answer to a request."""
    return httpx.Response(status, request=httpx.Request(method, f"http://gateway{path}"), **more)


def found(response):
    """What is wrong with it."""
    request = response.request
    return faults(ROUTES.rest("", "gateway", request.method, request.url.path), response)


@pytest.mark.parametrize(
    "response",
    [
        answer(200, json={"listenKey": KEY}, headers={"X-MBX-USED-WEIGHT-1M": "2"}),
        answer(200, path="/api/v1/userDataStream", json={"listenKey": KEY}),
        answer(401, json={"code": -2014, "msg": "API-key format invalid."}),
        answer(204, "PUT", "/openApi/user/auth/userDataStream"),
        answer(404, "DELETE", "/openApi/user/auth/userDataStream"),
        answer(404, "GET", "/nowhere"),
        answer(404, "PATCH"),
    ],
)
def test_told_answers_pass(response):
    """An answer as the venue gives it fails no test."""
    assert found(response) == []


@pytest.mark.parametrize(
    "response",
    [
        answer(405),
        answer(200, json={"listenKey": KEY[1:]}),
        answer(200, json={}),
        answer(200, text="{}"),
        answer(200, json={"listenKey": KEY}, headers={"X-MBX-USED-WEIGHT-1M": "two"}),
        answer(401, json={"code": -2015, "msg": "API-key format invalid."}),
        answer(200, "PUT", "/openApi/user/auth/userDataStream", json={"code": 100413, "msg": "other"}),
        answer(404, "PUT", "/openApi/user/auth/userDataStream", json={}),
    ],
)
def test_other_answers_do_not(response):
    """An answer that no document tells of cannot hide among the tests' exchanges."""
    assert found(response)
