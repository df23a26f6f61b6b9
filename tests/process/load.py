"""Programs that load a gateway which dies under them, and write down what they see.

They behave as good clients do: what was not answered is tried again, with the same id where there is one; a
stream that broke is resumed where it was. All of them live on one event loop and read one clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import CloseCode

from tests.process.history import (
    Call,
    Event,
    Gap,
    History,
    Outcome,
    Position,
    Publish,
    Reached,
    Reading,
    Space,
    StreamName,
    Subscription,
    Verb,
)
from tests.support.gateway import Gateway

ACKED, LISTED = 7, 8
KINDS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE")
BROKEN = (httpx.TransportError, OSError, WebSocketException, EOFError, TimeoutError)
"""What a client meets when the process at the other end is gone."""


# Venues -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Product:
    """A venue's product as its clients know it. `forms` are the ways to open a socket with a key."""

    space: Space
    stream: str
    path: str
    header: str
    names_key: bool
    forms: tuple[str, ...]
    codec: str = "text"

    def is_gone(self, response: httpx.Response) -> bool:
        """Whether the answer says that there is no such key."""
        if response.status_code == httpx.codes.NOT_FOUND:
            return self.space.name == "bingx"
        return response.status_code == httpx.codes.BAD_REQUEST and response.json()["code"] == -1125


SHORT_LIFE = 3

USDM = Product(
    Space("binance-usdm", 3600, shared=True),
    "binance-usdm",
    "/fapi/v1/listenKey",
    "X-MBX-APIKEY",
    names_key=False,
    forms=(
        "/private/ws/{key}",
        "/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE/listenKeyExpired",
        "/private/stream?streams={key}",
        "/ws",
    ),
)
SPOT = Product(
    Space("binance-spot", 3600, shared=True),
    "binance-spot",
    "/api/v3/userDataStream",
    "X-MBX-APIKEY",
    names_key=True,
    forms=("/ws/{key}", "/stream?streams={key}", "/ws"),
)
MARGIN = Product(
    Space("binance-margin", SHORT_LIFE, shared=True),
    "binance-margin",
    "/sapi/v1/userDataStream",
    "X-MBX-APIKEY",
    names_key=True,
    forms=("/ws/{key}", "/stream?streams={key}"),
)
BINGX = Product(
    Space("bingx", 3600, shared=False),
    "bingx-swap",
    "/openApi/user/auth/userDataStream",
    "X-BX-APIKEY",
    names_key=True,
    forms=("/swap-market?listenKey={key}",),
    codec="gzip",
)
PRODUCTS = (USDM, SPOT, MARGIN, BINGX)

CONFIG = f"""
[dialect.binance-margin]
lifetime_seconds = {SHORT_LIFE}
[streams]
position_seconds = 1
"""
AS_THE_VENUE = f"""{CONFIG}
resume = "live"
close = "venue"
"""


# The stage --------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """The gateway as the load meets it, and the history that is being written."""

    gateway: Gateway
    history: History
    dice: random.Random
    up: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    readers: dict[StreamName, list[Reading]] = field(default_factory=dict)

    @staticmethod
    def now() -> float:
        """The clock of the history."""
        return time.monotonic()

    async def breathe(self, longest: float) -> None:
        """What a program does between two calls."""
        await asyncio.sleep(self.dice.uniform(0, longest))

    async def insist(self, attempt: Callable[[], Awaitable[bool]]) -> None:
        """Try until it is answered, over however many crashes."""
        while not await attempt():
            await self.up.wait()


def tag_and_kind(event: dict[str, Any]) -> tuple[str, str]:
    """What publishers marked the event with."""
    return event["tag"], event["e"]


# Bots -------------------------------------------------------------------------------------------------


