"""A stand-in for the admin listener, for answers that a healthy gateway does not give."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from listenkey.cli.main import main


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class StandIn:
    """Answers in the order they were put in; the last one again and again."""

    url: str
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    cut: bool = False
    """Break off after half an answer."""

    def answer(self, value: Any, status: int = 200) -> None:
        """Put an answer in: bytes as they are, anything else as JSON."""
        self.answers.append((status, value if isinstance(value, bytes) else json.dumps(value).encode()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.stand_in.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        answers = self.stand_in.answers
        status, content = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) * (2 if self.stand_in.cut else 1)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.stand_in.cut

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing to say."""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """An HTTP server on loopback whose answers the test puts in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    _Handler.stand_in = StandIn(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield _Handler.stand_in
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Command:
    """Run `listenkey` in this process, in an empty folder, with no variable of its own set."""
    for name in ("CONFIG", "ADMIN", "TOKEN", "CA", "DATA", "LOG_LEVEL", "MASTER_SECRET"):
        monkeypatch.delenv(f"LISTENKEY_{name}", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return Result(status, *capfd.readouterr())

    return run
