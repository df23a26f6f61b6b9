"""Writes the steps of a program, and knows at each which objects live and what each variable holds."""

from collections.abc import Callable

import msgspec

from listenkey.reference.chilkat.members import Member, members
from listenkey.reference.chilkat.steps import (
    Argument,
    Assign,
    Blank,
    Call,
    Comment,
    Condition,
    Count,
    Dispose,
    Flag,
    Get,
    If,
    Join,
    Leave,
    New,
    Number,
    Print,
    Put,
    Read,
    Ref,
    Sign,
    Step,
    Text,
    While,
)

Value = str | int | bool | Ref
SUCCESS = "success"


class Script:
    """A program as it grows. `kinds` is what each variable holds: a kind, or the class of an object."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self.made: set[str] = set()
        """The objects that the program created itself; all others came from a call."""
        self._steps: list[Step] = []
        self._live: list[str] = []
        self._coming = ""
        """An object that the last call gives if it succeeds, so that it is not given back where it failed."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was written so far."""
        return tuple(self._steps)

    def comment(self, *lines: str) -> None:
        """Words for the reader, after an empty line."""
        self._steps += [Blank(), *(Comment(line) for line in lines)]

    def assign(self, name: str, value: str | int | bool) -> Ref:
        """A variable that the reader will change."""
        literal = _argument(value)
        assert not isinstance(literal, Ref)
        self._steps.append(Assign(name, literal))
        return self._variable(name, type(value).__name__.replace("str", "string"))

    def join(self, name: str, *parts: str | Ref) -> Ref:
        """A string made of others; neighbours that are both literal become one."""
        merged: list[Text | Ref] = []
        for part in parts:
            if isinstance(part, str) and merged and isinstance(merged[-1], Text):
                merged[-1] = Text(merged[-1].value + part)
            elif part != "":
                merged.append(Text(part) if isinstance(part, str) else part)
        self._steps.append(Join(name, tuple(merged)))
        return self._variable(name, "string")

    def new(self, name: str, kind: str) -> str:
        """An object of a class."""
        self._steps.append(New(name, kind))
        self._live.append(name)
        self.made.add(name)
        return self._variable(name, kind).name

    def call(self, target: str, member: str, *arguments: Value, into: str = "") -> Ref:
        """A method; what it gives goes into a variable, a truth that nobody asked for into `success`."""
        found = self._member(target, member)
        kept = into or (SUCCESS if found.gives == "bool" else "")
        given = tuple(_argument(each) for each in arguments)
        self._steps.append(Call(target, member, given, kept, asked=bool(into)))
        if found.gives in members():
            self._coming = kept
        return self._variable(kept, found.gives) if kept else Ref("")

    def read(self, name: str, target: str, member: str) -> Ref:
        """A property into a variable."""
        self._steps.append(Read(name, self.get(target, member)))
        return self._variable(name, self._member(target, member).gives)

    def put(self, target: str, member: str, value: Value) -> None:
        """A property is set."""
        self._member(target, member)
        self._steps.append(Put(target, member, _argument(value)))

    def get(self, target: str, member: str) -> Get:
        """A property, to be shown or tested."""
        self._member(target, member)
        return Get(target, member)

    def show(self, target: str, member: str) -> None:
        """A property is printed."""
        self._steps.append(Print(self.get(target, member)))

    def show_variable(self, value: Ref) -> None:
        """A variable is printed."""
        self._steps.append(Print(value))

    def count(self, name: str) -> None:
        """One more."""
        self._steps.append(Count(name))

    def leave_if(self, left: Get | Ref, right: int | bool, *shown: Get | Ref, sign: Sign = "eq") -> None:
        """Where something failed: print why, give back what was made, and end."""
        literal = Flag(right) if isinstance(right, bool) else Number(right)
        condition = Condition(left, sign, literal)
        ending: tuple[Step, ...] = tuple(Print(each) for each in shown)
        self._steps.append(If(condition, (*ending, Dispose(tuple(self._live), failed=True), Leave())))
        if self._coming:
            self._live.append(self._coming)
            self._coming = ""

    def leave_unless(self, *shown: Get) -> None:
        """The same, where the last call did not succeed."""
        last = self._steps.pop()
        assert isinstance(last, Call)
        self._steps.append(msgspec.structs.replace(last, asked=True))
        self.leave_if(Ref(SUCCESS), False, *shown)

    def leave_unless_done(self, target: str) -> None:
        """The same, by what an object says of its last call."""
        self.leave_if(self.get(target, "LastMethodSuccess"), False, self.get(target, "LastErrorText"))

    def as_long_as(self, condition: Condition, body: Callable[[], None]) -> None:
        """A loop; `body` writes its steps."""
        self._steps.append(While(condition, self._inside(body)))

    def either(
        self, condition: Condition, then: Callable[[], None], otherwise: Callable[[], None] | None = None
    ) -> None:
        """A fork; each side writes its steps."""
        first = self._inside(then)
        self._steps.append(If(condition, first, self._inside(otherwise) if otherwise else ()))

    def end(self) -> tuple[Step, ...]:
        """Give everything back, the newest first, and be done."""
        self._steps += [Blank(), Dispose(tuple(reversed(self._live)))]
        return self.steps

    def _inside(self, body: Callable[[], None]) -> tuple[Step, ...]:
        outer, self._steps = self._steps, []
        body()
        inner, self._steps = tuple(self._steps), outer
        return inner

    def _variable(self, name: str, kind: str) -> Ref:
        assert self.kinds.setdefault(name, kind) == kind, f"{name} is a {self.kinds[name]}, not a {kind}"
        return Ref(name)

    def _member(self, target: str, member: str) -> Member:
        return members()[self.kinds[target]][member]


def _argument(value: Value) -> Argument:
    if isinstance(value, Ref):
        return value
    if isinstance(value, bool):
        return Flag(value)
    return Number(value) if isinstance(value, int) else Text(value)
