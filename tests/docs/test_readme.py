"""The README's first minute: what it shows is what the demo prints, and it does what it says."""

import re
import subprocess

import pytest

from tests.support.gateway import Gateway
from tools.tracked import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """`serve --demo`, as `make serve` runs it, on ports of its own."""
    with Gateway(tmp_path_factory.mktemp("demo") / "data", args=("--demo",), limits=None) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def lines(demo):
    """The lines to copy that the demo prints."""
    found = re.findall(r"^ *(curl .+)$", demo.stderr, re.MULTILINE)
    assert len(found) == 3
    return found


def test_the_lines_to_copy_are_those_of_the_readme(demo, lines):
    """Who reads before trying finds the same commands in the terminal."""
    for line in lines:
        assert line.replace(demo.venue, "http://127.0.0.1:8080") in README


def test_the_lines_to_copy_create_watch_and_close(lines):
    """A key, then events within seconds, then an empty object; as the README shows."""
    create, watch, close = lines
    key = run(create)
    assert re.fullmatch(r'\{"listenKey":"[A-Za-z0-9]{64}"\}', key)
    seen = run(f"{watch} -s -m 4 || true")
    assert seen.startswith("id: ")
    assert seen.count("event: position\n") >= 1
    assert seen.count("event: event\n") >= 2
    assert '"event":{"e":"ORDER_TRADE_UPDATE"' in seen
    assert run(close) == "{}"
    assert '"code":-1125' in run(close)


def run(command: str) -> str:
    """What a line prints when it is copied into a shell."""
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
