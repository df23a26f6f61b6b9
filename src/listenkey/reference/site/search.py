"""What can be searched for: each page, each of its headings, and each row that has a name."""

import json
import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Final

from listenkey.reference.site.markdown import anchor
from listenkey.reference.site.pages import Page

Entry = tuple[str, str, str, str]
"""Title, page, address, further words."""
_TAG: Final = re.compile(r"<[^>]+>")
_HEADING: Final = re.compile(r'<h[23] id="([^"]+)"[^>]*>(.*?)</h[23]>', re.DOTALL)
_ROW: Final = re.compile(r'<(\w+)((?: id="[^"]+")?) data-find="([^"]*)"(?: data-words="([^"]*)")?')


def name_rows(content: str) -> str:
    """The content with an id for each row that can be searched for and has none."""
    used = set(re.findall(r'\bid="([^"]+)"', content))

    def name(match: re.Match[str]) -> str:
        if match[2]:
            return match[0]
        wanted = anchor(unescape(match[3])) or "row"
        found, number = wanted, 2
        while found in used:
            found, number = f"{wanted}-{number}", number + 1
        used.add(found)
        return match[0].replace(f"<{match[1]}", f'<{match[1]} id="{found}"', 1)

    return _ROW.sub(name, content)


def entries(page: Page, content: str) -> list[Entry]:
    """What of a page can be searched for."""
    where = " · ".join(title for _, title in page.above)
    here = f"{where} · {page.title}" if where else page.title
    found: list[Entry] = [(page.title, where, page.path, "")]
    found += ((title, here, f"{page.path}#{name}", "") for name, title in headings(content))
    found += (
        (unescape(match[3]), here, f"{page.path}#{match[2][5:-1]}", unescape(match[4] or ""))
        for match in _ROW.finditer(content)
    )
    return found


def headings(content: str) -> Iterator[tuple[str, str]]:
    """Id and text of each heading below the page's title."""
    for match in _HEADING.finditer(content):
        yield match[1], " ".join(unescape(_TAG.sub("", match[2])).split())


def script(found: Sequence[Entry]) -> bytes:
    """The index as a script that hands it over: unlike JSON it can be loaded from a folder, too."""
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return f"window.listenkeyIndex={text};\n".encode()
