import shutil

import pytest
import structlog
from structlog.testing import LogCapture

from tests.world.delivery import play

SHORT, LONG = 500, 20_000
BATCH = 10


@pytest.fixture
def captured():
    """Lets a log be captured, one for each world."""
    before = structlog.get_config()

    def capture():
        logs = LogCapture()
        structlog.configure(processors=[logs])
        return logs

    yield capture
    structlog.configure(**before)


def play_all(seeds, folder, captured):
    for seed in seeds:
        try:
            play(seed, folder / str(seed), captured())
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        shutil.rmtree(folder / str(seed))


@pytest.mark.parametrize("first", range(0, SHORT, BATCH))
def test_no_fill_is_lost(first, folder, captured):
    """Whatever bots, networks and the gateway do: every fill at least once, in order, and nothing else."""
    play_all(range(first, first + BATCH), folder, captured)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(SHORT, LONG, 10 * BATCH))
def test_no_fill_is_lost_in_any_world(first, folder, captured):
    """The same, in many more worlds."""
    play_all(range(first, first + 10 * BATCH), folder, captured)
