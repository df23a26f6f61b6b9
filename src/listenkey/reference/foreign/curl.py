"""Lines for curl, wscat and websocat, and bare addresses, as requests. Files they name are never opened."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from listenkey.base.errors import Refused
from listenkey.reference.foreign.http import read_http
from listenkey.reference.foreign.masking import shown_name
from listenkey.reference.foreign.request import (
    CLOSE,
    OPEN,
    BodyKind,
    Foreign,
    Pair,
    read_body,
    read_pairs,
    read_target,
)
from listenkey.reference.foreign.shell import LONGEST, Command, commands

_MOST: Final = 100
_SOCKET_CLIENTS: Final = frozenset(("wscat", "websocat"))
_METHODS: Final = frozenset(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"))
_ADDRESS: Final = re.compile(r"(?:https?|wss?)://.|\{\{[^{}]+\}\}/.|/[A-Za-z]", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"[A-Za-z_]\w*=")
_FILLED: Final = 1024 * 1024
"""So many characters may a text come to with its own variables in their places."""
_SHELL_PLACE: Final = re.compile(f"{OPEN}([A-Za-z_]\\w*){CLOSE}")
_SHORT: Final = {
    "X": "request", "H": "header", "d": "data", "F": "form", "G": "get", "u": "user", "k": "insecure",
    "T": "upload-file", "I": "head", "A": "", "e": "", "b": "", "o": "", "m": "", "x": "", "w": "", "c": "",
    "K": "config", "r": "", "y": "", "Y": "", "z": "", "D": "", "C": "", "E": "", "P": "", "Q": "", "t": "",
    "U": "",
}  # fmt: skip
_FLAGS: Final = frozenset(("get", "insecure", "head"))
# Long options that bring a value, besides those that say something here.
_VALUED: Final = frozenset(
    (
        "user-agent", "referer", "cookie", "cookie-jar", "output", "max-time", "connect-timeout", "proxy",
        "write-out", "retry", "retry-delay", "retry-max-time", "cacert", "capath", "cert", "key", "range",
        "dump-header", "continue-at", "resolve", "interface", "limit-rate", "max-redirs", "proxy-user",
        "unix-socket", "tls-max", "ciphers", "connect-to", "dns-servers", "keepalive-time", "oauth2-bearer",
        "output-dir", "proto", "rate", "speed-limit", "speed-time", "stderr", "trace", "trace-ascii",
        "variable",
    )
)  # fmt: skip
_DATA: Final = frozenset(
    ("data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json", "url-query")
)
_SAYING: Final = _DATA | {"request", "header", "form", "form-string", "user", "upload-file", "url", "config"}
_OPENED: Final = "A file that the line names was not opened; what it would send is not known."


class _Line(msgspec.Struct):
    """What the options of one command have said so far."""

    addresses: list[str] = []
    method: str = ""
    small: bool = False
    headers: list[Pair] = []
    headers_in_file: bool = False
    data: list[str] = []
    query: list[str] = []
    get: bool = False
    head: bool = False
    json: bool = False
    form: bool = False
    upload: bool = False
    insecure: bool = False
    remarks: list[str] = []


def read_line(text: str) -> tuple[Foreign, ...]:
    """The requests of a text: commands for curl or a WebSocket client, addresses with or without a method, or
    one request as HTTP writes it.
    Errors: `Refused("bad_request_line")`."""
    written = read_http(text) if len(text) <= LONGEST else None
    if written is not None:
        return (written,)
    found, cut = commands(text)
    requests = [request for words in _filled(found) for request in _command(words)]
    if not requests:
        raise Refused(
            "there is no request in it",
            "give a curl line, or an address with its method",
            code="bad_request_line",
        )
    if len(requests) > _MOST:
        raise Refused(
            f"there are {len(requests)} requests in it, {_MOST} are the most",
            "give fewer",
            code="bad_request_line",
        )
    if cut:
        said = "An `&` that no quotes protect ends the command in a shell: what follows it was never sent."
        requests[0] = msgspec.structs.replace(requests[0], remarks=(*requests[0].remarks, said))
    return tuple(requests)


def _filled(found: Iterable[Command]) -> Iterator[Command]:
    """The commands with the variables that the text itself sets in their places, within bounds."""
    known: dict[str, str] = {}
    left = _FILLED
    for words in found:
        filled = [_fill(word, known) for word in words]
        left -= sum(map(len, filled))
        if left < 0 or any(len(word) > LONGEST for word in filled):
            yield words
            continue
        if all(_ASSIGNED.match(word) for word in words if word != "export"):
            known |= {name: value for word in filled for name, mark, value in [word.partition("=")] if mark}
        yield filled


def _fill(word: str, known: Mapping[str, str]) -> str:
    return _SHELL_PLACE.sub(lambda match: known.get(match[1], match[0]), word)


def _command(words: Command) -> Iterator[Foreign]:
    words = list(_without_preface(words))
    if not words:
        return
    program = re.split(r"[/\\]", words[0])[-1].lower().removesuffix(".exe")
    if program == "curl":
        yield from _curl(words[1:])
    elif program in _SOCKET_CLIENTS:
        yield from _socket_client(words[1:])
    elif words[0].upper() in _METHODS and len(words) > 1:
        yield _request(_Line(method=words[0].upper()), words[1])
    elif _ADDRESS.match(words[0]):
        yield _request(_Line(), words[0])


def _without_preface(words: Command) -> Iterator[str]:
    """Without a prompt, and without variables that are set for the command."""
    begun = False
    for word in words:
        begun = begun or not (
            word in {"$", ">", "%", "time", "sudo", "exec"} or re.match(r"[A-Za-z_]\w*=", word)
        )
        if begun:
            yield word


def _curl(words: Sequence[str]) -> Iterator[Foreign]:
    line = _Line()
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if word in {"--next", "-:"}:
            yield from _requests(line)
            line = _Line()
        elif word.startswith("--") and len(word) > 2:
            name, _, value = word[2:].partition("=")
            _long(line, name, value if "=" in word else None, rest)
        elif word.startswith("-") and len(word) > 1:
            _short(line, word[1:], rest)
        else:
            line.addresses.append(word)
    yield from _requests(line)


def _long(line: _Line, name: str, value: str | None, rest: list[str]) -> None:
    if name in _FLAGS:
        _flag(line, name)
    elif name in _SAYING or name in _VALUED:
        if value is None:
            value = rest.pop() if rest else ""
        _say(line, name, value)


def _short(line: _Line, letters: str, rest: list[str]) -> None:
    """Letters behind one dash; the first that wants a value takes what follows it, or the next word."""
    for place, letter in enumerate(letters):
        name = _SHORT.get(letter)
        if name is None:
            continue
        if name in _FLAGS:
            _flag(line, name)
            continue
        value = letters[place + 1 :]
        if not value and rest:
            value = rest.pop()
        _say(line, name, value)
        return


def _flag(line: _Line, name: str) -> None:
    line.get = line.get or name == "get"
    line.head = line.head or name == "head"
    line.insecure = line.insecure or name == "insecure"


def _say(line: _Line, name: str, value: str) -> None:
    if name == "request":
        line.method = value.upper()
        line.small = line.method in _METHODS and value != line.method
    elif name == "url":
        line.addresses.append(value)
    elif name == "header":
        _header(line, value)
    elif name in _DATA:
        _data(line, name, value)
    elif name in {"form", "form-string"}:
        line.form = True
        _form(line, value)
    elif name == "user":
        line.headers.append(Pair("Authorization", f"Basic {value}"))
    elif name in {"upload-file", "config"}:
        line.upload = line.upload or name == "upload-file"
        line.headers_in_file = line.headers_in_file or name == "config"
        line.remarks.append(_OPENED)


def _header(line: _Line, text: str) -> None:
    if text.startswith("@"):
        line.headers_in_file = True
        line.remarks.append(_OPENED)
        return
    name, colon, value = text.partition(":")
    if colon and not value.strip():
        said = f"`-H '{shown_name(name.strip())}:'` sends no such header: curl leaves it out."
        line.remarks.append(said)
    elif colon:
        line.headers.append(Pair(name.strip(), value.strip()))
    elif text.endswith(";"):
        line.headers.append(Pair(text[:-1].strip(), ""))
    else:
        line.remarks.append("A header without a colon is none; curl drops it.")


def _data(line: _Line, name: str, value: str) -> None:
    if name == "data-urlencode":
        line.data.append(_urlencoded(line, value))
    elif name == "url-query":
        line.query.append(value.removeprefix("+") if value.startswith("+") else _urlencoded(line, value))
    elif value.startswith("@") and name != "data-raw":
        line.remarks.append(_OPENED)
        line.data.append("")
    else:
        line.json = line.json or name == "json"
        line.data.append(value)


def _urlencoded(line: _Line, value: str) -> str:
    match = re.match(r"([^=@]*)([=@])(.*)\Z", value, re.DOTALL)
    if match is None:
        return _encode(value)
    name, mark, content = match.groups()
    if mark == "@":
        line.remarks.append(_OPENED)
        content = ""
    return f"{name}={_encode(content)}" if name else _encode(content)


def _encode(text: str) -> str:
    # Places stay as they are, so that they are still known for what they are.
    return quote(text, safe=f"{{}}{OPEN}{CLOSE}…()", errors="replace")


def _form(line: _Line, value: str) -> None:
    name, _, content = value.partition("=")
    if content.startswith(("@", "<")):
        line.remarks.append(_OPENED)
        content = ""
    line.data.append(f"{_encode(name)}={_encode(content)}")


def _requests(line: _Line) -> Iterator[Foreign]:
    if not line.addresses:
        raise Refused(
            "the curl line names no address", "add the address of the call", code="bad_request_line"
        )
    for address in line.addresses:
        yield _request(line, address, command=True)


def _request(line: _Line, address: str, *, command: bool = False) -> Foreign:
    target = read_target(address)
    text = ("" if line.json or any(each.startswith("{") for each in line.data) else "&").join(line.data)
    kind, body = _body(line, text)
    query = target.query + read_pairs("&".join(line.query))
    if line.get:
        kind, query, body = "none", query + read_pairs("&".join(line.data)), ()
    return Foreign(
        method=line.method or _method(line),
        scheme=target.scheme,
        host=target.host,
        path=target.path,
        query=query,
        headers=tuple(line.headers),
        body=body,
        body_kind=kind,
        credentials_in_address=target.credentials,
        socket=target.scheme in {"ws", "wss"},
        unverified=line.insecure,
        small_letters=line.small,
        headers_in_file=line.headers_in_file,
        shell_fills=command,
        remarks=tuple(dict.fromkeys(line.remarks)),
    )


def _body(line: _Line, text: str) -> tuple[BodyKind, tuple[Pair, ...]]:
    if line.form:
        return "multipart", read_pairs("&".join(line.data))
    return read_body(text)


def _method(line: _Line) -> str:
    if line.get:
        return "GET"
    if line.data:
        return "POST"
    return "PUT" if line.upload else "HEAD" if line.head else "GET"


def _socket_client(words: Sequence[str]) -> Iterator[Foreign]:
    """`wscat -c ADDRESS`, `websocat ADDRESS`: the address is the word that looks like one."""
    line = _Line()
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if word in {"-H", "--header"} and rest:
            _header(line, rest.pop())
        elif word in {"-n", "--no-check", "-k", "--insecure"}:
            line.insecure = True
        elif _ADDRESS.match(word):
            line.addresses.append(word)
    if not line.addresses:
        raise Refused("the line names no address", "add the ws:// or wss:// address", code="bad_request_line")
    for address in line.addresses:
        yield msgspec.structs.replace(_request(line, address, command=True), socket=True)
