"""A stream written down and read back: nothing more, nothing less, and what is missing is said."""

import os

import pytest

from listenkey.base.errors import Refused
from listenkey.cli import recording as cli_recording
from listenkey.cli.recording import Recording
from listenkey.client.items import Event, Gap, State
from listenkey.client.record import Played, play, stream_of
from listenkey.core.position import Missing, Position

RAW = b'{"e":"x","p":"0.10","n":1e5,  "u":"\xc3\xa9"}'


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Each line a millisecond after the one before."""
    times = iter(range(1000, 10_000))
    monkeypatch.setattr(cli_recording, "_wall_ms", lambda: next(times))


def write(path, *items):
    """One run of the command."""
    recording = Recording(path, "binance-usdm")
    for item in items:
        recording.add(item)
    recording.close()


def played(path):
    """What a replay would journal."""
    return list(play(path.read_bytes().splitlines(keepends=True)))


def at(place, raw=RAW):
    """An event of a gateway."""
    return Event("x", raw, Position("a", place))


def test_events_are_the_same_bytes_and_gaps_stay(tmp_path):
    """With the times at which they came."""
    file = tmp_path / "record"
    write(file, State("open"), at(1), Gap("disconnected", since_ms=5, until_ms=9), Event("x", b'{"e":\n"x"}'))
    assert stream_of(file.read_bytes().splitlines()[0]) == "binance-usdm"
    assert played(file) == [
        Played(1002, RAW),
        Played(1003, Missing("disconnected", 5, 9)),
        Played(1004, b'{"e":"x"}'),
    ]


def test_all_that_is_known_of_a_gap_stays(tmp_path):
    """Of a relay's too, whose own source said why."""
    here = Position("a", 3)
    known = (5, 9, ("BTCUSDT",), ("USDT",), "too long ago")
    write(
        tmp_path / "record",
        Gap("disconnected", None, None, *known),
        Gap("upstream", here, here, *known, "late"),
    )
    assert [each.what for each in played(tmp_path / "record")] == [
        Missing("disconnected", *known),
        Missing("late", *known),
    ]


def test_it_is_for_its_owner_alone(tmp_path):
    """It says what somebody trades."""
    write(tmp_path / "record", at(1))
    assert (tmp_path / "record").stat().st_mode & 0o077 == 0


def test_a_second_run_goes_on_and_the_time_between_is_a_gap(tmp_path):
    """Nobody recorded then."""
    file = tmp_path / "record"
    write(file, Event("x", RAW))
    write(file, State("connecting"), Event("x", RAW))
    assert played(file) == [
        Played(1001, RAW),
        Played(1004, Missing("restart", 1001, 1004)),
        Played(1004, RAW),
    ]


def test_unless_the_places_join(tmp_path):
    """With --since nothing was missed."""
    file = tmp_path / "record"
    write(file, at(1))
    write(file, State("open"), at(2))
    assert [each.what for each in played(file)] == [RAW, RAW]


def test_a_line_that_was_torn_is_a_gap_and_spoils_no_other(tmp_path):
    """A crash in the middle of a write."""
    file = tmp_path / "record"
    write(file, Event("x", RAW), Event("x", RAW))
    file.write_bytes(file.read_bytes()[:-20])
    write(file, Event("x", RAW))
    whats = [each.what for each in played(file)]
    assert [what if isinstance(what, bytes) else what.cause for what in whats] == [RAW, "torn", RAW]
    file.write_bytes(file.read_bytes()[:-20])
    assert isinstance(played(file)[-1].what, Missing), "also at the very end"


def test_a_disk_without_room_is_said(tmp_path, monkeypatch):
    """In a line, with what to do."""
    recording = Recording(tmp_path / "record", "binance-usdm")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cli_recording.os, "write", full)
    with pytest.raises(Refused, match=r"No space left.*disk"):
        recording.add(at(1))
    monkeypatch.undo()
    recording.close()
    with pytest.raises(Refused, match="cannot write"):
        Recording(tmp_path, "binance-usdm")


def test_half_a_write_is_written_whole(tmp_path, monkeypatch):
    """A disk may take a part."""
    real = os.write
    monkeypatch.setattr(cli_recording.os, "write", lambda file, data: real(file, data[:7]))
    write(tmp_path / "record", at(1))
    monkeypatch.undo()
    assert [each.what for each in played(tmp_path / "record")] == [RAW]


def test_rubbish_is_no_record():
    """Said at the start, not in the middle."""
    for line in (b"", b"x", b"[]", b'{"at":1}', b'{"record":2,"stream":"x","at":1}'):
        assert stream_of(line) == ""
