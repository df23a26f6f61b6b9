"""The configured upstreams: put together, started, and ended with the gateway."""

import asyncio

from listenkey.app.upstream_settings import upstream_openers
from listenkey.config import Settings
from listenkey.core.repeats import NaturalIds
from listenkey.service.gateway import Gateway
from listenkey.service.upstreams import UpstreamFigures
from listenkey.sources.upstream import Upstream, UpstreamReader


class Upstreams:
    """All of them while the process runs."""

    def __init__(self, settings: Settings, gateway: Gateway) -> None:
        self._gateway = gateway
        openers = upstream_openers(settings, gateway.dialects)
        self._wanted = [
            Upstream(
                name,
                given.account,
                given.stream,
                openers[name],
                _ids_of(given.stream, gateway),
                has_positions=bool(given.gateway),
            )
            for name, given in settings.upstream.items()
        ]
        self._readers: list[UpstreamReader] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the accounts that are missing, and begin to read."""
        gateway = self._gateway
        await gateway.accounts.add_missing(*(each.account for each in self._wanted))
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


def _ids_of(stream: str, gateway: Gateway) -> NaturalIds:
    base, dialects = stream.partition(":")[0], gateway.dialects.values()
    return NaturalIds(tuple(each for dialect in dialects for each in dialect.events if base in each.streams))
