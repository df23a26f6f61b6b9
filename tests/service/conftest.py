"""One house a test, torn down after it."""

import pytest

from tests.service.house import House


@pytest.fixture
async def make_house(tmp_path):
    """Start houses with the options given; every house of a test shares its folder unless told otherwise."""
    houses = []

    async def make(folder="house", **options):
        house = await House(tmp_path / folder, **options).open()
        houses.append(house)
        return house

    yield make
    for house in houses:
        await house.close()


@pytest.fixture
async def house(make_house):
    """A house in which nobody counts calls."""
    return await make_house()
