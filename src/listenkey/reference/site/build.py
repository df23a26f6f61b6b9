"""All files of the site."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from listenkey import __version__
from listenkey.dialect.model import Dialect
from listenkey.reference.describe import describe


def build_site(dialects: Mapping[str, Dialect], commands: str) -> dict[str, bytes]:
    """Every file by its path. `commands`: the chapter of the commands, as Markdown."""
    products = [describe(each) for each in dialects.values()]
    return {"index.html": _page("index.html", products=products, commands=commands)}


def _page(template: str, **values: Any) -> bytes:
    pages = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(template).render(version=__version__, **values).encode()
