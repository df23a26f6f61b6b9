"""What other rooms of the reference make of a product: programs to copy, and files to download."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from listenkey.reference import asyncapi, chilkat, openapi, postman, snippets
from listenkey.reference.describe import Product
from listenkey.reference.own import admin_api, native_stream
from listenkey.reference.program import Program

Maker = Callable[[Product], Sequence[Program]]
MAKERS: Final[Mapping[str, Maker]] = {
    "Languages": snippets.programs,
    "Chilkat": chilkat.programs,
}
"""Makers of programs by the heading that their languages stand under."""
_VARIANT: Final = re.compile(r" \(([^)]+)\)$")


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

    def __init__(self, makers: Mapping[str, Maker]) -> None:
        self._makers = makers
        self._made: dict[str, tuple[tuple[str, Program], ...]] = {}

    def __call__(self, product: Product, of: str) -> dict[str, list[Program]]:
        """Those that do one thing, by heading; `of` as in `Program`."""
        found: dict[str, list[Program]] = {}
        for heading, program in self._all(product):
            if program.of == of:
                found.setdefault(_heading(heading, program), []).append(program)
        return found

    def _all(self, product: Product) -> tuple[tuple[str, Program], ...]:
        if product.name not in self._made:
            self._made[product.name] = tuple(
                (heading, program) for heading, make in self._makers.items() for program in make(product)
            )
        return self._made[product.name]


def plain_title(program: Program, heading: str) -> str:
    """What a title says beyond its heading."""
    maker, _, variant = heading.partition(", ")
    return program.title.replace(f" ({maker}{f', {variant}' if variant else ''})", "")


def _heading(maker: str, program: Program) -> str:
    """`Python (Chilkat, signed)` stands under `Chilkat, signed`; other parentheses belong to the title."""
    found = _VARIANT.search(program.title)
    return found[1] if found and found[1].startswith(maker) else maker


def own_downloads() -> dict[str, tuple[Download, ...]]:
    """The files about the gateway itself, by the chapter that offers them."""
    admin, native = "gateway/listenkey-admin.openapi.json", "gateway/listenkey-native.asyncapi.json"
    return {
        "admin-api": (Download(admin, "OpenAPI 3.1", "all of its calls", admin_api.document),),
        "native-stream": (Download(native, "AsyncAPI 3", "its messages", native_stream.document),),
    }


def downloads(product: Product) -> Iterator[Download]:
    """The files of a product."""
    folder = f"{product.name}/{product.name}"
    yield Download(
        f"{folder}.openapi.json", "OpenAPI 3.1", "the calls, for generators and gateways",
        lambda: openapi.document(product),
    )  # fmt: skip
    yield Download(
        f"{folder}.asyncapi.json", "AsyncAPI 3", "the sockets with their messages",
        lambda: asyncapi.document(product),
    )  # fmt: skip
    yield Download(
        f"{folder}.postman_collection.json", "Postman collection 2.1", "a folder to run in order",
        lambda: postman.collection(product),
    )  # fmt: skip
