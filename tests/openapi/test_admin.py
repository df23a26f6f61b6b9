"""The OpenAPI document of the admin API: current, and what is answered."""

import ast
import inspect
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from listenkey.base import errors
from listenkey.cli.docs import site
from listenkey.edge.admin import app
from listenkey.edge.admin.call import failure
from listenkey.reference.own import admin_api
from listenkey.reference.own.admin_calls import ANYWHERE, CALLS, STATUS, WITH_TOKEN, WRITING
from listenkey.reference.own.admin_schemas import SCHEMAS
from tests.openapi.driving import drive
from tests.support.gateway import Gateway

ROOT = Path(__file__).parents[2]
PAGES = {"/", "/login", "/logout", "/docs", "/docs/**"}
"""For people, not for programs."""


def routes():
    """Method, path and scope of every route, from the application's own table and constructor."""
    found = {(method, path, scope) for (method, path), (scope, _) in app._BUILTIN.items()}
    for node in ast.walk(ast.parse(inspect.getsource(app))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_add":
            given = [part.value for part in node.args[:3] if isinstance(part, ast.Constant)]
            found |= {tuple(given)} if len(given) == 3 else set()
    return {each for each in found if each[1] not in PAGES}


def test_document_is_valid():
    """Every tool that reads OpenAPI 3.1 takes the file."""
    OpenAPIV31SpecValidator(json.loads(json.dumps(admin_api.document()))).validate()


def test_every_route_is_told_and_none_besides():
    """A call that was added, removed or let in by another scope shows in the document."""
    told = {(call.method, re.sub(r"\{\w+\}", "*", call.path), call.scope) for call in CALLS}
    assert told == routes()


@pytest.mark.parametrize("code", [code for code in STATUS if code != "internal"])
def test_codes_have_their_status(code):
    """Who handles a status handles the codes that come with it."""
    kinds = {each.code: each for each in vars(errors).values() if isinstance(each, type)}
    error = kinds[code]("") if code in kinds else errors.Refused("", code=code)
    assert failure(error).status == STATUS[code]


def test_codes_are_in_the_table_of_errors():
    """The page of errors and the document say the same."""
    text = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \| (\d+) \|", text.partition("## Lines")[0], re.MULTILINE)
    table = {code: int(status) for codes, status in rows for code in re.findall(r"`(\w+)`", codes)}
    page_only = {"method_not_allowed", "bad_form", "store_locked", "store_foreign"}
    assert table == STATUS | {code: table[code] for code in page_only}
    used = {code for call in CALLS for code in call.errors} | {*ANYWHERE, *WITH_TOKEN, *WRITING, "not_found"}
    assert used == set(STATUS)


def test_examples_fit_their_schemas():
    """An example can be taken for what is sent."""
    components = {"schemas": {name: schema for name, (schema, _) in SCHEMAS.items()}}
    for schema, sample in SCHEMAS.values():
        Draft202012Validator({**schema, "components": components}).validate(sample)


@pytest.mark.parametrize("examples", [2, pytest.param(60, marks=pytest.mark.soak)])
def test_gateway_answers_as_the_document_says(tmp_path, examples):
    """A program made from the document meets no status, header, type or body that it was not told of. The
    backup is left out: it writes files where it is told."""
    with Gateway() as gateway:
        gateway.add_account("alice")
        gateway.add_api_key("alice")
        own = gateway.admin_items("/v1/tokens")[0]["id"]
        header, left_out = f"Authorization: Bearer {gateway.token}", ("--exclude-path", "/v1/store/backup")
        status, printed, made = drive(
            admin_api.document(), gateway.admin, header, "admin_hooks", {"DRIVEN_TOKEN_ID": own}, tmp_path,
            examples, *left_out,
        )  # fmt: skip
    assert status == 0, printed
    assert made > 300


def test_site_has_the_files():
    """Whoever reads the chapter finds the file for tools below it."""
    made = site(())
    for chapter, file in (
        ("admin-api", "listenkey-admin.openapi.json"),
        ("native-stream", "listenkey-native.asyncapi.json"),
    ):
        assert file.encode() in made.read(f"gateway/{chapter}.html")
        assert json.loads(made.read(f"gateway/{file}"))["info"]["title"].startswith("listenkey")
