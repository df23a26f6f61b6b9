import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.world.life import Life

SHORT = 500
BATCH = 10


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Somewhere fast, with a log that grows as it is needed: nobody cuts the power here."""
    monkeypatch.setattr("listenkey.store.sqlite.opening.prepare_log", lambda path: None)
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=memory)) if memory.is_dir() else tmp_path
    yield made
    shutil.rmtree(made, ignore_errors=True)


def live(seeds, folder):
    for seed in seeds:
        try:
            asyncio.run(Life(seed, folder / str(seed)).run())
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("first", range(0, SHORT, BATCH))
def test_a_life_is_as_the_model_says(first, folder):
    """I1 to I5: whatever bots do, however the process ends, whoever sets the clock."""
    live(range(first, first + BATCH), folder)
