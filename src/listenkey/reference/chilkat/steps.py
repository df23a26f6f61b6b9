"""What a program does before any language: calls by Chilkat's own names, and what their results are for."""

from typing import Literal

import msgspec

Kind = Literal["string", "int", "bool"]
Sign = Literal["eq", "ne", "lt"]


class Text(msgspec.Struct, frozen=True):
    """A string, as it is."""

    value: str


class Number(msgspec.Struct, frozen=True):
    """A whole number."""

    value: int


class Flag(msgspec.Struct, frozen=True):
    """True or false."""

    value: bool


class Ref(msgspec.Struct, frozen=True):
    """What a variable holds: an object, or one of the kinds."""

    name: str


class Get(msgspec.Struct, frozen=True):
    """A property of an object."""

    object: str
    member: str


Argument = Text | Number | Flag | Ref


class Comment(msgspec.Struct, frozen=True):
    """Words for the reader."""

    text: str


class Blank(msgspec.Struct, frozen=True):
    """An empty line."""


class Assign(msgspec.Struct, frozen=True):
    """A variable gets a literal."""

    name: str
    value: Text | Number | Flag


class Join(msgspec.Struct, frozen=True):
    """A variable gets strings, one after the other."""

    name: str
    parts: tuple[Text | Ref, ...]


class New(msgspec.Struct, frozen=True):
    """A variable gets a new object."""

    name: str
    type: str


class Call(msgspec.Struct, frozen=True):
    """A method is called; `into` gets what it gives, and is empty where it gives nothing."""

    object: str
    member: str
    arguments: tuple[Argument, ...] = ()
    into: str = ""
    asked: bool = True
    """Whether what it gives is looked at."""


class Read(msgspec.Struct, frozen=True):
    """A variable gets a property."""

    name: str
    value: Get


class Put(msgspec.Struct, frozen=True):
    """A property gets a literal or a variable."""

    object: str
    member: str
    value: Argument


class Count(msgspec.Struct, frozen=True):
    """A number goes up by one."""

    name: str


class Print(msgspec.Struct, frozen=True):
    """Something is shown."""

    value: Get | Ref


class Condition(msgspec.Struct, frozen=True):
    """A comparison with a literal."""

    left: Get | Ref
    sign: Sign
    right: Number | Flag


class If(msgspec.Struct, frozen=True):
    """One way or the other."""

    condition: Condition
    then: "tuple[Step, ...]"
    otherwise: "tuple[Step, ...]" = ()


class While(msgspec.Struct, frozen=True):
    """Again, as long as it holds."""

    condition: Condition
    body: "tuple[Step, ...]"


class Dispose(msgspec.Struct, frozen=True):
    """Objects are given back."""

    names: tuple[str, ...]
    failed: bool = False
    """Before leaving early."""


class Leave(msgspec.Struct, frozen=True):
    """The program ends here."""


Step = (
    Comment | Blank | Assign | Join | New | Call | Read | Put | Count | Print | If | While | Dispose | Leave
)
