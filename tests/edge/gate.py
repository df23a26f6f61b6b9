"""A gateway with real listeners on loopback, inside the test's own loop: real sockets, and time as the test
wants it."""

import asyncio
import contextlib
import gzip
import json
import secrets
from pathlib import Path
from typing import Any, Self

import httpx
import websockets

from listenkey.app.delivery import configured_close, configured_delivery
from listenkey.app.dialects import configured_dialects
from listenkey.app.passage import make_passage
from listenkey.base.clock import SECOND
from listenkey.config import Admin, Settings
from listenkey.edge.beyond import Beyond
from listenkey.edge.listeners import Listeners
from listenkey.service.gateway import Gateway, GatewayOptions
from listenkey.service.vault import Vault
from listenkey.store.sqlite import open_sqlite
from listenkey.testing import VirtualClock
from listenkey.wire.routes import build_routes
from tests.openapi.conforming import admin_faults, faults
from tests.support.seen import SEEN

WAIT = 20.0  # seconds until a test that waits for something has failed
USDM, SPOT, BINGX = "/fapi/v1/listenKey", "/api/v3/userDataStream", "/openApi/user/auth/userDataStream"


class Gate:
    """A running gateway. `settings` are as in the configuration; the clock stands still unless `advance`
    moves it."""

    def __init__(self, folder: Path, *, beyond: Beyond | None = None, **settings: Any) -> None:
        self.clock = VirtualClock(monotonic=1000 * SECOND)
        self.settings = Settings(
            **{
                "listen": ("127.0.0.1:0",),
                "admin": Admin(listen="127.0.0.1:0"),
                "data": str(folder),
                "limits": "off",
                **settings,
            }
        )
        self.dialects = configured_dialects(self.settings)
        self._beyond = beyond
        self.token = secrets.token_urlsafe(16)
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._exit.enter_context(SEEN.watching())
        store = open_sqlite(Path(self.settings.data), durability="relaxed")
        options = GatewayOptions(
            limits=self.settings.limits,
            max_event_bytes=self.settings.http.event_bytes,
            check=self.settings.publish.check,
            delivery=configured_delivery(self.settings),
            close=configured_close(self.settings, self.dialects),
        )
        vault = Vault(b"a master secret to test with")
        self.gateway = Gateway(store, self.clock, vault, self.dialects, options)
        await self.gateway.start()
        self._exit.push_async_callback(self.gateway.stop)
        await self.gateway.tokens.keep("admin", self.token)
        self.routes = build_routes(self.dialects, self.settings.hosts())
        beyond = self._beyond or make_passage(self.settings, self.gateway)
        self.listeners = Listeners(self.settings, self.gateway, self.routes, clock=self.clock, beyond=beyond)
        await self.listeners.start()
        self._exit.push_async_callback(self.listeners.drain, 2.0)
        self.venues = self.listeners.venue_urls()
        self.venue, self.admin = self.venues[0], self.listeners.admin_url()
        hooks = {"response": [self._check]}
        self.http = await self._exit.enter_async_context(
            httpx.AsyncClient(trust_env=False, timeout=WAIT, verify=False, event_hooks=hooks)
        )
        return self

    async def _check(self, response: httpx.Response) -> None:
        """Whatever a listener answers is told of in an OpenAPI document."""
        request, url = response.request, response.request.url
        names = [each.partition("=")[2] for each in self.settings.listen]
        listeners = dict(zip(self.venues, names, strict=True))
        name = listeners.get(f"{url.scheme}://{url.netloc.decode()}")
        if url.path.startswith("/lk/"):
            return
        await response.aread()
        if name is None:
            wrong = admin_faults(response)
        else:
            route = self.routes.rest(name, request.headers.get("host", ""), request.method, url.path)
            wrong = faults(route, response)
            SEEN.answered(route, response)
        assert not wrong, (request.method, str(url), response.status_code, response.text, wrong)

    async def __aexit__(self, *exception: object) -> None:
        await self._exit.aclose()

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake what waits for it."""
        self.clock.advance(int(seconds * SECOND))
        self.listeners.pacer.run(self.clock.monotonic())

    # Administration ---------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: Any = None, **request: Any) -> httpx.Response:
        """A call to the admin listener, with the token unless `headers` are given."""
        headers = request.pop("headers", {"authorization": f"Bearer {self.token}"})
        return await self.http.request(method, self.admin + path, json=body, headers=headers, **request)

    async def api_key(self, account: str = "alice", **wanted: Any) -> str:
        """An API key of an account, which is made if need be."""
        await self.call("POST", "/v1/accounts", {"name": account})
        made = await self.call("POST", f"/v1/accounts/{account}/api-keys", wanted)
        assert made.status_code == 201, made.text
        return made.json()["key"]

    async def publish(
        self, *events: dict[str, Any], account: str = "alice", stream: str = "binance-usdm"
    ) -> list[Any]:
        """Publish events; the answers."""
        lines = "\n".join(
            json.dumps({"account": account, "stream": stream, "event": event}) for event in events
        )
        response = await self.call("POST", "/v1/publish", content=lines)
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]

    # The venue --------------------------------------------------------------------------------------

    async def venue_call(self, method: str, path: str, api_key: str = "", **request: Any) -> httpx.Response:
        """A REST call with the API key in the headers of all venues."""
        headers = {"x-mbx-apikey": api_key, "x-bx-apikey": api_key} if api_key else {}
        return await self.http.request(
            method, self.venue + path, headers=headers | request.pop("headers", {}), **request
        )

    async def listen_key(self, api_key: str, path: str = USDM) -> str:
        """A new listen key."""
        response = await self.venue_call("POST", path, api_key)
        assert response.status_code == 200, response.text
        return response.json()["listenKey"]

    async def dial(self, path: str, **options: Any) -> "Socket":
        """A WebSocket of somebody else's making."""
        options = {
            "ping_interval": None,
            "open_timeout": WAIT,
            "close_timeout": WAIT,
            "proxy": None,
            **options,
        }
        socket = await websockets.connect(f"ws{self.venue[4:]}{path}", **options)
        self._exit.push_async_callback(socket.close)
        api = self.routes.api("", "", path.partition("?")[0])
        return Socket(socket, api=api.api.path if api else "")

    async def refusal(self, path: str, **options: Any) -> Any:
        """The HTTP answer to a handshake that must fail."""
        try:
            await self.dial(path, **options)
        except websockets.InvalidStatus as refused:
            return refused.response
        raise AssertionError(f"{path} was accepted")

    async def raw(self, data: bytes = b"", *, admin: bool = False) -> "Raw":
        """A bare TCP connection, with the first bytes sent."""
        host, port = (self.admin if admin else self.venue).rpartition("/")[2].rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        self._exit.callback(writer.close)
        raw = Raw(reader, writer)
        await raw.send(data)
        return raw

    async def raw_socket(self, path: str) -> "Raw":
        """A bare TCP connection on which a WebSocket is open."""
        raw = await self.raw(handshake(path))
        head = await raw.head()
        assert head.startswith(b"HTTP/1.1 101 "), head
        return raw


