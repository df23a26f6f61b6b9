"""The how-to page on old requests, taken at its word."""

import re
import shlex
import subprocess
import sys

import pytest

from tools.tracked import ROOT

PAGE = (ROOT / "docs" / "how-to" / "explain-an-old-request.md").read_text(encoding="utf-8")
CUT = "…\n"


def block(kind: str, name: str) -> str:
    """A marked block of the page."""
    found = re.search(rf"^<!-- {kind}: {name} -->\n```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("name", ["removed", "socket"])
def test_the_commands_print_what_the_page_shows(name):
    """Lines that the page cuts short, with an ellipsis at their end, begin as shown."""
    program, *arguments = shlex.split(block("explained", name))
    assert program == "listenkey"
    command = [sys.executable, "-m", "listenkey", *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines(
        keepends=True
    )
    shown = block("printed", name).splitlines(keepends=True)
    assert len(printed) == len(shown)
    for line, expected in zip(printed, shown, strict=True):
        cut = expected.endswith(f" {CUT}")
        assert line.startswith(expected.removesuffix(CUT)) if cut else line == expected
