"""What a reader makes of a program: statements and expressions, in Chilkat's own names."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Value:
    """A literal."""

    value: str | int | bool


@dataclass
class Name:
    """A variable."""

    name: str


@dataclass
class Joined:
    """Strings, one after the other."""

    parts: list[Any]


@dataclass
class Invoked:
    """A member of an object, as the language spells it. `how` is what the spelling says that it is.

    `method`: a call; `property`: read; `text`: a string, by either; `number`: a property that is no string;
    `either`: the spelling does not tell.
    """

    target: Any
    member: str
    arguments: list[Any]
    how: str
    labels: list[str] = field(default_factory=list)
    type: str = ""
    """The class that the spelling names, where it names one."""
    sign: str = ""
    """What stands between the object and its member."""


@dataclass
class Statement:
    """One statement: a kind, what it consists of, and the block below it."""

    kind: str
    line: str
    parts: dict[str, Any] = field(default_factory=dict)
    body: list["Statement"] = field(default_factory=list)
    otherwise: list["Statement"] = field(default_factory=list)
