"""What is wrong with the address of a WebSocket: the key in it, where it stands, and what has to follow."""

import re
from collections.abc import Iterator, Sequence

from listenkey.dialect.model import Dialect, SocketPath
from listenkey.reference.foreign.finding import Finding, error, note
from listenkey.reference.foreign.request import Foreign, places

_KEY_NAMES = frozenset(("listenkey", "listen_key", "streams", "key"))


def check_socket(
    request: Foreign, dialect: Dialect, socket: SocketPath, names: Sequence[str]
) -> Iterator[Finding]:
    """Everything about one WebSocket that is opened."""
    if request.scheme in {"http", "https"}:
        to = "wss" if request.scheme == "https" else "ws"
        yield error(
            "scheme_wrong", f"This is a WebSocket and is opened with {request.scheme}://.",
            f"Open it with {to}://, with wscat, websocat or a WebSocket library.",
        )  # fmt: skip
    if request.header(dialect.auth.header) is not None:
        yield note(
            "api_key_misplaced", "A WebSocket wants no API key; the listen key is enough.", "Leave it out."
        )
    if not socket.stream:
        yield note(
            "subscription_needed",
            "This path carries no user data.",
            "Open the private one with a listen key.",
        )
        return
    yield from _keys(request, dialect, socket, _keys_in(request, socket, names))
    yield from _topics(dialect, socket)


def _keys_in(request: Foreign, socket: SocketPath, names: Sequence[str]) -> list[str]:
    if socket.names_in == "path":
        return [*names]
    if socket.names_in == "query":
        given = [each.value for each in request.query if each.name in socket.names_parameters]
        return [name for value in given for name in (value.split("/") if value else [""])]
    return []


def _keys(request: Foreign, dialect: Dialect, socket: SocketPath, keys: list[str]) -> Iterator[Finding]:
    if socket.control == "method" and socket.names_in == "query" and not any(keys):
        keys = []  # an empty list is how some clients begin, and subscribe after
    private = [key for key in keys if "@" not in key and "!" not in key]
    misplaced = [
        each.name
        for each in request.query
        if each.name.lower() in _KEY_NAMES and each.name not in socket.names_parameters
    ]
    if misplaced and not private:
        where = (
            f"as `{socket.names_parameters[0]}`"
            if socket.names_parameters
            else "in the path"
            if keys
            else "in a SUBSCRIBE"
        )
        yield error(
            "listen_key_misplaced",
            f"`{misplaced[0]}` in the query is not read on this path.",
            f"The key goes {where}.",
        )
    elif keys and not private:
        yield note(
            "listen_key_missing", "Only market streams are named: no user data comes.", "Name a listen key."
        )
    elif not keys and socket.control == "method":
        yield note(
            "subscription_needed", "No key is named: nothing comes until one is subscribed to.",
            'Send {"method":"SUBSCRIBE","params":["KEY"],"id":1} with the listen key.',
        )  # fmt: skip
    elif not keys:
        name = socket.names_parameters[0] if socket.names_parameters else "listenKey"
        yield error(
            "listen_key_missing",
            f"`{name}` is not in the address: no user data comes.",
            "Add the key that create gave.",
        )
    elif any(not key for key in private):
        yield error(
            "listen_key_empty", "The key in the address is empty.", "Put the key there that create gave."
        )
    legal = dialect.key_space.legal_pattern
    if any(key and not places(key) and not re.fullmatch(legal, key, re.ASCII) for key in private):
        yield error(
            "listen_key_malformed",
            "What stands in the key's place has not the form of a key.",
            "Put the key there that create gave.",
        )


def _topics(dialect: Dialect, socket: SocketPath) -> Iterator[Finding]:
    stream = next(each for each in dialect.streams if each.name == socket.stream)
    if stream.topics and socket.control == "topics":
        names = " and ".join(f"`{each.name}`" for each in stream.topics)
        yield note(
            "subscription_needed", f"Events come only for topics that are subscribed to: {names}.",
            'Send {"id":"1","reqType":"sub","dataType":"TOPIC"} for each.',
        )  # fmt: skip
