"""Which headers go on: all but those that are of one connection alone (RFC 9110 section 7.6.1), in their
order, case and number."""

from collections.abc import Iterable
from typing import Final

Headers = list[tuple[bytes, bytes]]

_OF_A_CONNECTION: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
        b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip


class AsSent(bytes):
    """A header's name that keeps its case on the way out."""

    __slots__ = ()

    def lower(self) -> bytes:
        """Itself: whoever writes headers in small letters is to write this one as it is."""
        return self


def onward_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers that go on. What `Connection` names is of this connection too."""
    kept = list(headers)
    named = {
        token.strip().lower()
        for name, value in kept
        if name.lower() == b"connection"
        for token in value.split(b",")
    } - {b"content-length", b"host"}
    dropped = _OF_A_CONNECTION | named
    return [(name, value) for name, value in kept if name.lower() not in dropped]


def values_of(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    """The values of a header, by its name in small letters."""
    return [value for name, value in headers if name.lower() == wanted]


def with_host(headers: Iterable[tuple[bytes, bytes]], authority: bytes) -> Headers:
    """The headers, addressed to a venue."""
    return [(b"Host", authority), *((name, value) for name, value in headers if name.lower() != b"host")]
