"""Reference pages that are made from the program's own declarations, and the package's copies of others."""

from listenkey.cli.manual import commands_chapter
from listenkey.config import reference
from listenkey.dialect.registry import load_dialects
from listenkey.reference.describe import describe
from listenkey.reference.site.chapters import WRITTEN, close_codes
from tools.tracked import ROOT

CHAPTERS = WRITTEN


def settings_page(marker: str) -> str:
    """Every setting, as `listenkey config doc` prints it."""
    return f"<!-- {marker}: change src/listenkey/config/settings.py, then `make gen`. -->\n{reference()}"


def commands_page(marker: str) -> str:
    """Every command with its help, from click's own tree."""
    return f"<!-- {marker}: change src/listenkey/cli/, then `make gen`. -->\n{commands_chapter()}"


def close_codes_page(marker: str) -> str:
    """Every close code, from the dialects and the chapter of the native stream."""
    products = [describe(each) for each in load_dialects().values()]
    return f"<!-- {marker}: change the dialects' data, then `make gen`. -->\n{close_codes(products)}"


def chapter_copy(marker: str, name: str) -> str:
    """A chapter that was written by hand, for the package: an installed gateway shows it too."""
    text = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
    return f"<!-- {marker}: change docs/reference/{name}.md, then `make gen`. -->\n{text}"
