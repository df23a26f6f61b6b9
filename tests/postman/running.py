"""Newman as a process: collections in, what it did with each out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tools.tracked import ROOT

MODULES = ROOT / ".venv-clients" / "docs-node" / "node_modules"


class Run(msgspec.Struct):
    """What newman reports of a collection."""

    items: list[str]
    assertions: int
    failures: list[str]
    read: dict[str, Any]
    """The collection as Postman's own library reads and writes it again."""


def newman(orders: Iterable[tuple[Path, Mapping[str, str], int]]) -> list[Run]:
    """Run collection files, each with variables of its own and so many times in a row."""
    if not MODULES.is_dir():
        pytest.skip("newman is not installed: run tests/clients/setup docs-node")
    asked = json.dumps(
        [{"file": str(file), "variables": variables, "times": times} for file, variables, times in orders]
    )
    # The caller's own proxies have no say between newman and loopback.
    env = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    command = ["node", Path(__file__).with_name("newman.cjs"), MODULES, asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=100)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=list[Run])
