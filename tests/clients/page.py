"""The how-to page as the tests use it: the drivers run its code blocks, so that the page cannot drift."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "point-your-client.md"
ADDRESS = "127.0.0.1:8080"  # what the page writes for the gateway: the default of `listenkey serve`
_BLOCK = re.compile(
    r"^<!-- client: (?P<name>[\w.-]+) -->\n```\w+\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks() -> dict[str, str]:
    """The marked code blocks of the page by name."""
    found: dict[str, str] = {}
    for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        assert match["name"] not in found, f"two blocks are called {match['name']}"
        found[match["name"]] = match["code"]
    return found


def block(name: str, venue: str) -> str:
    """One block, with the gateway's address in it; for a TLS venue with the schemes it needs."""
    scheme, _, address = venue.partition("://")
    code = blocks()[name]
    assert ADDRESS in code, f"the block {name} points at no gateway"
    if scheme == "https":
        code = code.replace("http://", "https://").replace("ws://", "wss://")
    return code.replace(ADDRESS, address)
