"""The Markdown of our own chapters as HTML: headings, paragraphs, tables, lists, code, links and emphasis.

No more than the chapters use. Text is escaped throughout: HTML in a chapter is read as text.
"""

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Final

from markupsafe import Markup

from listenkey.reference.site.code import colour

_COMMENT: Final = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_STRONG: Final = re.compile(r"\*\*(.+?)\*\*")
_EMPHASIS: Final = re.compile(r"\*(\S.*?)\*")
_HELD: Final = re.compile("\x00([0-9]+)\x00")
_CELL: Final = re.compile(r"(?<!\\)\|")
_ITEM: Final = re.compile(r"(?:- |[0-9]+\. )")
Links = Callable[[str], str | None]
"""Where a link of a chapter leads on the site; None where the site does not have what it leads to."""


def markdown(text: str, links: Links = lambda target: target) -> Markup:
    """A chapter as HTML."""
    return Markup("\n".join(_blocks(_COMMENT.sub("", text), links)))  # noqa: S704 - its parts are escaped


def prose(text: str) -> Markup:
    """A sentence of a dialect or a word list: code, emphasis and links, nothing else."""
    return Markup(_inline(text, lambda target: target))  # noqa: S704 - its parts are escaped


def anchor(title: str) -> str:
    """The fragment of a heading, as forges make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def _blocks(text: str, links: Links) -> Iterator[str]:
    lines = iter(text.splitlines())
    waiting: list[str] = []
    for line in lines:
        if line.startswith("```"):
            yield from _block(waiting, links)
            waiting = []
            yield _fence(line.removeprefix("```"), lines)
        elif line.strip() and not line.startswith("#"):
            waiting.append(line)
        else:
            yield from _block(waiting, links)
            waiting = []
            if line:
                yield _heading(line, links)
    yield from _block(waiting, links)


def _fence(language: str, lines: Iterator[str]) -> str:
    inside = []
    for line in lines:
        if line.startswith("```"):
            break
        inside.append(line)
    shown = colour("\n".join(inside), language or "text")
    return f'<pre class="code"><code>{shown}</code></pre>'


def _heading(line: str, links: Links) -> str:
    marks, _, title = line.partition(" ")
    return f'<h{len(marks)} id="{anchor(title)}">{_inline(title, links)}</h{len(marks)}>'


def _block(lines: list[str], links: Links) -> Iterator[str]:
    if not lines:
        return
    if lines[0].startswith("|"):
        yield _table(lines, links)
    elif _ITEM.match(lines[0]):
        yield _list(lines, links)
    else:
        yield f"<p>{_inline(' '.join(lines), links)}</p>"


def _table(lines: list[str], links: Links) -> str:
    head, rows = _cells(lines[0]), [_cells(line) for line in lines[2:]]
    heading = "".join(
        f'<th scope="col">{_inline(cell, links)}</th>' if cell else "<td></td>" for cell in head
    )
    shown = f"<thead><tr>{heading}</tr></thead>" if any(head) else ""
    body = "".join(_row(row, head, links) for row in rows)
    kind = ' class="stack"' if shown else ""
    return f'<div class="scroll"><table{kind}>{shown}<tbody>{body}</tbody></table></div>'


def _row(cells: list[str], head: list[str], links: Links) -> str:
    """A row that begins with code can be searched for by it."""
    names = _CODE.findall(cells[0])
    found = f' data-find="{escape(", ".join(names))}"' if names else ""
    shown = "".join(
        f"<td{_label(label)}>{_inline(cell, links)}</td>" for cell, label in zip(cells, head, strict=True)
    )
    return f"<tr{found}>{shown}</tr>"


def _label(text: str) -> str:
    """What a narrow screen shows before a cell, where the head of the table has no room."""
    return f' data-label="{escape(text)}"' if text else ""


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip().strip("|"))]


def _list(lines: list[str], links: Links) -> str:
    items: list[str] = []
    for line in lines:
        begun = _ITEM.match(line)
        if begun:
            items.append(line[begun.end() :])
        else:
            items[-1] += f" {line.strip()}"
    kind = "ul" if lines[0].startswith("- ") else "ol"
    return f"<{kind}>{''.join(f'<li>{_inline(item, links)}</li>' for item in items)}</{kind}>"


def _inline(text: str, links: Links) -> str:
    held: list[str] = []

    def hold(html: str) -> str:
        held.append(html)
        return f"\x00{len(held) - 1}\x00"

    def link(match: re.Match[str]) -> str:
        target = links(match[2])
        # What it says is still to be read: code and emphasis inside it.
        return match[1] if target is None else hold(f'<a href="{escape(target)}">') + match[1] + hold("</a>")

    text = _CODE.sub(lambda match: hold(f"<code>{escape(match[1])}</code>"), text)
    text = escape(_LINK.sub(link, text), quote=False)
    text = _EMPHASIS.sub(r"<em>\1</em>", _STRONG.sub(r"<strong>\1</strong>", text))
    return _HELD.sub(lambda match: held[int(match[1])], text)
