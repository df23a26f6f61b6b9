"""One gateway for all clients, with the limits that a user gets."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """`listenkey serve` as a user starts it, but with all that it can log, which may hold no secret."""
    with Gateway(limits=None, env={"LISTENKEY_LOG_LEVEL": "debug"}) as running:
        yield running
