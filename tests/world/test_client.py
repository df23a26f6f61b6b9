"""Our client against a venue that cuts, falls silent, garbles, ends keys, refuses and lies about the time."""

import pytest

from tests.world.client_world import ClientWorld


@pytest.mark.parametrize("seed", range(300))
def test_each_fact_comes_once_and_in_order_or_is_named_missing(seed, monkeypatch):
    """Keys, sockets, rotation, liveness and recovery together, over minutes of trouble."""
    world = ClientWorld(seed, monkeypatch)
    world.live()
    world.check()


@pytest.mark.soak
@pytest.mark.parametrize("first", range(0, 10_000, 100))
def test_the_same_over_many_seeds(first, monkeypatch):
    """What one seed in a thousand breaks."""
    for seed in range(first, first + 100):
        with monkeypatch.context() as patch:
            test_each_fact_comes_once_and_in_order_or_is_named_missing(seed, patch)
