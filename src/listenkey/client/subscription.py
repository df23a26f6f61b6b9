"""A stream that a venue delivers over its WebSocket API: subscribed to by signature, or by a listen token.

There is no key to keep alive. What the keeper takes for a key is the token, or, where requests are signed, a
word that never ends; a token is replaced by a new one, on a new socket that overlaps the old.
"""

import asyncio
from typing import Final

from listenkey.base.clock import DAY, Micros
from listenkey.client.buffer import Buffer
from listenkey.client.calls import headers_of, now_micros, steady_ms, wall_micros
from listenkey.client.socket import Socket
from listenkey.client.venue import Venue, VenueReader
from listenkey.core.keeper import Fault, Plan
from listenkey.dialect.api import TokenCall, WebSocketApi
from listenkey.dialect.model import Dialect, OperationKind
from listenkey.wire.client import CallResult, read_result
from listenkey.wire.client_api import (
    build_token_call,
    read_subscribed,
    read_token,
    subscribe_by_signature,
    subscribe_by_token,
)

_ANSWER_TIMEOUT: Final = 10.0
_SIGNED: Final = "by signature"
_FOR_EVER: Final[Micros] = 36_500 * DAY


class SubscriptionReader(VenueReader):
    """Holds a subscription open. `token_call`: how a token is had; None where requests are signed."""

    def __init__(
        self,
        venue: Venue,
        buffer: Buffer,
        signing: Dialect,
        api: WebSocketApi,
        token_call: TokenCall | None,
    ) -> None:
        """`signing`: the dialect whose API it is, and by whose rules requests are signed."""
        self._signing = signing
        self._api = api
        self._token_call = token_call
        self._token_made: Micros = 0
        super().__init__(venue, buffer)

    def _plan(self) -> Plan:
        lifetime = self._token_call.longest_ms * 1000 if self._token_call is not None else _FOR_EVER
        return self._venue.watched(Plan(lifetime=lifetime))

    def _lives_until_ms(self) -> int:
        return steady_ms()  # whatever ends a subscription is said on its socket

    def _url(self, listen_key: str) -> str:
        return f"{self._venue.sockets}{self._api.path}?returnRateLimits=false"

    async def _call(self, kind: OperationKind, listen_key: str) -> None:
        if self._token_call is None:
            now = now_micros()
            done = self._keeper.extended(now) if kind == "extend" else self._keeper.created(_SIGNED, now)
            self._do(done)
        elif kind == "create":
            await self._make_token(self._token_call)
        elif now_micros() - self._token_made < self._token_call.longest_ms * 250:
            self._do(self._keeper.extended(now_micros()))
        else:
            self._do(self._keeper.outdated(now_micros()))

    async def _make_token(self, token_call: TokenCall) -> None:
        venue = self._venue
        call = build_token_call(token_call, venue.dialect.auth.header, venue.api_key(), venue.symbol)
        asked_ms, answer = steady_ms(), await self._calls.request(call)
        if not isinstance(answer, CallResult):
            token = read_token(answer.content) if answer.status_code == 200 else ""
            if token:
                self._token_made, self._key_lived_ms = now_micros(), asked_ms
                self._do(self._keeper.created(token, self._token_made))
                return
            headers, wall = headers_of(answer), wall_micros()
            answer = read_result(venue.dialect, "create", answer.status_code, headers, answer.content, wall)
        if answer.outcome == "done":
            answer = CallResult("transient", reason="an answer without a token")
        await self._failed("create", answer)

    async def _greet(self, number: int, socket: Socket, listen_key: str) -> Fault | None:
        venue = self._venue
        if self._token_call is not None:
            request = subscribe_by_token(self._api, listen_key)
        else:
            now = self._calls.now()
            request = subscribe_by_signature(
                self._signing, self._api, venue.api_key(), venue.api_secret(), now
            )
        await socket.send(request)
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            while True:
                frame = await socket.receive_one()
                result = read_subscribed(self._signing, self._api, frame)
                if result is not None:
                    break
                await self._take(number, socket, [frame])  # an event may overtake the answer
        return None if result.outcome == "done" else await self._calls.fault(result)
