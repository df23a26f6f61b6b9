"""Says what was compared where a life differs from its model."""

import shutil
import tempfile
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.world.life", "tests.world.inspector")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Somewhere fast, with a log that grows as it is needed: nobody cuts the power here."""
    monkeypatch.setattr("listenkey.store.sqlite.opening.prepare_log", lambda *_: None)
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=memory)) if memory.is_dir() else tmp_path
    yield made
    shutil.rmtree(made, ignore_errors=True)
