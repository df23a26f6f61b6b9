"""The venue's side of the history calls: HTTP before the desks, and what a cut does to handshakes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from weakref import WeakSet

import msgspec

from listenkey.base.clock import MINUTE, SECOND, to_millis
from listenkey.core.records import ApiKey
from listenkey.dialect.history import History, QueryKind
from listenkey.dialect.model import Dialect
from listenkey.edge.asgi import ABORT, Receive, Scope, Send, header_map, read_body
from listenkey.edge.beyond import CallRoute, Onward, OwnSocket
from listenkey.edge.handshake import Refusal
from listenkey.edge.http import Upgrade
from listenkey.service.credentials import refusal
from listenkey.service.gateway import Gateway
from listenkey.testing.desk import Answer, Desk
from listenkey.testing.faults import Faults, Mishap
from listenkey.testing.shape import shapes
from listenkey.wire.messages import Reply, Request
from listenkey.wire.parameters import payloads, read_parameters
from listenkey.wire.rest import Fault, check_signature, read_api_key, render_fault
from listenkey.wire.routes import ApiRoute, SocketRoute
from listenkey.wire.signed import read_signed

_MOST_BYTES: Final = 1 << 16
_SECONDS: Final = 10.0
FindDesk = Callable[[str, str, str], Desk]
"""The desk of an account's stream, and of a part of it."""


class _Place(msgspec.Struct, frozen=True):
    """What one call of a history is."""

    dialect: Dialect
    history: History
    kind: QueryKind


class HistoryCalls:
    """Answers history calls, beside a gateway that answers all else. A `Beyond`."""

    def __init__(self, gateway: Gateway, find: FindDesk, faults: Faults) -> None:
        self._gateway = gateway
        self._find = find
        self._faults = faults
        self._places = list(_places(gateway.dialects))
        self._spent: Counter[int] = Counter()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        self.asked: list[tuple[QueryKind, Mapping[str, str]]] = []
        """Every history request that was answered, with its parameters."""
        self.away = False
        """Whether new sockets are refused."""

    # Sockets ----------------------------------------------------------------------------------------

    def open_socket(
        self,
        onward: Onward,
        route: SocketRoute | ApiRoute | None,
        upgrade: Upgrade,
        transport: asyncio.Transport,
        own: OwnSocket,
    ) -> Refusal | None:
        """As `Beyond` says: sockets are the gateway's, unless the venue is away."""
        if self.away:
            return Refusal(503, b"the venue is away")
        self._transports.add(transport)
        return None

    def cut(self) -> None:
        """Break every socket off, without a word."""
        for transport in list(self._transports):
            transport.abort()
        self._transports.clear()

    async def close(self) -> None:
        """Nothing is held."""

    # Calls ------------------------------------------------------------------------------------------

    def takes(self, onward: Onward, method: str, route: CallRoute) -> bool:
        """As `Beyond` says: the paths that some dialect's history has."""
        return any(place.history.calls[place.kind].path == onward.path for place in self._places)

    async def handle(self, onward: Onward, scope: Scope, receive: Receive, send: Send) -> None:
        """As `Beyond` says."""
        headers = header_map(scope["headers"])
        body = await read_body(receive, headers, _MOST_BYTES, _SECONDS)
        request = Request(scope["method"], onward.path, scope["query_string"], headers, body)
        parameters = read_parameters(request)
        place = self._place(onward, parameters)
        who = self._who(place, request, parameters)
        if isinstance(who, Fault):
            now = self._gateway.clock.now()
            reply: Reply | Mishap = render_fault(place.dialect, who, request=request, now=now)
        else:
            reply = self._answer(place, who, parameters)
        if not isinstance(reply, Mishap):
            await _send(send, reply.status, reply.headers, reply.body)
        elif reply.never:
            while (await receive())["type"] != "http.disconnect":
                pass
        elif reply.half:
            headers_out = [(b"content-length", b"%d" % len(reply.body))]
            await send({"type": "http.response.start", "status": reply.status, "headers": headers_out})
            half = reply.body[: len(reply.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            scope["extensions"][ABORT]()
        else:
            await _send(send, reply.status, _encoded(reply.headers), reply.body)

    def _place(self, onward: Onward, parameters: Mapping[str, str]) -> _Place:
        """Cross and isolated margin share paths: what a history always sends tells them apart. Spot and its
        like share them too, and are told apart by where they stand."""
        here = [each for each in self._places if each.history.calls[each.kind].path == onward.path]

        def agrees(place: _Place) -> tuple[int, bool]:
            always = place.history.calls[place.kind].parameters
            fits = all(parameters.get(name) == at for name, at in always.items())
            return len(always) if fits else -1, place.dialect.name == onward.dialect.name

        return max(here, key=agrees)

    def _who(self, place: _Place, request: Request, parameters: dict[str, str]) -> ApiKey | Fault:
        """Whose request it is, or why nobody's: credential, time, signature."""
        credentials, dialect = self._gateway.credentials, place.dialect
        given = read_api_key(dialect, request)
        if isinstance(given, Fault):
            return given
        api_key = credentials.find(given)
        fault = refusal(api_key, "127.0.0.1")
        if fault is not None or api_key is None:
            return fault or Fault("api_key_unknown")
        auth, now = dialect.auth, self._gateway.clock.now()
        signed = read_signed(auth, parameters, lambda: payloads(auth, request, parameters), "required", now)
        if isinstance(signed, Fault):
            return signed
        assert signed is not None  # it was required
        secret = credentials.secret(api_key)
        return check_signature(dialect, signed, secret, api_key.public_key) or api_key

    def _answer(self, place: _Place, api_key: ApiKey, parameters: dict[str, str]) -> Reply | Mishap:
        now = self._gateway.clock.now()
        mishap = self._too_many(place, now) or self._faults.next_for(place.kind)
        if mishap is not None and not mishap.half:
            return mishap
        self.asked.append((place.kind, parameters))
        desk = self._find(api_key.account, self._stream(place, parameters), place.history.part)
        answer = desk.answer(place.kind, parameters, to_millis(now))
        if mishap is not None:
            return Mishap(answer.status, answer.body, half=True)
        return _reply(answer)

    def _stream(self, place: _Place, parameters: Mapping[str, str]) -> str:
        call = place.history.calls[place.kind]
        if place.dialect.key_space.scope == "none":
            return place.history.stream
        return f"{place.history.stream}:{parameters.get(call.symbol_parameter, '')}"

    def _too_many(self, place: _Place, now: int) -> Mishap | None:
        most = self._faults.weight_a_minute
        minute = now // MINUTE
        self._spent[minute] += place.history.calls[place.kind].weight
        if not most or self._spent[minute] <= most:
            return None
        wait = ((minute + 1) * MINUTE - now) // SECOND + 1
        body = b'{"code":-1003,"msg":"Too many requests."}'
        return Mishap(429, body, (("retry-after", str(wait)),))


def _places(dialects: Mapping[str, Dialect]) -> Iterator[_Place]:
    """All calls of the streams that there are books of."""
    for dialect in dialects.values():
        for history in dialect.history:
            for kind in history.calls if (history.stream, history.part) in shapes() else ():
                yield _Place(dialect, history, kind)


def _encoded(headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


def _reply(answer: Answer) -> Reply:
    return Reply(
        answer.status, [(b"content-type", b"application/json"), *_encoded(answer.headers)], answer.body
    )


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
