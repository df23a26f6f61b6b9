import httpx
import pytest

from listenkey.testing import TestingVenue, VirtualClock


@pytest.fixture
async def venue():
    """A venue of one's own whose time stands."""
    async with TestingVenue(clock=VirtualClock()) as venue:
        yield venue


@pytest.fixture
async def http():
    """A client of its calls."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        yield client
