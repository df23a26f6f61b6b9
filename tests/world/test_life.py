import asyncio

import pytest

from tests.world.life import Life

SHORT = 500
BATCH = 10


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


@pytest.mark.soak
@pytest.mark.parametrize("first", range(SHORT, 20_000, BATCH))
def test_many_more_lives(first, folder):
    """The same for seeds that nobody has seen fail yet."""
    live(range(first, first + BATCH), folder)
