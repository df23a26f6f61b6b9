"""Bots: programs that know the venue's protocol only, each with a WebSocket library of its own manners.

A library takes what arrives and answers Pings; a program deals with what its library took, at its own pace.
What a program has not dealt with when it dies is gone.
"""

import asyncio
import re
import zlib
from collections import deque
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from listenkey.base.clock import MILLISECOND, SECOND, Micros
from tests.world.gateway import Gone
from tests.world.network import Wire

if TYPE_CHECKING:
    from tests.world.delivery import World

Manner = Literal["receipt", "read", "never", "double", "wrong", "empty", "stray"]
"""How Pings are answered: as soon as they are there, once the program comes to them, or badly."""
MANNERS: tuple[Manner, ...] = ("receipt", "read", "never", "double", "wrong", "empty", "stray")


@dataclass(frozen=True)
class Product:
    """Where a bot gets its key, what it reads, and by which sockets. In a target, KEY stands for the key."""

    path: str
    stream: str
    kinds: tuple[str, ...]
    targets: tuple[str, ...]
    scope: str = ""
    names_key: bool = True
    topics: tuple[str, ...] = ("",)

    @property
    def query(self) -> str:
        return f"symbol={self.scope}" if self.scope else ""

    def parts_of(self, target: str) -> tuple[str, ...]:
        """What is read by a socket: the stream's topics, or what a filter lets through; empty for all."""
        lists = re.findall(r"events=([^&]*)", target)
        return (
            ("/".join(sorted({kind for each in lists for kind in each.split("/")})),)
            if lists
            else self.topics
        )

    @property
    def parts(self) -> dict[str, str]:
        """All that is ever read, each with a target that brings it."""
        return {part: target for target in self.targets for part in self.parts_of(target)}

    def wants(self, part: str) -> frozenset[str]:
        """The kinds of events that come."""
        return (
            frozenset(kind.rpartition(".")[2] for kind in part.split("/")) if part else frozenset(self.kinds)
        )


SUBSCRIBED = "/ws"
PRODUCTS = (
    Product(
        "/api/v3/userDataStream",
        "binance-spot",
        ("executionReport", "outboundAccountPosition"),
        ("/ws/KEY", "/stream?streams=KEY", SUBSCRIBED),
    ),
    Product(
        "/fapi/v1/listenKey",
        "binance-usdm",
        ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"),
        ("/private/ws?listenKey=KEY", "/private/stream?listenKey=KEY", SUBSCRIBED),
        names_key=False,
    ),
    Product(
        "/fapi/v1/listenKey",
        "binance-usdm",
        ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"),
        ("/private/ws?listenKey=KEY&events=ORDER_TRADE_UPDATE",),
        names_key=False,
    ),
    Product(
        "/fapi/v1/listenKey",
        "binance-usdm",
        ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"),
        (
            "/private/ws?listenKey=KEY",
            "/private/ws?listenKey=KEY&events=ORDER_TRADE_UPDATE",
            "/private/stream?events=ACCOUNT_UPDATE&listenKey=KEY",
            "/private/ws?listenKey=KEY&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE",
            "/private/ws?listenKey=KEY&events=ACCOUNT_UPDATE&listenKey=KEY&events=ORDER_TRADE_UPDATE",
            SUBSCRIBED,
        ),
        names_key=False,
    ),
    Product(
        "/fapi/v1/listenKey",
        "binance-usdm",
        ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"),
        (
            "/private/ws?listenKey=KEY&events=ORDER_TRADE_UPDATE",
            "/private/ws?listenKey=KEY&events=ACCOUNT_UPDATE",
        ),
        names_key=False,
    ),
    Product(
        "/sapi/v1/userDataStream/isolated",
        "binance-margin-isolated:BTCUSDT",
        ("executionReport", "outboundAccountPosition"),
        ("/ws/KEY", SUBSCRIBED),
        scope="BTCUSDT",
    ),
    Product(
        "/openApi/user/auth/userDataStream",
        "bingx-swap",
        ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"),
        ("/swap-market?listenKey=KEY",),
    ),
    Product(
        "/openApi/user/auth/userDataStream",
        "bingx-spot",
        ("executionReport", "ACCOUNT_UPDATE"),
        ("/market?listenKey=KEY",),
        topics=("spot.executionReport", "ACCOUNT_UPDATE"),
    ),
)
WHOLE, FILTERED = PRODUCTS[1:3]


