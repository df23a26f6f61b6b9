"""Schemathesis calls a running gateway as each product's document says, and otherwise, with all its checks.

It runs as a program of its own: its plug-in for pytest is not wanted here. What it finds and is no fault is
named, with the reason, in `hooks.py`.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from listenkey.reference import openapi
from tests.openapi.conftest import PRODUCTS
from tests.support.gateway import Gateway

ROOT = Path(__file__).parents[2]
SHORT, LONG = 2, 60
"""Cases of each call that are made up beyond those which every schema gives."""
SEED = 20231114


def _form(product):
    """What calls of a product are made of; products with the same are told apart by text alone."""
    calls = tuple(
        (call.kind, call.signature, *(each.name for each in call.parameters)) for call in product.calls
    )
    return calls, product.dialect.key_space.issue, len(product.dialect.token_calls)


ONE_OF_EACH_FORM = sorted({_form(product): name for name, product in reversed(PRODUCTS.items())}.values())


def _drive(gateway, product, folder, examples):
    """Run it against one product; what it printed, and what was done and refused, by method."""
    folder.mkdir()
    document, seen = folder / "openapi.json", folder / "seen.json"
    document.write_text(json.dumps(openapi.document(product)), encoding="utf-8")
    _, key, secret = gateway.add_api_key("driven")
    program = Path(sys.executable).with_name("schemathesis")
    command = [
        program, "run", document, "--url", f"{gateway.venue}/{product.name}", "--continue-on-failure",
        "--header", f"{product.dialect.auth.header}: {key}", "--max-examples", str(examples),
        "--seed", str(SEED), "--warnings", "off", "--no-color",
    ]  # fmt: skip
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "SCHEMATHESIS_HOOKS": "tests.openapi.hooks",
        "DRIVEN_SEEN": str(seen), "DRIVEN_DIALECT": product.name, "DRIVEN_KEY": key, "DRIVEN_SECRET": secret,
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    counted = json.loads(seen.read_text(encoding="utf-8")) if seen.exists() else {}
    return done.returncode, done.stdout + done.stderr, counted


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
    status, printed, seen = runs[product.name].result()
    assert status == 0, printed
    for call in product.calls:
        assert seen.get(f"{call.method} done", 0) > 0, seen
        assert seen.get(f"{call.method} refused", 0) > 0, seen
    generated = re.search(r"(\d+) generated, (\d+) passed", printed)
    assert generated, printed
    assert int(generated[1]) > 25
