"""The chapters about the gateway itself: those written by hand come with the package, the rest is made."""

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Final

from listenkey.config import reference
from listenkey.reference.describe import Product
from listenkey.reference.site.pages import OWN
from listenkey.reference.words import CLOSES

WRITTEN: Final = ("admin-api", "native-stream", "errors", "metrics")
"""Written by hand in docs/reference; the package has copies of them."""

_CLOSE_CODES: Final = """# Close codes

How a server ends a socket: the code and reason of its close frame. 1006 is what libraries report where the
connection ends without one.

## Venue sockets

What bots are told is the venue's; a `·` separates code and reason.
"""
_NATIVE: Final = """
## Native stream

The last message names the reason, as [native stream](native-stream.md#messages) has it.

| reason | code | what to do |
|---|---|---|
"""


def own_chapters(products: Sequence[Product], commands: str) -> dict[str, str]:
    """Markdown by the names of `OWN`."""
    made = {
        "settings": reference(),
        "commands": commands,
        "close-codes": close_codes(products),
        **{name: written(name) for name in WRITTEN},
    }
    return {name: made[name] for name in OWN}


def written(name: str) -> str:
    """A chapter that was written by hand."""
    return (resources.files("listenkey.reference") / "own" / f"{name}.md").read_text(encoding="utf-8")


def close_codes(products: Sequence[Product]) -> str:
    """The chapter of close codes: the venues' from the dialects, the native stream's from its chapter."""
    blocks = [_CLOSE_CODES]
    for kind, (meaning, remedy) in CLOSES.items():
        rows: dict[tuple[int, str], list[str]] = {}
        for product in products:
            for row in product.closes:
                if row.kind == kind:
                    rows.setdefault((row.code, row.reason), []).append(f"`{product.name}`")
        blocks.append(
            f"### {kind.replace('_', ' ').capitalize()}\n\n{meaning} {remedy}\n\n{_table(rows.items())}"
        )
    native = [line for line in written("native-stream").splitlines() if _is_end(line)]
    return "\n".join(blocks) + _NATIVE + "\n".join(native) + "\n"


def _table(rows: Iterable[tuple[tuple[int, str], list[str]]]) -> str:
    lines = [
        f"| {code}{f' · {reason}' if reason else ''} | {', '.join(names)} |" for (code, reason), names in rows
    ]
    return "\n".join(("| close | by |", "|---|---|", *lines, ""))


def _is_end(line: str) -> bool:
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return len(cells) == 3 and cells[1].isdigit() and len(cells[1]) == 4
