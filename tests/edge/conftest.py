import pytest
import uvloop

from tests.edge.gate import Gate


def pytest_asyncio_loop_factories(config, item):
    """The loop that the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def gate(tmp_path):
    """A gateway with its defaults."""
    async with Gate(tmp_path / "data") as gate:
        yield gate


@pytest.fixture
def make_gate(tmp_path):
    """Makes a gateway with settings of one's own, to be entered."""
    return lambda **settings: Gate(tmp_path / "data", **settings)
