"""The how-to page as the tests use it: the drivers run its code blocks, so that the page cannot drift."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "point-your-client.md"
ADDRESS = "127.0.0.1:8080"  # what the page writes for the gateway: the default of `listenkey serve`
AUTHORITY = "/etc/listenkey/ca.pem"  # what it writes for the certificate of one's own authority
_BLOCK = re.compile(
    r"^<!-- (?P<kind>client|tls): (?P<name>[\w.-]+) -->\n```\w+\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
_HERE = Path(__file__).parent


def blocks(kind: str = "client") -> dict[str, str]:
    """The marked code blocks of one kind by name."""
    found: dict[str, str] = {}
    for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if match["kind"] == kind:
            assert match["name"] not in found, f"two blocks are called {match['name']}"
            found[match["name"]] = match["code"]
    return found


def block(name: str, after: str, venue: str, authority: Path | None = None) -> str:
    """A client's block as its user would have it, `after` the one that it goes on from: with the gateway's
    address, and over TLS with what that needs."""
    scheme, _, address = venue.partition("://")
    code = blocks()[name]
    assert ADDRESS in code, f"the block {name} points at no gateway"
    if after:
        code = blocks()[after] + code
    if scheme == "https":
        code = code.replace("http://", "https://").replace("ws://", "wss://")
    if authority is not None:
        code += blocks("tls").get(name.partition("-")[0], "").replace(AUTHORITY, str(authority))
    return code.replace(ADDRESS, address)


def environment(authority: Path) -> dict[str, str]:
    """The variables that the page has its reader export, for a certificate of one's own."""
    lines = [shlex.split(line, comments=True) for line in blocks("tls")["environment"].splitlines()]
    words = [parts[1].partition("=") for parts in lines if parts and parts[0] == "export"]
    return {name: value.replace(AUTHORITY, str(authority)) for name, _, value in words}


def versions() -> list[str]:
    """What the tests install, as `name version`."""
    node = json.loads((_HERE / "node" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    names = [f"{name} {version}" for name, version in node.items() if not version.startswith("npm:")]
    aliased = [
        version.removeprefix("npm:").replace("@", " ") for version in node.values() if "npm:" in version
    ]
    python = [
        line.strip().replace("==", " ")
        for file in sorted((_HERE / "requirements").glob("*.in"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return names + aliased + python
