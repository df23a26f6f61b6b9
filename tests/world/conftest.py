"""Says what was compared where a life differs from its model."""

import pytest

pytest.register_assert_rewrite("tests.world.life", "tests.world.inspector")
