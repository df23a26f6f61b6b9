"""Newman runs every exported collection: green against a gateway, red against one that answers wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from listenkey.reference.postman import collection
from tests.postman.planted import Planted
from tests.postman.running import Run, newman
from tests.postman.venues import PRODUCTS, configuration
from tests.support.gateway import Gateway

# Twice in a row where the venue takes two calls a second: a collection asks no faster.
TIMES = {"bingx": 2}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """`listenkey serve` with the limits that a user gets, and a venue more."""
    config = configuration(tmp_path_factory.mktemp("venue"))
    with Gateway(limits=None, args=("--config", str(config))) as running:
        yield running


@pytest.fixture(scope="module")
def variables(gateway: Gateway) -> dict[str, str]:
    """An API key for the collections."""
    gateway.add_account("alice")
    _, key, secret = gateway.add_api_key("alice")
    return {"apiKey": key, "apiSecret": secret}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every collection as a file."""
    folder = tmp_path_factory.mktemp("collections")
    written = {name: folder / f"{name}.postman_collection.json" for name in PRODUCTS}
    for name, file in written.items():
        file.write_text(json.dumps(collection(PRODUCTS[name])), encoding="utf-8")
    return written


@pytest.fixture(scope="module")
def runs(gateway: Gateway, variables: dict[str, str], files: dict[str, Path]) -> dict[str, Run]:
    """Every collection, run."""
    orders = [
        (file, {**variables, "baseUrl": f"{gateway.venue}/{name}"}, TIMES.get(name, 1))
        for name, file in files.items()
    ]
    return dict(zip(files, newman(orders), strict=True))


@pytest.mark.parametrize("name", PRODUCTS)
def test_newman_runs_every_collection_green(name, runs):
    """Each request of each collection is answered as its tests say, by a real gateway."""
    run = runs[name]
    assert run.failures == []
    titles = [item["name"] for item in collection(PRODUCTS[name])["item"][0]["item"]]
    assert run.items == titles * TIMES.get(name, 1)
    assert run.assertions >= len(run.items)


@pytest.mark.parametrize("name", PRODUCTS)
def test_postmans_own_library_reads_all_of_it(name, runs):
    """Nothing of a collection is dropped by the library that Postman reads it with."""
    assert lost(collection(PRODUCTS[name]), runs[name].read) == []


# What Postman shows and its library makes anew from the rest.
SHOWN = {"raw", "_postman_previewlanguage"}

# Each is a gateway that answers one thing otherwise, and what newman has to say to it.
WRONG = {
    "a key too short": (r'("listenKey":"\w)\w+"', r'\1"', "Create a listen key: the answer has its shape"),
    "a key under another name": ('"listenKey"', '"key"', "Create a listen key: the answer has its shape"),
    "a member too many": (r"^{}$", '{"code":0}', "Close a listen key: the answer has its shape"),
    "another code": (r"-1125", "-1105", "Extend a key that is gone: the code is -1125"),
    "another status": ("400", "500", "Extend a key that is gone: the status is 400"),
}


@pytest.fixture(scope="module")
def wrong(gateway: Gateway, variables: dict[str, str], files: dict[str, Path]) -> dict[str, Run]:
    """The USD-M collection, run against each of the gateways that answer wrong."""
    planted = {what: Planted(gateway.venue, old, new) for what, (old, new, _) in WRONG.items()}
    orders = [
        (files["binance-usdm"], {**variables, "baseUrl": f"{each.start()}/binance-usdm"}, 1)
        for each in planted.values()
    ]
    try:
        return dict(zip(planted, newman(orders), strict=True))
    finally:
        for each in planted.values():
            each.stop()


@pytest.mark.parametrize("what", WRONG)
def test_newman_is_red_when_the_answer_is_wrong(what, wrong):
    """The tests of a collection find an answer that is not the venue's."""
    assert any(each.startswith(WRONG[what][2].partition(":")[0]) for each in wrong[what].failures), wrong[
        what
    ].failures


def lost(sent: object, read: object, at: str = "") -> list[str]:
    """Where a document says what its copy does not."""
    if isinstance(sent, dict):
        if not isinstance(read, dict):
            return [at]
        kept = {name: value for name, value in sent.items() if name not in SHOWN}
        return [each for name, value in kept.items() for each in lost(value, read.get(name), f"{at}/{name}")]
    if isinstance(sent, list):
        if not isinstance(read, list) or len(read) != len(sent):
            return [at] if sent else []
        return [
            each
            for place, (value, other) in enumerate(zip(sent, read, strict=True))
            for each in lost(value, other, f"{at}/{place}")
        ]
    # The library writes texts that describe as objects, and leaves out what is empty.
    content = read.get("content") if isinstance(read, dict) else read
    return [] if sent in ("", content) else [at]
