"""The files that git tracks: a file of one's own beside them is no check's business."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked_files(root: Path = ROOT) -> list[Path]:
    """Every tracked file that is there, or none where `root` is no git checkout (an archive, say)."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    names = listing.stdout.split("\0") if listing.returncode == 0 else []
    return [path for name in names if name and (path := root / name).is_file()]
