from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.edge.gate import Gate


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Whatever an earlier test made of the log, here it goes nowhere."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.ReturnLoggerFactory()
    )
    yield
    structlog.configure(**before)


@pytest.fixture
async def gate(tmp_path: Path):
    """A gateway with real listeners, on the test's own loop."""
    async with Gate(tmp_path / "data") as gate:
        yield gate


@pytest.fixture
def make_gate(tmp_path: Path):
    """Makes a gateway with settings of one's own, to be entered."""
    return lambda **settings: Gate(tmp_path / "data", **settings)
