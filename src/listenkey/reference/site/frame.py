"""Pages from their templates: the content first, then what stands around it."""

from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from listenkey import __version__
from listenkey.reference import words
from listenkey.reference.describe import Product
from listenkey.reference.program import Program
from listenkey.reference.site import pages
from listenkey.reference.site.code import colour, pretty
from listenkey.reference.site.markdown import markdown, prose
from listenkey.reference.site.pages import Entry, Page
from listenkey.reference.site.programs import Download, Programs, plain_title
from listenkey.reference.site.search import headings, name_rows
from listenkey.reference.site.text import (
    GATEWAY,
    api_bases,
    duration,
    event_name,
    gateway_urls,
    sample,
    socket_bases,
    spoken,
)


class Frame:
    """Renders pages."""

    def __init__(
        self,
        menu: Mapping[str, Sequence[Entry]],
        programs: Programs,
        downloads: Mapping[str, Sequence[Download]],
    ) -> None:
        self._templates = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            menu=menu,
            version=__version__,
            words=words,
            pages=pages,
            gateway=GATEWAY,
            gateway_urls=gateway_urls,
            socket_bases=socket_bases,
            api_bases=api_bases,
            chapter=_chapter,
            downloads=downloads,
            plain_title=plain_title,
        )
        self._templates.filters.update(
            colour=colour,
            pretty=pretty,
            prose=prose,
            duration=duration,
            sample=sample,
            spoken=spoken,
            event_name=event_name,
        )

        self._programs = programs

    def content(self, page: Page, *, programs: bool = True) -> Markup:
        """What a page is about. Without `programs` it is quick, and all there is to search in."""
        template = self._templates.get_template(page.template)
        found = self._programs if programs else _none
        text = template.render(**page.values, page=page, root=page.root, programs_of=found)
        return Markup(name_rows(text))  # noqa: S704 - the template has escaped it

    def render(self, page: Page) -> bytes:
        """A whole page."""
        content = self.content(page)
        found = list(headings(content))
        contents = [each for each in found if f'<h2 id="{each[0]}"' in content]
        if len(contents) < 2:
            contents = found
        frame = self._templates.get_template("frame.html")
        return frame.render(page=page, root=page.root, content=content, contents=contents).encode()


def _none(product: Product, of: str) -> dict[str, list[Program]]:
    return {}


def _chapter(text: str) -> Markup:
    return markdown(text, _link)


def _link(target: str) -> str | None:
    """Chapters link to each other as they do in the folder of the documentation."""
    name, hash_mark, fragment = target.partition("#")
    if name == "dialects.md":
        return "../index.html"
    if name.endswith(".md"):
        known = name.removesuffix(".md") in pages.OWN
        return f"{name.removesuffix('.md')}.html{hash_mark}{fragment}" if known else None
    return target
