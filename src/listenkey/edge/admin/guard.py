"""Keeps other sites' pages away from the admin listener: by `Host` (a name that was rebound to our address)
and by `Origin` (a page of elsewhere that sends requests)."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from listenkey.base.errors import Refused


def check_origin(headers: dict[bytes, bytes], *, loopback: bool, secure: bool) -> None:
    """Errors: `bad_host`, `bad_origin`. `loopback`: whether the listener is for this machine alone; where it
    is not, its names are its operator's business, and TLS or a token stands in the way."""
    host = headers.get(b"host", b"").decode("latin-1").strip().lower()
    if not host or (loopback and not is_local_name(host)):
        raise Refused(
            "the Host header does not name this listener", "use its address or localhost", code="bad_host"
        )
    origin = headers.get(b"origin")
    if origin is not None:
        wanted = f"{'https' if secure else 'http'}://{host}"
        if origin.decode("latin-1").strip().lower() != wanted:
            raise Refused(
                "the request comes from another site", "call from this listener's own page", code="bad_origin"
            )


def is_local_name(host: str) -> bool:
    """Whether a `Host` (lower case, with or without port) can only mean what it says: an address, or
    localhost."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
