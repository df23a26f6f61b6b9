"""The configured upstreams: put together, started, and ended with the gateway."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from listenkey.base.errors import ConfigError, Refused
from listenkey.base.ids import check_account_name
from listenkey.client.stream import Stream, open_stream
from listenkey.config import Settings, UpstreamSettings
from listenkey.core.repeats import NaturalIds
from listenkey.dialect.model import Dialect
from listenkey.service.gateway import Gateway
from listenkey.service.names import StreamNames
from listenkey.service.upstreams import UpstreamFigures
from listenkey.sources.upstream import Beginning, Upstream, UpstreamReader


def configured_upstreams(settings: Settings, dialects: Mapping[str, Dialect]) -> list[Upstream]:
    """What `[[upstream]]` says. Errors: `ConfigError` for what is missing or cannot be read."""
    names, taken = StreamNames(dict(dialects)), dict[tuple[str, str], str]()
    for name, given in settings.upstream.items():
        other = taken.setdefault((given.account, given.stream), name)
        if other != name:
            raise ConfigError(
                f"upstream.{name} fills the journal that upstream.{other} fills",
                "give it another account or stream",
            )
    return [_upstream(name, given, names, dialects) for name, given in settings.upstream.items()]


def _upstream(
    name: str, given: UpstreamSettings, names: StreamNames, dialects: Mapping[str, Dialect]
) -> Upstream:
    where = f"upstream.{name}"
    if not given.account:
        raise ConfigError(f"{where}.account is not set", "name the account to journal for")
    try:
        check_account_name(given.account)
    except Refused as error:
        raise ConfigError(f"{where}.account: {error.message}", error.remedy) from error
    if not names.is_stream(given.stream):
        raise ConfigError(
            f"{where}.stream: there is no stream {given.stream or '(empty)'}", "see `listenkey dialect list`"
        )
    if given.gateway and (given.base_url or given.ws_url or given.by):
        raise ConfigError(
            f"{where}.gateway goes without base_url, ws_url and by", "read a gateway, or a venue"
        )
    open_it = _opener(where, given)
    try:
        open_it(Beginning())
    except Refused as error:
        raise ConfigError(f"{where}: {error.message}", error.remedy) from error
    base = given.stream.partition(":")[0]
    events = tuple(
        event for dialect in dialects.values() for event in dialect.events if base in event.streams
    )
    return Upstream(name, given.account, given.stream, open_it, NaturalIds(events))


def _opener(where: str, given: UpstreamSettings) -> Callable[[Beginning], Stream]:
    api_key = _given(f"{where}.api_key", given.api_key, given.api_key_file)
    if not api_key:
        raise ConfigError(f"{where}.api_key is not set", "give it, or api_key_file")
    api_secret = _given(f"{where}.api_secret", given.api_secret, given.api_secret_file)

    def open_it(beginning: Beginning) -> Stream:
        return open_stream(
            given.stream,
            api_key=api_key,
            api_secret=api_secret,
            gateway=given.gateway,
            base_url=given.base_url,
            ws_url=given.ws_url,
            by=given.by,
            since=beginning.since or None,
            known=beginning.known,
            symbols=beginning.symbols,
        )

    return open_it


def _given(where: str, text: str, file: str) -> str:
    if not file:
        return text
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}_file cannot be read: {error}", "check the path and its mode") from error


class Upstreams:
    """All of them while the process runs."""

    def __init__(self, settings: Settings, gateway: Gateway) -> None:
        self._gateway = gateway
        self._wanted = configured_upstreams(settings, gateway.dialects)
        self._readers: list[UpstreamReader] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the accounts that are missing, and begin to read."""
        gateway = self._gateway
        for account in sorted({each.account for each in self._wanted}):
            if gateway.store.find_account(account) is None:
                await gateway.accounts.add(account)
        for each in self._wanted:
            figures = UpstreamFigures(each.name, each.account, each.stream)
            gateway.upstreams.append(figures)
            journal = gateway.source_journal(each.account, each.stream)
            self._readers.append(UpstreamReader(each, journal, figures))
        self._tasks = [asyncio.create_task(reader.run()) for reader in self._readers]

    async def stop(self) -> None:
        """End them; what was journaled stays, and how far that is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for reader in self._readers:
            await reader.keep_mark()
