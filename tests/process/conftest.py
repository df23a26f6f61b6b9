"""One gateway a file, and an account of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from tests.support.gateway import Gateway

SHORT_LIFE = 2
"""Seconds that a cross-margin key lives here, so that its end can be waited for."""
SETTINGS = f"""
[streams]
position_seconds = 1
[dialect.binance-margin]
lifetime_seconds = {SHORT_LIFE}
"""
_NUMBER = count(1)


@dataclass(frozen=True)
class Owner:
    """An account with an API key that may read and trade."""

    name: str
    api_key_id: str
    key: str
    secret: str


def make_owner(gateway: Gateway) -> Owner:
    """An account that nobody else uses."""
    name = gateway.add_account(f"owner{next(_NUMBER)}")
    return Owner(name, *gateway.add_api_key(name, ["read", "trade"]))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway without limits, which says its position every second."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "listenkey.toml").write_text(SETTINGS)
    with Gateway(folder / "data", args=["--config", str(folder / "listenkey.toml")]) as running:
        yield running


@pytest.fixture
def owner(gateway: Gateway) -> Owner:
    """An account of the test's own."""
    return make_owner(gateway)
