"""How each language's own compiler reads a string literal; written from the languages, not from our data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


class ReadError(Exception):
    """A program that its language would not read, or would read otherwise than it was meant."""


@dataclass(frozen=True)
class Quoted:
    """Characters between quotes. `wild` are those that would mean something else unless escaped."""

    opening: str = '"'
    closing: str = '"'
    escape: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    numbered: tuple[tuple[str, int], ...] = ()
    """Patterns of what may follow the escape sign, with the base of their digits."""
    doubled: str = ""
    wild: str = ""
    expansion: str = ""
    """A pattern of what stands for a character by its number without the escape sign."""

    def read(self, text: str, place: int) -> tuple[str, int] | None:
        """What the literal at this place says, and where it ends; None where there is none."""
        if not text.startswith(self.opening, place):
            return None
        place += len(self.opening)
        said: list[str] = []
        while place < len(text):
            char = text[place]
            if char in self.doubled and text[place : place + 2] == char * 2:
                said.append(char)
                place += 2
            elif char == self.closing or (char in self.doubled):
                return "".join(said), place + 1
            elif self.escape and char == self.escape:
                piece, place = self._escaped(text, place + 1)
                said.append(piece)
            elif self.expansion and (found := re.compile(self.expansion).match(text, place)):
                said.append(chr(int(found[1])))
                place = found.end()
            elif char in self.wild or char < " ":
                raise ReadError(f"{char!r} is not itself in {text}")
            else:
                said.append(char)
                place += 1
        raise ReadError(f"no closing quote in {text}")

    def _escaped(self, text: str, place: int) -> tuple[str, int]:
        for pattern, base in self.numbered:
            if found := re.compile(pattern).match(text, place):
                return chr(int(found[1], base)), found.end()
        if place < len(text) and text[place] in self.named:
            return self.named[text[place]], place + 1
        raise ReadError(f"an escape that the language does not know at {place} in {text}")


@dataclass(frozen=True)
class Pascal:
    """Pieces in single quotes and characters by number, without a sign between them."""

    def read(self, text: str, place: int) -> tuple[str, int] | None:
        """As above."""
        quoted = Quoted("'", "'", doubled="'")
        if (first := quoted.read(text, place)) is None:
            return None
        said, place = first
        while found := re.compile(r"#(\d+)").match(text, place):
            said, place = said + chr(int(found[1])), found.end()
            if (more := quoted.read(text, place)) is not None:
                said, place = said + more[0], more[1]
        return said, place


LINES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
OCTAL = (r"([0-7]{1,3})", 8)
UNICODE = (r"u([0-9a-f]{4})", 16)
BRACED = (r"u\{([0-9a-f]{1,8})\}", 16)

C = Quoted('"', '"', "\\", LINES | {"?": "?"}, (OCTAL,))
WIDE = Quoted('L"', '"', "\\", LINES | {"?": "?"}, (OCTAL,))
OBJECTIVE = Quoted('@"', '"', "\\", LINES | {"?": "?"}, (OCTAL,))
JAVA = Quoted('"', '"', "\\", LINES, (OCTAL,))
SCRIPT = Quoted('"', '"', "\\", LINES, (UNICODE,))
KOTLIN = Quoted('"', '"', "\\", LINES | {"$": "$"}, (UNICODE,), wild="$")
SWIFT = Quoted('"', '"', "\\", LINES, (BRACED,))
RUBY = Quoted('"', '"', "\\", LINES | {"#": "#"}, (UNICODE,), wild="#")
PERL = Quoted('"', '"', "\\", LINES | {"$": "$", "@": "@"}, ((r"x\{([0-9a-f]+)\}", 16),), wild="$@")
PHP_DOUBLE = Quoted('"', '"', "\\", LINES | {"$": "$"}, (OCTAL,), wild="$")
PHP_SINGLE = Quoted("'", "'", "\\", {"'": "'", "\\": "\\"})
TCL = Quoted('"', '"', "\\", LINES | {each: each for each in "$[]{}"}, (UNICODE,), wild="$[]{}")
BASIC = Quoted('"', '"', doubled='"')
BASIC_NET = Quoted('"', '"', doubled='"“”')
SQL = Quoted("'", "'", doubled="'")
SQL_WIDE = Quoted("N'", "'", doubled="'")
POWERBUILDER = Quoted(
    '"', '"', "~", {"n": "\n", "r": "\r", "t": "\t", '"': '"', "~": "~"}, ((r"(\d{3})", 10),)
)
PUREBASIC = (Quoted(), Quoted('~"', '"', "\\", LINES))
XBASE = (Quoted(), Quoted("'", "'"), Quoted("[", "]"))
DATAFLEX = (Quoted(), Quoted("'", "'"))
POWERSHELL = (
    Quoted("'", "'", doubled="'‘’‚‛"),
    Quoted(
        '"',
        '"',
        "`",
        {"n": "\n", "r": "\r", "`": "`", "$": "$"} | {each: each for each in '"“”„'},
        wild="$“”„",
        expansion=r"\$\(\[char\](\d+)\)",
    ),
)
