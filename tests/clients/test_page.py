"""The page and the clients that are tried are the same set, and every block points at the gateway alone."""

import re

import pytest

from tests.clients import page
from tests.clients.cast import CAST


def test_every_client_has_its_block_and_every_block_its_client() -> None:
    assert set(page.blocks()) == {client.name for client in CAST}


@pytest.mark.parametrize("name", sorted(page.blocks()))
def test_a_block_names_no_other_server(name: str) -> None:
    hosts = re.findall(r"(?:https?|wss?)://([^/'\"`]+)", page.blocks()[name])
    assert set(hosts) == {page.ADDRESS}


def test_the_page_says_which_version_was_tried() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for version in page.versions():
        assert version in text, f"{version} is what the tests run, and the page does not say so"
