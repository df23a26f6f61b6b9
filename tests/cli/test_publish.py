import io
import json
import os
import pty
import subprocess
import sys

import pytest

from listenkey.cli.publish import CHUNK_BYTES, CHUNK_LINES, batches, is_object

ACKED = b'{"epoch":"e","offset":1}\n'


@pytest.fixture
def publish(command, stand_in):
    """Publish a file's content to alice's USD-M stream through the stand-in."""

    def run(content: bytes, tmp="events.ndjson"):
        with open(tmp, "wb") as file:  # noqa: PTH123 - in the folder that the command runs in
            file.write(content)
        return command("publish", "alice", "binance-usdm", tmp, "--admin", stand_in.url, "--token", "t")

    return run


def test_events_reach_the_listener_byte_for_byte(publish, stand_in):
    """What a reader will get is what the publisher wrote: numbers, order and escapes included."""
    events = [b'{"e":"A","p":1.10000000000000000001,"e":"B"}', b'{ "u" : "\\u00e9\xc3\xa9" }']
    stand_in.answer(ACKED * 2)
    result = publish(b"\n".join(events) + b"\n")
    assert (result.status, result.out, result.err) == (0, "published 2\n", "")
    assert stand_in.asked[0].path == "/v1/publish"
    head = b'{"account":"alice","stream":"binance-usdm","event":'
    assert stand_in.asked[0].body.splitlines() == [head + event + b"}" for event in events]


@pytest.mark.parametrize("content", [b'{"a":1}', b'{"a":1}\n', b'\n\r\n{"a":1}\r\n  \n'])
def test_line_ends_and_empty_lines_do_not_matter(publish, stand_in, content):
    """Files of every editor count the same."""
    stand_in.answer(ACKED)
    assert publish(content).out == "published 1\n"


def test_nothing_to_publish_is_no_error_and_asks_nothing(publish, stand_in):
    """A quiet day's file."""
    assert (publish(b"").out, stand_in.asked) == ("published 0\n", [])


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense",
        b"[1]",
        b'"text"',
        b'{"a":1} {"b":2}',
        b'{"a":1',
        b'{"a":\xff}',
        # Put between `"event":` and `}` this would have named another account.
        b'{},"account":"bob"',
    ],
)
def test_a_bad_line_is_kept_back_and_the_good_ones_are_published(publish, stand_in, bad):
    """One bad line costs one event, is named by its number, and the status says so."""
    stand_in.answer(ACKED * 2)
    result = publish(b'{"a":1}\n' + bad + b'\n{"a":2}\n')
    assert (result.status, result.out) == (1, "published 2\n")
    assert result.err == (
        "listenkey: 1 of 3 lines not published: line 2: bad_line, it is no JSON object; "
        "publish those again once mended; the others are journaled\n"
    )
    assert len(stand_in.asked[0].body.splitlines()) == 2


def test_what_the_listener_refuses_is_named_by_the_files_lines(publish, stand_in):
    """Numbers count the file's lines, not the request's, and the first one's reason is told."""
    refused = b'{"error":{"code":"too_large","message":"the event has over 10 bytes"}}\n'
    stand_in.answer(ACKED + refused + refused)
    result = publish(b'\n{"a":1}\n{"a":2}\n\n{"a":3}\n')
    assert (result.status, result.out) == (1, "published 1\n")
    assert (
        "2 of 3 lines not published: line 3: too_large, the event has over 10 bytes; also line 5;"
        in result.err
    )


def test_a_connection_that_breaks_still_ends_with_the_count(publish, stand_in):
    """Whoever starts again has to know how many are journaled for sure."""
    stand_in.answer(ACKED * CHUNK_LINES)
    stand_in.answer(b"<html>", 502)
    result = publish(b'{"a":1}\n' * (CHUNK_LINES + 1))
    assert (result.status, result.out) == (1, f"published {CHUNK_LINES}\n")
    assert "does not answer as an admin listener does" in result.err


