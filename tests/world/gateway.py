"""A gateway's process inside a world: the real service and its sockets over the real store, which can die at
any step.

The store's writer has no thread here. What is handed to it is committed some moments later, and told some
moments after that; in between everything may end.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from listenkey.base.clock import SECOND, Micros
from listenkey.core.session import Policy
from listenkey.dialect.model import Dialect
from listenkey.edge.bounds import Bounds
from listenkey.edge.handshake import Refusal
from listenkey.edge.http import Upgrade
from listenkey.edge.pacer import Pacer
from listenkey.edge.venue import Venue
from listenkey.edge.venue_socket import VenueSockets
from listenkey.edge.websocket import Surroundings
from listenkey.service.gateway import Gateway, GatewayOptions
from listenkey.service.vault import Vault
from listenkey.store.sqlite import SqliteStore, open_sqlite
from listenkey.store.sqlite.database import Durability
from listenkey.store.sqlite.pace import Pace
from listenkey.store.sqlite.work import Outcome
from listenkey.store.sqlite.writer import Writer
from listenkey.wire.messages import Request
from listenkey.wire.routes import RouteTable
from tests.world.network import Wire
from tests.world.timeloop import TimeLoop

VAULT = Vault(b"the master secret of every world")


class Gone(Exception):
    """The process is not there, or went before it answered."""


class _Quiet:
    """Stands for the checkpointer: these stores live too short to need one."""

    def start(self) -> None: ...
    def close(self) -> None: ...
    def note_size(self, *_: object) -> int:
        return 0


class _Turns(Writer):
    """The writer, in turns of the world's loop."""

    process: "Process"

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._planned = False
        self._told: deque[Outcome] = deque()

    def submit(self, work: Any) -> None:
        if self.process.alive:
            self._queue.put(work)
            self._plan()

    def _plan(self) -> None:
        if not self._planned:
            self._planned = True
            self.process.loop.after(self.process.commit_after(), self._turn)

    def _turn(self) -> None:
        self._planned = False
        if self.process.is_alive("commit"):
            self._work()
            if self._errands or not self._queue.empty():
                self._plan()

    def _work(self) -> None:
        if not self._queue.empty():
            self._write(self._take())
        if self._errands:
            self._run_slice()

    def _report(self, outcome: Outcome) -> None:
        self._told.append(outcome)
        self.process.loop.after(self.process.tell_after(), self._tell)

    def _tell(self) -> None:
        if self._told and self.process.is_alive("tell"):
            self._deliver(self._told.popleft())

    def finish(self) -> None:
        """All that was asked for is done before the end."""
        while not self._queue.empty() or self._errands or self._told:
            self._work()
            while self._told:
                self._deliver(self._told.popleft())

    def join(self) -> None:
        self._wind_up()


