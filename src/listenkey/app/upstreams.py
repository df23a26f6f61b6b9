"""The configured upstreams: put together, started, and ended with the gateway."""

import asyncio
from functools import partial
from pathlib import Path

from listenkey.base.errors import ConfigError, Refused
from listenkey.client.stream import open_stream
from listenkey.config import Settings, UpstreamSettings
from listenkey.core.repeats import NaturalIds
from listenkey.service.gateway import Gateway
from listenkey.sources.upstream import Upstream, UpstreamReader


def configured_upstreams(settings: Settings, gateway: Gateway) -> list[Upstream]:
    """What `[[upstream]]` says. Errors: `ConfigError` for what is missing or cannot be read."""
    return [_upstream(name, given, gateway) for name, given in settings.upstream.items()]


def _upstream(name: str, given: UpstreamSettings, gateway: Gateway) -> Upstream:
    where = f"upstream.{name}"
    if not given.account:
        raise ConfigError(f"{where}.account is not set", "name the account to journal for")
    if not gateway.names.is_stream(given.stream):
        raise ConfigError(
            f"{where}.stream: there is no stream {given.stream or '(empty)'}", "see `listenkey dialect list`"
        )
    api_key = _given(f"{where}.api_key", given.api_key, given.api_key_file)
    if not api_key:
        raise ConfigError(f"{where}.api_key is not set", "give it, or api_key_file")
    open_it = partial(
        open_stream,
        given.stream,
        api_key=api_key,
        api_secret=_given(f"{where}.api_secret", given.api_secret, given.api_secret_file),
        base_url=given.base_url,
        ws_url=given.ws_url,
        by=given.by,
    )
    try:
        open_it()
    except Refused as error:
        raise ConfigError(f"{where}: {error.message}", error.remedy) from error
    base = given.stream.partition(":")[0]
    events = tuple(
        event for dialect in gateway.dialects.values() for event in dialect.events if base in event.streams
    )
    return Upstream(name, given.account, given.stream, open_it, NaturalIds(events))


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
        self._wanted = configured_upstreams(settings, gateway)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the accounts that are missing, and begin to read."""
        gateway = self._gateway
        for account in sorted({each.account for each in self._wanted}):
            if gateway.store.find_account(account) is None:
                await gateway.accounts.add(account)
        readers = [
            UpstreamReader(each, gateway.publisher.publish_all, gateway.metrics) for each in self._wanted
        ]
        gateway.upstreams_open = lambda: sum(reader.state == "open" for reader in readers)
        self._tasks = [asyncio.create_task(reader.run()) for reader in readers]

    async def stop(self) -> None:
        """End them; what was journaled stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
