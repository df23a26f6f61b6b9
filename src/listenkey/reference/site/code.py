"""Programs and samples in colour: Pygments' tokens as CSS classes."""

import json
from functools import cache
from typing import Final

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

_SPANS: Final[HtmlFormatter[str]] = HtmlFormatter(nowrap=True)


def colour(text: str, language: str) -> Markup:
    """Text as HTML, with a span around each token; plain where Pygments does not know the language."""
    return Markup(highlight(text, _lexer(language), _SPANS).rstrip("\n"))  # noqa: S704


def pretty(text: str) -> str:
    """JSON over several lines where it is long; anything else as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if len(text) <= 72 else json.dumps(value, indent=2, ensure_ascii=False)


@cache
def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return TextLexer()
