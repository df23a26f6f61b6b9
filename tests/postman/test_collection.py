"""What an exported collection says: the format, the order, and what a reader is told."""

import json
import re

import msgspec
import pytest

from listenkey.reference.postman import collection
from tests.postman.format import Collection, Item
from tests.postman.venues import PRODUCTS


def exported(name: str) -> Collection:
    """A product's collection, held to the format."""
    return msgspec.convert(collection(PRODUCTS[name]), Collection)


def requests(name: str) -> list[Item]:
    """The requests of a product's folder."""
    (folder,) = exported(name).item
    return folder.item


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_collection_keeps_to_the_format(name):
    """A field that Postman does not know is lost at the next export, or refuses the import."""
    assert exported(name).info.name == PRODUCTS[name].title


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_key_lives_before_it_fails(name):
    """Run in order, the folder creates the key that it extends and closes."""
    titles = [item.name for item in requests(name)]
    life = ["Create a listen key", "Extend a listen key", "Close a listen key", "Extend a key that is gone"]
    assert [title for title in titles if title in life] == life


@pytest.mark.parametrize("name", PRODUCTS)
def test_variables_are_the_demonstrations(name):
    """Imported and sent at once, against `make serve`, it works."""
    values = {each.key: each.value for each in exported(name).variable}
    assert values == {
        "baseUrl": f"http://127.0.0.1:8080/{name}",
        "apiKey": "demo-key",
        "apiSecret": "demo-secret",
        "listenKey": "",
    }


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_place_of_a_request_has_a_variable(name):
    """No request goes out with `{{braces}}` in it."""
    document = exported(name)
    given = {each.key for each in document.variable}
    for event in document.event:
        given |= set(re.findall(r'pm\.variables\.set\("(\w+)"', "\n".join(event.script.exec)))
    for item in requests(name):
        text = msgspec.json.encode([item.request.url, item.request.header]).decode()
        assert set(re.findall(r"\{\{(\w+)\}\}", text)) <= given


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_address_says_the_same_twice(name):
    """Postman shows `raw` and sends the parts."""
    for item in requests(name):
        url = item.request.url
        query = "&".join(f"{each.key}={each.value}" for each in url.query if not each.disabled)
        assert url.raw == f"{url.host[0]}/{'/'.join(url.path)}" + (f"?{query}" if query else "")


@pytest.mark.parametrize("name", PRODUCTS)
def test_examples_are_whole(name):
    """An example is what the venue sends: JSON where it is JSON, with no place left open."""
    for item in requests(name):
        assert item.response, item.name
        for example in item.response:
            assert "$" not in re.sub(r"legal range is '.*?'", "", example.body)
            if example.body.startswith("{"):
                json.loads(example.body)


def test_each_request_is_tested():
    """A run that is green has looked at every answer."""
    for name in PRODUCTS:
        for item in requests(name):
            (event,) = item.event
            assert "pm.response.to.have.status" in "".join(event.script.exec)


def test_only_who_signs_is_signed():
    """A collection of a venue that wants no signature asks for no secret to sign with."""
    signing = [name for name, product in PRODUCTS.items() if product.dialect.auth.signature != "ignored"]
    assert "bingx" in signing
    scripts = {name: "".join(str(each.script.exec) for each in exported(name).event) for name in PRODUCTS}
    assert [name for name, script in scripts.items() if "HmacSHA256" in script] == signing


def test_what_the_venue_removed_is_said():
    """Who imports spot's calls learns that the venue has them no more, and what it has instead."""
    create = requests("binance-spot")[0]
    assert "removed this call on 2026-02-20 and answers 410" in create.request.description
    assert "userDataStream.subscribe" in create.request.description
    assert [(each.name, each.code) for each in create.response[:2]] == [
        ("A listen key lives now.", 200),
        ("The venue, since 2026-02-20", 410),
    ]


def test_the_socket_that_is_named_carries_events():
    """Who opens the address of the description is on a path that the venue still serves."""
    assert "wss://fstream.binance.com/private/ws" in exported("binance-usdm").info.description
