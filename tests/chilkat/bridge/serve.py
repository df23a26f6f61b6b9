"""Chilkat's own library for languages whose binding cannot be had: what a program calls there is done here.

A stand-in for the binding writes a line for each call into one pipe and reads a line from another, whose
names it finds in `CHILKAT_ASK` and `CHILKAT_TOLD`. Values are a letter and what follows: `s` a string in
hexadecimal, `i` a number, `b` 0 or 1, `o` an object's number (and its class, in answers), `n` nothing, `m` "a
method", `e` an error in hexadecimal.

    new CLASS | call OBJECT NAME VALUE… | get OBJECT NAME | invoke OBJECT NAME VALUE… | put OBJECT NAME VALUE
    | drop OBJECT

`call` names members as the binding of C++ does, `get`, `invoke` and `put` by their own names.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import chilkat
from tests.chilkat.perform import Publisher
from tests.chilkat.performing import Call
from tests.chilkat.signatures import TAKES


class Bridge:
    """The objects of one program."""

    def __init__(self, publisher: Publisher | None) -> None:
        self._objects: dict[int, Any] = {}
        self._publisher = publisher

    def answer(self, line: str) -> str:
        """What is told to one line."""
        kind, *rest = line.split(" ")
        try:
            if kind == "new":
                return self._told(getattr(chilkat, rest[0])())
            target = self._objects[int(rest[0])]
            if kind == "drop":
                del self._objects[int(rest[0])]
                return "n"
            values = [self._value(each) for each in rest[2:]]
            return self._told(getattr(self, f"_{kind}")(target, rest[1], values))
        except Exception as error:  # noqa: BLE001  whatever it is, the program has to hear of it
            return "e" + f"{line[:200]}: {type(error).__name__}: {error}".encode().hex()

    def _call(self, target: Any, name: str, values: list[Any]) -> Any:
        given = getattr(target, name)(*self._cast(target, name, values))
        if self._publisher:
            self._publisher.after(Call(_kind(target), name, values))
        return given

    def _get(self, target: Any, name: str, _values: list[Any]) -> Any:
        if not hasattr(target, f"get_{name}"):
            getattr(target, name)
            return _METHOD
        lower = name[0].lower() + name[1:]
        return getattr(target, lower)() if hasattr(target, lower) else getattr(target, f"get_{name}")()

    def _invoke(self, target: Any, name: str, values: list[Any]) -> Any:
        lower = name[0].lower() + name[1:]
        if hasattr(target, f"get_{name}"):
            raise AttributeError(f"{name} is a property")
        return self._call(target, lower if hasattr(target, lower) else name, values)

    def _put(self, target: Any, name: str, values: list[Any]) -> Any:
        return self._call(target, f"put_{name}", values)

    @staticmethod
    def _cast(target: Any, name: str, values: list[Any]) -> list[Any]:
        """Languages that do not tell strings from numbers send strings."""
        takes = TAKES.get((_kind(target), name[0].upper() + name[1:]), [])
        kinds = [kind for _, kind in takes] or (["int"] if name == "put_IdleTimeoutMs" else ["string"] * 9)
        return [
            {"int": int, "bool": lambda one: bool(int(one))}.get(kind, lambda one: one)(value)
            for kind, value in zip(kinds, values, strict=False)
        ] + values[len(kinds) :]

    def _value(self, text: str) -> Any:
        letter, rest = text[0], text[1:]
        if letter == "s":
            return bytes.fromhex(rest).decode()
        if letter == "o":
            return self._objects[int(rest)]
        return bool(int(rest)) if letter == "b" else int(rest)

    def _told(self, value: Any) -> str:
        if value is None:
            return "n"
        if value is _METHOD:
            return "m"
        if isinstance(value, bool):
            return f"b{int(value)}"
        if isinstance(value, int):
            return f"i{value}"
        if isinstance(value, str):
            return "s" + value.encode().hex()
        number = len(self._objects) + 1
        while number in self._objects:
            number += 1
        self._objects[number] = value
        return f"o{number} {type(value).__name__}"


_METHOD = object()


def _kind(target: Any) -> str:
    name = type(target).__name__
    return name if name == "CkDateTime" else name.removeprefix("Ck")


def main() -> None:
    """Answer one program, from its first line to its end."""
    told = json.loads(sys.argv[1])
    bridge = Bridge(Publisher(told) if told else None)
    with (
        Path(os.environ["CHILKAT_ASK"]).open(encoding="ascii") as asked,
        Path(os.environ["CHILKAT_TOLD"]).open("w", encoding="ascii") as answers,
    ):
        for line in asked:
            answers.write(bridge.answer(line.rstrip("\n")) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
