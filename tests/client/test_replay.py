"""The source that plays a record: what was written down is journaled, in order and at its pace, once."""

import asyncio
from types import SimpleNamespace

import pytest

from listenkey.app.replay_settings import replayed_streams
from listenkey.base.errors import ConfigError
from listenkey.cli import recording as cli_recording
from listenkey.cli.recording import Recording
from listenkey.client.items import Event, Gap
from listenkey.client.record import play, stream_of
from listenkey.config import ReplaySettings, Settings, load
from listenkey.core.position import Missing
from listenkey.dialect.registry import load_dialects
from listenkey.service.publish import Problem
from listenkey.sources.replay import Player, Replay
from tools.tracked import ROOT


class Journal:
    """Journals by id, as the gateway's does."""

    def __init__(self):
        self.rows, self.times, self.ids = [], [], set()
        self.full = 0

    async def publish_all(self, account, stream, rows):
        """One commit."""
        assert (account, stream) == ("desk", "binance-usdm")
        if self.full:
            self.full -= 1
            return [Problem("store_full", "") for _ in rows]
        outcomes = []
        for what, event_id in rows:
            repeated = event_id is not None and event_id in self.ids
            self.ids.add(event_id)
            if not repeated:
                self.rows.append(what)
                self.times.append(asyncio.get_running_loop().time())
            outcomes.append(SimpleNamespace(repeated=repeated))
        return outcomes


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Two events, a gap, another event; a tenth of a second between them."""
    times = iter(range(1000, 100_000, 100))
    monkeypatch.setattr(cli_recording, "_wall_ms", lambda: next(times))
    recording = Recording(tmp_path / "record", "binance-usdm")
    for item in (fill(1), fill(2), Gap("disconnected", since_ms=1, until_ms=2), fill(3)):
        recording.add(item)
    recording.close()
    return tmp_path / "record"


def fill(number):
    """An event."""
    return Event("x", b'{"e":"x","n":%d}' % number)


WHOLE = [fill(1).raw, fill(2).raw, Missing("disconnected", 1, 2), fill(3).raw]


def player(record, journal, *, speed=0.0, loop=False):
    """A replay of it."""
    return Player(Replay("1", record, "desk", "binance-usdm", speed, loop), journal.publish_all)


async def test_everything_at_once(record):
    """Gaps stand where they were."""
    journal = Journal()
    await player(record, journal).run()
    assert journal.rows == WHOLE


async def test_at_its_pace(record):
    """A test of a bot wants the venue's rhythm."""
    journal = Journal()
    await player(record, journal, speed=1.0).run()
    assert journal.rows == WHOLE
    for earlier, later in zip(journal.times, journal.times[1:], strict=False):
        assert later - earlier > 0.05


async def test_after_a_restart_it_goes_on(record):
    """Nothing twice, and no waiting for what is there."""
    journal = Journal()
    await player(record, journal).run()
    start = asyncio.get_running_loop().time()
    await player(record, journal, speed=0.001).run()
    assert journal.rows == WHOLE
    assert asyncio.get_running_loop().time() - start < 60


async def test_a_loop_is_new_each_time(record):
    """A load that never ends."""
    journal = Journal()
    task = asyncio.create_task(player(record, journal, loop=True).run())
    async with asyncio.timeout(20):
        while len(journal.rows) < 3 * len(WHOLE):
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert journal.rows[: 2 * len(WHOLE)] == WHOLE * 2


async def test_a_full_disk_holds_it_up(record, monkeypatch):
    """And loses nothing."""
    monkeypatch.setattr("listenkey.sources.replay._RETRY_SECONDS", 0.01)
    journal = Journal()
    journal.full = 3
    await player(record, journal).run()
    assert journal.rows == WHOLE


async def test_a_file_that_went_away_ends_that_replay_alone(record):
    """The gateway goes on."""
    record.unlink()
    await player(record, Journal()).run()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"account": "desk", "file": "/nonexistent"}, "cannot be read"),
        ({"account": "desk", "file": __file__}, "is no record"),
        ({"account": "", "file": "x"}, "account is not set"),
        ({"account": "A B", "file": "x"}, "account"),
        ({"account": "desk", "stream": "nowhere"}, "no stream nowhere"),
    ],
)
def test_what_cannot_be_played_is_said_before_the_start(record, given, says):
    """By `config check` as by `serve`."""
    settings = Settings(replay={"1": ReplaySettings(**{"file": str(record), **given})})
    with pytest.raises(ConfigError, match=says):
        replayed_streams(settings, load_dialects())


def test_the_stream_is_the_records_own_unless_another_is_named(record):
    """A record of one account may be played for another stream."""
    for stream, wanted in (("", "binance-usdm"), ("binance-coinm", "binance-coinm")):
        settings = Settings(replay={"1": ReplaySettings(file=str(record), account="desk", stream=stream)})
        assert replayed_streams(settings, load_dialects()) == {"1": wanted}


def test_the_page_is_as_it_says(tmp_path, record):
    """Its configuration is accepted, and what it shows is a record."""
    page = (ROOT / "docs" / "how-to" / "record-and-replay.md").read_text(encoding="utf-8")
    shown = page.split("```json\n")[1].split("```")[0].encode().splitlines()
    assert stream_of(shown[0]) == "binance-usdm"
    assert [type(each.what) for each in play(shown)] == [bytes, Missing]
    file = tmp_path / "listenkey.toml"
    text = page.split("<!-- replay -->\n```toml\n")[1].split("```")[0]
    file.write_text(text.replace("fills.ndjson", str(record)))
    settings = load(file, {}).settings
    assert settings.replay["1"].speed == 10
    assert replayed_streams(settings, load_dialects()) == {"1": "binance-usdm"}
