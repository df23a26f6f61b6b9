"""A stand-in for Chilkat's other package for Python: see ../serve.py."""

import os

_ASKED = os.open(os.environ["CHILKAT_ASK"], os.O_WRONLY)
_TOLD = os.fdopen(os.open(os.environ["CHILKAT_TOLD"], os.O_RDONLY), encoding="ascii")


def _ask(*parts: object) -> object:
    os.write(_ASKED, (" ".join(str(part) for part in parts) + "\n").encode())
    answer = _TOLD.readline().rstrip("\n")
    letter, rest = answer[0], answer[1:]
    if letter == "e":
        raise RuntimeError(bytes.fromhex(rest).decode())
    if letter == "o":
        return _Object(rest.split(" ")[0])
    kinds = {
        "s": lambda: bytes.fromhex(rest).decode(),
        "b": lambda: rest == "1",
        "i": lambda: int(rest),
        "m": lambda: _METHOD,
    }
    return kinds[letter]() if letter in kinds else None


_METHOD = object()


class _Object:
    def __init__(self, number: str) -> None:
        self.__dict__["number"] = number

    def __getattr__(self, name: str) -> object:
        value = _ask("get", self.number, name)
        if value is not _METHOD:
            return value
        return lambda *values: _ask("invoke", self.number, name, *(_written(each) for each in values))

    def __setattr__(self, name: str, value: object) -> None:
        _ask("put", self.number, name, _written(value))


def _written(value: object) -> str:
    if isinstance(value, _Object):
        return f"o{value.number}"
    if isinstance(value, bool):
        return f"b{int(value)}"
    return f"i{value}" if isinstance(value, int) else f"s{str(value).encode().hex()}"


def __getattr__(name: str) -> object:
    """A class of the library."""
    return lambda: _ask("new", name if name.startswith("Ck") else f"Ck{name}")
