"""The dialects as configured: built-in ones and files of the user's, with single rules changed by
settings."""

from collections.abc import Mapping

import msgspec

from listenkey.base.errors import ConfigError
from listenkey.config import DialectSettings, Settings
from listenkey.dialect.era import on_day
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects


def configured_dialects(settings: Settings) -> dict[str, Dialect]:
    """All dialects by name. Errors: `DialectError` in a file, `ConfigError` for a dialect, stream or bucket
    that settings name and that is not there."""
    dialects = load_dialects(settings.dialects.files)
    streams = {stream.name: dialect.name for dialect in dialects.values() for stream in dialect.streams}
    for name, own in settings.dialect.items():
        if name in dialects:
            dialects[name] = _adjust(dialects[name], own)
        elif name in streams:
            home = streams[name]
            dialects[home] = _adjust_stream(dialects[home], name, own)
        else:
            raise ConfigError(
                f"[dialect.{name}]: there is no such dialect or stream",
                "`listenkey dialect list` shows the names",
            )
    _check_streams(settings, streams)
    own_eras = {name: own.era for name, own in settings.dialect.items()}
    return {name: _as_of(dialect, own_eras.get(name) or settings.era) for name, dialect in dialects.items()}


def _as_of(dialect: Dialect, era: str) -> Dialect:
    return dialect if era == "all" else on_day(dialect, era)


def _check_streams(settings: Settings, streams: Mapping[str, str]) -> None:
    """Errors: `ConfigError` for settings of a stream that is not there, and for a `close` where the stream
    has no key space of its own."""
    for name, own in settings.stream.items():
        if name not in streams:
            raise ConfigError(
                f"[stream.{name}]: there is no such stream", f"the streams are {', '.join(sorted(streams))}"
            )
        if own.close is not None and name not in streams.values():
            raise ConfigError(
                f"[stream.{name}] close: its listen keys belong to another stream too",
                "set it for the stream that is named as the dialect",
            )


def configured_symbols(settings: Settings) -> dict[str, frozenset[str]]:
    """The symbols that exist, for the dialects where that is configured."""
    return {
        name: frozenset(symbol.upper() for symbol in own.symbols)
        for name, own in settings.dialect.items()
        if own.symbols
    }


def _adjust(dialect: Dialect, own: DialectSettings) -> Dialect:
    replace = msgspec.structs.replace
    buckets = {limit.name: limit for limit in dialect.limits.buckets}
    for name, size in own.limits.items():
        if name not in buckets:
            raise ConfigError(
                f"[dialect.{dialect.name}.limits]: there is no bucket {name}",
                f"the buckets are {', '.join(buckets) or 'none'}",
            )
        buckets[name] = replace(buckets[name], limit=size)
    dialect = replace(dialect, limits=replace(dialect.limits, buckets=tuple(buckets.values())))
    if own.require_signature is not None:
        wanted = "required" if own.require_signature else dialect.auth.signature
        if not own.require_signature and wanted == "required":
            wanted = "if_sent"
        dialect = replace(dialect, auth=replace(dialect.auth, signature=wanted))
    if own.lifetime_seconds is not None:
        dialect = replace(dialect, key_space=replace(dialect.key_space, lifetime_s=own.lifetime_seconds))
    if own.root is not None:
        dialect = replace(dialect, root=own.root)
    return dialect


def _adjust_stream(dialect: Dialect, name: str, own: DialectSettings) -> Dialect:
    if own != DialectSettings(hosts=own.hosts, root=own.root):
        raise ConfigError(
            f"[dialect.{name}]: a stream has `hosts` and `root` alone",
            f"set the rest in [dialect.{dialect.name}]",
        )
    if own.root is None:
        return dialect
    sockets = tuple(
        msgspec.structs.replace(path, root=own.root) if path.stream == name else path
        for path in dialect.sockets
    )
    return msgspec.structs.replace(dialect, sockets=sockets)
