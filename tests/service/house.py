"""A whole service over a real store, on a virtual clock and without a socket, for tests to live in."""

import asyncio
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from listenkey.base.clock import Micros
from listenkey.core.position import Gap, Position, resume
from listenkey.core.records import Event, StreamId
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects
from listenkey.service.accounts import NewApiKey, ShownOnce
from listenkey.service.gateway import Gateway, GatewayOptions
from listenkey.service.outlet import EndReason, Subscription
from listenkey.service.streams import LiveKey
from listenkey.service.vault import Vault
from listenkey.store.sqlite import SqliteStore, open_sqlite
from listenkey.store.sqlite.database import Durability
from listenkey.store.sqlite.pace import Pace
from listenkey.testing import VirtualClock
from listenkey.wire.rest import Request
from listenkey.wire.routes import build_routes

DIALECTS = load_dialects()
ROUTES = build_routes(DIALECTS, {})
MASTER_SECRET = b"the master secret of every house"
SMALL = Pace(reserve_bytes=4096)
HOME = "192.0.2.1"
USDM = "/fapi/v1/listenKey"
SPOT = "/api/v3/userDataStream"
ISOLATED = "/sapi/v1/userDataStream/isolated"
BINGX = "/openApi/user/auth/userDataStream"


class Answer(msgspec.Struct):
    """A venue's reply as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def code(self) -> int | None:
        """The venue's error code, where the body has one."""
        return self.json.get("code") if self.body.startswith(b"{") else None


class House:
    """A folder that outlasts the gateway in it."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: VirtualClock | None = None,
        dialects: dict[str, Dialect] | None = None,
        master_secret: bytes = MASTER_SECRET,
        durability: Durability = "full",
        **options: Any,
    ) -> None:
        self.folder = folder
        self.clock = clock or VirtualClock()
        self.dialects = dialects or DIALECTS
        self.routes = ROUTES if dialects is None else build_routes(dialects, {})
        self.master_secret = master_secret
        self.durability = durability
        self.options = GatewayOptions(**{"limits": "off", **options})
        self.store: SqliteStore
        self.gateway: Gateway
        self._copies = 0

    async def open(self) -> "House":
        """Start a gateway on the folder, without the upkeep that runs by itself in real time."""
        self.store = open_sqlite(self.folder, durability=self.durability, pace=SMALL)
        try:
            self.gateway = Gateway(
                self.store, self.clock, Vault(self.master_secret), self.dialects, self.options
            )
            await self.gateway.start()
        except BaseException:
            await self.store.close()
            raise
        for task in self.gateway._tasks:
            task.cancel()
        return self

    async def close(self) -> None:
        """Stop the gateway as SIGTERM does."""
        await self.gateway.stop()

    async def restart(self, away: Micros = 0) -> None:
        """Stop, stay away for a while, start again."""
        await self.close()
        self.clock.reboot(away)
        await self.open()

    async def crash(self, away: Micros = 0, *, on_its_way: "Iterable[asyncio.Task[Any]]" = ()) -> None:
        """Go on with the files as they lie, as after kill -9: nothing was closed, and nobody said goodbye.

        What is on its way gets no answer, and may or may not be in the files. Without such, all is in them
        that was handed to the writer before.
        """
        if not on_its_way:
            await self.store.put_setting("barrier", b"", 0)
        self._copies += 1
        left_behind = self.folder.with_name(f"{self.folder.name}-{self._copies}")
        shutil.copytree(self.folder, left_behind)
        for task in on_its_way:
            task.cancel()
        for outlet in self.gateway.connections.all():
            self.gateway.connections.unregister(outlet)
            assert isinstance(outlet, Watcher)
            outlet.cut()
        await self.close()
        shutil.rmtree(self.folder)
        self.folder = left_behind
        self.clock.reboot(away)
        await self.open()

    async def settle_jump(self) -> None:
        """Let the service notice a leap of the clock and deal with it."""
        self.gateway.clock.now()
        if self.gateway.clock._dealing is not None:
            await asyncio.wait([self.gateway.clock._dealing], timeout=10)

    async def drain(self) -> None:
        """Let everybody who catches up do so to the end."""
        while self.gateway.streams._feeds:
            await asyncio.wait(self.gateway.streams._feeds, timeout=10)

    async def breathe(self, turns: int = 1) -> None:
        """Give the event loop a few turns."""
        for _ in range(turns):
            await asyncio.sleep(0)

    # People ----------------------------------------------------------------------------------------

    async def account(self, name: str = "alice") -> ShownOnce:
        """An account and an API key of its own."""
        await self.gateway.accounts.add(name)
        return await self.api_key(name)

    async def api_key(self, account: str = "alice", **wanted: Any) -> ShownOnce:
        """One more API key."""
        return await self.gateway.accounts.add_api_key(account, NewApiKey(**wanted))

    # Calls -----------------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        path: str,
        api_key: ShownOnce | str | None,
        query: str = "",
        *,
        address: str = HOME,
        **more: Any,
    ) -> Answer:
        """One REST call of a venue's client."""
        route = self.routes.rest("", "", method, path)
        key = api_key.key if isinstance(api_key, ShownOnce) else api_key
        header = route.dialect.auth.header.lower().encode()
        headers = {} if key is None else {header: key.encode()}
        request = Request(method, route.path, query.encode(), headers, **more)
        reply = await self.gateway.calls.handle(route, request, address)
        named = {name.decode().lower(): value.decode() for name, value in reply.headers}
        return Answer(reply.status, named, reply.body)

    async def create(self, path: str, api_key: ShownOnce, query: str = "", **more: Any) -> str:
        """A listen key."""
        answer = await self.call("POST", path, api_key, query, **more)
        assert answer.status == 200, answer
        return str(answer.json["listenKey"])

    async def publish(self, account: str, stream: str, *events: object, **more: str) -> list[Any]:
        """Events; their answers."""
        lines = [
            json.dumps({"account": account, "stream": stream, "event": event, **more}) for event in events
        ]
        answers = await self.gateway.publisher.publish_lines("\n".join(lines).encode())
        return [json.loads(answer) for answer in answers]

    # Sockets ---------------------------------------------------------------------------------------

    def resolve(self, string: str, address: str = HOME) -> LiveKey | None:
        """The key that a socket would find for a string."""
        return self.gateway.streams.resolve_key(string, self.dialects, address)

    def watch(self, string: str, stream: str | None = None, *, address: str = HOME, **more: Any) -> "Watcher":
        """A socket that is open for a key."""
        live = self.resolve(string, address)
        assert live is not None
        watcher = Watcher(address)
        self.gateway.connections.register(watcher)
        name = stream or self.gateway.names.of_key(live.key)[0]
        self.gateway.streams.subscribe(watcher, live, name, AS_FRAMES, **more)
        return watcher

    def read_from(self, account: str, stream: str, since: Position | None, **more: Any) -> "Watcher":
        """A native stream's socket that was at `since` before, or at nothing."""
        found = self.store.find_account(account)
        assert found is not None
        stream_id = StreamId(found.id, stream)
        view = self.store.read_journal(stream_id)
        assert view is not None
        start = since or Position(view.epoch, 0)
        older = None if start.epoch == view.epoch else self.store.read_journal(stream_id, start.epoch)
        watcher = Watcher(more.pop("address", HOME))
        self.gateway.connections.register(watcher)
        self.gateway.streams.subscribe_from(
            watcher, stream_id, resume(start, view, older), AS_FRAMES, on_gap=watcher.tell_gap, **more
        )
        return watcher


