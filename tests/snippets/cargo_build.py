"""Build Rust programs, given as files, as one project: what they share is compiled once.

`CARGO_TARGET_DIR` says where that is kept. The crates are those that Debian packages as sources; each program
is put beside its text, as `program`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

MANIFEST = """
[package]
name = "programs"
version = "0.0.0"
edition = "2021"

[dependencies]
ureq = "2"
hmac = "0.12"
sha2 = "0.10"

[profile.dev]
debug = false
"""
CRATES = """
[source.crates-io]
replace-with = "debian"

[source.debian]
directory = "/usr/share/cargo/registry"
"""


def main(files: list[Path]) -> int:
    """Lay out the project in a folder beside those of the programs, build it, and hand the programs out."""
    home = files[0].parent.parent / "cargo"
    (home / "src" / "bin").mkdir(parents=True)
    (home / ".cargo").mkdir()
    (home / "Cargo.toml").write_text(MANIFEST, encoding="utf-8")
    (home / ".cargo" / "config.toml").write_text(CRATES, encoding="utf-8")
    for file in files:
        shutil.copy(file, home / "src" / "bin")
    done = subprocess.run(["cargo", "build", "--quiet", "--offline"], cwd=home, check=False)
    for file in files if done.returncode == 0 else ():
        shutil.copy(Path(os.environ["CARGO_TARGET_DIR"]) / "debug" / file.stem, file.with_name("program"))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main([Path(each) for each in sys.argv[1:]]))
