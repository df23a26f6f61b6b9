"""A command line as a shell reads it: words, quotes, continuations. Nothing is run, and nothing is filled in.

It understands what people copy from pages and browsers: single and double quotes, `$'…'`, backslashes,
lines that go on (with a backslash, a caret or a backtick at their end), and where a command ends.
"""

import re
from contextlib import suppress
from typing import Final

from listenkey.base.errors import Refused
from listenkey.reference.foreign.request import CLOSE, OPEN

LONGEST: Final = 65_536
_CUT: Final = frozenset("|;&\n<>")
_NAME: Final = re.compile(r"\{([A-Za-z_]\w{0,63})\}|([A-Za-z_]\w{0,63})")
_ADDRESS_ALONE: Final = re.compile(
    r"^([ \t]*(?:[A-Za-z]{3,7}[ \t]+)?)((?:https?|wss?)://[^\s'\"$`\\]+)[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_OPTION_BELOW: Final = re.compile(r"\n[ \t]*(?=--?[A-Za-z])")
_ADDRESS_BELOW: Final = re.compile(
    r"^([ \t$]*curl\b(?:(?!://).)*)\n(?=[ \t]*'(?:https?|wss?)://)", re.MULTILINE | re.IGNORECASE
)
_ANSI: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}
_DEEPEST: Final = 4
_REMEDY: Final = "close it, or paste the whole line between quotes of the other kind"

Command = list[str]


def commands(text: str) -> tuple[list[Command], bool]:
    """The commands of a text as their words, and whether an unquoted `&` cut one short, as in a shell.
    Errors: `Refused("bad_request_line")` for what is too long or not closed."""
    if len(text) > LONGEST:
        raise Refused(
            f"the line has {len(text)} characters, {LONGEST} are the most",
            "give one request",
            code="bad_request_line",
        )
    return _Reader(_joined(text.replace(OPEN, "").replace(CLOSE, ""))).read()


def _joined(text: str) -> str:
    """Lines that go on in the next one, in the manner of Unix, of `cmd` and of PowerShell, or where a page
    left the marks out; and an address that has a line for itself taken whole, as no shell reads it."""
    text = text.replace("\r\n", "\n")
    if "^\n" in text or '^"' in text:
        text = re.sub(r"\^(.)", r"\1", text.replace("^\n", " "))
    text = re.sub(r"[ \t](?:\\|`)\n", " ", text).replace("\\\n", "")
    text = _OPTION_BELOW.sub(" ", text)
    return _ADDRESS_BELOW.sub(r"\1 ", _ADDRESS_ALONE.sub(r"\1'\2'", text))


class _Reader:
    """Character by character; each method leaves `_at` behind what it read."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self._text, self._at, self._depth = text, 0, depth
        self._words: Command = []
        self._word: list[str] | None = None
        self._done: list[Command] = []
        self._cut = False

    def read(self) -> tuple[list[Command], bool]:
        while self._at < len(self._text):
            self._step(self._text[self._at])
        self._end_command()
        return self._done, self._cut

    def _step(self, character: str) -> None:
        if character in _CUT:
            self._cut = self._cut or (character == "&" and self._cuts_a_word())
            self._end_command()
            self._at += 1
        elif character.isspace():
            self._end_word()
            self._at += 1
        elif character == "#" and self._word is None:
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end
        else:
            self._add(self._piece(character))

    def _piece(self, character: str) -> str:
        if character == "'":
            return self._until("'", "'")
        if character == '"':
            return self._double()
        if character == "\\":
            self._at += 2
            return self._text[self._at - 1 : self._at]
        if character in "$`":
            return self._filled()
        self._at += 1
        return character

    def _until(self, quote: str, shown: str) -> str:
        start = self._at
        end = self._text.find(quote, start + len(shown))
        if end < 0:
            raise self._open(shown, start)
        self._at = end + 1
        return self._text[start + len(shown) : end]

    def _double(self) -> str:
        start = self._at
        parts: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                self._at += 1
                return "".join(parts)
            if character == "\\" and self._text[self._at + 1 : self._at + 2] in {'"', "\\", "$", "`"}:
                parts.append(self._text[self._at + 1])
                self._at += 2
            elif character in "$`":
                parts.append(self._filled(quoted=True))
            else:
                parts.append(character)
                self._at += 1
        raise self._open('"', start)

    def _filled(self, *, quoted: bool = False) -> str:
        """What a shell would put something in the place of."""
        start = self._at
        if self._text[start] == "`":
            self._inside(self._until("`", "`"))
            return f"{OPEN}(…){CLOSE}"
        after = self._text[start + 1 : start + 2]
        if after == "'" and not quoted:
            return self._ansi(start)
        if after == "(":
            self._command_in_place(start)
            return f"{OPEN}(…){CLOSE}"
        match = _NAME.match(self._text, start + 1)
        self._at = match.end() if match else start + 1
        return f"{OPEN}{match[1] or match[2]}{CLOSE}" if match else "$"

    def _ansi(self, start: int) -> str:
        end = start + 2
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise self._open("$'", start)
        self._at = end + 1
        return _ANSI.sub(_ansi_character, self._text[start + 2 : end])

    def _command_in_place(self, start: int) -> None:
        depth, at = 0, start + 1
        while at < len(self._text):
            depth += {"(": 1, ")": -1}.get(self._text[at], 0)
            at += 1
            if not depth:
                self._at = at
                self._inside(self._text[start + 2 : at - 1])
                return
        raise self._open("$(", start)

    def _inside(self, text: str) -> None:
        """The commands whose output is put in a place: they run first. What is odd in them is passed over."""
        if self._depth < _DEEPEST:
            with suppress(Refused):
                self._done += _Reader(text, self._depth + 1).read()[0]

    def _cuts_a_word(self) -> bool:
        """`a&b` cuts, `a && b` and a `&` at the end do not."""
        rest = self._text[self._at + 1 :]
        return self._word is not None and not rest.startswith("&") and bool(re.match(r"\w+=", rest))

    def _add(self, piece: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(piece)

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
            self._word = None

    def _end_command(self) -> None:
        self._end_word()
        if self._words:
            self._done.append(self._words)
            self._words = []

    @staticmethod
    def _open(quote: str, at: int) -> Refused:
        return Refused(f"the {quote} at character {at + 1} is never closed", _REMEDY, code="bad_request_line")


def _ansi_character(match: re.Match[str]) -> str:
    hexadecimal, unicode, octal, letter = match.groups()
    if hexadecimal or unicode:
        return chr(int(hexadecimal or unicode, 16))
    return chr(int(octal, 8)) if octal else _LETTERS.get(letter, letter)
