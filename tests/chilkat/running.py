"""Builds and runs programs in their own languages, with Chilkat's library at the other end of two pipes."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from listenkey.reference.program import Program
from tests.chilkat.bridge import serve, stubs
from tests.chilkat.conftest import ROOT, programs_of

BRIDGE = Path(serve.__file__).parent
PIPES = ("CHILKAT_ASK", "CHILKAT_TOLD")
INTERPRETED = {
    "ckpython": [sys.executable, "{file}"],
    "chilkat2-python": ["env", f"PYTHONPATH={BRIDGE / 'python'}", sys.executable, "{file}"],
    "perl": ["perl", f"-I{BRIDGE / 'perl'}", "{file}"],
    "tcl": ["tclsh", str(BRIDGE / "tcl" / "run.tcl"), "{file}"],
    "node": ["env", f"NODE_PATH={BRIDGE / 'node'}", "node", "{file}"],
    "ruby": ["ruby", f"-I{BRIDGE / 'ruby'}", "{file}"],
    "php": ["php", "-d", f"include_path={BRIDGE / 'php'}", "{file}"],
    "php-ax": ["php", "-d", f"auto_prepend_file={BRIDGE / 'php' / 'chilkat.php'}", "{file}"],
}
_WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-but-set-variable"]


TOOLS = {
    "c": ["gcc"],
    "unicode-c": ["gcc"],
    "cpp": ["g++"],
    "unicode-cpp": ["g++"],
    "java": ["javac", "java", "gcc"],
    "kotlin": ["kotlinc", "javac", "java", "gcc"],
    "mono": ["mcs", "mono"],
    "go": ["go"],
    "php-ax": ["php"],
    "tcl": ["tclsh"],
}
"""The programs that a language takes, where they are not called as it is."""


def present(language: str) -> None:
    """Skip the test where the language is not installed; in the continuous build that fails the run."""
    if language not in ("ckpython", "chilkat2-python"):
        missing = [each for each in TOOLS.get(language, [language]) if shutil.which(each) is None]
        if missing:
            pytest.skip(f"{missing[0]} is not installed: run tests/snippets/setup")


def find(product: str, language: str, of: str, signed: str = "") -> Program:
    """One program."""
    name = f"chilkat-{language}{signed}"
    return next(each for each in programs_of(product) if each.language == name and each.of == of)


class Run:
    """One program that runs."""

    def __init__(
        self, folder: Path, language: str, text: str, name: str, publish: dict[str, Any] | None = None
    ) -> None:
        present(language)
        file = folder / name
        file.write_text(text, encoding="utf-8")
        if language in COMPILED:
            command = COMPILED[language](folder, file)
        else:
            command = [part.format(file=file) for part in INTERPRETED[language]]
        env = dict(os.environ) | {each: str(folder / each) for each in PIPES}
        for each in PIPES:
            os.mkfifo(folder / each)
        self._bridge: subprocess.Popen[bytes] | None = None
        if language != "ckpython":
            bridge = [sys.executable, "-m", serve.__name__, json.dumps(publish)]
            self._bridge = subprocess.Popen(bridge, env=env, cwd=ROOT)
        output = subprocess.PIPE
        self._program = subprocess.Popen(command, env=env, cwd=folder, stdout=output, stderr=output)

    def ended(self, within: float) -> bool:
        """Whether it has ended, waiting for that many seconds at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._program.wait(within)
        return self._program.poll() is not None

    def lines(self) -> Sequence[str]:
        """What it printed, once it has ended as it should."""
        out, err = self._program.communicate(timeout=60)
        if self._bridge:
            if self._program.returncode:
                self._bridge.kill()
            self._bridge.wait(20)
        assert (self._program.returncode, err) == (0, b""), f"{out.decode()}\n{err.decode()}"
        return out.decode().replace("\r\n", "\n").rstrip("\n").split("\n")


def _build(*command: str | Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env=os.environ | (env or {}),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _c(folder: Path, file: Path, *, wide: bool = False) -> list[str]:
    stubs.c(folder, wide=wide)
    _build("gcc", *_WARNINGS, f"-I{folder}", "-o", folder / "program", file)
    return [str(folder / "program")]


def _cpp(folder: Path, file: Path, *, wide: bool = False) -> list[str]:
    stubs.cpp(folder, wide=wide)
    _build("g++", *_WARNINGS, f"-I{folder}", "-o", folder / "program", file)
    return [str(folder / "program")]


def _java(folder: Path, file: Path) -> list[str]:
    """With a native library that is empty, since the program loads one."""
    _stand_in_java(folder, file)
    return ["java", f"-Djava.library.path={folder}", "-cp", str(folder), file.stem]


def _kotlin(folder: Path, file: Path) -> list[str]:
    _stand_in_java(folder)
    jar = folder / "program.jar"
    _build("kotlinc", "-nowarn", "-include-runtime", "-cp", folder, "-d", jar, file)
    main = f"{file.stem[0].upper()}{file.stem[1:].replace('-', '_')}Kt"
    return ["java", f"-Djava.library.path={folder}", "-cp", f"{folder}:{jar}", main]


def _stand_in_java(folder: Path, *program: Path) -> None:
    stubs.java(folder)
    _build("javac", "-d", folder, *sorted(folder.glob("com/chilkatsoft/*.java")), *program)
    empty = folder / "empty.c"
    empty.write_text("")
    _build("gcc", "-shared", "-o", folder / "libchilkat.so", empty)


def _csharp(folder: Path, file: Path) -> list[str]:
    """Around lines that go into a method, a method."""
    stubs.csharp(folder)
    whole = folder / "Whole.cs"
    head = "using System;\nclass Whole {\nstatic void Main() {\n"
    whole.write_text(head + file.read_text(encoding="utf-8") + "}\n}\n", encoding="utf-8")
    _build("mcs", "-nologo", f"-out:{folder / 'whole.exe'}", folder / "Chilkat.cs", whole)
    return [shutil.which("mono") or "mono", str(folder / "whole.exe")]


def _go(folder: Path, file: Path) -> list[str]:
    stubs.go(folder)
    env = {"GO111MODULE": "off", "GOPATH": str(folder), "GOFLAGS": "-p=1"}
    _build("go", "build", "-o", folder / "program", file, env=env)
    return [str(folder / "program")]


COMPILED: dict[str, Callable[[Path, Path], list[str]]] = {
    "c": _c,
    "unicode-c": lambda folder, file: _c(folder, file, wide=True),
    "cpp": _cpp,
    "unicode-cpp": lambda folder, file: _cpp(folder, file, wide=True),
    "java": _java,
    "kotlin": _kotlin,
    "mono": _csharp,
    "go": _go,
}
