"""Which rows of the dialects the tests with real sockets have seen, and which they should have.

A test run writes what it saw to a file for each of its processes. When the whole run is over,
`python -m tests.support.seen` reads them all and fails where an operation, a method of a WebSocket API or a
failure was never seen. `unseen.toml` lists the rows that no test can bring about, with the reason, and may
list no other.
"""

import contextlib
import os
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import httpx

from listenkey.dialect.api import WebSocketApi
from listenkey.dialect.model import Control, Dialect
from listenkey.dialect.registry import load_dialects
from listenkey.wire import control as controlling
from listenkey.wire.control import ControlFault, render_control_fault
from listenkey.wire.routes import Route

FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "seen"
EXCUSES = Path(__file__).with_name("unseen.toml")


class Seen:
    """What one process saw."""

    def __init__(self) -> None:
        self.rows: set[str] = set()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Notice each failure that is rendered meanwhile."""
        dialect_failure, api_failure = Dialect.failure, WebSocketApi.failure

        def of_dialect(dialect: Dialect, kind: Any) -> Any:
            if _is_answering(sys._getframe(1)):
                self.rows.add(f"{dialect.name} failure {kind}")
            return dialect_failure(dialect, kind)

        def of_api(api: WebSocketApi, kind: Any) -> Any:
            if _is_answering(sys._getframe(1)):
                self.rows.add(f"{api.path} failure {kind}")
            return api_failure(api, kind)

        def of_control(row: Control, fault: ControlFault, now: int) -> str | None:
            answer = render_control_fault(row, fault, now)
            if answer is not None:
                self.rows.add(f"{control_name(row)} control {fault.kind}")
            return answer

        with (
            patch.object(Dialect, "failure", of_dialect),
            patch.object(WebSocketApi, "failure", of_api),
            patch.object(controlling, "render_control_fault", of_control),
        ):
            yield

    def answered(self, route: Route, response: httpx.Response) -> None:
        """A REST call was answered."""
        if response.is_success:
            self.rows.add(f"{route.dialect.name} {response.request.method} {route.path}")

    def method(self, path: str, name: object, answer: Any) -> None:
        """A request on a WebSocket API was answered."""
        if isinstance(answer, dict) and answer.get("status") == 200:
            self.rows.add(f"{path} {name}")

    def keep(self) -> None:
        """Write it down for the end of the run."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{os.getpid()}.txt").write_text("\n".join(sorted(self.rows)), encoding="utf-8")


@cache
def _controls() -> dict[str, Control]:
    """The different ones of all dialects, by the first stream that has it."""
    found: dict[str, Control] = {}
    for dialect in load_dialects().values():
        for row in dialect.controls:
            if row not in found.values():
                found[row.stream or dialect.name] = row
    return found


def control_name(wanted: Control) -> str:
    """What it is called here; dialects that answer alike are one."""
    return next((name for name, row in _controls().items() if row == wanted), "")


def _is_answering(caller: FrameType) -> bool:
    """Whether a row is asked for to answer by it; the reference asks for rows to tell of them."""
    return caller.f_code.co_name in {"render_fault", "render_api_fault"}


SEEN = Seen()
"""Of this process."""


def expected() -> Iterator[str]:
    """Every row of the dialects that ship."""
    for name, control in _controls().items():
        yield from (f"{name} control {row.kind}" for row in control.errors)
    for dialect in load_dialects().values():
        for call in (*dialect.operations, *dialect.public_calls, *dialect.token_calls):
            yield f"{dialect.name} {call.method} {call.path}"
        for failure in dialect.failures:
            yield f"{dialect.name} failure {failure.kind}"
        for api in dialect.apis:
            yield from (f"{api.path} {method.name}" for method in api.methods)
            yield from (f"{api.path} failure {row.kind}" for row in api.failures)


def problems(seen: set[str], excused: set[str]) -> list[str]:
    """What is wrong with a whole run."""
    rows = set(expected())
    return [
        *(f"{row}: no test with real sockets saw it" for row in sorted(rows - seen - excused)),
        *(f"{row}: was seen, so {EXCUSES.name} has no business with it" for row in sorted(excused & seen)),
        *(f"{row}: is in {EXCUSES.name} and in no dialect" for row in sorted(excused - rows)),
    ]


def excused() -> set[str]:
    """The rows that no test can bring about."""
    return set(tomllib.loads(EXCUSES.read_text(encoding="utf-8"))["rows"])


def main() -> int:
    """Judge the run that has just ended; 1 where something was never seen."""
    files = list(FOLDER.glob("*.txt"))
    seen = {line for file in files for line in file.read_text(encoding="utf-8").splitlines()}
    found = problems(seen, excused())
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
