"""A record played into a journal: the events that were written down, in their order and at their pace, and
the gaps where they were."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import structlog

from listenkey.client.record import Played, play
from listenkey.core.position import Missing

_AT_ONCE: Final = 512
_RETRY_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)

PublishAll = Callable[[str, str, Sequence[tuple[bytes | Missing, str | None]]], Awaitable[Sequence[object]]]


class Replay(msgspec.Struct, frozen=True):
    """What is played, and whose it becomes."""

    name: str
    file: Path
    account: str
    stream: str
    speed: float
    loop: bool


class Player:
    """Plays one record, once or again and again."""

    def __init__(self, replay: Replay, publish_all: PublishAll) -> None:
        self._replay = replay
        self._publish_all = publish_all
        self._played = 0
        self._gaps = 0
        self._refused = 0

    async def run(self) -> None:
        """Play to the end. What goes wrong is logged, and ends this replay alone."""
        replay = self._replay
        try:
            await self._play_once()
            while replay.loop:
                await asyncio.sleep(0 if self._played else _RETRY_SECONDS)
                await self._play_once()
        except OSError as error:
            _log.error("replay_failed", replay=replay.name, error=error.strerror)
            return
        _log.info(
            "replay_done", replay=replay.name, events=self._played, gaps=self._gaps, refused=self._refused
        )

    async def _play_once(self) -> None:
        loop = asyncio.get_running_loop()
        with self._replay.file.open("rb") as lines:
            started, first_at, fresh = loop.time(), 0, False
            numbered = enumerate(play(lines))
            while rows := list(islice(numbered, 1 if self._replay.speed else _AT_ONCE)):
                _, played = rows[0]
                if self._replay.speed and fresh:
                    due = started + (played.at_ms - first_at) / 1000 / self._replay.speed
                    await asyncio.sleep(max(0.0, due - loop.time()))
                is_new = await self._publish(rows)
                if is_new and not fresh:  # what was journaled before the start is passed over without a pause
                    started, first_at, fresh = loop.time(), played.at_ms, True

    async def _publish(self, rows: Sequence[tuple[int, Played]]) -> bool:
        """Journal rows in one commit, again and again while the store has no room; whether any was new."""
        replay = self._replay
        while True:
            found = [(played.what, self._id(number, played.what)) for number, played in rows]
            outcomes = await self._publish_all(replay.account, replay.stream, found)
            codes = [getattr(outcome, "code", "") for outcome in outcomes]
            if "store_full" not in codes:
                break
            await asyncio.sleep(_RETRY_SECONDS)
        new = False
        for (_, played), outcome, code in zip(rows, outcomes, codes, strict=True):
            if code:
                self._refused += 1
                _log.warning("replay_refused", replay=replay.name, code=code)
            elif not getattr(outcome, "repeated", False):
                new = True
                self._played += not isinstance(played.what, Missing)
                self._gaps += isinstance(played.what, Missing)
        return new

    def _id(self, number: int, what: bytes | Missing) -> str | None:
        """By which a row is journaled once; rows of a loop are new each time."""
        if self._replay.loop:
            return None
        content = what if isinstance(what, bytes) else msgspec.json.encode(what)
        digest = hashlib.blake2b(content, digest_size=12).hexdigest()
        return f"replay/{self._replay.name[:40]}/{number}/{digest}"