@dataclass
class Habits:
    """What is the same all through a bot's life."""

    manner: Manner = "receipt"
    pace: Micros = 0
    """How long the program takes over an event."""
    most_unread: int = 1000
    """The library reads no more while so much waits for the program."""
    drops_unread: bool = False
    """When a socket is gone, the library forgets what the program has not read of it."""
    new_keys: bool = False
    """Each connection begins with a create; otherwise a key is used while it lives."""
    latency: Micros = 5 * MILLISECOND
    window: int = 4096
    is_bound_to_die: float = 0.25
    is_steady: bool = False
    """It never stops to read."""


@dataclass
class Item:
    """Something that a library took and the program has not come to yet."""

    socket: "Socket"
    taken: Micros
    number: int = 0
    topic: str = ""
    reply: bytes = b""


class Socket:
    """One connection, with what the library does about it."""

    def __init__(self, bot: "Bot", wire: Wire, number: int, parts: tuple[str, ...]) -> None:
        self.bot, self.wire, self.number, self.parts = bot, wire, number, parts
        self.open = True
        self.bound: list[str] = []
        """The keys that it was opened for."""
        self.taken: dict[str, list[tuple[Micros, int]]] = {}
        """By topic, the numbers of all events in the order in which they came."""
        self.replies: list[Any] = []
        self._bytes = bytearray()
        self._in_head = True

    @property
    def has_begun(self) -> bool:
        """Whether the handshake was answered."""
        return not self._in_head

    # The library -------------------------------------------------------------------------------------

    def readable(self) -> None:
        """Something has arrived; it is left there while the program is too far behind."""
        if self.open and self.bot.reads:
            self._bytes += self.wire.read()
            self._parse()

    def _parse(self) -> None:
        if self._in_head:
            _, end, rest = self._bytes.partition(b"\r\n\r\n")
            if not end:
                return
            self._in_head, self._bytes = False, rest
        data, place = self._bytes, 0
        while len(data) - place >= 2:
            size, start = data[place + 1], place + 2
            if size == 126:
                size, start = int.from_bytes(data[place + 2 : place + 4], "big"), place + 4
            if len(data) < start + size:
                break
            self._frame(data[place] & 15, bytes(data[start : start + size]))
            place = start + size
        del data[:place]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self._pinged(payload)
        elif opcode == 8:
            self.send(8, payload)
        elif opcode in {1, 2}:
            self._message(payload if opcode == 1 else zlib.decompress(payload, 31))

    def _pinged(self, payload: bytes) -> None:
        match self.bot.manner:
            case "receipt" | "stray":
                self.send(10, payload)
            case "double":
                self.send(10, payload)
                self.send(10, payload)
            case "wrong":
                self.send(10, payload + b"!")
            case "empty":
                self.send(10, b"")
            case "read":
                self.bot.inbox.append(Item(self, self.bot.now, reply=_frame(10, payload)))

    def _message(self, text: bytes) -> None:
        if text == b"Ping":
            self._beaten(b"Pong")
            return
        message = msgspec.json.decode(text)
        inner = message.get("data", message)
        if isinstance(inner, dict) and "n" in inner:
            self._event(inner)
        elif "ping" in message:
            self._beaten(msgspec.json.encode({"pong": message["ping"]}))
        elif message.get("e") == "listenKeyExpired":
            self.bot.key_ended()
        else:
            self.replies.append(message)

    def _event(self, event: dict[str, Any]) -> None:
        bot = self.bot
        bot.world.history.heard(bot, event)
        wanted = (part for part in self.parts if event["e"] in bot.product.wants(part))
        topic = next(wanted, self.parts[0])
        self.taken.setdefault(topic, []).append((bot.now, event["n"]))
        bot.inbox.append(Item(self, bot.now, event["n"], topic))
        bot.turn_to_inbox()
        if bot.manner == "stray" and bot.random.random() < 0.1:
            self.send(10, bot.random.choice([b"", b"1", b"%d" % (bot.now - 1)]))

    def _beaten(self, answer: bytes) -> None:
        if self.bot.manner == "read":
            self.bot.inbox.append(Item(self, self.bot.now, reply=_frame(1, answer)))
        elif self.bot.manner != "never":
            self.send(1, answer)

    def send(self, opcode: int, payload: bytes) -> None:
        """A frame to the gateway."""
        self.wire.send(_frame(opcode, payload))

    def lost(self, orderly: bool) -> None:
        """The connection is gone. Of an orderly end, what came before it is still taken."""
        if self.open:
            if orderly:
                self.readable()
            self.open = False
            self.bot.socket_lost(self)

    def close(self, *, politely: bool) -> None:
        """The bot has no more use for it."""
        if self.open:
            self.open = False
            if politely:
                self.wire.send(_frame(8, b"\x03\xe8"))
            self.wire.hang_up()
            self.bot.socket_lost(self)


