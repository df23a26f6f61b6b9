"""Every test of the suite is run over every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from listenkey.core.records import Account, ApiKey
from listenkey.store.base import Store
from tests.conformance.homes import HOMES, Home, Recorder
from tests.conformance.making import START, api_key

# The machine's cores may be shared, and threads come late then.
settings.register_profile("stores", deadline=None, derandomize=True)
settings.load_profile("stores")


@pytest.fixture(params=sorted(HOMES))
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A place for one store."""
    return HOMES[request.param](tmp_path)


@pytest.fixture
def recorder() -> Recorder:
    """The observer of the store under test."""
    return Recorder()


@pytest.fixture
async def store(home: Home, recorder: Recorder) -> AsyncIterator[Store]:
    """A store without anything in it, started."""
    store = home.open()
    store.start(recorder)
    yield store
    await store.close()


@pytest.fixture
async def alice(store: Store) -> Account:
    """An account."""
    return await store.add_account("alice", START)


@pytest.fixture
async def one(store: Store, alice: Account) -> ApiKey:
    """An API key of the account."""
    return await store.add_api_key(api_key(alice, "one"), START)


@pytest.fixture
async def two(store: Store, alice: Account) -> ApiKey:
    """Another API key of the account."""
    return await store.add_api_key(api_key(alice, "two"), START)
