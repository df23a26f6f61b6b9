"""One gateway for all clients, with the limits that a user gets."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """`listenkey serve` as a user starts it."""
    with Gateway(limits=None) as running:
        yield running