def handshake(path: str, *more: str) -> bytes:
    """The request for a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *more,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Socket:
    """A client's WebSocket, with patience that ends."""

    def __init__(self, socket: websockets.ClientConnection, *, api: str = "") -> None:
        """`api`: the path of the WebSocket API that it leads to, if it does."""
        self.socket = socket
        self._api = api
        self._asked: dict[str, Any] = {}

    async def text(self) -> Any:
        """The next message as it came."""
        return await asyncio.wait_for(self.socket.recv(), WAIT)

    async def json(self) -> Any:
        """The next message, decoded; gzip where it is binary."""
        message = await self.text()
        said = json.loads(gzip.decompress(message) if isinstance(message, bytes) else message)
        if self._api and isinstance(said, dict):
            SEEN.method(self._api, self._asked.get(json.dumps(said.get("id"))), said)
        return said

    async def ask(self, request: Any) -> Any:
        """Send a request; the next message."""
        await self.socket.send(request if isinstance(request, str) else json.dumps(request))
        if self._api and isinstance(request, dict):
            self._asked[json.dumps(request.get("id"))] = request.get("method")
        return await self.json()

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason of the server's close, which must come."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await self.text()
        return self.socket.close_code, self.socket.close_reason

    async def silent(self) -> None:
        """Nothing has been sent to this socket: the answer to a ping comes first."""
        message = asyncio.ensure_future(self.socket.recv())
        try:
            await asyncio.wait_for(await self.socket.ping(), WAIT)
            assert not message.done(), message
        finally:
            message.cancel()


class Raw:
    """A TCP connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Send bytes. Errors: `ConnectionResetError` where the other side has cut the connection."""
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), WAIT)

    async def head(self) -> bytes:
        """The head of an HTTP answer."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an HTTP answer with a length."""
        first, *lines = (await self.head()).decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers.get("content-length", 0))), WAIT)
        return int(first.split()[1]), headers, body

    async def rest(self, seconds: float = WAIT) -> bytes:
        """All until the server ends the connection, which must come."""
        return await asyncio.wait_for(self.reader.read(), seconds)

    async def frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the server's next WebSocket frame."""
        first, second = await asyncio.wait_for(self.reader.readexactly(2), WAIT)
        size = second & 127
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        return first & 15, await asyncio.wait_for(self.reader.readexactly(size), WAIT)

    async def close_code(self) -> int:
        """Code of the server's Close; once that is answered it ends the connection."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                await self.send(frame(8, payload))
                assert await self.rest() == b""
                self.writer.close()
                return int.from_bytes(payload[:2], "big")


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True, reserved: int = 0
) -> bytes:
    """A client's frame; masked with zeros, which leaves the payload as it is."""
    first = bytes(((0x80 if fin else 0) | reserved << 4 | opcode,))
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes((bit | size,))
    elif size < 65536:
        head = bytes((bit | 126,)) + size.to_bytes(2, "big")
    else:
        head = bytes((bit | 127,)) + size.to_bytes(8, "big")
    return first + head + (b"\0\0\0\0" if mask else b"") + payload


async def until(condition: Any, what: str = "") -> None:
    """Wait for something to become true."""
    deadline = asyncio.get_running_loop().time() + WAIT
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what or "it did not happen"
        await asyncio.sleep(0.005)
