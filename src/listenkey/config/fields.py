"""The declarations read back as a flat list of fields: what loading, showing and documenting go by."""

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from listenkey.config.settings import Settings

PREFIX: Final = "LISTENKEY_"
NAME: Final = "NAME"
"""Stands for the dialect or stream in the path of a field that each of them may have."""
# Variables of the commands that call a gateway; they are no settings of one.
COMMAND_VARIABLES: Final = {
    "LISTENKEY_CONFIG": "Configuration file, as `--config`.",
    "LISTENKEY_ADMIN": "Address of the admin listener to call, as `--admin` of the commands that call one.",
    "LISTENKEY_TOKEN": "Token for the admin listener, as `--token`.",
    "LISTENKEY_API_KEY": "API key of the client, where none is given; also of `listenkey tail`.",
    "LISTENKEY_API_KEY_FILE": "File that holds it instead.",
    "LISTENKEY_API_SECRET": "API secret of the client, or a private key in PEM, where none is given.",
    "LISTENKEY_API_SECRET_FILE": "File that holds it instead.",
    "LISTENKEY_CA": "Certificate to trust when calling an admin listener with TLS, as `--ca`.",
}


class Field(msgspec.Struct, frozen=True):
    """One setting."""

    path: tuple[str, ...]
    type: Any
    """Type with its bounds, as msgspec converts to."""
    default: object
    meaning: str
    secret: bool

    @property
    def name(self) -> str:
        """The TOML key with its section, `streams.queue_bytes`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + "_".join(self.path).upper()

    @property
    def plain_type(self) -> Any:
        """The type without bounds and without None."""
        return _without_none(get_args(self.type)[0])

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that are allowed, where they are few."""
        plain = self.plain_type
        return get_args(plain) if get_origin(plain) is Literal else ()


class Section(msgspec.Struct, frozen=True):
    """One table of the file with its settings."""

    path: tuple[str, ...]
    meaning: str
    fields: tuple[Field, ...]


@cache
def sections() -> tuple[Section, ...]:
    """All tables, in the order of their declaration; the top of the file is the first."""
    return tuple(_sections(Settings, ()))


@cache
def all_fields() -> tuple[Field, ...]:
    """All settings, in the order of their declaration."""
    return tuple(field for section in sections() for field in section.fields)


def _sections(struct: type[msgspec.Struct], path: tuple[str, ...]) -> Iterator[Section]:
    hints = get_type_hints(struct, include_extras=True)
    own, below = [], []
    for info in msgspec.structs.fields(struct):
        declared = hints[info.name]
        if get_origin(declared) is Annotated:
            own.append(_field((*path, info.name), declared, _default(info)))
        else:
            below.append((info.name, declared))
    yield Section(path, _meaning(struct), tuple(own))
    for name, declared in below:
        if get_origin(declared) is dict:
            yield from _sections(get_args(declared)[1], (*path, name, NAME))
        else:
            yield from _sections(declared, (*path, name))


def _field(path: tuple[str, ...], declared: Any, default: object) -> Field:
    meta = next(part for part in get_args(declared) if isinstance(part, msgspec.Meta))
    extra = meta.extra or {}
    return Field(path, declared, default, str(meta.description), bool(extra["secret"]))


def _default(info: msgspec.structs.FieldInfo) -> object:
    return info.default if info.default is not msgspec.NODEFAULT else info.default_factory()


def _meaning(struct: type[msgspec.Struct]) -> str:
    return " ".join((struct.__doc__ or "").split())


def _without_none(declared: Any) -> Any:
    if get_origin(declared) not in (Union, types.UnionType):
        return declared
    return next(part for part in get_args(declared) if part is not type(None))
