import shutil
from collections import Counter

import pytest
import structlog
from structlog.testing import LogCapture

from listenkey.edge.venue_socket import VenueSocket
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


def play_all(seeds, folder, captured, **more):
    for seed in seeds:
        try:
            play(seed, folder / str(seed), captured(), **more)
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


def test_no_fill_is_lost_when_sockets_grow_old(folder, captured, monkeypatch):
    """Under `--limits venue` sockets are cut after their day, here of seconds, in the midst of everything."""
    ends, close = Counter(), VenueSocket.close

    def note(socket, kind):
        ends[kind] += 1
        close(socket, kind)

    monkeypatch.setattr(VenueSocket, "close", note)
    play_all(range(25), folder, captured, ages=True)
    assert ends["aged"] > 25
