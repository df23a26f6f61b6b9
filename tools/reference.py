"""The reference pages that are made from the program's own declarations: settings and commands."""

from listenkey.cli.manual import commands_chapter
from listenkey.config import reference


def settings_page(marker: str) -> str:
    """Every setting, as `listenkey config doc` prints it."""
    return f"<!-- {marker}: change src/listenkey/config/settings.py, then `make gen`. -->\n{reference()}"


def commands_page(marker: str) -> str:
    """Every command with its help, from click's own tree."""
    return f"<!-- {marker}: change src/listenkey/cli/, then `make gen`. -->\n{commands_chapter()}"