class Bot:
    """One program of an account on one product: keeps keys alive, listens, closes, comes back."""

    def __init__(self, stage: Stage, product: Product, account: str, api_key: str) -> None:
        self._stage = stage
        self._product = product
        self._account = account
        self._headers = {product.header: api_key}
        self._http = httpx.AsyncClient(headers=self._headers, trust_env=False, verify=False, timeout=20)
        self._sockets: dict[asyncio.Task[None], ClientConnection] = {}

    async def run(self) -> None:
        """Live through keys until the run is over."""
        async with self._http:
            while not self._stage.over:
                await self._live_a_key()
            await asyncio.gather(*(socket.close() for socket in self._sockets.values()))
            await asyncio.gather(*self._sockets)

    async def _live_a_key(self) -> None:
        dice, key = self._stage.dice, await self._create()
        alive = True
        for _ in range(dice.randint(1, 6)):
            if not self._sockets:
                alive = await self._open(key)
            if not alive or self._stage.over:
                break
            await self._stage.breathe(0.05)
            if dice.random() < 0.5:
                alive = await self._call("extend", "PUT", key) == "ok"
        if self._product is MARGIN and dice.random() < 0.3:
            await asyncio.sleep(SHORT_LIFE + 0.2)
            await self._probe(key)
        if alive and dice.random() < 0.7 and await self._call("close", "DELETE", key) != "lost":
            await self._probe(key)
            # What comes now by a socket that was open before comes too late.
            await self._stage.breathe(0.15)
        for socket in tuple(self._sockets.values()):
            if dice.random() < 0.5:
                await socket.close()

    async def _probe(self, key: str) -> None:
        """Use the key once more in each way, whatever it is by now."""
        if self._product.names_key:
            await self._call("extend", "PUT", key)
        await self._open(key)

    async def _create(self) -> str:
        found: list[str] = []

        async def attempt() -> bool:
            asked = self._stage.now()
            response = await self._send("POST", None)
            if response is None:
                self._note("create", "", asked, "lost")
                return False
            response.raise_for_status()
            found.append(response.json()["listenKey"])
            self._note("create", found[0], asked, "ok")
            return True

        await self._stage.insist(attempt)
        return found[0]

    async def _call(self, verb: Verb, method: str, key: str) -> Outcome:
        asked = self._stage.now()
        response = await self._send(method, key if self._product.names_key else None)
        outcome: Outcome = "ok"
        if response is None:
            outcome = "lost"
        elif self._product.is_gone(response):
            outcome = "refused"
        else:
            response.raise_for_status()
            key = response.json().get("listenKey", key)
        self._note(verb, key, asked, outcome)
        if outcome == "lost":
            await self._stage.up.wait()
        return outcome

    async def _send(self, method: str, key: str | None) -> httpx.Response | None:
        url = self._stage.gateway.venue + self._product.path
        try:
            return await self._http.request(method, url, params={} if key is None else {"listenKey": key})
        except BROKEN:
            return None

    def _note(self, verb: Verb, key: str, asked: float, outcome: Outcome) -> None:
        call = Call(verb, self._account, self._product.space.name, key, asked, self._stage.now(), outcome)
        self._stage.history.calls.append(call)

    async def _open(self, key: str) -> bool:
        """Open a socket with the key; False where the key was refused."""
        form = self._stage.dice.choice(self._product.forms)
        url = self._stage.gateway.venue_ws + form.format(key=key)
        asked = self._stage.now()
        try:
            socket = await connect(url, compression=None, ping_interval=None, proxy=None, max_queue=None)
        except InvalidStatus as refusal:
            if refusal.response.status_code != httpx.codes.UNAUTHORIZED:
                raise
            self._note("open", key, asked, "refused")
            return False
        except BROKEN:
            self._note("open", key, asked, "lost")
            await self._stage.up.wait()
            return True
        task = asyncio.create_task(self._listen(socket, key, form, asked))
        self._sockets[task] = socket
        task.add_done_callback(self._sockets.pop)
        return True

    async def _listen(self, socket: ClientConnection, key: str, form: str, asked: float) -> None:
        with contextlib.suppress(*BROKEN):
            async with socket:
                if form == "/ws":
                    await self._subscribe(socket, key)
                else:
                    self._note("open", key, asked, "ok")
                wants = frozenset({KINDS[0]}) if "events=" in form else None
                name, opened = self._product.space.name, self._stage.now()
                heard = Subscription(self._account, name, self._product.stream, key, opened, wants)
                self._stage.history.subscriptions.append(heard)
                async for frame in socket:
                    if not self._hear(heard, frame):
                        self._note("open", key, asked, "ok")
        if form == "/ws" and socket.close_code == CloseCode.POLICY_VIOLATION:
            self._note("open", key, asked, "refused")

    async def _subscribe(self, socket: ClientConnection, key: str) -> None:
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": [key], "id": ACKED}))
        assert json.loads(await socket.recv()) == {"result": None, "id": ACKED}
        # A key that is not good is acked too, and then the socket is closed: who gets this answer is in.
        await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": LISTED}))

    def _hear(self, heard: Subscription, frame: str | bytes) -> bool:
        """Take a frame in; False for the answer that says which keys the socket has."""
        if self._product.codec == "gzip":
            assert isinstance(frame, bytes)
            frame = gzip.decompress(frame)
            if frame == b"Ping":
                return True
        message = json.loads(frame)
        if message.get("id") == LISTED:
            assert message["result"] == [heard.key]
            return False
        if "stream" in message:
            assert message["stream"] == heard.key
            message = message["data"]
        if message["e"] == "listenKeyExpired":
            assert message["listenKey"] == heard.key
            heard.notice()
        else:
            heard.tags.append(tag_and_kind(message)[0])
        return True


