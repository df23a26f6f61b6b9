"""A world of deliveries by seed: bots and a publisher at a gateway that dies at any step, on time of their
own.

Everything is real but the network, the programs at its other end, and the thread of the store's writer.
"""

import asyncio
import json
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace
from structlog.testing import LogCapture

from listenkey.base.clock import MILLISECOND, SECOND, Micros
from listenkey.core.consumer import ConsumerId, Cursor, Reach
from listenkey.core.position import Position
from listenkey.core.records import StreamId
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects
from listenkey.service.accounts import NewApiKey
from listenkey.service.consumers import Delivery, DeliveryRules
from listenkey.service.gateway import GatewayOptions
from listenkey.service.vault import digest_of
from listenkey.wire.routes import RouteTable, build_routes
from tests.world.bots import MANNERS, PRODUCTS, Bot, Habits, Socket
from tests.world.gateway import Gone, Process
from tests.world.history import Bounds, Drop, Event, Heard, History, Reading, Receipt, Start, Stream, problems
from tests.world.timeloop import TimeLoop

ACCOUNTS = ("alice", "bob")
SPAN = 40 * SECOND
LIFETIME_SECONDS = 15


@cache
def hurried() -> tuple[dict[str, Dialect], RouteTable]:
    """The built-in dialects, with keys and heartbeats of a shorter life."""
    dialects = {
        name: replace(
            dialect,
            key_space=replace(dialect.key_space, lifetime_s=LIFETIME_SECONDS),
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

    def __init__(self, seed: int, folder: Path, loop: TimeLoop, logs: LogCapture) -> None:
        self.random = random = Random(seed)
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
        self.queue_bytes = random.choice([5_000, 20_000, 200_000])
        self.history = Recorder(self, Bounds(self.reach.overlap, self.reach.longest, self.reach.most_events))
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
            commit_after=lambda: random.choice([0, 0, 1, MILLISECOND, 40 * MILLISECOND]),
            tell_after=lambda: random.choice([0, 0, 1, 2 * MILLISECOND]),
        )
        self.history.watch(self.process)
        await self.process.start()

    async def _disturb(self) -> None:
        """The gateway dies, or is restarted, now and then."""
        random = self.random
        for _ in range(random.choice([0, 1, 1, 2, 3])):
            if await self.loop.until(self.calm, random.randint(SECOND, SPAN // 2)):
                return
            if random.random() < 0.25:
                await self.process.stop()
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
            self.bots.append(
                Bot(self, f"bot {number}", account, api_key, product, self._habits(product.stream))
            )

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
            is_bound_to_die=random.choice([0.1, 0.5]),
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
            lines.append(json.dumps({"account": bot.account, "stream": bot.product.stream, "event": event}))
            numbers.append(number)
            self.history.handed_in[number] = self.loop.wall()
        try:
            answers = await self.process.publish("\n".join(lines).encode())
        except Gone:
            return
        for number, answer in zip(numbers, map(json.loads, answers), strict=True):
            assert "offset" in answer, answer
            self.history.acknowledged.add(number)


class Recorder(History):
    """The history, as everybody tells it."""

    def __init__(self, world: World, bounds: Bounds) -> None:
        super().__init__(bounds)
        self.world = world
        self._readings: dict[tuple[str, str], Reading] = {}
        self._epochs: dict[Stream, list[str]] = {}
        self._times: dict[tuple[int, str, str], list[Micros]] = {}
        """By account's id, stream and epoch: the time of each event."""
        self._kept: dict[ConsumerId, tuple[int, int]] = {}
        self._heard: dict[tuple[int, str], Heard] = {}
        self._before: dict[Any, tuple[Heard, int, tuple[int, int]]] = {}
        self._told_logs = 0

    # Bots tell -----------------------------------------------------------------------------------------

    def reading(self, bot: Bot, topic: str) -> Reading:
        """What a bot reads."""
        found = self._readings.get((bot.name, topic))
        if found is None:
            stream = bot.account, bot.product.stream
            found = Reading(f"{bot.name} {topic}".strip(), stream, bot.product.wants(topic))
            self._readings[bot.name, topic] = found
            self.readings.append(found)
        return found

    def opened(self, socket: Socket) -> None:
        for topic in socket.bot.product.topics:
            heard = Heard(socket.number, socket.bound, socket.taken.setdefault(topic, []))
            self._heard[socket.number, topic] = heard
            self.reading(socket.bot, topic).sockets.append(heard)

    def heard(self, bot: Bot, event: dict[str, Any]) -> None:
        if (event["o"], event["s"]) != (bot.account, bot.product.stream):
            self.foreign.append(f"{bot.name} was sent {event}")

    def handled(self, bot: Bot, topic: str, number: int) -> None:
        self.reading(bot, topic).handled.add(number)

    def dropped(self, bot: Bot, topic: str, number: int, taken: Micros) -> None:
        self.reading(bot, topic).drops.append(Drop(number, taken, self.world.loop.wall()))

    # The gateway tells ---------------------------------------------------------------------------------

    def watch(self, process: Process) -> None:  # noqa: PLR0915 - one wrapper for each verb that is watched
        """A process has opened its store: from now on, what it decides is written down."""
        self.take_over(process)
        gateway = process.gateway
        consumers, streams, store = gateway.consumers, gateway.streams, process.store
        open_, subscribe, confirm, put, appended = (
            consumers.open, streams.subscribe, streams.confirm, store.put_cursors, streams.appended
        )  # fmt: skip
        last: list[Start] = []

        def appending(stream: StreamId, epoch: str, events: Any) -> None:
            known = self._times.get((stream.account_id, stream.stream, epoch))
            if known is not None:
                known.extend(event.time for event in events)
            appended(stream, epoch, events)

        def opening(key: Any, stream: StreamId, topic: str, address: str) -> Any:
            if not process.alive:
                return open_(key, stream, topic, address)
            consumer_id = ConsumerId(
                stream.account_id,
                stream.stream,
                f"{key.user}@{address}" if self.world.by_address else key.user,
                topic,
            )
            known = consumers._open.get(consumer_id)
            cursor = store.find_cursor(consumer_id) if known is None else known.cursor
            opened = open_(key, stream, topic, address)
            last.append(self._started(process, stream, consumer_id, cursor, opened[0][0]))
            return opened

        def subscribing(outlet: Any, *args: Any, **kwargs: Any) -> Any:
            subscription = subscribe(outlet, *args, **kwargs)
            if process.alive:
                start = last.pop()
                socket = outlet._transport.wire.client
                self.reading(socket.bot, subscription.topic).starts.append(start)
                taken = socket.taken.setdefault(subscription.topic, [])
                since = self._number(subscription.stream, subscription.epoch), subscription.next - 1
                self._before[subscription] = socket, len(taken), since
            return subscription

        def confirming(subscription: Any, place: Position, *times: Micros) -> None:
            confirm(subscription, place, *times)
            if process.alive:
                socket, before, since = self._before[subscription]
                upto = self._number(subscription.stream, place.epoch), place.offset
                taken = len(socket.taken[subscription.topic]) - before
                reading = self.reading(socket.bot, subscription.topic)
                reading.receipts.append(Receipt(socket.number, upto, since, taken))

        def putting(cursors: Any, now: Micros) -> Any:
            future = put(cursors, now)
            future.add_done_callback(lambda done: done.cancelled() or self._keep(cursors))
            return future

        consumers.open = opening
        streams.appended, streams.subscribe, streams.confirm = appending, subscribing, confirming
        store.put_cursors = putting

    def _keep(self, cursors: list[tuple[ConsumerId, Cursor]]) -> None:
        for consumer_id, cursor in cursors:
            stream = StreamId(consumer_id.account_id, consumer_id.stream)
            self._kept[consumer_id] = self._number(stream, cursor.epoch), cursor.confirmed

    def _started(
        self, process: Process, stream: StreamId, consumer_id: ConsumerId, cursor: Cursor | None, opening: Any
    ) -> Start:
        view = process.store.read_journal(stream)
        assert view is not None
        if cursor is None:
            cursor = Cursor(view.epoch, view.head, view.head, view.head)
        number = self._number(stream, cursor.epoch)
        epochs = [
            (epoch, self._times_of(process, stream, name))
            for epoch, name in enumerate(self._epochs[self._name(stream)])
            if epoch >= number
        ]
        return Start(
            time=self.world.loop.wall(),
            place=(self._number(stream, opening.epoch), opening.after),
            head=(self._number(stream, view.epoch), view.head),
            wanted=naive_start(cursor, epochs, self.world.reach, process.gateway.clock.now()),
            cursor=(number, cursor.confirmed),
            kept=self._kept.get(consumer_id, (0, 0)),
        )

    def _number(self, stream: StreamId, epoch: str) -> int:
        """Which epoch of a journal it is, in the order in which they were seen."""
        names = self._epochs.setdefault(self._name(stream), [])
        if epoch not in names:
            names.append(epoch)
        return names.index(epoch)

    def _name(self, stream: StreamId) -> Stream:
        return ACCOUNTS[stream.account_id - 1], stream.stream

    def _times_of(self, process: Process, stream: StreamId, epoch: str) -> list[Micros]:
        """The times of an epoch's events, as far as the process knows them."""
        key = stream.account_id, stream.stream, epoch
        times = self._times.get(key)
        if times is None:
            events = process.store.read_events(stream, epoch, 0, 1 << 30)
            times = self._times[key] = [event.time for event in events]
        return times

    # The end -------------------------------------------------------------------------------------------

    def take_over(self, process: Process) -> None:
        """Write down what the journals and the log hold that is new."""
        self._times.clear()
        for bot in self.world.bots:
            stream = StreamId(ACCOUNTS.index(bot.account) + 1, bot.product.stream)
            self._take_journal(process, stream)
            for key in bot.keys:
                found = process.store.find_key(digest_of(key))
                if found is not None and found.state != "active":
                    self.ended_keys[key] = found.ended_at
            for topic in bot.product.topics:
                self.reading(bot, topic).begun = bot.begun_at
        self._take_logs()

    def _take_journal(self, process: Process, stream: StreamId) -> None:
        view = process.store.read_journal(stream)
        assert view is not None
        self._number(stream, view.epoch)
        events = self.journals.setdefault(self._name(stream), [])
        for number, epoch in enumerate(self._epochs[self._name(stream)]):
            had = max((event.place[1] for event in events if event.place[0] == number), default=0)
            for event in process.store.read_events(stream, epoch, had, 1 << 30):
                payload = json.loads(event.payload)
                events.append(Event(payload["n"], (number, event.offset), event.time, payload["e"]))

    def _take_logs(self) -> None:
        entries = self.world.logs.entries
        for entry in entries[self._told_logs :]:
            if entry["event"] == "events_passed_over":
                self._take_log(entry)
        self._told_logs = len(entries)

    def _take_log(self, entry: Any) -> None:
        (bot,) = [bot for bot in self.world.bots if bot.api_key.id == entry["api_key"]]
        number = self._epochs[bot.account, entry["stream"]].index(entry["epoch"])
        first, last = (number, entry["first"]), (number, entry["last"])
        self.reading(bot, entry["topic"]).passed.append((first, last))


def naive_start(
    cursor: Cursor, epochs: list[tuple[int, list[Micros]]], reach: Reach, now: Micros
) -> tuple[int, int]:
    """Back from the head, event by event, while it is wanted and within the bounds. `epochs`: the times of
    all events, from the cursor's epoch on."""
    (number, own), *_ = epochs
    since = own[cursor.confirmed - 1] - reach.overlap if cursor.confirmed else 0
    place, sent = (epochs[-1][0], len(epochs[-1][1])), 0
    for epoch, times in reversed(epochs):
        for offset in range(len(times), 0, -1):
            time = times[offset - 1]
            if epoch == number:
                again = offset > cursor.settled or offset > cursor.confirmed - reach.overlap_events
                if offset <= cursor.begin or not (again or time >= since):
                    return place
            if sent == reach.most_events or time < now - reach.longest:
                return place
            place, sent = (epoch, offset - 1), sent + 1
    return place


def play(seed: int, folder: Path, logs: LogCapture) -> None:
    """Run the world of a seed. Fails with everything that went wrong in it."""
    from tests.world.timeloop import run

    async def main(loop: TimeLoop) -> None:
        found = await World(seed, folder, loop, logs).run()
        assert not found, "\n".join(found)

    run(main)