def test_fewer_answers_than_lines_is_an_error(publish, stand_in):
    """An event without its answer counts as nothing."""
    stand_in.answer(ACKED)
    result = publish(b'{"a":1}\n{"a":2}\n')
    assert (result.status, result.out) == (1, "published 0\n")
    assert "answered 1 of 2 lines" in result.err


def test_a_file_that_is_not_there_is_refused(command, stand_in):
    """One line, status 1, nothing asked."""
    result = command("publish", "alice", "bingx-spot", "none", "--admin", stand_in.url, "--token", "t")
    assert (result.status, stand_in.asked) == (1, [])
    assert result.err.startswith("listenkey: none: No such file or directory")


def test_standard_input_is_published_as_it_comes(stand_in, tmp_path):
    """An event of a pipe that stays open does not wait for the next one."""
    stand_in.answer(ACKED)
    arguments = ("publish", "alice", "bingx-spot", "--admin", stand_in.url, "--token", "t")
    process = subprocess.Popen(
        [sys.executable, "-m", "listenkey", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stdin is not None
    process.stdin.write(b'{"a":1}\n{"a":2')
    process.stdin.flush()
    while not stand_in.asked:
        assert process.poll() is None
    assert json.loads(stand_in.asked[0].body)["event"] == {"a": 1}
    out, _ = process.communicate(b"}")
    assert (process.returncode, out) == (0, b"published 2\n")
    assert json.loads(stand_in.asked[1].body)["event"] == {"a": 2}


def test_progress_is_shown_on_a_terminal_and_nowhere_else(stand_in, tmp_path):
    """Whoever watches sees how far it is; the line is gone at the end, and the result stands alone."""
    stand_in.answer(ACKED)
    (tmp_path / "events").write_bytes(b'{"a":1}\n')
    leader, follower = pty.openpty()
    arguments = ("publish", "alice", "bingx-spot", "events", "--admin", stand_in.url, "--token", "t")
    run = subprocess.run(
        [sys.executable, "-m", "listenkey", *arguments],
        stdout=subprocess.PIPE,
        stderr=follower,
        cwd=tmp_path,
        check=True,
    )
    os.close(follower)
    shown = os.read(leader, 1000)
    os.close(leader)
    assert run.stdout == b"published 1\n"
    assert shown == b"\r1 published\r\x1b[K"


class Dripping(io.RawIOBase):
    """A source that brings a few bytes a read."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = io.BytesIO(content), size

    def read(self, size: int = -1) -> bytes:
        return self._content.read(self._size)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_and_their_numbers_do_not_depend_on_how_they_arrive(size):
    """However the bytes are cut, every line arrives once, whole, under its own number."""
    content = b'{"a":1}\n\n{"b":22}\r\n{"c":333}'
    lines = [line for batch in batches(Dripping(content, size)) for line in batch]
    assert lines == [(1, b'{"a":1}'), (3, b'{"b":22}\r'), (4, b'{"c":333}')]


def test_batches_are_bounded_in_lines_and_bytes():
    """A large file is not one large request."""
    many = list(batches(io.BytesIO(b"{}\n" * (3 * CHUNK_LINES))))
    assert max(map(len, many)) <= CHUNK_LINES
    assert sum(map(len, many)) == 3 * CHUNK_LINES
    large = list(batches(io.BytesIO((b'"' + b"x" * 400_000 + b'"\n') * 10)))
    assert max(sum(len(line) for _, line in batch) for batch in large) <= CHUNK_BYTES
    assert sum(map(len, large)) == 10


@pytest.mark.parametrize(
    "line,good", [(b"{}", True), (b' {"a":[]} ', True), (b"[]", False), (b"", False), (b"{}}", False)]
)
def test_only_whole_objects_are_events(line, good):
    """What cannot stand as the value of `event` is not sent."""
    assert is_object(line) is good
