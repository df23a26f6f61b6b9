"""Lint of names, streams, keys and credentials."""

import re
from collections.abc import Iterator
from math import log2
from typing import Final

from listenkey.dialect.lint.common import compiles, json_template, twice
from listenkey.dialect.model import Dialect, KeySpace

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9_-]*\Z")
_BITS: Final = 128


def check_names(dialect: Dialect) -> Iterator[str]:
    """Names of the dialect, its streams and topics."""
    for name in (dialect.name, *(stream.name for stream in dialect.streams)):
        if not _NAME.match(name) or name == "lk":
            yield f"the name {name!r} is not lower-case words joined by '-', or is `lk`"
    yield from twice("streams", (stream.name for stream in dialect.streams))
    for stream in dialect.streams:
        yield from twice(f"streams.{stream.name}.topics", (topic.name for topic in stream.topics))
        yield from twice(f"streams.{stream.name}.topics.event", (topic.event for topic in stream.topics))
        for topic in stream.topics:
            if topic.wrap:
                yield from json_template(
                    f"streams.{stream.name}.topics.{topic.name}.wrap", topic.wrap, {"event"}
                )
                if topic.wrap.count("$event") != 1:
                    yield f"streams.{stream.name}.topics.{topic.name}.wrap: $event stands there once"


def check_key_space(dialect: Dialect) -> Iterator[str]:
    """How keys are minted."""
    space = dialect.key_space
    alphabet = space.alphabet
    if len(set(alphabet)) != len(alphabet):
        yield "key_space.alphabet: a character is there twice"
    if not _UNRESERVED.match(alphabet):
        yield "key_space.alphabet: only A-Z a-z 0-9 _ - travel safely in paths, queries and forms"
    bits = space.length * log2(len(set(alphabet)) or 1)
    if bits < _BITS:
        yield f"key_space: keys carry {bits:.0f} bits, and {_BITS} is the least that cannot be guessed"
    if not compiles(space.legal_pattern):
        yield "key_space.legal_pattern: is no pattern"
    elif any(not re.fullmatch(space.legal_pattern, character * space.length) for character in alphabet):
        yield "key_space.legal_pattern: does not match the dialect's own keys"
    if space.lifetime_s <= 0:
        yield "key_space.lifetime_s: is at least 1"
    if (space.issue in {"new_evicts_oldest", "refuse_over"}) != (space.max_live > 0):
        yield "key_space.max_live: stands with new_evicts_oldest and refuse_over, and with these alone"
    yield from _scope(space)


def _scope(space: KeySpace) -> Iterator[str]:
    if (space.scope == "symbol") != bool(space.symbol_pattern):
        yield 'key_space.symbol_pattern: stands with scope = "symbol", and with this alone'
    elif not compiles(space.symbol_pattern):
        yield "key_space.symbol_pattern: is no pattern"


def check_auth(dialect: Dialect) -> Iterator[str]:
    """Credentials and signatures."""
    auth = dialect.auth
    if not compiles(auth.api_key_pattern):
        yield "auth.api_key_pattern: is no pattern"
    if not 0 < auth.recv_window_ms <= auth.recv_window_max_ms:
        yield "auth.recv_window_ms: is above 0 and not above recv_window_max_ms"