# Publishers -------------------------------------------------------------------------------------------

_SERIAL = count(1)


async def publish(stage: Stage, account: str, stream: str) -> None:
    """Publish small batches with ids; what was not answered, and now and then what was, once more."""
    dice = stage.dice
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as http:
        while not stage.over:
            tags = [f"{account}/{stream}/{next(_SERIAL)}" for _ in range(dice.randint(1, 8))]
            lines = [_line(account, stream, tag, dice.choice(KINDS)) for tag in tags]

            async def attempt(tags: list[str] = tags, body: str = "\n".join(lines)) -> bool:
                return await _publish_once(stage, http, account, stream, tags, body)

            await stage.insist(attempt)
            if dice.random() < 0.1:
                await stage.insist(attempt)
            await stage.breathe(0.02)


def _line(account: str, stream: str, tag: str, kind: str) -> str:
    event = {"e": kind, "E": 1_700_000_000_000, "tag": tag}
    return json.dumps({"account": account, "stream": stream, "id": tag, "event": event})


async def _publish_once(
    stage: Stage, http: httpx.AsyncClient, account: str, stream: str, tags: list[str], body: str
) -> bool:
    asked = stage.now()
    headers = {"Authorization": f"Bearer {stage.gateway.token}"}
    try:
        response = await http.post(f"{stage.gateway.admin}/v1/publish", content=body, headers=headers)
    except BROKEN:
        done = stage.now()
        stage.history.publishes += [Publish(account, stream, tag, asked, done, "lost") for tag in tags]
        return False
    response.raise_for_status()
    answers = [json.loads(line) for line in response.text.splitlines()]
    done = stage.now()
    for tag, answer in zip(tags, answers, strict=True):
        at = answer["epoch"], answer["offset"]
        stage.history.publishes.append(Publish(account, stream, tag, asked, done, "ok", at))
    return True


# Readers ----------------------------------------------------------------------------------------------


