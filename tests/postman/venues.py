"""The built-in dialects, and one of somebody's own: what is true of all has to be true of it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from listenkey.dialect.registry import load_dialects
from listenkey.reference.describe import Product, describe

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-venue.md"
_PIECE = re.compile(r"<!-- acme\.toml -->\n```toml\n(.*?)```", re.DOTALL)


def configuration(folder: Path) -> Path:
    """A configuration file that adds the venue of the how-to page."""
    text = "\n".join(_PIECE.findall(_PAGE.read_text(encoding="utf-8")))
    (folder / "acme.toml").write_text(text, encoding="utf-8")
    file = folder / "listenkey.toml"
    file.write_text(f"[dialects]\nfiles = ['{folder / 'acme.toml'}']\n", encoding="utf-8")
    return file


def _products() -> dict[str, Product]:
    with tempfile.TemporaryDirectory() as folder:
        configuration(Path(folder))
        dialects = load_dialects([str(Path(folder) / "acme.toml")])
        return {name: describe(dialect) for name, dialect in dialects.items()}


PRODUCTS = _products()
