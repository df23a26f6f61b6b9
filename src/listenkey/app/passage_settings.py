"""`[passage.NAME]`: the venues that calls and sockets are passed to, put together from the configuration and
the addresses that dialects know. Needs nothing of the server's, so that any machine can check a
configuration."""

import ssl
from collections.abc import Mapping

from listenkey.base.errors import ConfigError
from listenkey.config import PassageSettings, Settings
from listenkey.dialect.model import Dialect, Host
from listenkey.edge.passage.base import Base, Venue, parse_base

_ITS_OWN = "venue"


def configured_venues(settings: Settings, dialects: Mapping[str, Dialect]) -> dict[str, Venue]:
    """The venue of each dialect that has one. A dialect without a table of its own goes where its REST host
    goes for another: margin's calls are at spot's. Errors: `ConfigError`."""
    if settings.passage:
        _check_listeners(settings)
    venues = {name: _venue(name, given, dialects) for name, given in settings.passage.items()}
    for name, dialect in dialects.items():
        if name not in venues:
            venues |= _shared(dialect, {each: venues[each] for each in settings.passage}, dialects)
    return venues


def _check_listeners(settings: Settings) -> None:
    if settings.tls.cert:
        return
    for listener in settings.listeners():
        for name, given in settings.passage.items():
            if not (listener.is_loopback or given.allow_remote):
                raise ConfigError(
                    f"passage.{name}: API keys and orders would reach {listener} in clear",
                    "set tls.cert and tls.key, listen on loopback, or set its allow_remote = true where the "
                    "network is yours alone",
                )


def _venue(name: str, given: PassageSettings, dialects: Mapping[str, Dialect]) -> Venue:
    dialect = dialects.get(name)
    if dialect is None:
        raise ConfigError(
            f"[passage.{name}]: there is no such dialect", "`listenkey dialect list` shows the names"
        )
    host = _host(dialect)
    return Venue(
        rest=_base(f"passage.{name}.rest", given.rest, host.rest if host else ""),
        sockets=_sockets(f"passage.{name}.sockets", given.sockets, dialect),
        api=_base(f"passage.{name}.api", given.api, host.api if host else ""),
        context=_context(f"passage.{name}.ca_file", given.ca_file),
        connect=given.connect_seconds,
        patience=given.answer_seconds,
        idle=given.idle_seconds,
        most=given.connections,
    )


def _host(dialect: Dialect) -> Host | None:
    return dialect.host(dialect.name) or next(iter(dialect.hosts), None)


def _base(where: str, given: str, own: str) -> Base | None:
    text = own if given == _ITS_OWN else given
    return parse_base(text, where) if text else None


def _sockets(where: str, given: str, dialect: Dialect) -> dict[str, Base]:
    """The address of each stream's sockets; BingX has a host for each."""
    hosts = {name: dialect.host(name) for name in ("", *(stream.name for stream in dialect.streams))}
    bases = {name: _base(where, given, host.sockets if host else "") for name, host in hosts.items()}
    return {name: base for name, base in bases.items() if base is not None}


def _context(where: str, ca_file: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{where}: {ca_file} has no certificates ({error})", "name a PEM file") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _shared(
    dialect: Dialect, venues: Mapping[str, Venue], dialects: Mapping[str, Dialect]
) -> dict[str, Venue]:
    own = _host(dialect)
    for name, venue in venues.items():
        other = _host(dialects[name])
        if own is not None and other is not None and own.rest == other.rest and venue.rest is not None:
            return {dialect.name: Venue(
                rest=venue.rest, context=venue.context, connect=venue.connect, patience=venue.patience,
                idle=venue.idle, most=venue.most,
            )}  # fmt: skip
    return {}
