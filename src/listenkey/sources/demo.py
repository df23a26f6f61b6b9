"""The demonstration's own events: one a second on each stream, so that a newcomer sees something arrive.

The events are data (`demo_events.toml`); none of them means an order that exists.
"""

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from string import Template
from typing import Final

from listenkey.base.clock import Micros, to_millis

Publish = Callable[[str, str, bytes], Awaitable[object]]
PERIOD_SECONDS: Final = 1.0


def load_templates() -> dict[str, Template]:
    """Event templates by stream name; `*` is for streams without one of their own."""
    text = files("listenkey.sources").joinpath("demo_events.toml").read_text(encoding="utf-8")
    return {name: Template(entry["event"].strip()) for name, entry in tomllib.loads(text).items()}


class DemoEvents:
    """Makes the events: numbered, stamped, with prices that move a little."""

    def __init__(self, templates: dict[str, Template]) -> None:
        self._templates = templates

    def event(self, stream: str, count: int, now: Micros) -> bytes:
        """The `count`-th event of a stream."""
        template = self._templates.get(stream.partition(":")[0], self._templates["*"])
        price = f"{64_000 + (count * 37) % 500}.{(count * 7) % 100:02d}"
        return template.substitute(now_ms=to_millis(now), count=count, price=price).encode()


async def run(publish: Publish, now: Callable[[], Micros], account: str, streams: Sequence[str]) -> None:
    """Publish until cancelled."""
    events = DemoEvents(load_templates())
    count = 0
    while True:
        count += 1
        moment = now()
        for stream in streams:
            await publish(account, stream, events.event(stream, count, moment))
        await asyncio.sleep(PERIOD_SECONDS)
