"""Names of streams: which exist, and which a key opens."""

import re

from listenkey.core.records import ListenKey
from listenkey.dialect.model import Dialect


class StreamNames:
    """The streams of all dialects at hand."""

    def __init__(self, dialects: dict[str, Dialect]) -> None:
        self._plain: dict[str, Dialect] = {}
        self._scoped: dict[str, tuple[Dialect, re.Pattern[str]]] = {}
        self._dialects = dialects
        for dialect in dialects.values():
            for stream in dialect.streams:
                if dialect.key_space.scope == "symbol":
                    self._scoped[stream.name] = dialect, re.compile(dialect.key_space.symbol_pattern)
                else:
                    self._plain[stream.name] = dialect

    def is_stream(self, name: str) -> bool:
        """Whether a journal may bear this name."""
        if name in self._plain:
            return True
        base, colon, symbol = name.partition(":")
        scoped = self._scoped.get(base)
        return bool(colon) and scoped is not None and scoped[1].fullmatch(symbol) is not None

    def all_with(self, symbol: str) -> list[str]:
        """Every stream there is, those of a symbol with this one."""
        return [*self._plain, *(f"{base}:{symbol}" for base in self._scoped)]

    def of_space(self, dialect: Dialect, scope: str) -> tuple[str, ...]:
        """The streams that a key of this key space and scope opens."""
        return tuple(scoped_name(stream.name, scope) for stream in dialect.streams)

    def of_key(self, key: ListenKey) -> tuple[str, ...]:
        """The streams that a key opens."""
        return self.of_space(self._dialects[key.key_space], key.scope)


def scoped_name(stream: str, scope: str) -> str:
    """A stream's full name for a key of this scope."""
    return f"{stream}:{scope}" if scope else stream
