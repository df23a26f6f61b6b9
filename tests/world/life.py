"""A life of a gateway by seed: bots, readers, crashes and a clock that is set, held against the model."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from listenkey.base.clock import DAY, MINUTE, SECOND
from listenkey.core.position import Position
from listenkey.service.accounts import ShownOnce
from listenkey.service.consumers import Delivery, DeliveryRules
from tests.service.house import BINGX, DIALECTS, ISOLATED, SPOT, USDM, Answer, House
from tests.world.inspector import Inspector, Reader, Socket, differences
from tests.world.model import LIFETIME, Model, Stream

STEPS = 40


@dataclass
class Product:
    """Where a bot's calls go."""

    path: str
    space: str
    streams: tuple[str, ...]
    scope: str = ""
    names_key: bool = True

    @property
    def query(self) -> str:
        return f"symbol={self.scope}" if self.scope else ""


PRODUCTS = (
    Product(SPOT, "binance-spot", ("binance-spot",)),
    Product(USDM, "binance-usdm", ("binance-usdm", "binance-pm-pro"), names_key=False),
    Product(BINGX, "bingx", ("bingx-spot", "bingx-swap", "bingx-coinm")),
    Product(ISOLATED, "binance-margin-isolated", ("binance-margin-isolated:BTCUSDT",), "BTCUSDT"),
)


@dataclass
class Bot:
    """Who calls: an API key of an account, for one product."""

    account: str
    api_key: ShownOnce
    product: Product


@dataclass
class Call:
    """One thing that is done: what the model says comes of it, how it is done, and what really came of it."""

    predict: Callable[[Model, int], Any]
    run: Callable[[], Coroutine[Any, Any, Any]]
    verify: Callable[[Any, Any], None]


