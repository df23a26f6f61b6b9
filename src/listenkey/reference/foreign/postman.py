"""Postman's files as requests: collections and single items in the formats v2.0 and v2.1.

Only what an explanation needs is read; scripts are seen to be there and never run, files never opened. Time
and memory are bounded by the size of the file and by how deep folders may lie.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from listenkey.base.errors import Refused
from listenkey.reference.foreign.item import NOTHING, is_there, read_auth, read_request
from listenkey.reference.foreign.masking import shown_title
from listenkey.reference.foreign.request import Foreign, Pair
from listenkey.reference.foreign.variables import Variables, no_variables

LARGEST: Final = 16 * 1024 * 1024
_LARGEST_REQUEST: Final = 1024 * 1024
DEEPEST: Final = 32
MOST: Final = 10_000
_SCRIPT: Final = re.compile(rb'"listen"\s*:\s*"')
_MOST_PARTS: Final = 500_000
"""So many objects and lists may a file have, of whatever kind: each takes memory once it is read."""
_AGAIN: Final = "export it again in Postman, as Collection v2.1"
_VERSIONS: Final = ("v2.0.0", "v2.1.0")

Raw = msgspec.Raw


class Collection(msgspec.Struct, frozen=True):
    """A file as far as it could be read."""

    name: str
    """Fit to be shown."""
    requests: tuple[Foreign, ...]
    remarks: tuple[str, ...]


class _Document(msgspec.Struct):
    """The outermost object, of whatever kind the file is."""

    info: Raw = NOTHING
    item: Raw = NOTHING
    request: Raw = NOTHING
    collection: Raw = NOTHING
    variable: Raw = NOTHING
    event: Raw = NOTHING
    auth: Raw = NOTHING
    name: Raw = NOTHING
    requests: Raw = NOTHING
    values: Raw = NOTHING
    openapi: Raw = NOTHING
    swagger: Raw = NOTHING
    log: Raw = NOTHING
    reference: Raw = msgspec.field(default=NOTHING, name="$ref")


class _Scope(msgspec.Struct, frozen=True):
    """What a folder hands down to what lies in it."""

    variables: Variables
    path: tuple[str, ...] = ()
    auth: tuple[Pair, ...] = ()
    scripted: bool = False


def read_collection(content: bytes) -> Collection:
    """The requests of a Postman file. Errors: `Refused("bad_collection")` with one line that says why."""
    if len(content) > LARGEST:
        raise _refused(f"the file is larger than {LARGEST >> 20} MiB", "export only the folder that matters")
    if content.count(b"{") + content.count(b"[") > _MOST_PARTS:
        raise _refused("the file has too many parts for a collection", "export only the folder that matters")
    document = _document(content)
    if is_there(document.collection) and not is_there(document.item):
        document = _document(bytes(document.collection))
    _check_kind(document)
    found = list(_walk(document))
    return Collection(shown_title(_name(document)), tuple(found), tuple(_remarks(found, content)))


def _document(content: bytes) -> _Document:
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Document)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError:
        raise _foreign("it is no JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(f"the file is no JSON: {error}", _AGAIN) from None


def _check_kind(document: _Document) -> None:
    if is_there(document.openapi) or is_there(document.swagger):
        raise _foreign("it is an OpenAPI description")
    if is_there(document.log):
        raise _foreign("it is an HTTP archive")
    if is_there(document.values) and not is_there(document.item):
        raise _foreign("it is a Postman environment, which has no requests")
    if is_there(document.requests) and not is_there(document.item):
        raise _refused("the collection is in Postman's old format v1", _AGAIN)
    if not is_there(document.item) and not is_there(document.request):
        raise _foreign("it has neither `item` nor `request`")
    schema = _text(_members(document.info).get("schema", NOTHING))
    if schema and not any(version in schema for version in _VERSIONS):
        raise _refused("the collection says that it is of another format than v2.0 and v2.1", _AGAIN)


def _walk(document: _Document) -> Iterator[Foreign]:
    """Folders are opened one at a time, without recursion; the order is that of the file."""
    waiting = [(document, _Scope(no_variables()))]
    count = 0
    while waiting:
        entry, scope = waiting.pop()
        if is_there(entry.reference):
            raise _refused(
                "an entry of the collection is a `$ref`, which Postman's format does not have", _AGAIN
            )
        top = is_there(entry.info)
        inner = _Scope(
            scope.variables.inner(_variables(entry.variable))
            if is_there(entry.variable)
            else scope.variables,
            scope.path if top else (*scope.path, _label(entry)),
            read_auth(entry.auth, scope.auth),
            scope.scripted or _has_scripts(entry.event),
        )
        if is_there(entry.request):
            count += 1
            yield _item(entry.request, inner)
        if is_there(entry.item):
            entries = _entries(entry.item)
            if len(inner.path) >= DEEPEST:
                raise _too_deep()
            waiting += [(each, inner) for each in reversed(entries)]
        if count + len(waiting) > MOST:
            raise _refused(
                f"the collection has more than {MOST} entries", "export only the folder that matters"
            )


def _item(raw: Raw, scope: _Scope) -> Foreign:
    name = " / ".join(each for each in scope.path if each)
    if len(bytes(raw)) > _LARGEST_REQUEST:
        return Foreign(name=name, method="", fault="it is larger than 1 MiB, and so no call about keys")
    try:
        return read_request(raw, name, scope.variables, scope.auth, scripted=scope.scripted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Foreign(name=name, method="", fault="its `request` is not in the form of the format")


def _entries(raw: Raw) -> list[_Document]:
    try:
        return msgspec.json.decode(raw, type=list[_Document])
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(
            f"an `item` of the collection is not in the form of the format: {error}", _AGAIN
        ) from None


def _variables(raw: Raw) -> dict[str, str]:
    try:
        rows = msgspec.json.decode(raw, type=list[dict[str, Raw]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    named = ((_text(row.get("key", NOTHING)) or _text(row.get("id", NOTHING)), row) for row in rows)
    found = {name: _text(row.get("value", NOTHING)) for name, row in named if name and not _is_off(row)}
    # An empty one is there to be set by a script or by hand.
    return {name: value for name, value in found.items() if value}


def _is_off(row: Mapping[str, Raw]) -> bool:
    return bytes(row.get("disabled", b"")) == b"true"


def _has_scripts(raw: Raw) -> bool:
    """Whether something runs before a request is sent."""
    return b'"prerequest"' in bytes(raw)


def _remarks(found: Sequence[Foreign], content: bytes) -> Iterator[str]:
    if _SCRIPT.search(content):
        yield "Scripts of the file were not run: what they would set, such as a signature, is not known."
    if not found:
        yield "There is no request in the file."


def _name(document: _Document) -> str:
    return _text(_members(document.info).get("name", NOTHING)) or _label(document)


def _label(entry: _Document) -> str:
    return _text(entry.name)[:80]


def _members(raw: Raw) -> dict[str, Raw]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _text(raw: Raw) -> str:
    """A text or a number; anything else is nothing."""
    try:
        value = msgspec.json.decode(raw, type=str | int | float | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return "" if value is None else str(value)


def _refused(what: str, remedy: str) -> Refused:
    return Refused(what, remedy, code="bad_collection")


def _foreign(what: str) -> Refused:
    return _refused(f"the file is no Postman collection: {what}", _AGAIN)


def _too_deep() -> Refused:
    return _refused(
        "the folders of the collection lie too deep in each other", "export only the folder that matters"
    )
