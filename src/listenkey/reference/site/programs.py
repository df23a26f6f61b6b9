"""What other rooms of the reference make of a product: programs to copy, and files to download."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from listenkey.reference import openapi, postman
from listenkey.reference.describe import Product
from listenkey.reference.program import Program

Maker = Callable[[Product], Sequence[Program]]
PROGRAMS: Final[Mapping[str, Maker]] = {}
"""Makers of programs by the heading that their languages stand under."""


class Download(msgspec.Struct, frozen=True):
    """A file of a product for other tools."""

    path: str
    title: str
    about: str
    make: Callable[[], dict[str, Any]]

    def content(self) -> bytes:
        """The file."""
        return json.dumps(self.make(), indent=2, ensure_ascii=False).encode() + b"\n"


class Programs:
    """The programs of some products, each product's made once."""

    def __init__(self, makers: Mapping[str, Maker] = PROGRAMS) -> None:
        self._makers = makers
        self._made: dict[str, dict[str, Sequence[Program]]] = {}

    def __call__(self, product: Product, of: str) -> dict[str, list[Program]]:
        """Those that do one thing, by heading; `of` as in `Program`."""
        if product.name not in self._made:
            self._made[product.name] = {name: make(product) for name, make in self._makers.items()}
        found = {
            heading: [program for program in programs if program.of == of]
            for heading, programs in self._made[product.name].items()
        }
        return {heading: programs for heading, programs in found.items() if programs}

    def languages(self, product: Product) -> set[str]:
        """Every language that a product has programs in."""
        self(product, "")
        return {each.language for programs in self._made[product.name].values() for each in programs}


def downloads(product: Product) -> Iterator[Download]:
    """The files of a product."""
    folder = f"{product.name}/{product.name}"
    yield Download(
        f"{folder}.openapi.json", "OpenAPI 3.1", "the calls, for generators and gateways",
        lambda: openapi.document(product),
    )  # fmt: skip
    yield Download(
        f"{folder}.postman_collection.json", "Postman collection 2.1", "a folder to run in order",
        lambda: postman.collection(product),
    )  # fmt: skip
