from collections.abc import Callable
from pathlib import Path

import pytest

from listenkey.base.errors import DialectError
from listenkey.dialect.registry import load_dialects

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, text: str) -> str:
        file = tmp_path / name
        file.write_text(text)
        return str(file)

    return write_file


OWN = """
extends = "binance-usdm"
without = ["streams", "sockets", "notices"]
name = "my-venue"
title = "Mine"
root = false

[key_space]
lifetime_s = 600

[[streams]]
name = "my-stream"
title = "Mine"

[[sockets]]
path = "/ws"
stream = "my-stream"
control = "method"
heartbeat = "ping"
"""


def test_built_in() -> None:
    """The shipped dialects load, in the order of their names, and only they."""
    assert list(load_dialects()) == [
        "binance-coinm",
        "binance-margin",
        "binance-margin-isolated",
        "binance-margin-risk",
        "binance-options",
        "binance-pm",
        "binance-spot",
        "binance-us",
        "binance-usdm",
        "bingx",
    ]


def test_loading_twice_gives_what_is_its_own() -> None:
    """A caller may change its mapping without changing that of the next."""
    load_dialects().clear()
    assert "bingx" in load_dialects()


def test_own_file(write: Write) -> None:
    """A user's file is a dialect beside the built-in ones, after them."""
    dialects = load_dialects([write("a.toml", OWN)])
    assert list(dialects)[-1] == "my-venue"
    assert dialects["my-venue"].operations == dialects["binance-usdm"].operations
    assert dialects["my-venue"].key_space.lifetime_s == 600


def test_own_files_extend_each_other(write: Write) -> None:
    """Files may extend one another in any order."""
    first = write("b.toml", OWN.replace("my-venue", "other").replace("my-stream", "other-stream"))
    child = write("a.toml", CHILD)
    dialects = load_dialects([child, first])
    assert dialects["child"].key_space.length == 32
    assert dialects["child"].key_space.lifetime_s == 600
    assert [stream.name for stream in dialects["child"].streams] == ["child-stream"]


CHILD = """
extends = "other"
without = ["streams", "sockets"]
name = "child"
streams = [{ name = "child-stream", title = "C" }]
sockets = [{ path = "/ws", stream = "child-stream", control = "method", heartbeat = "ping" }]
[key_space]
length = 32
"""


def test_stream_that_was_not_left_behind(write: Write) -> None:
    """Who extends a dialect and keeps its streams is told that their names are taken."""
    child = write("a.toml", 'extends = "bingx"\nname = "child"\n')
    with pytest.raises(DialectError, match="the name bingx-coinm is taken"):
        load_dialects([child])


@pytest.mark.parametrize(
    "name, stream", [("bingx", "x"), ("x", "bingx-swap"), ("binance-pm-pro", "x"), ("x", "bingx")]
)
def test_taken_names(write: Write, name: str, stream: str) -> None:
    """A name of a dialect or stream that is there already is refused."""
    file = write("a.toml", OWN.replace("my-venue", name).replace("my-stream", stream))
    with pytest.raises(DialectError, match="is taken"):
        load_dialects([file])


def test_file_without_a_name(write: Write) -> None:
    """A file without a name is refused by the model, not by accident."""
    with pytest.raises(DialectError, match="missing required field name"):
        load_dialects([write("a.toml", OWN.replace('name = "my-venue"', ""))])
