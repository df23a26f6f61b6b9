"""A world of deliveries by seed: bots and a publisher at a gateway that dies at any step, on their own time.

Everything is real but the network, the programs at its other end, and the thread of the store's writer.
"""

import asyncio
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace
from structlog.testing import LogCapture

from listenkey.base.clock import MILLISECOND, SECOND
from listenkey.core.consumer import Reach
from listenkey.core.session import Policy
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects
from listenkey.service.accounts import NewApiKey
from listenkey.service.consumers import Delivery, DeliveryRules
from listenkey.service.gateway import GatewayOptions
from listenkey.wire.routes import RouteTable, build_routes
from tests.world.bots import FILTERED, MANNERS, PRODUCTS, WHOLE, Bot, Habits, Product
from tests.world.gateway import Gone, Process
from tests.world.history import problems
from tests.world.recorder import ACCOUNTS, Recorder
from tests.world.timeloop import TimeLoop, run

SPAN = 30 * SECOND
LIFETIME_SECONDS = 15
OLDEST_SECONDS = 7


@cache
def hurried() -> tuple[dict[str, Dialect], RouteTable]:
    """The built-in dialects, with keys and heartbeats of a shorter life."""
    dialects = {
        name: replace(
            dialect,
            key_space=replace(dialect.key_space, lifetime_s=LIFETIME_SECONDS),
            frames=replace(dialect.frames, longest_s=OLDEST_SECONDS),
            heartbeats={
                kind: replace(heartbeat, period_ms=3000, grace_ms=7000)
                for kind, heartbeat in dialect.heartbeats.items()
            },
        )
        for name, dialect in load_dialects().items()
    }
    return dialects, build_routes(dialects, {})


