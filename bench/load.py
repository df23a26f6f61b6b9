"""Run the compiled load programs, pinned to the load's core, and read the JSON that they print."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import build, machine

TIME_LIMIT = 180  # seconds that a load program may take before it gives up by itself


class LoadError(Exception):
    """A load program found something wrong: lost, doubled, reordered or altered events, or a wrong answer."""


def _command(name: str, options: dict[str, Any]) -> list[str]:
    flags = [text for key, value in options.items() for text in (f"--{key.replace('_', '-')}", str(value))]
    return machine.pinned(machine.LOAD_CORE, build.program(name), *flags)


def run(name: str, **options: Any) -> dict[str, Any]:
    """Run a load program to its end; `server_pid=1` is `--server-pid 1`."""
    options = {"limit": TIME_LIMIT} | options
    done = subprocess.run(
        _command(name, options),
        capture_output=True,
        errors="replace",
        check=False,
        timeout=options["limit"] + 10,
    )
    if done.returncode != 0:
        raise LoadError(done.stderr.strip() or f"{name} ended with {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextmanager
def held(**options: Any) -> Iterator[None]:
    """Sockets of `dial`, open within the context; one that the server closes is an error at its end."""
    command = _command("dial", options | {"hold": 1, "limit": TIME_LIMIT})
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as dial:
        assert dial.stdin is not None
        assert dial.stdout is not None
        assert dial.stderr is not None
        first = dial.stdout.readline()
        try:
            if not first:
                raise LoadError(dial.stderr.read().strip())
            yield
        finally:
            dial.stdin.close()
            dial.wait()
        if dial.returncode != 0:
            raise LoadError(dial.stderr.read().strip())


@contextmanager
def lines_file(lines: Iterable[str]) -> Iterator[Path]:
    """A temporary file of lines."""
    with tempfile.NamedTemporaryFile("w", prefix="bench-", suffix=".txt", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        yield Path(file.name)
