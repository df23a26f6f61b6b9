"""The driver of one published client, as a process: orders go in, what its handler was given comes out."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 90.0  # seconds for one order; a cold start of a large client on a busy machine takes many

# The caller's own proxies, authorities and gateways have no say between the client and loopback.
_OWN = re.compile(r"proxy|^LISTENKEY_|^SSL_CERT|_CA_BUNDLE$|^NODE_EXTRA_CA", re.IGNORECASE)


class Play:
    """One run of a driver; see drivers/driving.py for what passes on its standard input and output."""

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> None:
        self.events: list[Any] = []
        self._done: list[str] = []
        self._talk: list[str] = []
        self._news = threading.Condition()
        kept = {name: value for name, value in os.environ.items() if not _OWN.search(name)}
        self._process = subprocess.Popen(
            [str(part) for part in command], env=kept | dict(env), cwd=cwd, text=True, errors="replace",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self._process.stdout, self._process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def talk(self) -> str:
        """What the client printed by itself; the end of it, for messages."""
        return "".join(self._talk)[-6000:]

    def opened(self) -> None:
        """Wait until the client says that its stream is open."""
        self.until(lambda: "open" in self._done, "open the stream")

    def order(self, word: str) -> None:
        """Have the driver do something, and wait until it was done."""
        assert self._process.stdin is not None
        before = self._done.count(word)
        with contextlib.suppress(BrokenPipeError):  # the wait below says what happened
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        self.until(lambda: self._done.count(word) > before, word)

    def wait_for(self, count: int) -> list[Any]:
        """Wait until this many events came in all; returns what came."""
        self.until(lambda: len(self.events) >= count, f"give event {count}")
        return [*self.events]

    def wait_for_last(self, event: Any) -> list[Any]:
        """Wait until this event came; returns what came, in between and before."""
        self.until(lambda: event in self.events, f"give {event}")
        return [*self.events]

    def leave(self) -> list[Any]:
        """End the driver, which must go without an error; returns all events that it ever gave."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        assert code == 0, f"the driver ended with status {code}\n{self.talk}"
        return [*self.events]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _read(self, stream: Any) -> None:
        for line in stream:
            with self._news:
                self._take(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _take(self, line: str) -> None:
        if not line.startswith(("{", "[")):
            self._talk.append(line)
            return
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        match said:
            case {"did": word}:
                self._done.append(word)
            case {"got": event}:
                self.events.append(event)
            case _:
                self._talk.append(line)

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until it is so; `what` is what the client did not do where it never is."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while not ready():
                gone = self._process.poll() is not None and not any(
                    reader.is_alive() for reader in self._readers
                )
                if gone or time.monotonic() > deadline:
                    end = "it ended" if gone else f"{PATIENCE:.0f} s went by"
                    had = f"had done {self._done} and given {len(self.events)} events"
                    raise AssertionError(f"the client did not {what}: {end}; it {had}\n{self.talk}")
                self._news.wait(0.2)
