"""How each language's programs are built and run here, and which packages that takes.

`{file}` stands for the program's text, `{program}` for what a build makes of it, `{here}` for the folder of
both, which no other program shares.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
INSTALLED: Final = ROOT / ".venv-clients"
NODE: Final = INSTALLED / "snippets-node" / "node_modules"


@dataclass(frozen=True)
class Toolchain:
    """One language's commands."""

    run: str
    build: str = ""
    slow: bool = False
    """Whether it takes so long that of programs that differ in their texts alone one has to do."""
    together: str = ""
    """Builds all files that follow it at once, instead."""
    env: Mapping[str, str] = field(default_factory=dict)
    modules: Path | None = None
    """Node's packages, which a program finds beside itself."""
    mute: Mapping[int, str] = field(default_factory=dict)
    """Statuses whose body the tool keeps to itself, with what it says instead."""
    interruptible: bool = True
    """Whether it hears Ctrl-C where there is no terminal."""
    print: str = ""
    """A program that prints the literal `{literal}` and nothing else, to try its escapes."""

    def command(self, template: str, file: Path) -> list[str]:
        """A command line for one program."""
        places = {
            "file": str(file),
            "here": str(file.parent),
            "program": str(file.parent / "program"),
            "stem": str(file.with_suffix("")),
        }
        return [part.format(**places) for part in shlex.split(template)]

    @property
    def missing(self) -> str:
        """The first of its programs that is not on the path; empty when all are there."""
        tools = [shlex.split(template)[0] for template in (self.build, self.together, self.run) if template]
        if self.modules is not None and not self.modules.is_dir():
            return self.modules.parent.name
        named = [tool for tool in tools if "{" not in tool and "/" not in tool]
        return next((tool for tool in named if shutil.which(tool, path=path()) is None), "")


def path() -> str:
    """Where programs are looked for: beside this Python first, then where the system keeps its own."""
    return f"{ROOT / '.venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin:{os.environ['PATH']}"


SHORT: Final[dict[str, Toolchain]] = {
    "curl": Toolchain("sh {file}", print="printf %s {literal}"),
    "bash": Toolchain("bash {file}", print="printf %s {literal}"),
    "python": Toolchain("python {file}", print="print({literal}, end='')"),
    "javascript": Toolchain(
        "node {file}", modules=INSTALLED / "node" / "node_modules", print="process.stdout.write({literal})"
    ),
    "perl": Toolchain("perl {file}", print="print {literal}"),
    "tcl": Toolchain("tclsh {file}", print="fconfigure stdout -encoding utf-8; puts -nonewline {literal}"),
}
"""What `make test` runs."""

LONG: Final[dict[str, Toolchain]] = {
    "typescript": Toolchain(
        "node {stem}.mjs",
        together=f"{NODE}/.bin/tsc --strict --target es2022 --module nodenext --skipLibCheck"
        f" --typeRoots {NODE}/@types",
        modules=NODE,
        print="process.stdout.write({literal})",
        slow=True,
    ),
    "httpie": Toolchain("sh {file}", print="printf %s {literal}"),
    "wget": Toolchain("sh {file}", print="printf %s {literal}", mute={401: "Authentication Failed"}),
    "csharp": Toolchain(
        "mono {program}.exe",
        build="mcs -out:{program}.exe -r:System.Net.Http {file}",
        print="class P {{ static void Main() {{ var text = System.Text.Encoding.UTF8.GetBytes({literal});"
        " System.Console.OpenStandardOutput().Write(text, 0, text.Length); }} }}",
        interruptible=False,
        slow=True,
    ),
    "kotlin": Toolchain(
        "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -jar {program}.jar",
        build="kotlinc -include-runtime -jvm-target 1.8 -d {program}.jar {file}",
        print="fun main() = System.out.run {{ write({literal}.toByteArray()); flush() }}",
        slow=True,
    ),
    "rust": Toolchain(
        "{program}",
        together=f"python {Path(__file__).with_name('cargo_build.py')}",
        env={"CARGO_TARGET_DIR": str(INSTALLED / "snippets-cargo")},
        print='fn main() {{ print!("{{}}", {literal}); }}',
        slow=True,
    ),
    "ruby": Toolchain("ruby {file}", print="print {literal}"),
    "php": Toolchain("php {file}", print="<?php echo {literal};"),
    "r": Toolchain("Rscript {file}", print="cat({literal})", env={"LC_ALL": "C.UTF-8"}),
    "elixir": Toolchain("elixir {file}", print="IO.write({literal})", env={"LC_ALL": "C.UTF-8"}, slow=True),
    "c": Toolchain(
        "{program}",
        build="gcc -O1 -Wall -Wextra -Werror -o {program} {file} -lwebsockets -lcurl -lcrypto -lz",
        print="#include <stdio.h>\nint main(void) {{ fputs({literal}, stdout); }}",
    ),
    "cpp": Toolchain(
        "{program}",
        build="g++ -std=c++17 -Wall -o {program} {file} -lPocoNetSSL -lPocoNet -lPocoFoundation -lcrypto",
        slow=True,
        print="#include <cstdio>\nint main() {{ std::fputs({literal}, stdout); }}",
    ),
    "lua": Toolchain("lua5.2 {file}", print="io.write({literal})"),
    "go": Toolchain(
        "{program}",
        build="go build -o {program} {file}",
        env={"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "-p=1"},
        print='package main\nimport "fmt"\nfunc main() {{ fmt.Print({literal}) }}',
    ),
    "java": Toolchain(
        "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dstdout.encoding=UTF-8 -cp {here} ListenKey",
        build="javac -d {here} {file}",
        print="class ListenKey {{ public static void main(String[] a) throws Exception {{"
        ' System.out.write({literal}.getBytes("UTF-8")); System.out.flush(); }} }}',
        slow=True,
    ),
}
"""What `make test-reference` runs as well."""

TOOLCHAINS: Final = SHORT | LONG


def present(language: str) -> None:
    """Skip the test where the language is not installed; in the continuous build that fails the run."""
    if missing := TOOLCHAINS[language].missing:
        pytest.skip(f"{missing} is not installed: run tests/snippets/setup")
