import pytest

from listenkey.dialect.registry import load_dialects
from listenkey.reference.describe import describe

PRODUCTS = {name: describe(dialect) for name, dialect in load_dialects().items()}


@pytest.fixture(params=sorted(PRODUCTS))
def product(request):
    """Each product in turn."""
    return PRODUCTS[request.param]
