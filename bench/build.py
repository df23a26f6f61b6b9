"""Compile the load programs and install the Node anchor, when something changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE / "build"
ANCHORS = HERE / "anchors"
PROGRAMS = {
    "ask": "load/ask.c",
    "calls": "load/calls.c",
    "dial": "load/dial.c",
    "replay": "load/replay.c",
    "stream": "load/stream.c",
    "plain": "anchors/plain.c",
}
COMPILE = ("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


class MissingToolError(Exception):
    """Something that the measurements need is not installed; the message says what."""


def require(*tools: str) -> None:
    """Refuse to start without the named commands."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise MissingToolError(f"not installed: {', '.join(missing)} (see bench/README.md)")


def program(name: str) -> Path:
    """The compiled program of that name, compiled anew when it is older than a source."""
    source, shared, header = HERE / PROGRAMS[name], HERE / "load/net.c", HERE / "load/net.h"
    binary = BUILD / name
    newest = max(path.stat().st_mtime for path in (source, shared, header))
    if not binary.exists() or binary.stat().st_mtime < newest:
        BUILD.mkdir(exist_ok=True)
        subprocess.run([*COMPILE, source, shared, "-lz", "-o", binary], check=True)
    return binary


def node_anchor() -> Path:
    """The script of the Node anchor, its one package installed as the lock file says."""
    lock, installed = ANCHORS / "package-lock.json", ANCHORS / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=ANCHORS, check=True)
        installed.touch()
    return ANCHORS / "server.mjs"


def build_all() -> None:
    """Everything that any row needs."""
    require("gcc", "node", "npm", "taskset")
    for name in PROGRAMS:
        program(name)
    node_anchor()
