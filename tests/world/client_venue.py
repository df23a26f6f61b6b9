"""A hostile venue on virtual time, for our client: keys, sockets that die in many ways, and history."""

import asyncio
import contextlib
import random
from decimal import Decimal
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

import httpx
from websockets.exceptions import ConnectionClosedError

from listenkey.base.clock import MILLISECOND, SECOND
from listenkey.testing.desk import Desk
from listenkey.testing.faults import Faults
from listenkey.testing.ledger import Ledger
from listenkey.testing.shape import shapes
from listenkey.wire.client import CallResult

STREAM = "binance-usdm"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
_KEY_PATH = "/fapi/v1/listenKey"
_WINDOW_MS = 5000


class Line:
    """A socket as the client holds it: what the venue sends takes a while, and comes in order or never."""

    def __init__(self, loop, key, delay):
        self.loop, self.key, self.delay = loop, key, delay
        self.inbox = []
        self.is_cut = self.is_deaf = False
        self.news = asyncio.Event()

    def push(self, frame):
        """The venue sends something."""
        if not self.is_deaf:
            self.loop.after(self.delay, self._arrive, frame)

    def _arrive(self, frame):
        if not self.is_cut and not self.is_deaf:
            self.inbox.append(frame)
            self.news.set()

    def cut(self):
        """The connection is gone, and what was on its way."""
        self.is_cut = True
        self.news.set()

    # As the client calls it -------------------------------------------------------------------------

    async def receive(self):
        """Everything that came."""
        while not self.inbox:
            if self.is_cut:
                raise ConnectionClosedError(None, None)
            self.news.clear()
            await self.news.wait()
        frames, self.inbox = self.inbox, []
        return frames

    async def send(self, _):
        """Whatever it is."""

    async def ping(self):
        """A Ping: what came before its answer was sent before it."""
        if self.is_cut:
            raise ConnectionClosedError(None, None)
        answered = self.loop.create_future()
        if not self.is_deaf:
            self.loop.after(2 * self.delay, self._answer, answered)
        return answered

    def _answer(self, answered):
        if not answered.done() and not self.is_deaf and not self.is_cut:
            answered.set_result(0.0)

    async def close(self):
        """The client leaves."""
        self.cut()


