"""Chilkat's classes, as far as the programs use them."""

import tomllib
from functools import lru_cache
from importlib.resources import files

import msgspec


class Member(msgspec.Struct, frozen=True):
    """A method or a property."""

    gives: str
    """`string`, `int`, `bool`, `void`, or the class of an object."""
    takes: tuple[tuple[str, str], ...]
    """Name and type of each parameter."""
    method: bool


@lru_cache(maxsize=1)
def members() -> dict[str, dict[str, Member]]:
    """All of them, by class and name."""
    text = files("listenkey.reference.chilkat").joinpath("api.toml").read_text(encoding="utf-8")
    return {
        name: {member: _member(form) for member, form in table.items()}
        for name, table in tomllib.loads(text).items()
    }


def _member(form: str) -> Member:
    gives, *takes = form.split()
    pairs = [part.split(":") for part in takes]
    return Member(gives.removesuffix("()"), tuple((name, kind) for name, kind in pairs), gives.endswith("()"))
