"""Run the real `listenkey serve` in a process of its own and talk to it.

    with Gateway() as gateway:
        gateway.add_account("alice")
        key_id, key, secret = gateway.add_api_key("alice")
        events = [{"e": "balanceUpdate", "a": "BTC", "d": "1.0"}]
        gateway.publish("alice", "binance-spot", events)

Nothing in here knows the inside of the program: it starts the command, reads the ready line, and uses the
admin listener.
"""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

START_TIMEOUT = 60.0  # seconds until the ready line; a loaded two-core machine needs a few
STOP_TIMEOUT = 10.0  # what the program promises for SIGTERM
READY = "listenkey ready "


class GatewayError(AssertionError):
    """The program did not do what its contract says; the message ends with what it logged."""


class Gateway:
    """One `listenkey serve`, started by `start()` or by entering the context.

    `data` is made when missing, and is a temporary folder when not given. `listen` is a sequence of
    `HOST:PORT[=DIALECT]`; `args` go to the command line as they are; `env` is added to the environment, from
    which every `LISTENKEY_…` of the caller has been taken out. `limits` is `off` unless asked for, since most
    tests are not about limits; None leaves it to the program.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        *,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        listen: Sequence[str] = ("127.0.0.1:0",),
        admin: str = "127.0.0.1:0",
        limits: str | None = "off",
        ca: Path | None = None,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="listenkey-test-") if data is None else None
        self.data = Path(data if data is not None else Path(self._require_temporary().name, "data"))
        self.args = [*args] if limits is None else ["--limits", limits, *args]
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("LISTENKEY_")} | dict(env or {})
        self.venues: list[str] = []
        self.admin = ""
        self.process: subprocess.Popen[str] | None = None
        self._listen = [*listen]
        self._admin_listen = admin
        self._ca = ca
        self._stdout: list[str] = []
        self._stderr = _scratch_file()
        weakref.finalize(self, os.close, self._stderr)
        self._started = False
        self._reader: threading.Thread | None = None
        self._http: httpx.Client | None = None

    def start(self) -> Self:
        """Start the program and return when it says that it is ready."""
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=self.env,
            text=True,
        )
        ready = threading.Event()
        self._stdout = []
        self._reader = threading.Thread(target=self._read_stdout, args=(self.process, ready), daemon=True)
        self._reader.start()
        if not ready.wait(START_TIMEOUT):
            self.kill()
            raise GatewayError(f"no ready line within {START_TIMEOUT:.0f} s\n{self.stderr}")
        if not self._stdout or not self._stdout[0].startswith(READY):
            code = self.kill()
            raise GatewayError(f"first line was {self._stdout[:1]}, exit status {code}\n{self.stderr}")
        self._read_ready(self._stdout[0])
        self._started = True
        return self

    def command(self) -> list[str]:
        """The command line that `start` runs."""
        listen = [part for each in self._listen for part in ("--listen", each)]
        program = [sys.executable, "-m", "listenkey", "serve", *listen, "--admin", self._admin_listen]
        return [*program, "--data", str(self.data), *self.args]

    def stop(self) -> None:
        """SIGTERM; the program must end in time, with status 0, having printed nothing but the ready line."""
        process = self._require_process()
        if (code := process.poll()) is not None:
            self._release()
            raise GatewayError(f"had ended by itself, exit status {code}\n{self.stderr}")
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise GatewayError(f"still running {STOP_TIMEOUT:.0f} s after SIGTERM\n{self.stderr}") from None
        self._release()
        if code != 0:
            raise GatewayError(f"exit status {code} after SIGTERM\n{self.stderr}")
        if len(self._stdout) != 1:
            raise GatewayError(f"more than the ready line on standard output: {self._stdout[1:]}")

    def kill(self) -> int:
        """SIGKILL, no warning. Returns the exit status, another one where the program had ended by itself."""
        process = self._require_process()
        process.kill()
        code = process.wait()
        self._release()
        return code

    def restart(self, *, kill: bool = False) -> Self:
        """Stop or kill what runs, and start again on the same data folder and the same ports."""
        if self.running:
            self.kill() if kill else self.stop()
        return self.start()

    def close(self) -> None:
        """Stop if still running, and remove the temporary data folder. It must not have ended by itself."""
        try:
            if self._started:
                self.stop()
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        return self._require_process().pid

    @property
    def stderr(self) -> str:
        """All that the program wrote to standard error so far, over restarts too."""
        return os.pread(self._stderr, os.fstat(self._stderr).st_size, 0).decode("utf-8", "replace")

    @property
    def venue(self) -> str:
        """Base URL of the first venue listener, without a slash at the end."""
        return self.venues[0]

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """How an httpx client should verify: by the given authority, or as it always does."""
        return True if self._ca is None else ssl.create_default_context(cafile=self._ca)

    @property
    def venue_ws(self) -> str:
        """The same as a WebSocket URL."""
        return "ws" + self.venue.removeprefix("http")

    @property
    def token(self) -> str:
        """The admin token that the program made at its first start."""
        return (self.data / "admin-token").read_text(encoding="ascii").strip()

    def admin_call(self, method: str, path: str, json: Any = None, **request: Any) -> httpx.Response:
        """One call with the admin token; any status is returned as it is."""
        if self._http is None:
            self._http = httpx.Client(base_url=self.admin, verify=self.tls, trust_env=False, timeout=30)
        headers = {"Authorization": f"Bearer {self.token}"} | request.pop("headers", {})
        return self._http.request(method, path, json=json, headers=headers, **request)

    def admin_json(self, method: str, path: str, json: Any = None, **request: Any) -> Any:
        """The decoded answer of a call that must succeed; None when the answer has no body."""
        response = self.admin_call(method, path, json, **request)
        if not response.is_success:
            raise GatewayError(
                f"{method} {path}: {response.status_code} {response.text}\n{self.stderr[-4000:]}"
            )
        return response.json() if response.content else None

    def admin_items(self, path: str, **params: str) -> list[dict[str, Any]]:
        """All items of a list, over all its pages."""
        items: list[dict[str, Any]] = []
        while True:
            page = self.admin_json("GET", path, params=params)
            items += page["items"]
            if page["next"] is None:
                return items
            params["cursor"] = page["next"]

    def add_account(self, name: str) -> str:
        """Make an account; returns its name."""
        self.admin_json("POST", "/v1/accounts", {"name": name})
        return name

    def add_api_key(
        self,
        account: str,
        permissions: Sequence[str] = ("read",),
        ip_allow: Sequence[str] = (),
        key: str | None = None,
        secret: str | None = None,
    ) -> tuple[str, str, str]:
        """Make an API key; returns its id, the key and the secret."""
        body: dict[str, Any] = {"permissions": [*permissions], "ip_allow": [*ip_allow]}
        body |= {name: value for name, value in (("key", key), ("secret", secret)) if value is not None}
        made = self.admin_json("POST", f"/v1/accounts/{account}/api-keys", body)
        return made["id"], made["key"], made["secret"]

    def listen_keys(self, account: str, **params: str) -> list[dict[str, Any]]:
        """The listen keys of an account, of whatever state the program still lists."""
        return self.admin_items("/v1/listen-keys", account=account, **params)

    def publish(
        self, account: str, stream: str, events: Iterable[Mapping[str, Any]], ids: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Publish events to one stream; an answer an event, `{"epoch","offset"}` or `{"error"}`."""
        lines = [{"account": account, "stream": stream, "event": event} for event in events]
        if ids is not None:
            lines = [line | {"id": given} for line, given in zip(lines, ids, strict=True)]
        return self.publish_lines("\n".join(jsonlib.dumps(line, separators=(",", ":")) for line in lines))

    def publish_lines(self, body: str | bytes) -> list[dict[str, Any]]:
        """Publish NDJSON as it is."""
        response = self.admin_call(
            "POST", "/v1/publish", content=body, headers={"Content-Type": "application/x-ndjson"}
        )
        if response.status_code != httpx.codes.OK:
            raise GatewayError(f"publish: {response.status_code} {response.text}\n{self.stderr[-4000:]}")
        return [jsonlib.loads(line) for line in response.text.splitlines() if line]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(GatewayError):  # the first failure is the one to show
            self.close()

    def _read_stdout(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._stdout.append(line.rstrip("\n"))
            ready.set()
        ready.set()

    def _read_ready(self, line: str) -> None:
        fields = dict(part.split("=", 1) for part in line.removeprefix(READY).split())
        self.venues, self.admin = fields["venue"].split(","), fields["admin"]
        dialects = [each.partition("=")[1:] for each in self._listen]
        self._listen = [
            _address(url) + "".join(rest) for url, rest in zip(self.venues, dialects, strict=True)
        ]
        self._admin_listen = _address(self.admin)

    def _release(self) -> None:
        self._started = False
        if self._http is not None:
            self._http.close()
            self._http = None
        if self._reader is not None:
            self._reader.join(5)
            self._reader = None
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def _require_process(self) -> subprocess.Popen[str]:
        assert self.process is not None, "start the gateway first"
        return self.process

    def _require_temporary(self) -> tempfile.TemporaryDirectory[str]:
        assert self._temporary is not None
        return self._temporary


def _address(url: str) -> str:
    return url.partition("://")[2]


def _scratch_file() -> int:
    """The descriptor of a file without a name, which every run of the program appends to."""
    descriptor, name = tempfile.mkstemp(prefix="listenkey-test-")
    Path(name).unlink()
    return descriptor
