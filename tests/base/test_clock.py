import pytest

from listenkey.base.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND, to_millis


def test_spans_are_microseconds():
    """Every room counts in the same unit."""
    assert (MILLISECOND, SECOND, MINUTE, HOUR, DAY) == (
        1_000,
        10**6,
        60 * 10**6,
        3600 * 10**6,
        86_400 * 10**6,
    )


@pytest.mark.parametrize(
    "micros, millis", [(0, 0), (999, 0), (1_000, 1), (1_732_180_000_000_999, 1_732_180_000_000)]
)
def test_venues_are_told_whole_milliseconds_that_have_begun(micros, millis):
    """A time is never shown as later than it is."""
    assert to_millis(micros) == millis
