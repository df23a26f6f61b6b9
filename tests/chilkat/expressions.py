"""Reads expressions: literals, variables, members, calls and strings that are joined."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.chilkat.strings import Pascal, Quoted, ReadError
from tests.chilkat.tree import Invoked, Joined, Name, Value

Literal = Quoted | Pascal
_NAME = re.compile(r"[@$]?[A-Za-z_]\w*")
_NUMBER = re.compile(r"\d+")
_CHARACTER = re.compile(r"(?:Chr|ChrW|CHR|chr|NCHAR|Character)\((\d+)\)")
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True)
class Manner:
    """How a language writes members.

    `spelling` is one of: `plain` (a property without parentheses), `swig` (`get_X()`, strings in lower case),
    `handle` (functions whose name has the class, the object first), `pure` (the same by `Class::ckX`), `go`
    (all with parentheses), `cocoa` (labels), `swift` (labels and first letters in lower case).
    """

    literals: Sequence[Literal]
    spelling: str = "plain"
    join: str = "+"
    member: Sequence[str] = (".",)
    true: str = "true"
    false: str = "false"
    string_property: str = ""
    """`__` where a handle function that gives a string has two underscores."""
    wide: bool = False
    """Whether classes have a W behind their name."""


class Reader:
    """One expression, from left to right."""

    def __init__(self, manner: Manner, text: str) -> None:
        self._manner = manner
        self._text = text
        self._place = 0

    def whole(self) -> Any:
        """The expression, which must be all there is."""
        found = self.expression()
        self._skip()
        if self._place != len(self._text):
            raise ReadError(f"cannot read {self._text[self._place :]!r} of {self._text!r}")
        return found

    def arguments(self, closing: str = "") -> tuple[list[Any], list[str]]:
        """Expressions with commas between them, and the label of each."""
        found: list[Any] = []
        labels: list[str] = []
        while not self._take(closing) if closing else self._more():
            if found and not self._take(","):
                raise ReadError(f"a comma is missing in {self._text!r}")
            labels.append(self._label())
            found.append(self.expression())
        return found, labels

    def words(self) -> list[Any]:
        """Expressions with blanks between them."""
        found = []
        while self._more():
            found.append(self.operand())
        return found

    def expression(self) -> Any:
        """Operands, joined or alone."""
        parts = [self.operand()]
        while self._more() and self._text.startswith(self._manner.join, self._place) and self._manner.join:
            self._take(self._manner.join)
            parts.append(self.operand())
        return parts[0] if len(parts) == 1 else Joined(parts)

    def operand(self) -> Any:
        """One thing, with the members that follow it."""
        self._skip()
        for literal in self._manner.literals:
            if (read := literal.read(self._text, self._place)) is not None:
                self._place = read[1]
                return Value(read[0])
        if (found := self._match(_CHARACTER)) is not None:
            return Value(chr(int(found[1])))
        if (found := self._match(_NUMBER)) is not None:
            return self._cast(Value(int(found[0])))
        return self._cast(self._members(self._first()))

    def _first(self) -> Any:
        manner = self._manner
        if self._take("*"):
            return self._pointed()
        if self._take("("):
            inner = self.expression()
            self._expect(")")
            return inner
        if (bracketed := self._bracketed()) is not None:
            return bracketed
        for word in (manner.true, manner.false):
            if word.startswith(".") and self._take(word):
                return Value(word == manner.true)
        found = self._match(_NAME)
        if found is None:
            raise ReadError(f"cannot read {self._text[self._place :]!r} of {self._text!r}")
        word = found[0]
        if word in (manner.true, manner.false):
            return Value(word == manner.true)
        if manner.spelling in ("handle", "pure") and (call := self._function(word)) is not None:
            return call
        if manner.spelling == "tcl" and not word.startswith("$"):
            raise ReadError(f"{word} is a word and no variable")
        return Name(word.removeprefix("$") if manner.spelling == "tcl" else word)

    def _bracketed(self) -> Any:
        """What stands in square brackets, where they mean something."""
        spelling = self._manner.spelling
        if spelling == "cocoa" and self._take("@["):
            parts, _ = self.arguments("]")
            return parts
        if spelling == "tcl" and self._take("["):
            return self._command()
        return self._message() if spelling == "cocoa" and self._take("[") else None

    def _members(self, target: Any) -> Any:
        while True:
            bang = "!" if self._text.startswith("!", self._place) else ""
            self._place += len(bang)
            signs = (each for each in self._manner.member if self._text.startswith(each, self._place))
            if not (sign := next(signs, "")):
                return target
            self._place += len(sign)
            found = self._match(_NAME)
            if found is None:
                raise ReadError(f"a member is missing in {self._text!r}")
            target = self._member(target, found[0])
            if isinstance(target, Invoked) and not target.sign:
                target.sign = bang + sign

    def _member(self, target: Any, member: str) -> Any:
        if member in ("intValue", "integerValue"):
            return target
        called = self._text.startswith("(", self._place)
        if member == "ControlInterface" and not called:
            return target
        arguments: list[Any] = []
        labels: list[str] = []
        if called:
            self._expect("(")
            arguments, labels = self.arguments(")")
        spelling = self._manner.spelling
        if spelling == "swig":
            if not called:
                raise ReadError(f"{member} wants parentheses")
            how, name = swig(member)
            return Invoked(target, name, arguments, how)
        if spelling == "go":
            if not called:
                raise ReadError(f"{member} wants parentheses")
            return Invoked(target, member, arguments, "method" if arguments else "either")
        if spelling == "swift":
            member = canonical_swift(member, labels)
        return Invoked(target, member, arguments, "method" if called else "property", labels)

    def _pointed(self) -> Any:
        """Go: a string behind a pointer, as methods give it."""
        found = self.operand()
        if isinstance(found, Invoked):
            found.how = "text-method"
            return found
        raise ReadError(f"only what a method gives is a pointer: {self._text!r}")

    def _function(self, word: str) -> Invoked | None:
        """`CkHttp_QuickRequest(http,…)`, `CkHttp::ckQuickRequest(http,…)`."""
        if self._manner.spelling == "pure":
            if not self._take("::"):
                return None
            found = self._match(_NAME)
            if found is None or not found[0].startswith("ck"):
                raise ReadError(f"functions of modules begin with ck: {self._text!r}")
            kind, how, name = word, "either", found[0].removeprefix("ck")
        else:
            if not self._text.startswith("(", self._place):
                return None
            kind, _, member = word.partition("_")
            how, name = self._handle(member)
        self._expect("(")
        arguments, _ = self.arguments(")")
        if not arguments:
            raise ReadError(f"the object is missing in {self._text!r}")
        if self._manner.wide:
            if not kind.endswith("W"):
                raise ReadError(f"{kind} is not the class for wide strings")
            kind = kind.removesuffix("W")
        return Invoked(arguments[0], name, arguments[1:], how, type=kind)

    def _handle(self, member: str) -> tuple[str, str]:
        if self._manner.string_property == "__":
            if member.startswith("_"):
                return "text", _upper(member[1:])
            lower = re.match(r"(get|put)([A-Z]\w*)", member)
        else:
            lower = re.match(r"(get|put)(?=[A-Z])([A-Z]\w*)", member)
        if lower and lower[2] in NUMBERS:
            return ("number" if lower[1] == "get" else "put"), lower[2]
        if member[0].islower():
            if self._manner.string_property == "__":
                raise ReadError(f"{member}: strings have two underscores")
            return "text", _upper(member)
        return "value-method", member

    def _message(self) -> Any:
        """`[http QuickRequest: @"GET" url: url]`."""
        target = self.operand()
        found = self._match(_NAME)
        if found is None:
            raise ReadError(f"a message is missing in {self._text!r}")
        member, arguments, labels = found[0], [], [""]
        if self._take(":"):
            arguments.append(self.expression())
            while (label := self._match(_NAME)) is not None:
                self._expect(":")
                labels.append(label[0])
                arguments.append(self.expression())
        self._expect("]")
        return _cocoa(target, member, arguments, labels)

    def _command(self) -> Any:
        """Tcl: `[CkHttp_QuickRequest $http "GET" $url]`."""
        depth, start = 1, self._place
        while depth and self._place < len(self._text):
            for literal in self._manner.literals:
                if (read := literal.read(self._text, self._place)) is not None:
                    self._place = read[1]
                    break
            else:
                depth += {"[": 1, "]": -1}.get(self._text[self._place], 0)
                self._place += 1
        return command(self._manner, self._text[start : self._place - 1])

    def _cast(self, found: Any) -> Any:
        if self._manner.spelling == "swift" and self._text.startswith(" as NSNumber", self._place):
            self._place += len(" as NSNumber")
        return found

    def _label(self) -> str:
        if self._manner.spelling not in ("swift", "swift2"):
            return ""
        found = self._match(re.compile(r"\s*([a-zA-Z]\w*):"))
        return found[1] if found else ""

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._place)
        self._place = found.end() if found else self._place

    def _more(self) -> bool:
        self._skip()
        return self._place < len(self._text)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        found = pattern.match(self._text, self._place)
        if found:
            self._place = found.end()
        return found

    def _take(self, sign: str) -> bool:
        self._skip()
        if sign and self._text.startswith(sign, self._place):
            self._place += len(sign)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ReadError(f"{sign!r} is missing in {self._text!r}")


# Properties that are numbers or booleans, which the bindings with get and put spell apart from strings.
NUMBERS = {
    "LastMethodSuccess", "StatusCode", "ResponseStatusCode", "FinalFrame", "FrameOpcodeInt",
    "CloseStatusCode", "IdleTimeoutMs",
}  # fmt: skip
STRINGS = {"HashAlgorithm", "MacAlgorithm", "EncodingMode", "Charset"}
NUMBERS |= STRINGS  # which are set with `put` like all others


def swig(member: str) -> tuple[str, str]:
    """How the bindings of the family of C++ spell a member, and its own name."""
    if member.startswith(("get_", "put_")):
        return ("number" if member.startswith("get_") else "put"), member[4:]
    if member[0].islower():
        return "text", _upper(member)
    return "value-method", member


def command(manner: Manner, text: str) -> Any:
    """Tcl: one command, its words already apart."""
    name, _, rest = text.strip().partition(" ")
    if name == "string" and rest.startswith("cat "):
        return Joined(Reader(manner, rest.removeprefix("cat ")).words())
    if name.startswith("new_"):
        return Invoked(None, "", [], "new", type=name.removeprefix("new_"))
    kind, _, member = name.partition("_")
    words = Reader(manner, rest).words()
    if not words:
        raise ReadError(f"the object is missing in {text!r}")
    how, own = swig(member)
    return Invoked(words[0], own, words[1:], how, type=kind)


def _cocoa(target: Any, member: str, arguments: list[Any], labels: list[str]) -> Any:
    if member == "componentsJoinedByString":
        if arguments != [Value("")]:
            raise ReadError("strings are joined by nothing")
        return Joined(target)
    if member == "intValue":
        return target
    if isinstance(target, Name) and target.name == "NSNumber" and member == "numberWithInt":
        return arguments[0]
    return Invoked(target, member, arguments, "method", labels)


# What Swift makes of names of which it drops the type of the argument, by Apple's rules for imported names.
_SHORTENED = {
    ("string", "of"): "StringOf",
    ("starts", "with"): "StartsWith",
    ("setMacKey", ""): "SetMacKeyString",
}


def canonical_swift(member: str, labels: list[str]) -> str:
    """A member's own name, from what Swift 3 and later make of it."""
    first = labels[0] if labels else ""
    if (member, first) in _SHORTENED:
        labels[0] = ""
        return _SHORTENED[member, first]
    if member[0].isupper():
        raise ReadError(f"{member}: Swift has its first letter in lower case")
    return _upper(member)


def _upper(name: str) -> str:
    return name[0].upper() + name[1:]
