"""Stores on a disk that can be made to fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.faulty import FaultyVFS


@pytest.fixture
def vfs(tmp_path: Path) -> Iterator[FaultyVFS]:
    """A disk that fails when told to."""
    vfs = FaultyVFS(f"faulty-{tmp_path.name}")
    yield vfs
    vfs.unregister()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store under test is."""
    return tmp_path / "data"
