"""Loaded by schemathesis for the admin API: what no schema can say, and the driver's own token."""

import json
import os
from typing import Final

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

OWN_TOKEN: Final = os.environ["DRIVEN_TOKEN_ID"]
UNSAYABLE: Final = {"ip_allow", "public_key"}
"""Networks and PEM texts: a well-formed call leaves them out."""


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """Events to publish, one a line, and whatever else was made up."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "replace") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def filter_case(context, case):
    """Nobody takes away the token that the calls are made with."""
    return (case.path_parameters or {}).get("id") != OWN_TOKEN


@schemathesis.hook
def before_call(context, case, kwargs):
    """A call that fits the document has no text in it of which the document cannot say what it is."""
    if case.meta is not None and case.meta.generation.mode.is_positive and isinstance(case.body, dict):
        case.body = {name: value for name, value in case.body.items() if name not in UNSAYABLE}
        if case.body.get("name") in {".", "..", "demo"}:
            case.body["name"] = "alice"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Lines to publish are each answered by themselves, under one status."""
    return not (isinstance(failure, AcceptedNegativeData) and case.path == "/v1/publish")
