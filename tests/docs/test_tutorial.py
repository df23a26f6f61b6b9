"""The pages that a newcomer follows, followed: blocks that say so are run, and print what is shown.

A block is meant by the comment above it, `<!-- test: … -->`, which a reader does not see. In what is shown,
`…` stands for anything; ports are those of the test's own gateway.
"""

import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway
from tools.tracked import ROOT

STEP = re.compile(
    r"^<!-- test: (?P<what>.+?) -->\n+(?:```\w*\n(?P<block>.*?)^```$)?", re.MULTILINE | re.DOTALL
)
PATIENCE = 20.0


def steps(page: str) -> Iterator[tuple[str, str]]:
    """What a page asks to be done, with the block below it."""
    for match in STEP.finditer((ROOT / "docs" / page).read_text(encoding="utf-8")):
        yield match["what"], match["block"] or ""


class Bot:
    """The tutorial's bot, running beside everything else."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "bot.py"], cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def prints(self, wanted: str) -> None:
        """Wait for a line."""
        while self.lines.get(timeout=PATIENCE) != wanted:
            pass

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        self.reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Reader:
    """Somebody at the terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gateway = Gateway(folder / "listenkey-data")
        self.bot: Bot | None = None
        self.epoch = "EPOCH"

    def follow(self, what: str, block: str) -> None:
        """Do one step."""
        if what == "start":
            self.gateway.start()
        elif what == "restart":
            self.gateway.restart()
        elif what.startswith("file "):
            (self.folder / what.removeprefix("file ")).write_text(self.here(block))
        elif what == "bot":
            self.bot = Bot(self.folder, self.environ)
            self.bot.prints("listening")
        elif what == "stop bot":
            assert self.bot is not None
            self.bot.stop()
        elif what.startswith("bot prints "):
            assert self.bot is not None
            self.bot.prints(what.removeprefix("bot prints "))
        else:
            assert what == "run", what
            for command, shown in commands(block):
                self.run(self.here(command), self.here(shown))

    def run(self, command: str, shown: str) -> None:
        """Run a command; what it prints has to be what is shown."""
        run = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
        pattern = re.escape(squeezed(shown)).replace("…", ".+?")
        assert re.fullmatch(pattern, squeezed(run.stdout)), (
            f"{command}\nshown:\n{shown}\nprinted:\n{run.stdout}"
        )
        found = re.search(r'"epoch":"([^"]+)"', run.stdout)
        self.epoch = found[1] if found else self.epoch

    def here(self, text: str) -> str:
        """A page's text with this gateway's address and this journal's epoch."""
        address = self.gateway.venue.removeprefix("http://") if self.gateway.venues else "127.0.0.1:8080"
        return text.replace("127.0.0.1:8080", address).replace("EPOCH", self.epoch)

    @property
    def environ(self) -> dict[str, str]:
        """The terminals' environment, `.venv/bin/activate` done."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LISTENKEY_")}
        return environ | {"PATH": path, "LISTENKEY_ADMIN": self.gateway.admin}


def commands(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a block and what is shown below each; without prompts all of it is one command."""
    if not block.startswith("$ "):
        yield block, ""
        return
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def squeezed(text: str) -> str:
    """Text whose columns may be of any width."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


@pytest.fixture
def reader(tmp_path):
    """Somebody who starts with an empty folder."""
    reader = Reader(tmp_path)
    yield reader
    if reader.bot is not None:
        reader.bot.stop()
    reader.gateway.close()


def test_the_tutorial_is_as_it_says(reader):
    """From an empty folder to a resumed stream, each command prints what the page shows."""
    followed = [what for what, _ in steps("tutorial/first-stream.md")]
    assert followed.count("run") >= 5
    assert {"start", "restart", "bot", "stop bot"} <= set(followed)
    for what, block in steps("tutorial/first-stream.md"):
        reader.follow(what, block)


def test_the_certificate_of_ones_own_is_one(tmp_path):
    """The lines of the how-to make a chain that a client with that authority trusts, and the commands too."""
    ((_, block),) = steps("how-to/tls.md")
    subprocess.run(["bash", "-ec", block], cwd=tmp_path, check=True, capture_output=True)
    tls = ("--tls-cert", str(tmp_path / "chain.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with Gateway(tmp_path / "data", args=tls, ca=tmp_path / "authority.pem") as gateway:
        assert gateway.venue.startswith("https://")
        gateway.add_account("alice")
        listed = [*(sys.executable, "-m", "listenkey", "account", "list"), "--admin", gateway.admin]
        for ca, status in (("authority.pem", 0), ("chain.pem", 1)):
            run = subprocess.run(
                [*listed, "--data", str(gateway.data), "--ca", ca],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert run.returncode == status, run.stderr


def test_the_configuration_for_production_is_good(tmp_path):
    """What an operator copies is accepted as it is."""
    ((_, block),) = steps("how-to/run-in-production.md")
    (tmp_path / "listenkey.toml").write_text(block)
    run = subprocess.run(
        [sys.executable, "-m", "listenkey", "config", "check", "--config", "listenkey.toml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "ok, 5 settings given\n"), run.stdout
