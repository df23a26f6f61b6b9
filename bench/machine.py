"""The machine: cores, limits, memory of a process, and what to print about it."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
from pathlib import Path
from typing import Any

SERVER_CORE = 0
LOAD_CORE = 1


def pinned(core: int, *command: str | Path) -> list[str]:
    """The command line that runs a command on one core."""
    return ["taskset", "-c", str(core), *map(str, command)]


def raise_fd_limit() -> int:
    """As many open files as allowed, for this process and its children; returns how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def pss_kib(pid: int) -> int:
    """Memory of a process and its descendants, shared pages divided among their users (PSS), in KiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert found is not None
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(found[1]) + sum(pss_kib(int(child)) for child in children)


def check_cores() -> None:
    """Refuse a machine on which server and load would share a core."""
    allowed = os.sched_getaffinity(0)
    if not {SERVER_CORE, LOAD_CORE} <= allowed:
        raise SystemExit(f"cores {SERVER_CORE} and {LOAD_CORE} are wanted, {sorted(allowed)} are allowed")


def _cpu_model() -> str:
    found = re.search(
        r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
    )
    return found[1] if found else platform.machine()


def description() -> dict[str, Any]:
    """What a figure depends on and a reader cannot guess."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "node": node.stdout.strip(),
        "load_before": os.getloadavg()[0],
    }
