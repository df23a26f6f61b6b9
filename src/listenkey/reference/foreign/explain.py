"""A foreign request explained: whose it is, whether the venue still has it, what is wrong, what to do."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from listenkey.dialect.api import TokenCall, WebSocketApi
from listenkey.dialect.era import call_removed_by, path_removed_by
from listenkey.dialect.model import Dialect, Era, Operation, PublicCall, SocketPath
from listenkey.reference.foreign.checks import check_operation, check_secrets, check_token
from listenkey.reference.foreign.finding import Finding, error, note, warning
from listenkey.reference.foreign.masking import HIDDEN, shown, shown_method, shown_title
from listenkey.reference.foreign.places import Found, Place, find
from listenkey.reference.foreign.request import Foreign, places
from listenkey.reference.foreign.socket_checks import check_socket

_COMPARED: Final = 200
GATEWAY: Final = "127.0.0.1:8080"
Is = Literal["operation", "public_call", "token_call", "socket", "websocket_api", "unknown", "unreadable"]
_DOES: Final = {"create": "creates", "extend": "extends", "close": "closes"}
_LITERAL: Final = re.compile(r"\$\{?[A-Za-z_]\w*\}?")
_LOCAL: Final = ("127.", "localhost", "[::1]", "10.", "192.168.")


class Removal(msgspec.Struct, frozen=True):
    """Since when the venue has it no more, how it answers, and what it has instead."""

    since: str
    title: str
    status: int
    """Of a REST call; 0 for a socket, which opens and carries no user data since."""
    replaced_by: str
    documentation: str


class Match(msgspec.Struct, frozen=True):
    """One thing that a request is, or may be."""

    dialect: str
    title: str
    kind: str
    """`create`, `extend`, `close`; for a socket the stream that it carries."""
    call: str
    """As the dialect has it: `METHOD /path`, or the path of a socket."""
    documentation: str
    removal: Removal | None
    """None while the venue has it."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One request, explained. No secret of it is in here."""

    name: str
    request: str
    is_: Is = msgspec.field(name="is")
    means: str
    """In a sentence."""
    matches: tuple[Match, ...] = ()
    findings: tuple[Finding, ...] = ()
    nearest: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()


def explain(requests: Iterable[Foreign], dialects: Mapping[str, Dialect], day: str) -> list[Explanation]:
    """What each request is on a day, `YYYY-MM-DD`. Of the unknown ones only the first 200 are told what is
    written alike."""
    explained: list[Explanation] = []
    unknown = 0
    for request in requests:
        explained.append(_explain(request, dialects, day, nearest=unknown < _COMPARED))
        unknown += explained[-1].is_ == "unknown"
    return explained


def _explain(request: Foreign, dialects: Mapping[str, Dialect], day: str, *, nearest: bool) -> Explanation:
    name = shown_title(request.name)
    if request.fault:
        return Explanation(name=name, request=request.method, is_="unreadable", means=request.fault)
    found = find(request, dialects, nearest=nearest)
    if not found.places:
        return _unknown(request, found, name)
    matches = tuple(dict.fromkeys(_match(place, day) for place in found.places))
    first = found.places[0]
    findings = tuple(_findings(request, found, first))
    return Explanation(
        name=name,
        request=shown(request, _own_path(found)),
        is_=_is(first),
        means=_means(request, found, matches),
        matches=matches,
        findings=findings,
        todo=tuple(_todo(found, matches, wrong=any(each.severity == "error" for each in findings))),
    )


def _is(place: Place) -> Is:
    match place.thing:
        case Operation():
            return "operation"
        case PublicCall():
            return "public_call"
        case TokenCall():
            return "token_call"
        case SocketPath():
            return "socket"
        case WebSocketApi():
            return "websocket_api"


def _match(place: Place, day: str) -> Match:
    dialect, thing = place.dialect, place.thing
    era = _removed_by(dialect, thing)
    gone = era is not None and era.since <= day
    if isinstance(thing, SocketPath | WebSocketApi):
        kind, call, status = thing.stream, thing.path.replace("{names}", "KEY"), 0
    else:
        kind = thing.kind if isinstance(thing, Operation) else ""
        call, status = f"{thing.method} {thing.path}", era.status if era else 0
    removal = None
    if era is not None and gone:
        removal = Removal(era.since, era.title, status, era.replaced_by, era.documentation)
    return Match(dialect.name, dialect.title, kind, call, dialect.documentation, removal)


def _removed_by(dialect: Dialect, thing: object) -> Era | None:
    if isinstance(thing, Operation):
        return call_removed_by(dialect, thing)
    return path_removed_by(dialect, thing) if isinstance(thing, SocketPath) else None


def _means(request: Foreign, found: Found, matches: tuple[Match, ...]) -> str:
    place, first = found.places[0], matches[0]
    if found.methods:
        return f"a path of {first.dialect}, with a method that it does not have"
    others = ", ".join(
        dict.fromkeys(match.dialect for match in matches[1:] if match.dialect != first.dialect)
    )
    of = f"{first.dialect} or {others}" if others else first.dialect
    match place.thing:
        case Operation():
            return f"{_DOES[place.thing.kind]} a listen key of {of}" + (
                ": an older spelling" if place.thing.alias else ""
            )
        case PublicCall():
            return f"a public call of {of} that clients make beside a stream; it has nothing to do with keys"
        case TokenCall():
            return f"makes a listen token of {of}, the successor of a listen key"
        case WebSocketApi():
            return f"opens the WebSocket API of {of}"
        case SocketPath():
            carries = "user data" if place.thing.stream else "market data, no user data"
            return f"opens a WebSocket of {of} for {carries}" + (": the key decides which" if others else "")


