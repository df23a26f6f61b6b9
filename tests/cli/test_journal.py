import pytest


def event(offset: int, epoch: str = "e1") -> bytes:
    """A line as the journal gives it."""
    return b'{"offset":%d,"epoch":"%b","time":1,"event":{"position":99}}\n' % (offset, epoch.encode())


def position(offset: int, epoch: str = "e1") -> bytes:
    """The line that ends an answer."""
    return b'{"position":%d,"epoch":"%b","time":1}\n' % (offset, epoch.encode())


@pytest.fixture
def journal(command, stand_in):
    """Run a journal command for alice's stream of one isolated symbol."""
    where = ("--admin", stand_in.url, "--token", "t")
    return lambda name, *rest: command(
        "journal", name, "alice", "binance-margin-isolated:BTCUSDT", *rest, *where
    )


def test_all_pages_are_read_and_the_position_is_said_once(journal, stand_in):
    """The output is whole, in order, and ends with how far it goes."""
    stand_in.answer(event(1) + event(2) + position(2))
    stand_in.answer(event(3) + position(3))
    stand_in.answer(position(3))
    result = journal("read")
    assert result.status == 0
    assert result.out.encode() == event(1) + event(2) + event(3) + position(3)
    assert [asked.path for asked in stand_in.asked] == [
        "/v1/journal/alice/binance-margin-isolated%3ABTCUSDT?limit=10000",
        "/v1/journal/alice/binance-margin-isolated%3ABTCUSDT?limit=10000&since=e1%3A2",
        "/v1/journal/alice/binance-margin-isolated%3ABTCUSDT?limit=10000&since=e1%3A3",
    ]


def test_reading_starts_after_the_position_that_is_named(journal, stand_in):
    """`--since` goes to the listener as it is."""
    stand_in.answer(position(7))
    assert journal("read", "--since", "e1:7").out == ""
    assert stand_in.asked[0].path.endswith("since=e1%3A7")


def test_an_empty_journal_says_its_position(journal, stand_in):
    """Nothing there is told from nothing known."""
    stand_in.answer(position(0))
    assert journal("read").out.encode() == position(0)


def test_gaps_are_shown_and_read_past(journal, stand_in):
    """What is missing is said in its place, and what follows is of the next epoch."""
    gap = b'{"gap":{"epoch":"e1","from":3,"to":null,"next":{"epoch":"e2","offset":1},"reason":"epoch"}}\n'
    stand_in.answer(gap + event(1, "e2") + position(1, "e2"))
    stand_in.answer(position(1, "e2"))
    assert journal("read", "--since", "e1:2").out.encode() == gap + event(1, "e2") + position(1, "e2")
    assert stand_in.asked[1].path.endswith("since=e2%3A1")


def test_export_writes_all_of_it_to_a_new_file(journal, stand_in, tmp_path):
    """The file has the lines of `read`, and the count is of events."""
    stand_in.answer(event(1) + event(2) + position(2))
    stand_in.answer(position(2))
    result = journal("export", "out.ndjson")
    assert (result.status, result.out) == (0, "exported 2 events\n")
    assert (tmp_path / "out.ndjson").read_bytes() == event(1) + event(2) + position(2)


def test_export_never_overwrites(journal, stand_in, tmp_path):
    """An older export is not lost to a slip."""
    (tmp_path / "out.ndjson").write_text("older")
    stand_in.answer(position(0))
    result = journal("export", "out.ndjson")
    assert result.status == 1
    assert "is there already" in result.err
    assert (tmp_path / "out.ndjson").read_text() == "older"


def test_an_export_that_fails_leaves_no_file(journal, stand_in, tmp_path):
    """Half an export would look like a whole one."""
    stand_in.answer(event(1) + position(1))
    stand_in.answer({"error": {"code": "internal", "message": "no", "remedy": "r"}}, 500)
    assert journal("export", "out.ndjson").status == 1
    assert not (tmp_path / "out.ndjson").exists()


def test_a_refusal_of_a_journal_is_one_line(journal, stand_in):
    """The same as of every other call."""
    stand_in.answer(
        {"error": {"code": "unknown_stream", "message": "no such stream", "remedy": "choose"}}, 404
    )
    result = journal("read")
    assert (result.status, result.err) == (1, "listenkey: no such stream; choose\n")
