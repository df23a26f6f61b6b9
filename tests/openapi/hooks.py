"""Loaded by schemathesis: makes well-formed calls meaningful, and says which findings are no faults.

A generator cannot know a listen key that lives nor sign a call, so its well-formed calls get both. What
`_explained` sets aside is each time the venue's own manner, which the gateway has to share.
"""

import hashlib
import hmac
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Final

import httpx
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi import checks

from listenkey.dialect.registry import load_dialects

DIALECT: Final = load_dialects()[os.environ["DRIVEN_DIALECT"]]
SECRET: Final = os.environ["DRIVEN_SECRET"]
AUTH: Final = DIALECT.auth
HEADERS: Final = {AUTH.header: os.environ["DRIVEN_KEY"]}
SIGNING: Final = {AUTH.timestamp_parameter, AUTH.recv_window_parameter, AUTH.signature_parameter}
HTTP: Final = httpx.Client(trust_env=False)
CREATE: Final = next(each for each in DIALECT.operations if each.kind == "create")
CLOSE: Final = next(each for each in DIALECT.operations if each.kind == "close")
METHODS: Final = {each.method for each in DIALECT.operations}
SYMBOL: Final = "BTCUSDT"
ISSUED: Final = set()
CLOSED: Final = set()
SEEN: Final = Counter()


@schemathesis.hook
def before_call(context, case, kwargs):
    """A call that fits the document names a key that lives, and is signed right or not at all."""
    if case.method not in METHODS or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        case.body = {name: value for name, value in case.body.items() if name not in {*SIGNING, "listenKey"}}
    query = {name: value for name, value in (case.query or {}).items() if name not in SIGNING}
    if "symbol" in query or query.get("isIsolated"):
        query["symbol"] = SYMBOL
    if "listenKey" in query and query["listenKey"] not in ISSUED:
        query["listenKey"] = _new_key(case)
    if case.method != CREATE.method and "listenKey" not in query:
        _new_key(case)  # where the API key says which, there has to be one
    if AUTH.signature_parameter in (case.query or {}) and not case.body:
        query = _signed(query)
    case.query = query


def _new_key(case):
    params = {CREATE.scope_parameter: SYMBOL} if CREATE.scope_parameter else {}
    url = case.operation.schema.get_base_url() + CREATE.path
    key = HTTP.post(url, params=params, headers=HEADERS).json()["listenKey"]
    ISSUED.add(key)
    return key


def _signed(query):
    query[AUTH.timestamp_parameter] = str(time.time_ns() // 1_000_000)
    payload = "&".join(f"{name}={query[name]}" for name in sorted(query))
    query[AUTH.signature_parameter] = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return query


@schemathesis.hook
def after_call(context, case, response):
    """Keys that were given may be used; what was answered is counted."""
    body = _json(response)
    done = 200 <= response.status_code < 300 and not _refused(response)
    SEEN[f"{case.method} {'done' if done else 'refused'}"] += 1
    if case.method == "POST" and "listenKey" in body:
        ISSUED.add(body["listenKey"])
    if case.method == "DELETE" and done:
        closed = (case.query or {}).get("listenKey")
        CLOSED.update({closed} if closed else ISSUED if CLOSE.key_in == "nowhere" else ())
    Path(os.environ["DRIVEN_SEEN"]).write_text(json.dumps(SEEN), encoding="utf-8")


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keep what nothing explains."""
    return not _explained(failure, case, response)


def _explained(failure, case, response):
    query = case.query or {}
    match failure:
        case checks.UnsupportedMethodResponse():
            # No venue knows 405: a method that a path does not have is answered by the dialect's own row.
            return response.status_code == DIALECT.failure("method_unknown").status
        case checks.RejectedPositiveData():
            # A key that was closed before has the form of a good one.
            return query.get("listenKey") in CLOSED
        case checks.IgnoredAuth():
            # BingX refuses on HTTP 200, with a code in the body.
            return _refused(_without_api_key(case))
        case checks.MissingHeaderNotRejected():
            return _refused(response)
        case AcceptedNegativeData():
            return _refused(response) or _passed_over(case, query, response)
    return False


def _passed_over(case, query, response):
    parts = {} if case.meta is None else case.meta.components
    if {where for where, part in parts.items() if part.mode.is_negative} == {ParameterLocation.BODY}:
        # What the query names counts first, and a body that is no form is passed over.
        return True
    if "isIsolated" in query:
        # A flag that is neither true nor false is none.
        return str(query["isIsolated"]) not in {"true", "false"}
    if response.status_code == 204:
        # Where a call without a listen key is no fault, an empty one is none too.
        return not query.get("listenKey")
    # A window without a timestamp or a signature belongs to an unsigned call.
    return AUTH.signature == "if_sent" and not query.get("timestamp") and not query.get("signature")


def _without_api_key(case):
    url = case.operation.schema.get_base_url() + case.path
    return HTTP.request(case.method, url, params=case.query)


def _refused(response):
    return _json(response).get("code", 0) != 0


def _json(response):
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