def _unknown(request: Foreign, found: Found, name: str) -> Explanation:
    at = f", at a host of {found.owners[0]}" if found.owners else ""
    return Explanation(
        name=name,
        request=shown(request),
        is_="unknown",
        means=f"no call or socket that a listen key has anything to do with{at}",
        findings=(*check_secrets(request), *_remarks(request)),
        nearest=found.nearest,
    )


def _own_path(found: Found) -> str:
    """The path with nothing of the request's own in it; a gateway's prefix is kept."""
    own = found.places[0].thing.path.replace("{names}", HIDDEN)
    return f"/{found.mounted}{own}" if found.mounted else own


def _findings(request: Foreign, found: Found, place: Place) -> Iterator[Finding]:
    if found.methods:
        yield error(
            "method_wrong",
            f"The path has no {shown_method(request.method)}.",
            f"It has {', '.join(found.methods)}.",
        )
    elif isinstance(place.thing, Operation):
        yield from check_operation(request, place.dialect, place.thing)
    elif isinstance(place.thing, TokenCall):
        yield from check_token(request, place.dialect, place.thing)
    elif isinstance(place.thing, SocketPath):
        yield from check_socket(request, place.dialect, place.thing, place.names)
    if request.small_letters and not found.methods:
        what = "The method is written in small letters and sent like that, which no server knows."
        yield error("method_wrong", what, f"Write `-X {shown_method(request.method)}`.")
    if found.untidy:
        what = "The path has slashes too many, and venues do not pass over them."
        yield error("path_unnormal", what, f"It is `{place.thing.path.replace('{names}', 'KEY')}`.")
    yield from check_secrets(request)
    yield from _transport(request, found)
    yield from _variables(request)
    yield from _remarks(request)


def _remarks(request: Foreign) -> Iterator[Finding]:
    for remark in request.remarks:
        yield note("remark", remark)


def _transport(request: Foreign, found: Found) -> Iterator[Finding]:
    names = {place.dialect.name for place in found.places}
    if found.owners and not names & {*found.owners}:
        yield error(
            "host_wrong",
            f"It is sent to a host of {found.owners[0]}.",
            f"The call is one of {found.places[0].dialect.name}.",
        )
    local = request.host.startswith(_LOCAL) or not request.host or found.mounted
    if request.scheme in {"http", "ws"} and not local and not places(request.host):
        secure = {"http": "https", "ws": "wss"}[request.scheme]
        yield error(
            "unencrypted", f"{request.scheme}:// sends the keys readable for everybody.", f"Use {secure}://."
        )
    if request.unverified:
        yield warning(
            "unverified",
            "The other end's certificate is not checked: anybody in between can read the keys.",
            "Leave `-k` out.",
        )


def _variables(request: Foreign) -> Iterator[Finding]:
    pairs = (*request.query, *request.headers, *request.body)
    texts = [request.host, request.path, *(text for pair in pairs for text in (pair.name, pair.value))]
    for name in dict.fromkeys(each for text in texts for each in places(text)):
        title = shown_title(name)
        if name.startswith("$"):
            yield note("variable_unresolved", f"`{title}` is filled in by the shell.")
        elif request.shell_fills:
            what = f"`{title}` is sent as it stands: a shell does not fill it in."
            yield error("variable_unresolved", what, "Put the value there.")
        elif not request.scripted:
            what = f"Nothing here says what `{title}` is: a script or the environment has to."
            yield note("variable_unresolved", what)
    if request.shell_fills:
        for name in dict.fromkeys(each for text in texts for each in _LITERAL.findall(text)):
            what = f"`{shown_title(name)}` stands in single quotes: a shell does not fill it in."
            yield error("variable_unresolved", what, "Use double quotes.")


def _todo(found: Found, matches: tuple[Match, ...], *, wrong: bool) -> Iterator[str]:
    gone = {match.removal.replaced_by: match.dialect for match in matches if match.removal is not None}
    for instead, dialect in gone.items():
        yield f"At the venue{f' ({dialect})' if len(gone) > 1 else ''}: {instead}"
    place = found.places[0]
    address = "" if found.mounted or found.methods else _at_gateway(place, alone=len(found.places) == 1)
    if address:
        how = ("still" if gone else "too") + (", once mended" if wrong else "")
        yield f"A gateway of listenkey answers it {how}: {address}"


def _at_gateway(place: Place, *, alone: bool) -> str:
    match place.thing:
        case Operation() | TokenCall():
            return f"http://{GATEWAY}/{place.dialect.name}{place.thing.path}"
        case SocketPath() if place.thing.stream:
            # Where several share a path, the key decides at the root of a gateway too.
            mount = f"/{place.thing.stream}" if alone or not place.thing.shared else ""
            return f"ws://{GATEWAY}{mount}{place.thing.path.replace('{names}', 'KEY')}"
        case _:
            return ""
