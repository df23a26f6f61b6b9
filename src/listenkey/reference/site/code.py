"""Programs and samples in colour: Pygments' tokens as a handful of CSS classes."""

import json
from functools import cache
from html import escape
from itertools import groupby
from typing import Final

from markupsafe import Markup
from pygments.lexer import Lexer, RegexLexer, words
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text, _TokenType
from pygments.util import ClassNotFound

_CLASSES: Final[dict[_TokenType, str]] = {
    Comment: "c",
    Keyword: "k",
    Operator.Word: "k",
    Name.Tag: "k",
    String: "s",
    Number: "m",
    Name.Constant: "m",
    Name.Function: "f",
    Name.Builtin: "f",
    Name.Attribute: "f",
    Name.Decorator: "f",
    Name.Class: "t",
    Name.Namespace: "t",
    Name.Exception: "t",
    Name.Variable: "t",
    Keyword.Type: "t",
}
"""Those that the style colours; what is below a kind of token is coloured as it is."""

PROGRAM: Final = "program"
"""The language of programs that Pygments has no lexer for."""


class _ProgramLexer(RegexLexer):
    """What programs have in common: text, numbers, comments on lines of their own, words that steer."""

    _steering = (
        "If", "EndIf", "Else", "ElseIf", "Then", "End", "While", "Wend", "EndWhile", "Loop", "Repeat",
        "Until", "For", "Next", "Procedure", "EndProcedure", "ProcedureReturn", "Return", "Function",
        "EndFunction", "IncludeFile", "Use", "Dim", "Var", "Move", "Get", "Set", "Send", "Do", "Exit",
    )  # fmt: skip
    tokens = {  # noqa: RUF012 - as its base class declares it
        "root": [
            (r"^[ \t]*(?:;|//|\*|').*$", Comment),
            (r'"[^"\n]*"', String),
            (words(_steering, prefix=r"\b", suffix=r"\b"), Keyword),
            (r"\b[0-9]+\b", Number),
            (r"\w+|\n|[^\S\n]+|.", Text),
        ]
    }


def colour(text: str, language: str) -> Markup:
    """Text as HTML, coloured; plain where Pygments does not know the language."""
    parts = []
    for name, tokens in groupby(_lexer(language).get_tokens(text), lambda token: _class(token[0])):
        piece = escape("".join(value for _, value in tokens), quote=False)
        parts.append(f'<span class="{name}">{piece}</span>' if name else piece)
    return Markup("".join(parts).rstrip("\n"))  # noqa: S704 - its parts are escaped


def pretty(text: str) -> str:
    """JSON over several lines where it is long; anything else as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if len(text) <= 72 else json.dumps(value, indent=2, ensure_ascii=False)


@cache
def _class(kind: _TokenType) -> str:
    if kind in _CLASSES:
        return _CLASSES[kind]
    return _class(kind.parent) if kind.parent else ""


@cache
def _lexer(language: str) -> Lexer:
    if language == PROGRAM:
        return _ProgramLexer(stripnl=False)
    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False)