class HostileVenue:
    """The truth is `told`: every event with its time, kind and bytes, in order."""

    def __init__(self, seed, loop, dialect):
        self.dice = dice = random.Random(seed)
        self.loop = loop
        self.ledger = Ledger("futures")
        self.shape = shapes()[STREAM, ""]
        self.faults = Faults()
        self.lag_ms = dice.choice((0, 0, 400, 3000))
        """How late history is. Snapshots are not."""
        self.desk = Desk(dialect, dialect.histories(STREAM)[0], self.shape, self.ledger, self.faults)
        self.lifetime = dialect.key_space.lifetime_s * SECOND
        self.is_bad = True
        self.is_away = self.is_removed = False
        self.key, self.key_ends, self.made = "", 0, 0
        self.garbles = 0
        """So many of the next events cannot be read."""
        self.lines = []
        self.told = []

    @property
    def now_ms(self):
        """Its wall clock."""
        return self.loop.wall() // MILLISECOND

    # Streams ----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def open_socket(self, url, headers=None):
        """A handshake; a key that does not live is accepted, and met with silence."""
        await self.loop.pause(self.dice.randrange(10, 200) * MILLISECOND)
        if self.is_away or (self.is_bad and self.dice.random() < 0.1):
            raise OSError("refused")
        line = Line(self.loop, url.rpartition("=")[2], self.dice.randrange(5, 120) * MILLISECOND)
        self.lines.append(line)
        try:
            yield line
        finally:
            line.cut()
            self.lines.remove(line)

    def publish(self, happened):
        """Tell what happened, by state events and others."""
        for each in happened:
            raw = self.shape.event(each, len(self.told) + 1)
            self.told.append((self.now_ms, raw))
            frame, self.garbles = (b"\xff{", self.garbles - 1) if self.garbles else (raw, 0)
            for line in self.lines:
                if line.key == self.key and self.loop.wall() < self.key_ends:
                    line.push(frame)
                    if self.is_bad and each.order and self.dice.random() < 0.02:
                        line.push(frame)  # the venue says it twice

    def act(self):
        """Something happens in the account."""
        dice, ledger, now = self.dice, self.ledger, self.now_ms
        resting = [order for order in ledger.books.orders.values() if order.is_open]
        roll = dice.random()
        if roll < 0.4 or not resting:
            side, price = dice.choice(("BUY", "SELL")), dice.randrange(100, 900)
            quantity = Decimal(dice.randrange(1, 9999)) / 1000
            symbol = dice.choice(SYMBOLS)
            self.publish(
                ledger.place(symbol, side, quantity, price, now=now, position_side="BOTH", client_id="")
            )
        elif roll < 0.55:
            self.publish(ledger.end(dice.choice(resting).id, "CANCELED", now=now))
        elif roll < 0.57:
            self.publish(ledger.deposit("USDT", dice.randrange(1, 99), now))
        else:
            order = dice.choice(resting)
            left = order.quantity - order.filled
            part = left if dice.random() < 0.5 else max(Decimal("0.001"), round(left / 2, 3))
            self.publish(ledger.fill(order.id, min(part, left), order.price, now=now, is_maker=True))

    # Calls ------------------------------------------------------------------------------------------

    async def request(self, call):
        """A REST call, as the client's `Calls.request`."""
        dice = self.dice
        await self.loop.pause(dice.randrange(5, 300) * MILLISECOND)
        roll = dice.random() if self.is_bad else 1.0
        if self.is_away or roll < 0.04:
            return CallResult("transient", reason="ConnectError")
        headers = {"date": formatdate(self.loop.wall() // SECOND, usegmt=True)}
        if roll < 0.06:
            return httpx.Response(502, headers=headers, content=b"<html>bad gateway</html>")
        if roll < 0.08:
            headers["retry-after"] = str(dice.choice((1, 5, 90)))
            return httpx.Response(429, headers=headers, content=b'{"code":-1003,"msg":"Too many requests"}')
        status, body = self.answer(call)
        return httpx.Response(status, headers=headers, content=body)

    def answer(self, call):
        """Status and body."""
        parts = urlsplit(call.path)
        if parts.path == _KEY_PATH:
            return self.answer_key(call.method)
        parameters = dict(parse_qsl(parts.query))
        calls = self.desk._history.calls
        kind = next((kind for kind, each in calls.items() if each.path == parts.path), None)
        if kind is None:
            return 404, b"{}"
        if abs(int(parameters["timestamp"]) - self.now_ms) > _WINDOW_MS:
            return 400, b'{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'
        self.faults.lag_ms = self.lag_ms if kind in {"orders", "fills", "order"} else 0
        told = self.desk.answer(kind, parameters, self.now_ms)
        return told.status, told.body

    def answer_key(self, method):
        """Create and extend; one key for all who ask."""
        if self.is_removed:
            return 410, b'{"code":-5000,"msg":"Gone"}'
        lives = self.key and self.loop.wall() < self.key_ends
        if method == "PUT" and not lives:
            return 400, b'{"code":-1125,"msg":"This listenKey does not exist."}'
        if not lives:
            self.made += 1
            self.key = f"K{self.made}"
        self.key_ends = self.loop.wall() + self.lifetime
        return 200, b'{"listenKey":"%s"}' % self.key.encode()

    # Trouble ----------------------------------------------------------------------------------------

    def cut(self):
        """Every connection breaks."""
        for line in self.lines:
            line.cut()

    def deafen(self):
        """Every connection stays and carries nothing any more."""
        for line in self.lines:
            line.is_deaf = True

    def end_key(self, *, silently):
        """Somebody closes the key, or it runs out."""
        for line in self.lines:
            if line.key == self.key and not silently:
                line.push(b'{"e":"listenKeyExpired","E":%d,"listenKey":"K"}' % self.now_ms)
        self.key = ""

    def go_down(self):
        """It says that it will, and does."""
        for line in self.lines:
            line.push(b'{"e":"serverShutdown","E":%d}' % self.now_ms)
        self.loop.after(10 * SECOND, self.cut)