def _frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros."""
    assert len(payload) < 126
    return bytes((0x80 | opcode, 0x80 | len(payload))) + b"\0\0\0\0" + payload


class Bot:
    """A program that wants every fill of one stream, over all its connections and lives."""

    def __init__(
        self,
        world: "World",
        name: str,
        account: str,
        api_key: Any,
        product: Product,
        habits: Habits,
        *,
        is_twin: bool = False,
    ) -> None:
        self.world, self.name, self.account, self.api_key = world, name, account, api_key
        self.product, self.habits = product, habits
        self.keeper: Any = api_key
        """A second API key, by which the listen key is extended now and then, where the venue allows that."""
        self.is_twin = is_twin
        """Another bot has the same API key, and another filter."""
        self.random = Random(world.random.random())
        self.manner = habits.manner
        self.address = f"192.0.2.{len(world.bots) + 1}"
        self.begun_at: Micros | None = None
        """When it knew that its first key was made."""
        self.key = ""
        self.keys: list[str] = []
        self.sockets: list[Socket] = []
        self.inbox: deque[Item] = deque()
        self._stalled = False
        self._busy = False
        self._changed = asyncio.Event()

    @property
    def now(self) -> Micros:
        return self.world.loop.wall()

    # The program ---------------------------------------------------------------------------------------

    @property
    def reads(self) -> bool:
        """Whether the library reads from its sockets."""
        return not self._stalled and len(self.inbox) < self.habits.most_unread

    def turn_to_inbox(self) -> None:
        """There is something to do, if not already busy."""
        if not self._busy and not self._stalled and self.inbox:
            self._busy = True
            self.world.loop.after(self.habits.pace, self._do_next)

    def _do_next(self) -> None:
        self._busy = False
        if self._stalled or not self.inbox:
            return
        could_read = self.reads
        while self.inbox:
            item = self.inbox.popleft()
            if item.reply:
                item.socket.wire.send(item.reply)
            else:
                self.world.history.handled(self, item.topic, item.number)
            if self.habits.pace:
                break
        if not could_read:
            self._read_on()
        self.turn_to_inbox()

    def _read_on(self) -> None:
        for socket in tuple(self.sockets):
            socket.readable()

    def stall(self, span: Micros) -> None:
        """The machine is busy with something else: nothing is read, nothing dealt with, no Ping answered."""
        self._stalled = True
        self.world.loop.after(span, self._go_on)

    def _go_on(self) -> None:
        self._stalled = False
        self._read_on()
        self.turn_to_inbox()

    def socket_lost(self, socket: Socket) -> None:
        """A socket is gone, and perhaps what was not read of it."""
        self.sockets.remove(socket)
        if self.habits.drops_unread:
            self._drop([item for item in self.inbox if item.socket is socket])
        self._changed.set()

    def _drop(self, items: list[Item]) -> None:
        for item in items:
            self.inbox.remove(item)
            if item.number:
                self.world.history.dropped(self, item.topic, item.number, item.taken)

    def die(self) -> None:
        """The process ends, with all that it had not dealt with."""
        for socket in tuple(self.sockets):
            socket.wire.notices = self._notice()
            socket.close(politely=False)
        self._drop(list(self.inbox))
        self._stalled = False

    def _notice(self) -> Micros | None:
        """How long the gateway takes to hear that somebody is gone."""
        return self.random.choice([0, 0, 0, SECOND // 2, 5 * SECOND, None])

    def key_ended(self) -> None:
        """The venue says that the key is over."""
        self.key = ""
        self._changed.set()

    # Calls -----------------------------------------------------------------------------------------------

    async def call(self, method: str, query: str = "", by: Any = None) -> tuple[int, Any]:
        """A REST call that is made until somebody answers."""
        query = "&".join(part for part in (self.product.query, query) if part)
        path, key = self.product.path, (by or self.api_key).key
        while True:
            try:
                status, body = await self.world.process.call(
                    method, path, query, key, self.address, self.habits.latency
                )
            except Gone:
                await self.world.loop.pause(self.random.randint(1, SECOND))
            else:
                return status, msgspec.json.decode(body) if body else {}

    async def get_key(self) -> None:
        """A key that lives: a new one, or the one at hand once more."""
        if self.key and not self.habits.new_keys:
            query = f"listenKey={self.key}" if self.product.names_key else ""
            status, answer = await self.call("PUT", query, self.random.choice([self.api_key, self.keeper]))
            if status == 200:
                self._take_key(answer.get("listenKey", self.key))
                return
        status, answer = await self.call("POST")
        assert status == 200, answer
        self._take_key(answer["listenKey"])
        if self.begun_at is None and not self.world.by_address and not self.is_twin:
            self.begun_at = self.now

    def _take_key(self, key: str) -> None:
        """Another one than before, where a twin has closed that."""
        self.key = key
        if key not in self.keys:
            self.keys.append(key)

    async def give_up_key(self) -> None:
        """DELETE. From the answer on the key is nobody's."""
        key, self.key = self.key, ""
        query = f"listenKey={key}" if self.product.names_key else ""
        await self.call("DELETE", query)

    # Connections -----------------------------------------------------------------------------------------

    async def connect(self, target: str = "") -> Socket | None:
        """One more socket for the key; None where it was refused."""
        await self.get_key()
        target = target or self.random.choice(self.product.targets)
        wire = Wire(self.world.loop, self.habits.latency, self.habits.window)
        socket = Socket(self, wire, self.world.next_socket(), self.product.parts_of(target))
        wire.client = socket
        await self.world.loop.pause(self.habits.latency + self.random.choice([0, 0, 0, SECOND]))
        key = self.key
        try:
            refusal = self.world.process.dial(target.replace("KEY", key), self.address, wire)
        except Gone:
            return None
        if refusal is not None:
            self.key = "" if self.key == key else self.key
            return None
        self.sockets.append(socket)
        self.world.history.opened(socket)
        if target == SUBSCRIBED:
            self.subscribe(socket)
        else:
            socket.bound.append(key)
        if self.product.topics != ("",):
            self._ask_for_topics(socket, "sub")
        if self.begun_at is None:
            await self._make_sure_of_beginning(socket, target)
        return socket

    async def _make_sure_of_beginning(self, socket: Socket, target: str) -> None:
        """Where addresses are told apart, or who began was another one, reading begins when the gateway says
        that it does, and has had a moment to write that down."""
        process = self.world.process
        await self.world.loop.pause(4 * self.habits.latency + self.is_twin * SECOND // 10)
        if process is not self.world.process or not process.alive:
            return
        acks = len(self.product.topics) if self.product.topics != ("",) else int(target == SUBSCRIBED)
        if socket.has_begun and len(socket.replies) >= acks:
            self.begun_at = self.now

    def subscribe(self, socket: Socket) -> None:
        """SUBSCRIBE the key on an open socket."""
        socket.bound.append(self.key)
        socket.send(1, msgspec.json.encode({"method": "SUBSCRIBE", "params": [self.key], "id": 1}))

    def _ask_for_topics(self, socket: Socket, verb: str) -> None:
        for topic in self.product.topics:
            socket.send(1, msgspec.json.encode({"id": "1", "reqType": verb, "dataType": topic}))

    async def subscribe_again(self, socket: Socket) -> None:
        """Leave the stream and come back to it, on the same socket, perhaps by another key."""
        if self.product.topics != ("",):
            self._ask_for_topics(socket, "unsub")
            await self.world.loop.pause(self.random.randint(0, SECOND))
            self._ask_for_topics(socket, "sub")
        elif SUBSCRIBED in self.product.targets and socket.parts == ("",):
            for key in set(socket.bound):
                request = {"method": "UNSUBSCRIBE", "params": [key], "id": 2}
                socket.send(1, msgspec.json.encode(request))
            await self.world.loop.pause(self.random.randint(0, SECOND))
            if self.random.random() < 0.3 and self.key:
                await self.give_up_key()
            await self.get_key()
            self.subscribe(socket)

    # Life ------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Be connected, and have all that can happen to a bot happen to it, until the world is calm."""
        loop, random = self.world.loop, self.random
        while not self.world.calm.is_set():
            if not self.sockets and await self.connect() is None:
                await self._rest(random.randint(SECOND // 5, SECOND))
                continue
            self._changed.clear()
            if self.sockets and random.random() < self.habits.is_bound_to_die:
                await loop.pause(random.randint(0, SECOND // 2))
                self.die()
            if self.sockets and self.key:
                await loop.until(self._changed, random.randint(SECOND // 10, 6 * SECOND))
            if self.sockets and self.key:
                await random.choices(
                    [self._cut, self._crash, self._rotate, self._renew, self._come_back, self._be_busy,
                     self._leave, self._extend],
                    [4, 8 * self.habits.is_bound_to_die, 3, 1, 2, 2, 1, 1],
                )[0]()  # fmt: skip
            elif not self.key:
                for socket in tuple(self.sockets):
                    socket.close(politely=True)
            if not self.sockets:
                away = random.choice([0, 0, SECOND // 2, 4 * SECOND, 6 * SECOND, self.world.longest * 3 // 2])
                await self._rest(away)

    async def _rest(self, span: Micros) -> None:
        await self.world.loop.until(self.world.calm, span)

    async def _cut(self) -> None:
        """The network fails at some byte."""
        wire = self.random.choice(self.sockets).wire
        wire.notices = self._notice()
        wire.cut_after = self.random.randint(1, 3000)
        await self.world.loop.until(self._changed, self.random.randint(1, 3 * SECOND))
        wire.break_off()

    async def _crash(self) -> None:
        self.die()

    async def _rotate(self) -> None:
        """A new socket, and the old ones a little later."""
        old = tuple(self.sockets)
        if await self.connect() is not None:
            await self.world.loop.pause(self.random.randint(0, 2 * SECOND))
            for socket in old:
                socket.close(politely=self.random.random() < 0.5)

    async def _renew(self) -> None:
        """Close the key; what was connected by it is of no more use."""
        await self.give_up_key()

    async def _come_back(self) -> None:
        await self.subscribe_again(self.random.choice(self.sockets))

    async def _be_busy(self) -> None:
        if not self.habits.is_steady:
            self.stall(self.random.choice([SECOND // 2, 2 * SECOND, 6 * SECOND]))

    async def _leave(self) -> None:
        for socket in tuple(self.sockets):
            socket.close(politely=True)

    async def _extend(self) -> None:
        if not self.habits.new_keys:
            await self.get_key()

    async def settle(self) -> None:
        """The world is calm: connect once more, and take and deal with everything there is."""
        self.manner = "receipt"
        self.habits.new_keys = False
        self.habits.pace, self.habits.most_unread, self.habits.window = 0, 1 << 30, 1 << 30
        self._go_on()
        for socket in tuple(self.sockets):
            socket.close(politely=True)
        for target in self.product.parts.values():
            while await self.connect(target) is None:
                await self.world.loop.pause(SECOND // 10)
