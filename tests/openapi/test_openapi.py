"""The OpenAPI documents: what a user finds in them."""

import json
import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from listenkey.dialect.registry import load_dialects
from listenkey.reference import openapi
from listenkey.reference.describe import describe


@pytest.fixture
def document(product):
    """The product's document, as a file has it."""
    return json.loads(json.dumps(openapi.document(product)))


def _operations(document):
    return [operation for path in document["paths"].values() for operation in path.values()]


def _media(document):
    for operation in _operations(document):
        for status, response in operation["responses"].items():
            for media in response.get("content", {}).values():
                yield operation["operationId"], status, media


def _check(document, schema, value):
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def test_document_is_valid(document):
    """Every tool that reads OpenAPI 3.1 takes the file."""
    OpenAPIV31SpecValidator(document).validate()


def test_same_product_gives_same_bytes(product):
    """A file that did not change shows no difference when it is made again."""
    again = describe(load_dialects()[product.name])
    assert json.dumps(openapi.document(product)) == json.dumps(openapi.document(again))


def test_every_call_is_there(product, document):
    """No call of the product has to be looked up elsewhere."""
    for call in product.calls:
        operation = document["paths"][call.path][call.method.lower()]
        assert operation["operationId"] == f"{call.kind}ListenKey"
        assert operation["security"] == [{"apiKey": []}]
    for call in product.dialect.token_calls:
        assert document["paths"][call.path][call.method.lower()]["operationId"] == "createListenToken"
    for call in product.dialect.public_calls:
        assert document["paths"][call.path][call.method.lower()]["security"] == []
    names = [operation["operationId"] for operation in _operations(document)]
    assert len(names) == len(set(names))


def test_every_failure_is_told_with_its_remedy(product, document):
    """Whoever meets an error finds by its status what it means and what to do."""
    for call in product.calls:
        responses = document["paths"][call.path][call.method.lower()]["responses"]
        for row in call.failures:
            if row.kind == "method_unknown":
                continue
            told = responses[str(row.status)]["x-failures"]
            assert {
                "kind": row.kind,
                "code": row.code,
                "meaning": row.meaning,
                "remedy": row.remedy,
            } in told
            assert bool(responses[str(row.status)].get("content")) or not row.body


def test_examples_fit_their_schemas(document):
    """An example can be taken for what the server sends."""
    seen = 0
    for name, status, media in _media(document):
        for example in media["examples"].values():
            _check(document, media["schema"], example["value"])
            assert not re.search(r"\$[a-z]", json.dumps(example["value"])), (name, status)
            seen += 1
    assert seen > 30


def test_an_answer_of_another_form_does_not_fit(document):
    """Schemas are no formality: what no call ever answers fits none."""
    for name, status, media in _media(document):
        if media["schema"].get("type") != "string":
            wrong = Draft202012Validator({**media["schema"], "components": document["components"]})
            assert not wrong.is_valid({"unheard": "of"}), (name, status)


def test_the_key_goes_from_create_to_the_calls_that_want_it(product, document):
    """Tools that follow links can play the life of a key."""
    create = product.call("create")
    response = document["paths"][create.path]["post"]["responses"][str(create.answers[0].status)]
    wanting = {call.kind for call in product.calls for each in call.parameters if each.name == "listenKey"}
    assert set(response["links"]) == wanting
    for link in response["links"].values():
        assert link["parameters"] == {"listenKey": "$response.body#/listenKey"}


def test_limits_and_their_headers_are_told(product, document):
    """A client can pace itself from the document alone."""
    for call in product.calls:
        operation = document["paths"][call.path][call.method.lower()]
        assert operation["x-weight"] == call.weight
        assert [limit["limit"] for limit in operation["x-limits"]] == [limit.limit for limit in call.limits]
        headers = {name for response in operation["responses"].values() for name in response["headers"]}
        for limit in call.limits:
            assert {*limit.used_headers, *limit.remaining_headers, *limit.reset_headers} <= headers
            assert not limit.retry_after or "Retry-After" in operation["responses"]["429"]["headers"]


def test_removed_calls_are_deprecated(product, document):
    """Nobody builds on a call that the venue took away without being told."""
    for call in product.calls:
        operation = document["paths"][call.path][call.method.lower()]
        assert operation["deprecated"] is (call.era is not None)
        if call.era is not None:
            assert call.era.replaced_by in operation["description"]
            assert str(call.era.status) in operation["responses"]


def test_servers_are_the_gateway_and_the_venue(product, document):
    """A client made from the document talks to either."""
    gateway, *venues = document["servers"]
    assert gateway["url"] == f"{{gateway}}/{product.name}"
    assert gateway["variables"]["gateway"]["default"] == "http://127.0.0.1:8080"
    assert {server["url"] for server in venues} == {
        stream.hosts.rest for stream in product.streams if stream.hosts is not None
    }


def test_parameters_in_the_query_and_in_the_form(product, document):
    """Clients that send forms find them described too."""
    for call in product.calls:
        operation = document["paths"][call.path][call.method.lower()]
        assert [(each["name"], each["required"]) for each in operation["parameters"]] == [
            (each.name, each.required) for each in call.parameters
        ]
        if call.parameters:
            form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
            assert list(form["properties"]) == [each.name for each in call.parameters]
