"""`listenkey docs`: the reference of every call, as pages."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listenkey.base.errors import Refused
from listenkey.cli.docs_foreign import explain, import_
from listenkey.cli.offline import require_modules
from listenkey.cli.output import plural

if TYPE_CHECKING:
    from listenkey.reference.site.build import Site

_MODULES = ("jinja2", "pygments")


@click.group()
def command() -> None:
    """Build and use the reference of every call."""


command.add_command(import_)
command.add_command(explain)


@command.command()
@click.argument("where", metavar="DIR")
@click.option(
    "--config", "file", metavar="FILE", envvar="LISTENKEY_CONFIG", type=click.Path(path_type=Path),
    help="Configuration file that names dialect files of your own.",
)  # fmt: skip
def build(where: str, file: Path | None) -> None:
    """Write the reference as a static site.

    DIR is made where it is missing; files of an earlier build are replaced. Open its index.html, or let any
    web server hand it out.
    """
    if not where:  # as a path it would be the folder that this runs in
        raise Refused("DIR is empty", "name a folder, . for this one", code="bad_file")
    folder = Path(where)
    require_modules("docs build", _MODULES)
    from listenkey.config import load

    pages = site(load(file, os.environ).settings.dialects.files)
    for name in pages.paths:
        _write(folder / name, pages.read(name) or b"")
    click.echo(f"wrote {plural(len(pages.paths), 'file')}, begin with {folder / 'index.html'}")


def site(files: Sequence[str]) -> "Site":
    """The reference of the built-in dialects and those in these files, whole: what a venue removed is in it
    whatever day the gateway is set to. The server shows the same below /docs/."""
    from listenkey.cli.manual import commands_chapter
    from listenkey.dialect.registry import load_dialects
    from listenkey.reference.site.build import Site

    return Site(load_dialects(files), commands_chapter())


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        what = f"{path}: {error.strerror or error}"
        raise Refused(what, "check the path, its permissions and the disk", code="bad_file") from None