class Life(Inspector):
    """One world."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = Random(seed)
        self.relaxed = self.random.random() < 0.25
        shared = self.random.random() < 0.5
        self.house = House(
            folder / "house",
            durability="relaxed" if self.relaxed else "full",
            delivery=DeliveryRules(Delivery(resume="live")),
            close=dict.fromkeys(DIALECTS, "venue" if shared else "holder"),
        )
        self.model = Model(shared=shared)
        self.bots: list[Bot] = []
        self.strings = {}
        self.sockets = []
        self.readers = []
        self.streams = []
        self.epochs = {}
        self.events = 0
        self.latest = 0

    async def run(self) -> None:
        """From the first account to the last check."""
        await self.house.open()
        try:
            await self.settle()
            await self.check()
            for _ in range(STEPS):
                await self.step()
                await self.check()
        finally:
            await self.house.close()

    async def settle(self) -> None:
        for account in ("alice", "bob"):
            await self.house.gateway.accounts.add(account)
            for product in self.random.sample(PRODUCTS, self.random.randint(1, 3)):
                self.bots.append(Bot(account, await self.house.api_key(account), product))
        bot = self.random.choice(self.bots)
        self.bots.append(Bot(bot.account, await self.house.api_key(bot.account), bot.product))
        self.streams = sorted({(bot.account, name) for bot in self.bots for name in bot.product.streams})

    async def step(self) -> None:
        pick = self.random.random()
        if pick < 0.40:
            await self.together([self.some_call()])
        elif pick < 0.58:
            await self.together([self.some_call() for _ in range(self.random.randint(2, 8))])
        elif pick < 0.72:
            self.let_time_pass()
        elif pick < 0.82:
            self.open_something()
            if self.random.random() < 0.5:  # nobody has caught up yet
                await self.together([self.some_call() for _ in range(self.random.randint(1, 6))])
        elif pick < 0.85:
            await self.set_the_clock()
        elif pick < 0.88:
            await self.trim()
        elif pick < 0.91:
            await self.change_api_key()
        elif pick < 0.94:
            await self.restart()
        else:
            await self.crash([self.some_call() for _ in range(self.random.randint(0, 8))])

    # Calls -----------------------------------------------------------------------------------------

    def some_call(self) -> Call:
        make = self.random.choices(
            [self.create, self.change, self.publish, self.expire_due], weights=[4, 4, 6, 1]
        )[0]
        return make()

    def create(self) -> Call:
        bot = self.random.choice(self.bots)
        product, user = bot.product, bot.api_key.id

        def verify(number: int, answer: Answer) -> None:
            assert answer.status == 200, answer
            string = answer.json["listenKey"]
            if number not in self.strings:
                assert string not in self.strings.values(), "a string is never issued for another key"
            assert self.strings.setdefault(number, string) == string

        return Call(
            lambda model, now: model.create(bot.account, product.space, product.scope, user, now),
            lambda: self.house.call("POST", product.path, bot.api_key, product.query),
            verify,
        )

    def change(self) -> Call:
        bot = self.random.choice(self.bots)
        product, user = bot.product, bot.api_key.id
        method = self.random.choice(["PUT", "PUT", "DELETE"])
        number, query = None, product.query
        if product.names_key:
            known = [
                number for number in self.strings if self.random.random() < 0.7 or self._is_of(number, bot)
            ]
            number = self.random.choice(known) if known else 0
            query += f"&listenKey={self.strings.get(number, 'k' * 64)}"

        def predict(model: Model, now: int) -> int | None:
            if number == 0:
                return None
            what = "extend" if method == "PUT" else "close"
            return model.change(what, number, bot.account, product.space, product.scope, user, now)

        def verify(changed: int | None, answer: Answer) -> None:
            if changed is None:
                assert answer.status == 404 if product.space == "bingx" else answer.code == -1125
            else:
                assert answer.status == 200, answer
                if method == "PUT" and product.path == USDM:
                    assert answer.json == {"listenKey": self.strings.get(changed, answer.json["listenKey"])}

        return Call(
            predict, lambda: self.house.call(method, product.path, bot.api_key, query.lstrip("&")), verify
        )

    def _is_of(self, number: int, bot: Bot) -> bool:
        key = self.model.keys[number]
        return (key.account, key.space) == (bot.account, bot.product.space)

    def publish(self) -> Call:
        bot = self.random.choice(self.bots)
        stream = (bot.account, self.random.choice(bot.product.streams))
        lines = []
        for _ in range(self.random.randint(1, 4)):
            self.events += 1
            event_id = f"id-{self.random.randrange(40)}" if self.random.random() < 0.4 else None
            number = self.events if event_id is None or self.random.random() < 0.3 else 0
            lines.append((b'{"e":"x","n":%d}' % number, event_id))

        def verify(wanted: list[tuple[int, int] | str], answers: list[bytes]) -> None:
            for where, answer in zip(wanted, map(json.loads, answers), strict=True):
                if isinstance(where, str):
                    assert answer["error"]["code"] == where
                else:
                    assert (self.epoch_name(stream, where[0], answer["epoch"]), answer["offset"]) == (
                        answer["epoch"],
                        where[1],
                    )

        return Call(
            lambda model, now: [model.publish(stream, payload, event_id) for payload, event_id in lines],
            lambda: self.house.gateway.publisher.publish_lines(
                b"\n".join(_line(stream, *line) for line in lines)
            ),
            verify,
        )

    def expire_due(self) -> Call:
        return Call(
            lambda model, now: model.expire_due(now) or True,
            self.house.gateway.keys.expire_due,
            lambda _, count: None,
        )

    async def together(self, calls: list[Call]) -> None:
        """Things that are done at the same microsecond, in this order."""
        now = self.now
        wanted = [call.predict(self.model, now) for call in calls]
        answers = await asyncio.gather(*(call.run() for call in calls))
        for call, want, answer in zip(calls, wanted, answers, strict=True):
            call.verify(want, answer)

    # Time ------------------------------------------------------------------------------------------

    def let_time_pass(self) -> None:
        """Some seconds or minutes, or to the very end of a key, or to the microsecond before or after it."""
        span = self.random.choice([0, 1, SECOND, MINUTE, 10 * MINUTE, 40 * MINUTE])
        active = self.model.active()
        if active and self.random.random() < 0.6:
            end = self.model.keys[self.random.choice(active)].expires_at
            span = end - self.now + self.random.choice([-1, -1, 0, 0, 1])
        if 0 <= span <= 2 * LIFETIME:
            self.house.clock.advance(span)

    async def set_the_clock(self) -> None:
        """Someone sets the machine's clock."""
        self.house.clock.jump(
            self.random.choice([-DAY, -5 * MINUTE, -1, 30 * SECOND, 5 * MINUTE, LIFETIME, DAY])
        )
        keeper = self.house.gateway.clock
        keeper.now()
        jump = keeper._keeper.jump
        if jump is not None:
            await self.house.settle_jump()
            self.model.leap(jump.before, jump.after)

    async def trim(self) -> None:
        keep = self.random.choice([1, 3, 10])
        await self.house.store.trim_journals(0, keep, self.now)
        self.model.trim(keep)

    async def change_api_key(self) -> None:
        """A bot's API key is revoked; its owner makes it another one."""
        bot = self.random.choice(self.bots)
        await self.house.gateway.accounts.revoke_api_key(bot.api_key.id)
        self.model.revoke(bot.api_key.id, self.now)
        bot.api_key = await self.house.api_key(bot.account)

    # Sockets ---------------------------------------------------------------------------------------

    def open_something(self) -> None:
        """A socket for some key, alive or not, or a native reader."""
        if self.strings and self.random.random() < 0.7:
            number = self.random.choice(list(self.strings))
            self.open_socket(number)
        else:
            bot = self.random.choice(self.bots)
            self.open_reader((bot.account, self.random.choice(bot.product.streams)))

    def open_socket(self, number: int) -> None:
        live = self.house.resolve(self.strings[number])
        assert (live is not None) == self.model.is_live(number, self.now), "I5: alive up to and not including"
        if live is None:
            return
        assert live.key.id == number
        name = self.random.choice(self.house.gateway.names.of_key(live.key))
        watcher = self.house.watch(self.strings[number], name)
        stream = (live.key.account, name)
        self.sockets.append(Socket(watcher, number, stream, len(self.model.told)))

    def open_reader(self, stream: Stream) -> None:
        resting = [reader for reader in self.readers if reader.stream == stream and reader.watcher is None]
        if resting:
            reader = self.random.choice(resting)
            reader.watcher = self.house.read_from(*stream, reader.hang_up())
            return
        watcher = self.house.read_from(*stream, None)
        self.readers.append(Reader(stream, Position(watcher.subscriptions[0].epoch, 0), watcher))

    # Ends ------------------------------------------------------------------------------------------

    async def restart(self) -> None:
        """A clean end and a new start, some time later."""
        self.latest = self.house.store.read_latest_time()
        # Whoever is stopped in good order ends the keys whose time is over by then.
        self.model.expire_due(self.now)
        await self.house.restart(self.random.choice([0, SECOND, LIFETIME - 1, LIFETIME, -DAY]))
        self.everybody_lost_their_socket()
        self.model.last_id = self.house.store.read_last_key_id()
        self.model.expire_due(self.now)

    async def crash(self, calls: list[Call]) -> None:
        """kill -9 with calls on their way: the answered ones are done, and of the others a first part."""
        now = self.now
        self.latest = self.house.store.read_latest_time()
        before = self.model.copy()
        wanted = [call.predict(self.model, now) for call in calls]
        tasks = [asyncio.ensure_future(call.run()) for call in calls]
        await self.house.breathe(self.random.randint(0, 6))
        answered = [task.done() for task in tasks]
        results = [task.result() if task.done() else None for task in tasks]
        heard = self.model
        await self.house.crash(self.random.choice([0, SECOND, LIFETIME]), on_its_way=tasks)
        for call, want, done, result in zip(calls, wanted, answered, results, strict=True):
            if done:
                call.verify(want, result)
        # A refusal may come from what is committed already; whatever changes something waits for its turn.
        done = [place for place, done in enumerate(answered, 1) if done and wanted[place - 1] is not None]
        self.model = self.find_out(before, calls, max(done, default=0), now)
        for socket in self.sockets:
            self.check_socket(socket, heard, cut=True)
        self.everybody_lost_their_socket()
        self.forget_empty_epochs()

    def find_out(self, before: Model, calls: list[Call], at_least: int, now: int) -> Model:
        """Which of the calls the files know: all of the answered ones, and none without those before it."""
        actual = self.stored(past=True)
        tried = []
        for count in range(len(calls), at_least - 1, -1):
            model = before.copy()
            for call in calls[:count]:
                call.predict(model, now)
            if self.relaxed:
                model.break_history()
            model.last_id = self.house.store.read_last_key_id()
            model.expire_due(self.now)
            tried.append(differences(actual, self.foreseen(model, past=True)))
            if not tried[-1]:
                return model
        raise AssertionError(
            f"I1, I3: the files hold no beginning of what was asked, with all answered: {tried}"
        )

    def everybody_lost_their_socket(self) -> None:
        self.sockets.clear()
        for reader in self.readers:
            reader.hang_up()


def _line(stream: Stream, payload: bytes, event_id: str | None) -> bytes:
    head = {"account": stream[0], "stream": stream[1]} | ({} if event_id is None else {"id": event_id})
    return json.dumps(head)[:-1].encode() + b',"event":' + payload + b"}"
