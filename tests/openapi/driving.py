"""Schemathesis as a program of its own: its plug-in for pytest is not wanted here."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEED = 20231114


def drive(document, url, header, hooks, environment, folder, examples, *more):
    """Call `url` as a document says, and otherwise; exit status, what was printed, how many calls it made.
    `hooks`: a module beside this one. `examples`: of each call, beyond what its schema gives."""
    folder.mkdir(exist_ok=True)
    file = folder / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", file, "--url", url, "--header", header,
        "--max-examples", str(examples), "--seed", str(SEED), "--continue-on-failure", "--warnings", "off",
        "--no-color", *more,
    ]  # fmt: skip
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "SCHEMATHESIS_HOOKS": f"tests.openapi.{hooks}",
        **environment,
    }
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    made = re.search(r"(\d+) generated, \d+ passed", done.stdout)
    return done.returncode, done.stdout + done.stderr, int(made[1]) if made else 0
