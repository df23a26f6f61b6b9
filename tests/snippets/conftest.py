"""One gateway for all programs, which insists on its heartbeats."""

from collections.abc import Iterator

import pytest

from tests.snippets import quick_beats
from tests.support.gateway import Gateway


class Insistent(Gateway):
    """`listenkey serve` that asks for signs of life every moment, and means it."""

    def command(self) -> list[str]:
        """The same arguments for the program that has quick heartbeats."""
        python, _module, _name, *arguments = super().command()
        return [python, "-m", quick_beats.__name__, *arguments]


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """A running gateway; every account of it is one program's own."""
    with Insistent(env={"LISTENKEY_HEARTBEAT_ENFORCE": "true"}) as running:
        running.admin_call("GET", "/health/live")  # opens the connections that the tests' threads share
        yield running
