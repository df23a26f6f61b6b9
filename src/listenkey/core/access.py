"""Who may do what from where: permissions, IP allow-lists, and the address behind a proxy."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from listenkey.base.errors import Refused
from listenkey.core.records import ApiKey

_Network = IPv4Network | IPv6Network
_LONGEST_PORT = len(":65535")


def check_allow_list(entries: Iterable[str]) -> tuple[str, ...]:
    """The entries as canonical CIDR blocks, or `Refused("bad_ip_allow")`."""
    try:
        return tuple(str(_unmapped(ip_network(entry.strip(), strict=False))) for entry in entries)
    except ValueError as error:
        raise Refused(
            f"not an address or CIDR block: {error}",
            "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
            code="bad_ip_allow",
        ) from error


def _unmapped(network: _Network) -> _Network:
    """IPv4 written as IPv6 (`::ffff:192.0.2.0/120`) as IPv4: that is how addresses are compared."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


@lru_cache(maxsize=4096)
def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


@lru_cache(maxsize=4096)
def _networks(entries: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ip_network(entry, strict=False) for entry in entries)


def address_in(address: str, entries: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the blocks. What is no address lies in none."""
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in _networks(entries))


def address_allowed(address: str, entries: tuple[str, ...]) -> bool:
    """Whether an allow-list lets an address in; an empty one lets everybody in."""
    return not entries or address_in(address, entries)


def any_allows(users: Sequence[ApiKey], address: str) -> bool:
    """Whether one of the API keys behind a listen key lets this address in."""
    return any(address_allowed(address, user.ip_allow) for user in users)


def _without_port(hop: str) -> str:
    """Some proxies write `192.0.2.7:4711`, `[2001:db8::7]:4711` or `[2001:db8::7]`."""
    if hop.startswith("["):
        address, _, port = hop[1:].partition("]")
        return address if not port or _is_port(port) else hop
    address, colon, port = hop.partition(":")
    return address if colon and _is_port(colon + port) and "." in address else hop


def _is_port(text: str) -> bool:
    return text[0] == ":" and text[1:].isascii() and text[1:].isdigit() and len(text) <= _LONGEST_PORT


def client_address(peer: str, forwarded_for: str, trusted_proxies: tuple[str, ...]) -> str:
    """The address a request comes from. `forwarded_for` (`X-Forwarded-For`) is believed hop by hop, from the
    right, for as long as the hop that says so is trusted."""
    address = peer
    for hop in reversed(forwarded_for.split(",")):
        claimed = _without_port(hop.strip())
        if not address_in(address, trusted_proxies) or _parse(claimed) is None:
            break
        address = claimed
    return str(_parse(address) or address)