class Process:
    """One run of the gateway, from its start to its end or death."""

    def __init__(
        self,
        loop: TimeLoop,
        folder: Path,
        dialects: dict[str, Dialect],
        routes: RouteTable,
        *,
        options: GatewayOptions,
        durability: Durability,
        queue_bytes: int,
        policy: Policy,
        commit_after: Callable[[], Micros],
        tell_after: Callable[[], Micros],
    ) -> None:
        self.loop = loop
        self.alive = True
        self.commit_after, self.tell_after = commit_after, tell_after
        self.dies_in = 0
        """How many steps it has left; 0 for as many as there are."""
        self.died_at: Micros = 0
        """When it was killed, by the clock on the wall; 0 for an orderly end."""
        self.when_dead: Callable[[], None] = lambda: None
        self.wires: list[Wire] = []
        self._calls: set[asyncio.Task[Any]] = set()
        self._serves = False
        self._routes = routes
        self.store = self._open(folder, durability)
        self.gateway = Gateway(self.store, loop, VAULT, dialects, options)
        self.pacer = Pacer(loop.monotonic)
        gateway = self.gateway
        shared = Surroundings(
            Bounds(queue_bytes=queue_bytes),
            self.pacer,
            gateway.connections,
            gateway.metrics,
            gateway.streams.cancel,
        )
        sockets = VenueSockets(gateway, shared, policy, most_without_key=64)
        self._venue = Venue(gateway, routes, sockets, native=None)  # type: ignore[arg-type]

    def _open(self, folder: Path, durability: Durability) -> SqliteStore:
        store = open_sqlite(folder, durability=durability, pace=Pace(reserve_bytes=4096))
        old, quiet = store._writer, _Quiet()
        writer = _Turns(old._db, old._memory, quiet, old._reserve, store._deliver)  # type: ignore[arg-type]
        writer.process = self
        store._writer, store._checkpointer = writer, quiet  # type: ignore[assignment]
        return store

    async def start(self) -> None:
        """Begin to serve."""
        await self.gateway.start()
        self._serves = True

    # Steps -------------------------------------------------------------------------------------------

    def is_alive(self, step: str) -> bool:
        """Whether it is; one that is to die at its next step does so here, before the step."""
        if self.alive and step and self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                self.die()
        return self.alive

    def die(self) -> None:
        """kill -9: nothing more leaves this process, not even out of what it is just doing."""
        if self.alive:
            self.alive = False
            self.died_at = self.loop.wall()
            self.loop.call_soon(self._clear_away)

    def _clear_away(self) -> None:
        for task in (*self.gateway._tasks, *self.gateway.streams._feeds, *self._calls):
            task.cancel()
        self.loop.call_soon(self._let_go)

    def _let_go(self) -> None:
        """The kernel closes what was open."""
        self.pacer.stop()
        writer = self.store._writer
        writer._db.close()
        self.store._db.close()
        self.store._lock.release()
        for wire in self.wires:
            if not wire.broken:
                wire.notices = None
                wire.break_off()
        self.when_dead()

    async def stop(self) -> None:
        """SIGTERM: say goodbye, and end in order."""
        self.dies_in, self._serves = 0, False
        self.gateway.connections.close_all("shutdown")
        await self.loop.pause(SECOND // 4)
        self.pacer.stop()
        await self.gateway.stop()
        self.alive = False
        for wire in self.wires:
            if not wire.broken:
                wire.notices = None
                wire.break_off()

    # What bots do --------------------------------------------------------------------------------------

    async def call(
        self, method: str, path: str, query: str, api_key: str, address: str, latency: Micros
    ) -> tuple[int, bytes]:
        """A REST call; status and body. Errors: `Gone`."""
        await self.loop.pause(latency)
        route = self._routes.rest("", "", method, path)
        headers = {route.dialect.auth.header.lower().encode(): api_key.encode()}
        request = Request(method, route.path, query.encode(), headers)
        reply = await self._survive(self.gateway.calls.handle(route, request, address))
        await self.loop.pause(latency)
        return reply.status, reply.body

    async def publish(self, lines: bytes) -> list[bytes]:
        """Events are handed in; an answer each. Errors: `Gone`."""
        return await self._survive(self.gateway.publisher.publish_lines(lines))

    async def _survive(self, work: Any) -> Any:
        """Something's result, unless the process dies before it is out."""
        if not self.alive or not self._serves:
            work.close()
            raise Gone
        task = self.loop.create_task(work)
        self._calls.add(task)
        try:
            result = await task
        except asyncio.CancelledError:
            if self.alive:
                raise
            raise Gone from None
        finally:
            self._calls.discard(task)
        if not self.is_alive("answer"):
            raise Gone
        return result

    def dial(self, target: str, address: str, wire: Wire) -> Refusal | None:
        """A WebSocket handshake arrives. Errors: `Gone`."""
        if not self._serves or not self.is_alive("handshake"):
            raise Gone
        path, _, query = target.partition("?")
        end = wire.server
        end.is_alive = self.is_alive
        upgrade = Upgrade(path, query.encode(), {}, address, b"accepted", b"today")
        opened = self._venue.open_socket(upgrade, end)
        if isinstance(opened, Refusal):
            return opened
        end.protocol = opened
        self.wires.append(wire)
        return None
