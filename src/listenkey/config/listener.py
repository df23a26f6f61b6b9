"""Addresses to listen on, as they are written."""

import re
from ipaddress import ip_address
from typing import Final

import msgspec

from listenkey.base.errors import ConfigError

_LISTENER: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.%a-z]+)\]|(?P<host>[^\[\]:=\s]+)):(?P<port>[0-9]{1,5})(?:=(?P<name>[a-z0-9-]+))?\Z"
)


class Listener(msgspec.Struct, frozen=True):
    """Where to listen. `name` is the dialect or stream that is served there alone; empty for all."""

    host: str
    port: int
    name: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + (f"={self.name}" if self.name else "")


def parse_listener(text: str) -> Listener:
    """`HOST:PORT` or `HOST:PORT=NAME`; IPv6 in brackets. Errors: `ConfigError`."""
    match = _LISTENER.match(text)
    if match is None or int(match["port"]) > 65_535:
        raise ConfigError(
            f"{text!r} is no address to listen on", "write HOST:PORT or HOST:PORT=DIALECT, IPv6 as [::1]:8080"
        )
    return Listener(match["six"] or match["host"], int(match["port"]), match["name"] or "")
