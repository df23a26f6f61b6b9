"""How streams are delivered, as configured: for all of them, and differently for one."""

import pytest

from listenkey.app.delivery import configured_close, configured_delivery
from listenkey.base.clock import SECOND
from listenkey.config import load
from listenkey.core.consumer import Reach
from listenkey.service.consumers import Delivery

ONE, OTHER = "binance-margin-isolated", "bingx-swap"
COMMON = """[streams]
resume = "live"
overlap_seconds = 1
overlap_events = 2
replay_seconds = 3
replay_events = 4
consumer_by = "address"
close = "venue"
"""
FOR_ALL = Delivery("live", Reach(SECOND, 2, 3 * SECOND, 4), by_address=True)


@pytest.fixture
def configured(tmp_path):
    """The settings of a file."""

    def read(text):
        file = tmp_path / "listenkey.toml"
        file.write_text(text, encoding="ascii")
        return load(file).settings

    return read


def test_what_is_set_for_all_streams_holds_for_each(configured):
    """A bound that an operator sets is the one that holds."""
    rules = configured_delivery(configured(COMMON))
    assert rules.of(ONE) == rules.of(OTHER) == FOR_ALL


@pytest.mark.parametrize(
    "setting,delivery",
    [
        ('resume = "replay"', Delivery("replay", FOR_ALL.reach, by_address=True)),
        ("overlap_seconds = 0", Delivery("live", Reach(0, 2, 3 * SECOND, 4), by_address=True)),
        ("overlap_events = 0", Delivery("live", Reach(SECOND, 0, 3 * SECOND, 4), by_address=True)),
        ("replay_seconds = 9", Delivery("live", Reach(SECOND, 2, 9 * SECOND, 4), by_address=True)),
        ("replay_events = 9", Delivery("live", Reach(SECOND, 2, 3 * SECOND, 9), by_address=True)),
        ('consumer_by = "api_key"', Delivery("live", FOR_ALL.reach, by_address=False)),
    ],
)
def test_one_stream_may_differ_in_each_setting(configured, setting, delivery):
    """Nothing may mean something, 0 too; the other settings stay, and so do the other streams."""
    rules = configured_delivery(configured(f"{COMMON}[stream.{ONE}]\n{setting}\n"))
    assert rules.of(f"{ONE}:BTCUSDT") == delivery
    assert rules.of(OTHER) == FOR_ALL


def test_closing_may_differ_too(configured):
    """One stream's bots share a key as at the venue, another's have one each."""
    settings = configured(f'{COMMON}[stream.{ONE}]\nclose = "holder"\n[stream.{OTHER}]\nresume = "live"\n')
    assert configured_close(settings, [ONE, OTHER]) == {ONE: "holder", OTHER: "venue"}


def test_defaults_are_those_that_are_promised(configured):
    """Ten seconds and twenty events again, nothing beyond 120 seconds or 2,000 events; a key for each bot."""
    settings = configured("")
    reach = Reach(10 * SECOND, 20, 120 * SECOND, 2000)
    assert configured_delivery(settings).of(ONE) == Delivery("replay", reach, by_address=False)
    assert configured_close(settings, [ONE]) == {ONE: "holder"}
