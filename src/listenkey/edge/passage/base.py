"""Where a venue answers, as configured; and which paths may be asked for there."""

import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from listenkey.base.errors import ConfigError

_SCHEMES: Final = {"https": True, "wss": True, "http": False, "ws": False}
_SEGMENT: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@|-]|%[0-9A-Fa-f]{2})+")
_NEVER_INSIDE: Final = re.compile(rb"[\x00-\x1f\x7f/\\%]")
_OURS: Final = frozenset({b"lk", b"v1", b"health", b"metrics", b"docs"})
"""First segments of the native stream's paths and of the admin listener's: with them an own credential might
be on its way to somebody else."""


class Base(msgspec.Struct, frozen=True):
    """An address of a venue."""

    tls: bool
    host: str
    port: int
    authority: bytes
    """As the `Host` header says it."""
    prefix: bytes = b""
    """A path that all others stand below."""


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """Where a dialect's calls and sockets go, and with how much patience; times in seconds."""

    rest: Base | None = None
    sockets: Mapping[str, Base] = {}
    """By stream; under the empty name for those that are of no stream."""
    api: Base | None = None
    context: ssl.SSLContext | None = None
    connect: float = 5
    patience: float = 30
    idle: float = 15
    most: int = 1024


def parse_base(text: str, where: str) -> Base:
    """`https://api.example.com`, or `wss://`; without TLS on this machine alone. Errors: `ConfigError`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    if parts.scheme not in _SCHEMES or not re.fullmatch(r"[A-Za-z0-9.:_-]+", host) or "@" in parts.netloc:
        raise ConfigError(
            f"{where}: {text!r} is no address of a venue", "write it as https://api.example.com"
        )
    prefix = parts.path.rstrip("/")
    if parts.query or parts.fragment or (prefix and not is_plain(prefix.encode())):
        raise ConfigError(f"{where}: {text!r} has more than a host and a path", "leave the rest out")
    tls = _SCHEMES[parts.scheme]
    if not tls and not _is_loopback(host):
        raise ConfigError(
            f"{where}: to {host} API keys and orders would travel in clear", "write https:// or wss://"
        )
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port is None else f"{shown}:{port}"
    return Base(tls, host, port or (443 if tls else 80), authority.encode(), prefix.encode())


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_plain(path: bytes) -> bool:
    """Whether everybody reads this path alike: no empty segments, no dots that climb, nothing encoded that
    splits or ends a segment, nothing encoded twice."""
    if path == b"/":
        return True
    segments = path.split(b"/")
    if segments[0] or len(segments) == 1:
        return False
    for place, segment in enumerate(segments[1:], 2):
        if not segment and place == len(segments):
            return True
        meant = unquote_to_bytes(segment)
        if not _SEGMENT.fullmatch(segment) or _NEVER_INSIDE.search(meant) or meant.strip(b".") == b"":
            return False
    return True


def may_pass(path: bytes) -> bool:
    """Whether a path, as it was sent, may be asked of a venue."""
    return is_plain(path) and unquote_to_bytes(path.split(b"/")[1]).lower() not in _OURS
