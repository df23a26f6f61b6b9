"""No tracked file names this machine or a package index: `python -m tools.private`.

A path of the machine it was written on, or the address of the registry it was installed from, makes a file
wrong everywhere else. What to look for is asked of the machine at run time, so that it stands in no file.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pip._internal.models import index

from tools.tracked import ROOT, tracked_files

# Folders that every system has: documentation may name them, even where the checkout lies in one.
COMMON = frozenset(
    f"/{name}"
    for name in (
        *(
            "",
            "app",
            "bin",
            "builds",
            "data",
            "dev",
            "etc",
            "home",
            "lib",
            "media",
            "mnt",
            "opt",
            "proc",
            "root",
        ),
        *(
            "run",
            "sbin",
            "src",
            "srv",
            "sys",
            "tmp",
            "usr",
            "usr/local",
            "usr/src",
            "var",
            "var/lib",
            "var/tmp",
        ),
        "workspace",
    )
)
URL = re.compile(r"[a-z]+://[^\s'\"]+")
ABSOLUTE = re.compile(r"(?<![\w:/])/[^\s'\":]+")


def output(*command: str) -> str:
    """What a command prints, or nothing where it is not installed or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def hosts_in(text: str) -> set[str]:
    """Hosts of the URLs in a text; one without a dot is a plain word and would match anything."""
    hosts = {urlsplit(url).hostname or "" for url in URL.findall(text)}
    return {host for host in hosts if "." in host}


def apt_sources() -> str:
    """The package sources of a Debian-like system, comments left out."""
    folder = Path("/etc/apt")
    files = [
        folder / "sources.list",
        *folder.glob("sources.list.d/*.list"),
        *folder.glob("sources.list.d/*.sources"),
    ]
    lines = (
        line for file in files if file.is_file() for line in file.read_text(errors="replace").splitlines()
    )
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def registry_hosts(pip_settings: str) -> set[str]:
    """Hosts that pip, npm and apt install from here, and the ones pip has built in."""
    known = {index.PyPI.netloc, index.PyPI.file_storage_domain, index.TestPyPI.netloc}
    known.add(index.TestPyPI.file_storage_domain)
    return known | hosts_in(
        "\n".join((pip_settings, output("npm", "config", "get", "registry"), apt_sources()))
    )


def machine_paths(root: Path, pip_settings: str) -> set[str]:
    """The checkout, the folder above it, the home folder, and where pip looks for packages on disk."""
    paths = {str(root), str(root.parent), str(Path.home())}
    for line in pip_settings.splitlines():
        if "index" in line or "find-links" in line:
            values = line.partition("=")[2].replace("file://", " ")
            paths.update(ABSOLUTE.findall(values))
    return {str(PurePosixPath(path)) for path in paths} - COMMON


def pattern(paths: Iterable[str], hosts: Iterable[str]) -> re.Pattern[str]:
    """One expression that finds any of them as a whole: `/x` matches in `/x/y`, not in `a/x` nor `/xy`."""
    alternatives = [rf"(?<![\w.~-]){re.escape(path)}(?![\w-])" for path in sorted(paths)]
    alternatives += [rf"(?<![\w.-]){re.escape(host)}(?![\w-])" for host in sorted(hosts)]
    return re.compile("|".join(alternatives), re.IGNORECASE)


def findings(root: Path, files: Iterable[Path], unwanted: re.Pattern[str]) -> Iterator[str]:
    """A line for each place where a text file names something unwanted."""
    for path in files:
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
            if match := unwanted.search(line):
                yield f"{path.relative_to(root)}:{number}: names {match.group()}"


def main(root: Path = ROOT) -> int:
    """Print what was found and return the exit status."""
    files = tracked_files(root)
    pip_settings = output(sys.executable, "-m", "pip", "config", "list")
    unwanted = pattern(machine_paths(root, pip_settings), registry_hosts(pip_settings))
    found = list(findings(root, files, unwanted))
    for line in found:
        print(line, file=sys.stderr)
    print(f"tracked files read for machine paths and package indexes: {len(files)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
