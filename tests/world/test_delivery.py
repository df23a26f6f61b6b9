import shutil
import tempfile
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

pytest.register_assert_rewrite("tests.world.delivery", "tests.world.bots")

from tests.world.delivery import play  # noqa: E402

SHORT, LONG = 500, 20_000
BATCH = 10


@pytest.fixture
def folder(tmp_path):
    """Somewhere fast: nobody cuts the power here."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=memory)) if memory.is_dir() else tmp_path
    yield made
    shutil.rmtree(made, ignore_errors=True)


def play_all(seeds, folder):
    """Worlds one after the other, each with a log of its own."""
    before = structlog.get_config()
    try:
        for seed in seeds:
            logs = LogCapture()
            structlog.configure(processors=[logs])
            try:
                play(seed, folder / str(seed), logs)
            except BaseException as error:
                error.add_note(f"seed {seed}")
                raise
            shutil.rmtree(folder / str(seed))
    finally:
        structlog.configure(**before)


@pytest.mark.parametrize("first", range(0, SHORT, BATCH))
def test_no_fill_is_lost(first, folder):
    """Whatever bots, networks and the gateway do: at least once, in order, nothing that was not promised."""
    play_all(range(first, first + BATCH), folder)
