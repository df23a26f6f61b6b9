"""A request as somebody wrote it down, whatever program it was written for: the one form that is explained.

Places that are filled later stay in the texts: `{{name}}` as Postman writes them, and what a shell would fill
in as OPEN name CLOSE, so that a `$name` that no shell touches is not taken for one.
"""

import re
from typing import Final, Literal
from urllib.parse import unquote, unquote_plus

import msgspec

BodyKind = Literal["none", "form", "json", "multipart", "other"]
OPEN: Final = "\ue000"
CLOSE: Final = "\ue001"
_MOST: Final = 1000
_LONGEST: Final = 65_536
"""More parameters, and a longer body, has no request that is explained here."""
_PLACE: Final = re.compile(rf"\{{\{{[^{{}}]{{1,80}}\}}\}}|{OPEN}[^{CLOSE}]*{CLOSE}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,15})://")
_HOST_LIKE: Final = re.compile(r"[^/]*[.:][^/]*|localhost")


class Pair(msgspec.Struct, frozen=True):
    """A parameter or a header, decoded."""

    name: str
    value: str


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """One request, or one WebSocket that is opened."""

    name: str = ""
    """What its owner calls it: the folders and the item of a collection."""
    method: str
    scheme: str = ""
    """Lower case; empty where nothing says it."""
    host: str = ""
    """Lower case, with its port."""
    path: str = "/"
    query: tuple[Pair, ...] = ()
    headers: tuple[Pair, ...] = ()
    body: tuple[Pair, ...] = ()
    """The parameters of a form or of a JSON object."""
    body_kind: BodyKind = "none"
    credentials_in_address: bool = False
    """A name and a password stand before the host."""
    socket: bool = False
    """It was written for a WebSocket client."""
    small_letters: bool = False
    """The method was written in small letters, and goes out like that."""
    headers_in_file: bool = False
    """Further headers are in a file, which is not opened here."""
    scripted: bool = False
    """A script, which is not run here, may still change it."""
    unverified: bool = False
    """The certificate of the other end is not looked at."""
    shell_fills: bool = False
    """It is a command: a shell fills its own places and nothing else does."""
    remarks: tuple[str, ...] = ()
    """What was left out or could not be looked at, in sentences."""
    fault: str = ""
    """Why it cannot be read; nothing else then counts."""

    @property
    def parameters(self) -> tuple[Pair, ...]:
        """All parameters, the query's first."""
        return self.query + self.body

    def header(self, name: str) -> str | None:
        """The value of a header, whatever its case; None where it is not sent."""
        wanted = name.lower()
        return next((each.value for each in self.headers if each.name.lower() == wanted), None)


class Target(msgspec.Struct, frozen=True):
    """An address in its parts."""

    scheme: str
    host: str
    path: str
    query: tuple[Pair, ...]
    credentials: bool


def read_target(address: str) -> Target:
    """An address as it was written, with or without scheme and host. Never fails: what is odd stays odd."""
    rest = address.strip().partition("#")[0]
    match = _SCHEME.match(rest)
    scheme = match[1].lower() if match else ""
    rest = rest[match.end() :] if match else rest
    before, mark, query = rest.partition("?")
    host, _, path = before.partition("/")
    if not scheme and not _starts_with_host(host):
        host, path = "", before.removeprefix("/")
    credentials, at, name = host.rpartition("@")
    return Target(
        scheme,
        name.lower() if not places(name) else name,
        "/" + unquote(path),
        read_pairs(query) if mark else (),
        bool(at and credentials),
    )


def _starts_with_host(text: str) -> bool:
    return bool(_HOST_LIKE.fullmatch(text)) or bool(_PLACE.match(text))


def read_pairs(text: str) -> tuple[Pair, ...]:
    """The parameters of a query or an urlencoded form, in their order, repeated ones too."""
    pieces = [piece.partition("=") for piece in text.strip().split("&", _MOST)[:_MOST] if piece]
    return tuple(Pair(unquote_plus(name), unquote_plus(value)) for name, _, value in pieces)


def read_body(text: str) -> tuple[BodyKind, tuple[Pair, ...]]:
    """What a body written out as text is, and the parameters in it."""
    if not text.strip():
        return "none", ()
    if len(text) > _LONGEST:
        return "other", ()
    if text.lstrip().startswith(("{", "[")) and not places(text.strip()[:2]) and not text.startswith("{{"):
        return _read_json(text)
    if "=" in text and not re.search(r"[\r\n<>]", text.strip()):
        return "form", read_pairs(text)
    return "other", ()


def _read_json(text: str) -> tuple[BodyKind, tuple[Pair, ...]]:
    try:
        members = msgspec.json.decode(text.encode("utf-8", "replace"), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return "other", ()
    return "json", tuple(Pair(name, _scalar(bytes(raw))) for name, raw in members.items())


def _scalar(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if not text.startswith('"'):
        return text
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError:
        return text


def places(text: str) -> list[str]:
    """The places in a text that something else fills, as their owner writes them."""
    return [show_places(each) for each in _PLACE.findall(text)]


def is_place(text: str) -> bool:
    """Whether a text is one place and nothing else."""
    return _PLACE.fullmatch(text.strip()) is not None


def show_places(text: str) -> str:
    """A text with the places that a shell fills written as a shell has them."""
    return text.replace(OPEN, "$").replace(CLOSE, "")
