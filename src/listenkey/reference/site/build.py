"""All files of the site, each made when it is asked for."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from importlib import resources
from typing import Final

from listenkey.dialect.model import Dialect
from listenkey.reference.describe import describe
from listenkey.reference.site.chapters import own_chapters
from listenkey.reference.site.frame import Frame
from listenkey.reference.site.pages import Page, all_pages, chapter_path, menu
from listenkey.reference.site.programs import MAKERS, Maker, Programs, downloads, own_downloads
from listenkey.reference.site.search import entries, script

_INDEX: Final = "assets/index.js"
_STYLE: Final = "assets/site.css"
_ASSETS: Final = ("site.js", "theme.js", "icon.svg")
MOST_PROGRAMS: Final = 200
"""Of one page."""
_SHOWN: Final = '.programs:has([data-choice="{0}"]:checked) [data-program="{0}"]{{display:block}}'


class Site:
    """The reference of some dialects."""

    def __init__(
        self, dialects: Mapping[str, Dialect], commands: str, makers: Mapping[str, Maker] = MAKERS
    ) -> None:
        """`commands`: the chapter of the commands, as Markdown, which nobody below the commands knows.
        `makers`: of programs, by heading."""
        products = [describe(each) for each in dialects.values()]
        chapters = own_chapters(products, commands)
        files = {product.name: tuple(downloads(product)) for product in products}
        files |= {chapter_path(name): found for name, found in own_downloads().items()}
        self._frame = Frame(menu(products), Programs(makers), files)
        self._pages = {page.path: page for page in all_pages(products, chapters, tuple(makers)[1:])}
        self._files: dict[str, Callable[[], bytes]] = {
            **{path: partial(self._frame.render, page) for path, page in self._pages.items()},
            **{f"assets/{name}": partial(_asset, name) for name in _ASSETS},
            **{each.path: each.content for found in files.values() for each in found},
            _STYLE: self._style,
            _INDEX: self._index,
        }

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every file of the site."""
        return tuple(self._files)

    def read(self, path: str) -> bytes | None:
        """The content of a file; None where there is none."""
        make = self._files.get(path)
        return None if make is None else make()

    def _style(self) -> bytes:
        """The style, with the rules that show the chosen one of a page's programs."""
        rules = "\n".join(_SHOWN.format(number) for number in range(MOST_PROGRAMS))
        return b"%b%b\n" % (_asset("site.css"), rules.encode())

    def _index(self) -> bytes:
        found = [entry for page in self._pages.values() for entry in self._entries(page)]
        return script(found)

    def _entries(self, page: Page) -> list[tuple[str, str, str, str]]:
        return entries(page, self._frame.content(page, programs=False))


def _asset(name: str) -> bytes:
    return (resources.files(__package__) / "assets" / name).read_bytes()
