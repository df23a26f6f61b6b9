"""The official parser of AsyncAPI documents."""

import json
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / ".venv-clients" / "docs-node" / "node_modules"
HINTS = {"asyncapi-latest-version"}
"""3.0 is meant: what 3.1 adds is not used, and more tools read 3.0."""


def parse(folder, documents):
    """What it finds wrong with each document, by name."""
    files = [folder / f"{name}.json" for name in documents]
    for file, document in zip(files, documents.values(), strict=True):
        file.write_text(json.dumps(document), encoding="utf-8")
    command = ["node", HERE / "parse.cjs", MODULES, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    found = [[fault for fault in each if fault["code"] not in HINTS] for each in json.loads(done.stdout)]
    return dict(zip(documents, found, strict=True))
