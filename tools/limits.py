"""Keep files and functions small: `python -m tools.limits`.

A hand-written file has at most 600 lines in src, tools and tests, a function at most 80 lines in src.
The figures that are printed say where the code stands long before a limit is met.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from tools.gen import is_generated
from tools.tracked import ROOT

FILE_LIMIT = 600
FUNCTION_LIMIT = 80
FOLDERS = ("src", "tools", "tests")
SUFFIXES = frozenset({".py", ".js", ".mjs", ".ts", ".lua", ".sh"})
# What other programs' installers put below a test's folder is not ours to measure.
FOREIGN = frozenset({"node_modules", "__pycache__", ".venv"})


@dataclass(frozen=True)
class Size:
    """How long something is, and what to call it when it is too long."""

    name: str
    lines: int


def source_files(root: Path, folders: Iterable[str] = FOLDERS) -> Iterator[Path]:
    """Hand-written source files below the folders, in a stable order."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES or not path.is_file() or FOREIGN.intersection(path.parts):
                continue
            if not is_generated(path):
                yield path


def file_sizes(root: Path) -> list[Size]:
    """The length in lines of every hand-written source file."""
    return [
        Size(str(path.relative_to(root)), len(path.read_text(encoding="utf-8").splitlines()))
        for path in source_files(root)
    ]


def function_sizes(root: Path) -> list[Size]:
    """The length of every function in src, its signature and the functions inside it counted in."""
    sizes = []
    for path in source_files(root, ("src",)):
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{path.relative_to(root)}:{node.lineno} {node.name}"
                sizes.append(Size(where, (node.end_lineno or node.lineno) - node.lineno + 1))
    return sizes


def figures(sizes: Sequence[Size]) -> str:
    """Median, 90th percentile and longest, in one phrase."""
    lines = [size.lines for size in sizes]
    if not lines:
        return "none"
    p90 = quantiles(lines, n=10, method="inclusive")[-1] if len(lines) > 1 else lines[0]
    return f"{len(lines)}, median {median(lines):.0f}, p90 {p90:.0f}, longest {max(lines)} lines"


def main(root: Path = ROOT) -> int:
    """Print the figures, name what is too long, and return the exit status."""
    files, functions = file_sizes(root), function_sizes(root)
    print(f"files: {figures(files)}; functions in src: {figures(functions)}")
    too_long = [
        f"{size.name}: {size.lines} lines, at most {limit}"
        for sizes, limit in ((files, FILE_LIMIT), (functions, FUNCTION_LIMIT))
        for size in sizes
        if size.lines > limit
    ]
    for line in too_long:
        print(line, file=sys.stderr)
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
