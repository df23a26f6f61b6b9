"""One gateway for all programs, with a wire tap before it, and the library in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from listenkey.dialect.registry import load_dialects
from listenkey.reference.chilkat import programs
from listenkey.reference.describe import Product, describe
from listenkey.reference.program import Program
from tests.chilkat import perform, quick_gateway
from tests.support.gateway import Gateway
from tests.support.tap import Tap

ROOT = Path(__file__).parents[2]
PRODUCTS = {name: describe(dialect) for name, dialect in load_dialects().items()}


@cache
def programs_of(product: str) -> Sequence[Program]:
    """All programs of a product, written once."""
    return programs(PRODUCTS[product])


class QuickGateway(Gateway):
    """`listenkey serve` that asks for signs of life all the time, and means it."""

    def command(self) -> list[str]:
        """The same arguments for the program that has quick heartbeats."""
        python, _module, _name, *arguments = super().command()
        return [python, "-m", quick_gateway.__name__, *arguments]


class Bench:
    """Where programs are performed: the gateway, what went over the wire, and an account a product."""

    def __init__(self, gateway: Gateway, tap: Tap) -> None:
        self.gateway = gateway
        self.tap = tap
        self._seen = 0
        for name in PRODUCTS:
            gateway.add_account(self.account(name))
            gateway.add_api_key(self.account(name), key=f"key-{name}", secret=f"secret-{name}")

    @staticmethod
    def account(product: str) -> str:
        """The account of a product's programs."""
        return f"chilkat-{product}"

    def text(self, program: Program, product: Product) -> str:
        """The program with its first lines changed as its reader would: another port, another key."""
        port = self.tap.url.rpartition(":")[2]
        changed = program.text.replace("demo-key", f"key-{product.name}")
        return changed.replace("demo-secret", f"secret-{product.name}").replace("8080", port)

    def perform(
        self, programs: Sequence[tuple[str, str]], publish: dict[str, Any] | None = None, carried: str = ""
    ) -> list[dict[str, Any]]:
        """Languages and texts, one after the other. `carried` is what stands for a listen key in them: it is
        replaced by the one that was printed last."""
        told = {
            "programs": [{"language": language, "text": text} for language, text in programs],
            "publish": publish and publish | {"admin": self.gateway.admin, "token": self.gateway.token},
            "carried": carried,
        }
        done = subprocess.run(
            [sys.executable, "-m", perform.__name__],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=100,
            check=False,
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, f"ended after {len(found)} of {len(programs)}: {done.stderr[-2000:]}"
        return found

    def exchanges(self) -> list[tuple[str, str, int]]:
        """What went over the wire since this was asked last."""
        found = self.tap.exchanges
        new, self._seen = found[self._seen :], len(found)
        return new


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """A running gateway behind a tap."""
    settings = {
        "LISTENKEY_HEARTBEAT_ENFORCE": "true",
        "LISTENKEY_STREAMS_RESUME": "live",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    with QuickGateway(env=settings) as running, Tap(running.venue) as tap:
        yield Bench(running, tap)