class Watcher:
    """An outlet that remembers: frames, gaps, and how it ended."""

    def __init__(self, address: str = HOME) -> None:
        self.id = f"outlet-{id(self)}"
        self.address = address
        self.opened_at = 0
        self.subscriptions: list[Subscription] = []
        self.got: list[Any] = []
        self.ended: list[tuple[Subscription, EndReason]] = []
        self.over = asyncio.Event()
        self.closed: list[str] = []
        self.flushed = 0
        self.gates: list[Any] = []
        """Awaited one after the other by `writable`, before it lets anything pass."""

    def push(self, data: bytes) -> None:
        """An event, which the variant of these tests leaves whole."""
        self.got.append(data)

    def cut(self) -> None:
        """The process is gone, and with it the socket: nothing more arrives."""
        self.push = self.tell_gap = _nothing  # type: ignore[method-assign]
        self.subscription_ended = _nothing  # type: ignore[method-assign]

    def tell_gap(self, gap: Gap) -> None:
        """Something is missing."""
        self.got.append(gap)

    def flush(self) -> None:
        """Everything so far was handed over."""
        self.flushed = len(self.got)

    def queued_bytes(self) -> int:
        """Nothing ever waits."""
        return 0

    async def writable(self) -> None:
        """At once, unless a test has put a gate there."""
        if self.gates:
            await self.gates.pop(0)

    def subscription_ended(self, subscription: Subscription, reason: EndReason) -> None:
        """The key is gone."""
        self.ended.append((subscription, reason))
        self.over.set()

    def close(self, kind: str) -> None:
        """The service wants the socket closed."""
        self.closed.append(kind)

    @property
    def events(self) -> "list[Frame]":
        """What came that is no gap."""
        return [item for item in self.got if not isinstance(item, Gap)]

    @property
    def offsets(self) -> list[int]:
        """Where in their journals the events are."""
        return [frame.offset for frame in self.events]

    @property
    def payloads(self) -> list[Any]:
        """The events themselves."""
        return [json.loads(frame) for frame in self.events]

    @property
    def gaps(self) -> list[Gap]:
        """What was said to be missing."""
        return [item for item in self.got if isinstance(item, Gap)]

    @property
    def reasons(self) -> list[EndReason]:
        """Why subscriptions ended."""
        return [reason for _, reason in self.ended]


def _nothing(*_: object) -> None:
    """What arrives at nobody."""


class Frame(bytes):
    """An event's payload that knows where in its journal it is."""

    epoch: str
    offset: int


class _AsFrames:
    """A variant that loses nothing."""

    key = "frames"

    def encode(self, epoch: str, event: Event) -> Frame:
        frame = Frame(event.payload)
        frame.epoch, frame.offset = epoch, event.offset
        return frame

    def wrap(self, payload: bytes) -> bytes:
        return payload


AS_FRAMES = _AsFrames()
