"""Text as each language writes it. Whatever stands in a description, a program says it and nothing else."""

import re
import shlex
from collections.abc import Callable
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def _quoted(escapes: dict[str, str], control: Callable[[int], str]) -> Callable[[str], str]:
    """Double-quoted text with these escapes and any other control character by its number."""
    table = str.maketrans({'"': '\\"', "\\": "\\\\"} | escapes)

    def literal(text: str) -> str:
        escaped = text.translate(table)
        return '"' + _CONTROL.sub(lambda found: control(ord(found[0])), escaped) + '"'

    return literal


_LINES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _octal(code: int) -> str:
    return f"\\{code:03o}"


_OCTAL: Final = _quoted(_LINES, _octal)


def _four(code: int) -> str:
    return f"\\u{code:04x}"


def _braced(code: int) -> str:
    return f"\\u{{{code:x}}}"


def _single(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_JSON: Final = _quoted(_LINES, _four)


def _either(text: str) -> str:
    """In single quotes where that spares escapes."""
    if '"' in text and "'" not in text and "\\" not in text and not _CONTROL.search(text):
        return f"'{text}'"
    return _JSON(text)


def _bare(literal: Callable[[str], str]) -> Callable[[str], str]:
    """A plain word stands for itself."""
    return lambda text: text if re.fullmatch(r"[\w/.:-]+", text, re.ASCII) else literal(text)


def _doubled(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


LITERALS: Final[dict[str, Callable[[str], str]]] = {
    "either": _either,
    "json": _JSON,
    "c": lambda text: re.sub(r"(?<=\?)\?", r"\\?", _OCTAL(text)),  # or it reads trigraphs
    "octal": _OCTAL,
    "dollar": _quoted(_LINES | {"$": "\\$"}, _four),
    "dart": _quoted(_LINES | {"$": "\\$"}, _braced),
    "braced": _quoted(_LINES, _braced),
    "hash": _quoted(_LINES | {"#": "\\#"}, _braced),
    "decimal": _quoted(_LINES, lambda code: f"\\{code:03d}"),
    "haskell": _quoted(_LINES, lambda code: f"\\{code}\\&"),
    "tcl": _bare(_quoted(_LINES | {each: "\\" + each for each in "$[]{}"}, _four)),
    "single": _single,
    "shell": shlex.quote,
    "doubled": _doubled,
}


def comment(text: str) -> str:
    """Text on one line that ends no comment, in whatever language."""
    return " ".join(re.sub(r"[^\w .,:;()'+-]", " ", text).split())
