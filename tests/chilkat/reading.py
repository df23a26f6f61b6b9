"""Turns the text of a program back into statements, as its language would read them."""

import re
from dataclasses import dataclass, field
from typing import Any

from tests.chilkat.expressions import Reader, command
from tests.chilkat.grammars import GRAMMARS
from tests.chilkat.statements import Grammar
from tests.chilkat.strings import ReadError
from tests.chilkat.tree import Statement

_EXPRESSIONS = ("value", "left", "right", "object")


@dataclass
class _Block:
    """A block that is open: where its statements go, and whose it is; nobody's where the frame has it."""

    statements: list[Statement]
    owner: Statement | None = None


@dataclass
class _State:
    blocks: list[_Block] = field(default_factory=lambda: [_Block([])])
    pending: Statement | None = None
    """A head whose block begins on a line of its own."""
    otherwise: bool = False


def read(language: str, text: str) -> list[Statement]:
    """The statements of a program. Errors: `ReadError` for what the language would not read."""
    grammar = GRAMMARS[language]
    lines = list(_lines(grammar, text))
    state = _State()
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        _take(grammar, state, line, following)
    if len(state.blocks) != 1:
        raise ReadError(f"{len(state.blocks) - 1} blocks have no end")
    return state.blocks[0].statements


def _lines(grammar: Grammar, text: str) -> list[str]:
    """Statements without comments; where the indentation counts, ends of blocks are put in."""
    found: list[str] = []
    levels = [0]
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith(grammar.comment):
            continue
        level = len(line) - len(line.lstrip())
        if grammar.indented:
            while level < levels[-1]:
                levels.pop()
                if not (bare == "else:" and level == levels[-1]):
                    found.append("<end>")
            if level > levels[-1]:
                levels.append(level)
        found.append(bare)
    return found + ["<end>"] * (len(levels) - 1)


def _take(grammar: Grammar, state: _State, line: str, following: str) -> None:
    kind, match = _recognise(grammar, line)
    is_else = re.match(r"(?i)else\b", following) is not None
    if kind in ("frame", "open"):
        if kind == "open":
            state.blocks.append(_Block(state.blocks[-1].statements))
    elif kind in ("begin", "else", "end", "end_or_else", "pascal_end"):
        _bound(state, kind, is_else, line)
    elif kind == "else_head":
        state.otherwise = True
    else:
        assert match is not None
        statement = _statement(grammar, kind.removesuffix("_head"), line, match)
        state.blocks[-1].statements.append(statement)
        if kind.endswith("_head"):
            state.pending = statement
        elif kind in ("if", "while", "never", "if_there"):
            state.blocks.append(_Block(statement.body, statement))


def _bound(state: _State, kind: str, is_else: bool, line: str) -> None:
    """Where a block begins, changes sides or ends."""
    top = state.blocks[-1]
    if kind == "begin":
        if state.pending is None:
            state.blocks.append(_Block(top.statements))
            return
        owner = state.pending
        state.blocks.append(_Block(owner.otherwise if state.otherwise else owner.body, owner))
        state.pending, state.otherwise = None, False
    elif kind == "else":
        if top.owner is not None:
            state.blocks[-1] = _Block(top.owner.otherwise, top.owner)
    elif is_else and kind in ("end_or_else", "pascal_end"):
        if kind == "pascal_end":
            state.pending = top.owner
            state.blocks.pop()
    else:
        if len(state.blocks) == 1:
            raise ReadError(f"nothing is open at {line!r}")
        state.blocks.pop()


def _recognise(grammar: Grammar, line: str) -> tuple[str, re.Match[str] | None]:
    if line == "<end>":
        return "end", None
    for pattern, kind in grammar.patterns:
        if (match := re.fullmatch(pattern, line)) is not None:
            return kind, match
    raise ReadError(f"cannot read the line {line!r}")


def _statement(grammar: Grammar, kind: str, line: str, match: re.Match[str]) -> Statement:
    parts: dict[str, Any] = {}
    for name, text in match.groupdict().items():
        if text is None:
            continue
        if name in _EXPRESSIONS:
            parts[name] = Reader(grammar.manner, text).whole()
        elif name == "arguments":
            parts["arguments"], _ = Reader(grammar.manner, text).arguments()
        elif name == "words":
            parts["arguments"] = Reader(grammar.manner, text).words()
        elif name == "command":
            parts["value"] = command(grammar.manner, text)
        else:
            parts[name] = text
    return Statement(kind, line, parts)