class Follower:
    """A reader of the native stream, on WebSocket or server-sent events, that resumes where it was."""

    def __init__(self, stage: Stage, account: str, stream: str, api_key: str, *, events: bool) -> None:
        self._stage = stage
        self._name = account, stream
        self._credential = {"Authorization": f"Bearer {api_key}"}
        self._events = events
        self.at: Position | None = None
        self._moved = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        self._connected = False
        self._done = False
        self.readings: list[Reading] = []

    async def run(self) -> None:
        """Follow until stopped, over crashes and now and then over a break of its own."""
        read = self._read_events if self._events else self._read_socket
        while not self._done:
            reading = Reading(*self._name, self.at)
            try:
                async with asyncio.timeout(None) as self._patience:
                    async for text in read():
                        if not reading.messages:
                            self._begin(reading)
                        self._take(reading, json.loads(text))
            except BROKEN:
                self._connected = False
                await self._stage.up.wait()

    def _begin(self, reading: Reading) -> None:
        self.readings.append(reading)
        self._stage.history.readings.append(reading)
        self._connected = True
        self._break_off_in(0 if self._done else self._stage.dice.uniform(0.2, 6.0))

    def _break_off_in(self, seconds: float) -> None:
        # Not before it is connected: the library leaks a connection that is cancelled in the making.
        if self._connected and self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)

    def stop(self) -> None:
        """Make `run` come to its end."""
        self._done = True
        self._break_off_in(0)

    def _take(self, reading: Reading, message: dict[str, Any]) -> None:
        if "event" in message:
            tag, kind = tag_and_kind(message["event"])
            reading.messages.append(Event(message["epoch"], message["offset"], tag, kind))
            self.at = message["epoch"], message["offset"]
        elif "position" in message:
            reading.messages.append(Reached(message["epoch"], message["position"]))
            self.at = self.at or (message["epoch"], message["position"])
        elif "gap" in message:
            gap, onward = message["gap"], message["gap"].get("next")
            onward = onward and (onward["epoch"], onward["offset"])
            reading.messages.append(Gap(gap["epoch"], gap["from"], gap["to"], gap["reason"], onward))
        self._moved.set()

    async def start(self) -> None:
        """Wait until it knows where it is."""
        while self.at is None:
            await self._moves()

    async def reach(self, goal: Position) -> None:
        """Wait until it is there."""
        while self.at != goal:
            await self._moves()

    async def _moves(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _query(self) -> str:
        return f"/lk/v1/stream?stream={self._name[1]}"

    async def _read_socket(self) -> AsyncIterator[str | bytes]:
        since = f"&since={self.at[0]}:{self.at[1]}" if self.at else ""
        url = self._stage.gateway.venue_ws + self._query() + since
        async with connect(
            url, additional_headers=self._credential, compression=None, ping_interval=None, proxy=None
        ) as socket:
            async for frame in socket:
                yield frame

    async def _read_events(self) -> AsyncIterator[str]:
        headers = {**self._credential, "Accept": "text/event-stream"}
        if self.at:
            headers["Last-Event-ID"] = f"{self.at[0]}:{self.at[1]}"
        url = self._stage.gateway.venue + self._query()
        async with (
            httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as http,
            http.stream("GET", url, headers=headers) as response,
        ):
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield line.removeprefix("data: ")


# The end ----------------------------------------------------------------------------------------------


def read_journal(gateway: Gateway, account: str, stream: str) -> list[Event]:
    """A whole journal, as the admin listener tells it."""
    return [
        Event(message["epoch"], message["offset"], *tag_and_kind(message["event"]))
        for message in journal_messages(gateway, account, stream)
        if "event" in message
    ]


def journal_messages(
    gateway: Gateway, account: str, stream: str, limit: int = 5000
) -> Iterator[dict[str, Any]]:
    """The messages of a journal, page by page."""
    since: dict[str, str] = {}
    while True:
        path = f"/v1/journal/{account}/{stream}"
        response = gateway.admin_call("GET", path, params={"limit": str(limit), **since})
        response.raise_for_status()
        *messages, position = [json.loads(line) for line in response.text.splitlines()]
        yield from messages
        if not messages:
            return
        since = {"since": f"{position['epoch']}:{position['position']}"}