class World:
    """One world, from its first account to the judgement."""

    def __init__(
        self, seed: int, folder: Path, loop: TimeLoop, logs: LogCapture, *, ages: bool = False
    ) -> None:
        """`ages`: sockets end when they are as old as the venue lets them grow."""
        self.random = random = Random(seed)
        self.ages = ages
        self.loop = loop
        self.folder = folder
        self.logs = logs
        self.relaxed = random.random() < 0.2
        self.by_address = random.random() < 0.15
        self.shares = random.random() < 0.2
        self.reach = Reach(
            overlap=random.choice([SECOND, 2 * SECOND, 4 * SECOND]),
            overlap_events=random.choice([0, 3, 10]),
            longest=random.choice([8 * SECOND, 15 * SECOND]),
            most_events=random.choice([30, 100, 1000]),
        )
        self.longest = self.reach.longest
        self.filters = random.choice([0, 1, 16])
        self.queue_bytes = random.choice([5_000, 20_000, 200_000])
        self.history = Recorder(self, self.reach)
        self.process: Process
        self.bots: list[Bot] = []
        self.calm = asyncio.Event()
        self._sockets = count(1)
        self._events = count(1)

    def next_socket(self) -> int:
        return next(self._sockets)

    async def run(self) -> list[str]:
        """Live; what went wrong."""
        await self._start()
        await self._settle_people()
        living = [self.loop.create_task(bot.live()) for bot in self.bots]
        others = [self.loop.create_task(self._publish()), self.loop.create_task(self._disturb())]
        await self.loop.pause(SPAN)
        self.calm.set()
        await asyncio.gather(*living, *others)
        await asyncio.gather(*(bot.settle() for bot in self.bots))
        await self._hand_in([(bot, kind) for bot in self.bots for kind in bot.product.kinds])
        await self.loop.pause(3 * SECOND)
        self.history.take_over(self.process)
        await self.process.stop()
        return problems(self.history)

    # The gateway ---------------------------------------------------------------------------------------

    async def _start(self) -> None:
        random = self.random
        dialects, routes = hurried()
        self.process = Process(
            self.loop,
            self.folder,
            dialects,
            routes,
            options=GatewayOptions(
                limits="off",
                delivery=DeliveryRules(Delivery(reach=self.reach, by_address=self.by_address)),
                close=dict.fromkeys(dialects, "venue" if self.shares else "holder"),
            ),
            durability="relaxed" if self.relaxed else "full",
            queue_bytes=self.queue_bytes,
            policy=Policy(limits="venue" if self.ages else "account"),
            commit_after=lambda: random.choice([0, 0, 1, MILLISECOND, 40 * MILLISECOND]),
            tell_after=lambda: random.choice([0, 0, 1, 2 * MILLISECOND]),
        )
        self.process.gateway.consumers.most_filters = self.filters
        self.history.watch(self.process)
        await self.process.start()

    async def _disturb(self) -> None:
        """The gateway dies, or is restarted, now and then."""
        random = self.random
        for _ in range(random.choice([0, 1, 2, 3, 4])):
            if await self.loop.until(self.calm, random.randint(SECOND, SPAN // 2)):
                return
            if random.random() < 0.25:
                await self.process.stop()
            elif random.random() < 0.2:
                keep = random.choice([40, 100])
                await self.process.store.trim_journals(0, keep, self.loop.wall())
                continue
            else:
                dead = asyncio.Event()
                self.process.when_dead = dead.set
                self.process.dies_in = random.randint(1, 60)
                if not await self.loop.until(dead, 5 * SECOND):
                    self.process.die()
                    await dead.wait()
            await self.loop.pause(random.choice([0, SECOND // 10, SECOND, 3 * SECOND]))
            await self._start()

    async def _settle_people(self) -> None:
        random = self.random
        accounts = self.process.gateway.accounts
        for account in ACCOUNTS:
            await accounts.add(account)
        for number in range(random.randint(2, 4)):
            account = random.choice(ACCOUNTS)
            product = random.choice(PRODUCTS)
            if self.shares and any(
                (bot.account, bot.product.path) == (account, product.path) for bot in self.bots
            ):
                continue
            api_key = await accounts.add_api_key(account, NewApiKey())
            self._add_bot(f"bot {number}", account, api_key, product)
            if product.stream.startswith("bingx") and random.random() < 0.4:
                self.bots[-1].keeper = await accounts.add_api_key(account, NewApiKey())
            if product is WHOLE and not self.shares and random.random() < 0.5:
                self._add_bot(f"twin of bot {number}", account, api_key, FILTERED, is_twin=True)

    def _add_bot(self, name: str, account: str, api_key: Any, product: Product, **more: bool) -> None:
        habits = self._habits(product.stream)
        self.bots.append(Bot(self, name, account, api_key, product, habits, **more))

    def _habits(self, stream: str) -> Habits:
        random = self.random
        manner = random.choices(MANNERS, [5, 3, 1, 1, 1, 1, 1])[0]
        habits = Habits(
            manner=manner,
            pace=random.choice([0, 0, MILLISECOND, 30 * MILLISECOND, 300 * MILLISECOND]),
            most_unread=random.choice([5, 50, 1000]),
            drops_unread=random.random() < 0.3,
            new_keys=random.random() < 0.4,
            latency=random.choice([MILLISECOND, 10 * MILLISECOND, 120 * MILLISECOND]),
            window=random.choice([500, 4_000, 60_000]),
            is_bound_to_die=random.choice([0.0, 0.1, 0.5]),
        )
        if manner == "stray" and stream.startswith("bingx"):
            # Without payloads, nothing tells a reader that pongs at random from one that does not read.
            habits.pace, habits.most_unread, habits.window, habits.is_steady = 0, 1000, 60_000, True
        return habits

    # Events --------------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        random = self.random
        while not await self.loop.until(
            self.calm, random.choice([MILLISECOND, SECOND // 20, SECOND, SECOND])
        ):
            bot = random.choice(self.bots)
            many = random.choice([1, 1, 2, 5, 25])
            await self._hand_in([(bot, random.choice(bot.product.kinds)) for _ in range(many)])

    async def _hand_in(self, events: list[tuple[Bot, str]]) -> None:
        lines, numbers = [], []
        for bot, kind in events:
            number = next(self._events)
            event = {"e": kind, "n": number, "o": bot.account, "s": bot.product.stream}
            event["p"] = "x" * self.random.choice([0, 50, 400])
            line = {"account": bot.account, "stream": bot.product.stream, "event": event}
            lines.append(msgspec.json.encode(line))
            numbers.append(number)
            self.history.handed_in[number] = self.loop.wall()
        try:
            answers = await self.process.publish(b"\n".join(lines))
        except Gone:
            return
        for number, answer in zip(numbers, map(msgspec.json.decode, answers), strict=True):
            assert "offset" in answer, answer
            self.history.acknowledged.add(number)


def play(seed: int, folder: Path, logs: LogCapture, *, ages: bool = False) -> None:
    """Run the world of a seed. Fails with everything that went wrong in it."""

    async def main(loop: TimeLoop) -> None:
        found = await World(seed, folder, loop, logs, ages=ages).run()
        assert not found, "\n".join(found)

    run(main)
