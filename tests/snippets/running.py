"""Programs of the reference as processes: written to a folder, built, started, asked what they printed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from listenkey.dialect.registry import load_dialects
from listenkey.reference.describe import Product, describe
from listenkey.reference.program import Program
from listenkey.reference.snippets import programs
from tests.snippets.toolchains import TOOLCHAINS, Toolchain, path

PATIENCE: Final = 60.0
"""Seconds for one program on a busy machine."""
AT_ONCE: Final = 2

# Neither proxies nor authorities of the caller stand between a program and loopback.
_OWN = re.compile(r"proxy|^LISTENKEY_|^SSL_CERT|_CA_BUNDLE$|^NODE_EXTRA_CA", re.IGNORECASE)

CALLS: Final = ("create", "extend", "close")
Group = list[tuple[Product, Program]]
PRODUCTS: Final[tuple[Product, ...]] = tuple(describe(each) for each in load_dialects().values())


@dataclass(frozen=True)
class Built:
    """A program that is ready to be started."""

    program: Program
    product: Product
    file: Path
    toolchain: Toolchain

    def start(self, env: Mapping[str, str]) -> Running:
        """Start it with these variables."""
        return Running(self, env)

    def finish(self, env: Mapping[str, str]) -> Running:
        """Start it, and wait until it is done."""
        running = self.start(env)
        running.end()
        return running


class Running:
    """A started program."""

    def __init__(self, built: Built, env: Mapping[str, str]) -> None:
        self.built = built
        self._out = built.file.with_name(f"{len(list(built.file.parent.iterdir()))}.out")
        self._err = self._out.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                built.toolchain.command(built.toolchain.run, built.file),
                env=environment(built.toolchain) | env,
                cwd=built.file.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def printed(self) -> list[str]:
        """Its lines on standard output, without blank ones."""
        return [line for line in self._out.read_text(encoding="utf-8").split("\n") if line.strip()]

    @property
    def said(self) -> str:
        """All that it printed on either output; for messages, with its name."""
        texts = [each.read_text(encoding="utf-8", errors="replace") for each in (self._out, self._err)]
        return f"{self.built.program.file}: {''.join(texts)[-3000:]}"

    @property
    def status(self) -> int | None:
        """Its exit status, once it has one."""
        return self._process.poll()

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it if it still runs, so that a failed test leaves nothing behind."""
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        """Wait for its exit status."""
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {PATIENCE:.0f} s: {self.said}") from None


def environment(toolchain: Toolchain) -> dict[str, str]:
    """The caller's environment as far as a program may know it."""
    kept = {name: value for name, value in os.environ.items() if not _OWN.search(name)}
    return kept | {"PATH": path()} | dict(toolchain.env)


def build(language: str, of: Iterable[tuple[Product, Program]], folder: Path) -> list[Built]:
    """Write and build programs of a language, each in a folder of its own."""
    toolchain = TOOLCHAINS[language]
    built = [
        Built(program, product, write(toolchain, folder / program.file.replace(".", "-"), program), toolchain)
        for product, program in of
    ]
    make(toolchain, [each.file for each in built])
    return built


def write(toolchain: Toolchain, here: Path, program: Program) -> Path:
    """One program in a folder of its own."""
    here.mkdir()
    if toolchain.modules is not None:
        (here / "node_modules").symlink_to(toolchain.modules)
    file = here / program.file
    file.write_text(program.text, encoding="utf-8")
    return file


def make(toolchain: Toolchain, files: list[Path]) -> None:
    """Build them: all at once where the compiler can, else two at a time."""
    if toolchain.together:
        _compile([*shlex.split(toolchain.together), *map(str, files)], toolchain)
    elif toolchain.build:
        with ThreadPoolExecutor(AT_ONCE) as workers:
            list(
                workers.map(lambda file: _compile(toolchain.command(toolchain.build, file), toolchain), files)
            )


def _compile(command: list[str], toolchain: Toolchain) -> None:
    done = subprocess.run(command, env=environment(toolchain), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"does not build: {command}: {done.stdout}{done.stderr}"


def rests(language: str) -> list[tuple[Product, Program]]:
    """The programs of a language for single calls."""
    groups = [
        [(product, each) for each in programs(product) if each.language == language and each.of in CALLS]
        for product in PRODUCTS
    ]
    return [each for group in _needed(language, groups) for each in group]


def lives(language: str) -> list[tuple[Product, Program]]:
    """The programs of a language for whole lives."""
    groups = [
        [(product, each)]
        for product in PRODUCTS
        for each in programs(product)
        if each.language == language and each.of.startswith("life:")
    ]
    return [each for group in _needed(language, groups) for each in group]


def _needed(language: str, groups: list[Group]) -> Iterable[Group]:
    """All groups, or those that differ in more than their texts."""
    if not TOOLCHAINS[language].slow:
        return groups
    return {"".join(_form(program) for _, program in group): group for group in groups}.values()


def _form(program: Program) -> str:
    """A program without its texts and comments: two of one form are the same to a compiler."""
    return re.sub(r'(?m)^(//|#).*|"(\\.|[^"\\])*"|\'[^\']*\'', "", program.text)
