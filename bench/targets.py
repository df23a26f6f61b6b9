"""What is measured: the gateway and the anchors, each a process on the server's core."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import build, machine
from tests.support.gateway import Gateway


@dataclass(frozen=True)
class Target:
    """A running server: what to call it in the table, and where it is."""

    name: str
    venue: str  # HOST:PORT
    admin: str
    token: str
    pid: int

    def options(self) -> dict[str, str | int]:
        """The same for a load program's command line."""
        return {"venue": self.venue, "admin": self.admin, "token": self.token, "server_pid": self.pid}


class PinnedGateway(Gateway):
    """The real program, on one core."""

    def command(self) -> list[str]:
        """The command line that `start` runs."""
        return machine.pinned(machine.SERVER_CORE, *super().command())


def address_of(url: str) -> str:
    """`HOST:PORT` of a URL."""
    return url.partition("://")[2]


def of_gateway(gateway: Gateway) -> Target:
    """The running gateway as a target."""
    return Target(
        "listenkey", address_of(gateway.venue), address_of(gateway.admin), gateway.token, gateway.pid
    )


@contextmanager
def listenkey(args: Sequence[str] = ()) -> Iterator[Target]:
    """`listenkey serve --limits off` in a temporary data folder."""
    with PinnedGateway(args=args) as gateway:
        yield of_gateway(gateway)


@contextmanager
def _anchor(name: str, *command: str | Path) -> Iterator[Target]:
    pinned = machine.pinned(machine.SERVER_CORE, *command)
    with subprocess.Popen(pinned, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready, *fields = process.stdout.readline().split()
            assert ready == "ready"
            where = dict(field.split("=", 1) for field in fields)
            yield Target(name, address_of(where["venue"]), address_of(where["admin"]), "none", process.pid)
        finally:
            process.stdin.close()  # which is how the anchors are told to end
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def node() -> Iterator[Target]:
    """Node's http and `ws`, in memory."""
    with _anchor("node", "node", build.node_anchor()) as target:
        yield target


@contextmanager
def plain_c() -> Iterator[Target]:
    """The C anchor, in memory."""
    with _anchor("c", build.program("plain")) as target:
        yield target


@contextmanager
def durable_c() -> Iterator[Target]:
    """The C anchor with an append-only journal that is synced before anything is answered."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        _anchor("c+fdatasync", build.program("plain"), "--journal", Path(folder, "journal")) as target,
    ):
        yield target


STARTERS = {"listenkey": listenkey, "node": node, "c": plain_c, "c+fdatasync": durable_c}


@contextmanager
def running(names: Sequence[str]) -> Iterator[list[Target]]:
    """All the named targets at once; idle ones cost nothing, and runs alternate between them."""
    with ExitStack() as stack:
        yield [stack.enter_context(STARTERS[name]()) for name in names]
