"""`[[replay]]`: records that are played into journals while the gateway runs."""

import asyncio
from pathlib import Path

from listenkey.app.replay_settings import replayed_streams
from listenkey.config import Settings
from listenkey.service.gateway import Gateway
from listenkey.sources.replay import Player, Replay


class Replays:
    """All of them while the process runs."""

    def __init__(self, settings: Settings, gateway: Gateway) -> None:
        """Errors: `ConfigError`."""
        self._gateway = gateway
        streams = replayed_streams(settings, gateway.dialects)
        self._wanted = [
            Replay(name, Path(given.file), given.account, streams[name], given.speed, given.loop)
            for name, given in settings.replay.items()
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the accounts that are missing, and begin to play."""
        gateway = self._gateway
        await gateway.accounts.add_missing(*(each.account for each in self._wanted))
        players = [Player(each, gateway.publisher.publish_all) for each in self._wanted]
        self._tasks = [asyncio.create_task(player.run()) for player in players]

    async def stop(self) -> None:
        """End them; what was journaled stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
