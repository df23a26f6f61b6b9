"""Schemathesis calls a running gateway as each product's document says, and otherwise, with all its checks.

What it finds and is no fault is named, with the reason, in `hooks.py`.
"""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from listenkey.reference import openapi
from tests.openapi.conftest import PRODUCTS
from tests.openapi.driving import drive
from tests.support.gateway import Gateway

SHORT, LONG = 2, 60
"""Cases of each call that are made up beyond those which every schema gives."""


def _form(product):
    """What calls of a product are made of; products with the same are told apart by text alone."""
    calls = tuple(
        (call.kind, call.signature, *(each.name for each in call.parameters)) for call in product.calls
    )
    return calls, product.dialect.key_space.issue, len(product.dialect.token_calls)


ONE_OF_EACH_FORM = sorted({_form(product): name for name, product in reversed(PRODUCTS.items())}.values())


def _drive(gateway, product, folder, examples):
    """Run it against one product; what came of it, and what was done and refused, by method."""
    folder.mkdir()
    seen = folder / "seen.json"
    _, key, secret = gateway.add_api_key("driven")
    environment = {
        "DRIVEN_SEEN": str(seen), "DRIVEN_DIALECT": product.name, "DRIVEN_KEY": key, "DRIVEN_SECRET": secret,
    }  # fmt: skip
    url, header = f"{gateway.venue}/{product.name}", f"{product.dialect.auth.header}: {key}"
    done = drive(openapi.document(product), url, header, "hooks", environment, folder, examples)
    return *done, json.loads(seen.read_text(encoding="utf-8")) if seen.exists() else {}


@contextlib.contextmanager
def _runs(tmp_path_factory, names, examples):
    folder = tmp_path_factory.mktemp("driven")
    with Gateway() as gateway, ThreadPoolExecutor(2) as pool:
        gateway.add_account("driven")
        yield {name: pool.submit(_drive, gateway, PRODUCTS[name], folder / name, examples) for name in names}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run for each form of product, two at a time."""
    with _runs(tmp_path_factory, ONE_OF_EACH_FORM, SHORT) as runs:
        yield runs


@pytest.fixture(scope="module")
def long_runs(tmp_path_factory):
    """A run for each product, with many more cases."""
    with _runs(tmp_path_factory, sorted(PRODUCTS), LONG) as runs:
        yield runs


@pytest.mark.parametrize("name", ONE_OF_EACH_FORM)
def test_gateway_answers_as_the_document_says(runs, name):
    """A client made from the document meets no status, header, type or body that it was not told of."""
    _check(runs, PRODUCTS[name])


@pytest.mark.soak
def test_gateway_answers_so_at_length(long_runs, product):
    """The same, however odd the requests become."""
    _check(long_runs, product)


def _check(runs, product):
    status, printed, made, seen = runs[product.name].result()
    assert status == 0, printed
    assert made > 25
    for call in product.calls:
        assert seen.get(f"{call.method} done", 0) > 0, seen
        assert seen.get(f"{call.method} refused", 0) > 0, seen
