"""`[[upstream]]`: what is to be read and with which credentials, from the configuration and its files. Needs
nothing of the server's, so that any machine can check a configuration."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from listenkey.app.sections import check_account, check_stream, read_text
from listenkey.base.errors import ConfigError, Refused
from listenkey.client.stream import Stream, open_stream
from listenkey.config import Settings, UpstreamSettings
from listenkey.dialect.model import Dialect
from listenkey.edge.passage.base import parse_base
from listenkey.service.names import StreamNames
from listenkey.service.upstreams import Mark

Opener: TypeAlias = Callable[[Mark, Sequence[tuple[str, bytes]], Sequence[str]], Stream]
"""Makes a stream that goes on after a place, given what was had near it and the symbols that are traded."""


def upstream_openers(settings: Settings, dialects: Mapping[str, Dialect]) -> dict[str, Opener]:
    """How each `[[upstream]]` is opened. Errors: `ConfigError` for what is missing or cannot be read."""
    names, taken = StreamNames(dict(dialects)), dict[tuple[str, str], str]()
    for name, given in settings.upstream.items():
        other = taken.setdefault((given.account, given.stream), name)
        if other != name:
            raise ConfigError(
                f"upstream.{name} fills the journal that upstream.{other} fills",
                "give it another account or stream",
            )
    return {name: _checked(f"upstream.{name}", given, names) for name, given in settings.upstream.items()}


def _checked(where: str, given: UpstreamSettings, names: StreamNames) -> Opener:
    check_account(where, given.account, "name the account to journal for")
    check_stream(where, given.stream, names)
    if given.gateway and (given.base_url or given.ws_url or given.by):
        raise ConfigError(
            f"{where}.gateway goes without base_url, ws_url and by", "read a gateway, or a venue"
        )
    _check_addresses(where, given)
    open_it = _opener(where, given)
    try:
        open_it(Mark(), (), ())
    except Refused as error:
        raise ConfigError(f"{where}: {error.message}", error.remedy) from error
    return open_it


def _check_addresses(where: str, given: UpstreamSettings) -> None:
    """A venue gets API keys and signatures over TLS alone; a gateway may be one in a network of one's own."""
    for name, text in (("base_url", given.base_url), ("ws_url", given.ws_url)):
        if text:
            parse_base(text, f"{where}.{name}")
    if given.gateway and not given.gateway.startswith(("https://", "http://")):
        raise ConfigError(
            f"{where}.gateway: {given.gateway!r} is no address", "write it as https://gateway.example.com"
        )


def _opener(where: str, given: UpstreamSettings) -> Opener:
    api_key = _given(f"{where}.api_key", given.api_key, given.api_key_file)
    if not api_key:
        raise ConfigError(f"{where}.api_key is not set", "give it, or api_key_file")
    api_secret = _given(f"{where}.api_secret", given.api_secret, given.api_secret_file)

    def open_it(mark: Mark, known: Sequence[tuple[str, bytes]], symbols: Sequence[str]) -> Stream:
        return open_stream(
            given.stream,
            api_key=api_key,
            api_secret=api_secret,
            gateway=given.gateway,
            base_url=given.base_url,
            ws_url=given.ws_url,
            by=given.by,
            since=mark.at or None,
            known=known,
            holdings=mark.holdings,
            symbols=sorted({*symbols, *given.symbols}),
            recover_within=given.recover_seconds,
        )

    return open_it


def _given(where: str, text: str, file: str) -> str:
    return read_text(f"{where}_file", file).strip() if file else text
