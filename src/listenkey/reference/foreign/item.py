"""One request of a Postman collection: address, headers, body, authorization, as v2.0 and v2.1 have them."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from listenkey.reference.foreign.request import BodyKind, Foreign, Pair, read_body, read_pairs, read_target
from listenkey.reference.foreign.variables import Variables

_IN_QUERY: Final = "?"
"""Before the name of a pair that `read_auth` wants in the query."""
_MOST_HEADERS: Final = 1000
_OPENED: Final = "A file that the request names was not opened; what it would send is not known."


NOTHING: Final = msgspec.Raw(b"")
"""A member that is not there."""


def is_there(raw: msgspec.Raw) -> bool:
    """Whether a member is there, and not `null`."""
    return bytes(raw) not in {b"", b"null"}


class _Url(msgspec.Struct):
    raw: str | None = None
    protocol: str | None = None
    host: list[str] | str | None = None
    port: str | int | None = None
    path: Any = None
    query: list[dict[str, Any]] | None = None
    variable: list[dict[str, Any]] | None = None


class _Body(msgspec.Struct):
    mode: str | None = None
    raw: str | None = None
    urlencoded: list[dict[str, Any]] | str | None = None
    formdata: list[dict[str, Any]] | str | None = None
    disabled: bool = False


class _Request(msgspec.Struct):
    method: str | None = None
    url: str | _Url | None = None
    header: list[dict[str, Any] | str] | str | None = None
    body: _Body | None = None
    auth: msgspec.Raw = NOTHING


def read_request(
    raw: msgspec.Raw, name: str, variables: Variables, auth: Iterable[Pair], *, scripted: bool
) -> Foreign:
    """A request with the file's own variables filled in. Errors: `msgspec.DecodeError`."""
    request = msgspec.json.decode(raw, type=_Request | str)
    if isinstance(request, str):
        request = _Request(url=request)
    remarks: list[str] = []
    granted = read_auth(request.auth, tuple(auth))
    address, query = _address(request.url, variables, remarks)
    target = read_target(address)
    headers = _headers(request.header, remarks)
    kind, body = _body(request.body, variables, remarks)
    return Foreign(
        name=name,
        method=variables.fill(request.method or "GET").upper(),
        scheme=target.scheme,
        host=target.host,
        path=target.path,
        query=_filled((*target.query, *query, *_granted(granted, in_query=True)), variables),
        headers=_filled((*headers, *_granted(granted, in_query=False)), variables),
        body=_filled(body, variables),
        body_kind=kind,
        credentials_in_address=target.credentials,
        socket=target.scheme in {"ws", "wss"},
        scripted=scripted,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def read_auth(raw: msgspec.Raw, inherited: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """What an `auth` adds to a request, or what is inherited where it says nothing."""
    try:
        auth = msgspec.json.decode(raw, type=dict[str, Any] | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        auth = None
    if auth is None:
        return inherited
    kind = str(auth.get("type") or "noauth")
    values = _attributes(auth.get(kind))
    if kind == "apikey":
        where = _IN_QUERY if values.get("in") == "query" else ""
        return (Pair(where + values.get("key", ""), values.get("value", "")),)
    if kind in {"noauth", "inherit"}:
        return inherited if kind == "inherit" else ()
    return (Pair("Authorization", kind),)


def _attributes(given: Any) -> dict[str, str]:
    """A list of `{key, value}` in v2.1, an object in v2.0."""
    if isinstance(given, list):
        rows = [row for row in given if isinstance(row, dict)]
        return {str(row.get("key")): _text(row.get("value")) for row in rows}
    return {str(name): _text(value) for name, value in given.items()} if isinstance(given, dict) else {}


def _granted(pairs: Iterable[Pair], *, in_query: bool) -> list[Pair]:
    return [
        Pair(each.name.removeprefix(_IN_QUERY), each.value)
        for each in pairs
        if each.name.startswith(_IN_QUERY) == in_query
    ]


def _address(
    url: str | _Url | None, variables: Variables, remarks: list[str]
) -> tuple[str, tuple[Pair, ...]]:
    """The address, and the query where the file has it apart."""
    if not isinstance(url, _Url):
        return variables.fill(url or ""), ()
    query = _enabled(url.query or (), remarks, "query parameter") if url.query else ()
    host = ".".join(url.host) if isinstance(url.host, list) else url.host or ""
    if not host and not url.path:
        address = url.raw or ""
        return variables.fill(address.partition("?")[0] if query else address), query
    scheme = f"{url.protocol}://" if url.protocol else ""
    port = f":{url.port}" if url.port else ""
    address = f"{scheme}{host}{port}/{_path(url)}"
    if url.query is None and url.raw and "?" in url.raw:
        address += f"?{url.raw.partition('?')[2]}"
    return variables.fill(address), query


def _path(url: _Url) -> str:
    """The path with its own variables, `:name`, in their places."""
    given = url.path if isinstance(url.path, list) else [url.path]
    parts = [_text(part.get("value") if isinstance(part, dict) else part) for part in given]
    named = {
        f":{_text(row.get('key') or row.get('id'))}": _text(row.get("value")) for row in url.variable or ()
    }
    return "/".join(named.get(part, part) for part in parts).removeprefix("/")


def _headers(given: list[dict[str, Any] | str] | str | None, remarks: list[str]) -> tuple[Pair, ...]:
    if given is None:
        return ()
    lines = (
        given.splitlines()[:_MOST_HEADERS]
        if isinstance(given, str)
        else [each for each in given if isinstance(each, str)]
    )
    split = [line.partition(":") for line in lines]
    pairs = tuple(Pair(name.strip(), value.strip()) for name, colon, value in split if colon)
    if isinstance(given, str):
        return pairs
    return pairs + _enabled((each for each in given if isinstance(each, dict)), remarks, "header")


def _body(body: _Body | None, variables: Variables, remarks: list[str]) -> tuple[BodyKind, tuple[Pair, ...]]:
    if body is None or body.disabled or body.mode is None:
        return "none", ()
    if body.mode == "raw":
        return read_body(variables.fill(body.raw or ""))
    if body.mode in {"urlencoded", "formdata"}:
        given = body.urlencoded if body.mode == "urlencoded" else body.formdata
        pairs = read_pairs(given) if isinstance(given, str) else _enabled(given or (), remarks, "form field")
        return ("form" if body.mode == "urlencoded" else "multipart") if pairs else "none", pairs
    if body.mode == "file":
        remarks.append(_OPENED)
    return "other", ()


def _enabled(rows: Iterable[dict[str, Any]], remarks: list[str], what: str) -> tuple[Pair, ...]:
    """The rows that are sent; for the others, a remark."""
    pairs = []
    for row in rows:
        if row.get("disabled") is True or row.get("enabled") is False:
            remarks.append(f"A {what} is there and switched off.")
        elif row.get("key") is not None:
            if row.get("type") == "file":
                remarks.append(_OPENED)
            pairs.append(
                Pair(_text(row["key"]), "" if row.get("type") == "file" else _text(row.get("value")))
            )
    return tuple(pairs)


def _filled(pairs: Iterable[Pair], variables: Variables) -> tuple[Pair, ...]:
    return tuple(Pair(variables.fill(each.name), variables.fill(each.value)) for each in pairs)


def _text(value: Any) -> str:
    """A text or a number as text; anything else is nothing."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
