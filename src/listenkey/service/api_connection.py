"""One connection to a WebSocket API: frames in, answers and events out.

Each frame is counted against the limits, answered by `service.api_methods`, and worded by `wire.api`. The
edge sees to it that frames of a connection are answered one after the other.
"""

from collections.abc import Sequence

import msgspec
import structlog

from listenkey.base.clock import Micros
from listenkey.core.records import ApiKey
from listenkey.dialect.api import WebSocketApi
from listenkey.dialect.model import Dialect
from listenkey.service.api_methods import ApiMethods, ApiParts
from listenkey.service.limits import Call, Opening, Verdict, settle
from listenkey.service.outlet import Outlet, Subscription
from listenkey.wire.api import (
    ApiFault,
    ApiRequest,
    Used,
    parse_request,
    render_api_fault,
    render_result,
    render_shutdown,
    status_of,
)
from listenkey.wire.messages import Fault
from listenkey.wire.times import values_in_micros

_log = structlog.get_logger(__name__)


class Answer(msgspec.Struct, frozen=True):
    """The text of an answer, the frames that go out before it, and whether the connection ends with it."""

    text: str
    before: Sequence[bytes] = ()
    ends: bool = False


class ApiConnection:
    """What one connection is and does. `outlet` is where its events go."""

    def __init__(
        self,
        parts: ApiParts,
        dialect: Dialect,
        api: WebSocketApi,
        outlet: Outlet,
        opening: Opening,
        *,
        tells_limits: bool,
        micros: bool = False,
    ) -> None:
        """`tells_limits`: whether answers tell the limits where a request does not say. `micros`: times of
        answers and events are in microseconds."""
        self.proven = False
        """Whether an API key was shown here."""
        self._opening = opening
        self._parts = parts
        self._dialect = dialect
        self._api = api
        self._address = outlet.address
        self._tells_limits = tells_limits
        self._micros = micros
        self._methods = ApiMethods(parts, dialect, api, outlet, tells_limits=tells_limits, micros=micros)

    async def answer(self, text: str) -> Answer:
        """The answer to a frame. Never raises: a fault of ours is the dialect's own internal error."""
        now = self._parts.clock.now()
        request = parse_request(self._api, text)
        if isinstance(request, ApiFault):
            verdict = self._admit("", 1, None, now)
            await settle(verdict.durable)
            return self._failed(request.id, verdict.fault or request, now, self._used(None, verdict))
        try:
            return await self._answer(request, now)
        except Exception:  # noqa: BLE001 - whatever goes wrong, the caller gets the venue's own answer
            _log.exception("request_failed", dialect=self._dialect.name, method=request.method.name)
            self._parts.metrics.internal_errors += 1
            return self._failed(request.id, Fault("internal"), now, None)

    async def _answer(self, request: ApiRequest, now: Micros) -> Answer:
        method = request.method
        api_key = self._methods.api_key_of(request)
        known = api_key if isinstance(api_key, ApiKey) else None
        if known is not None and not self.proven:
            claimed = self._claim(known, now)
            if claimed.fault is not None:
                await settle(claimed.durable)
                return self._count(request, self._failed(request.id, claimed.fault, now, None), claimed.fault)
        verdict = self._admit(method.name, method.weight, known, now)
        used = self._used(request, verdict)
        # Before anything is done: the first event of a subscription must not overtake the answer.
        await settle(verdict.durable)
        if verdict.fault is not None:
            return self._count(request, self._failed(request.id, verdict.fault, now, used), verdict.fault)
        if self._methods.lost_logon():
            # The key behind the log-on is gone: the venue says so once, to nobody's request.
            return self._failed(b"null", Fault("api_key_unknown"), now, None)
        done = api_key if isinstance(api_key, Fault) else await self._methods.perform(request, known, now)
        if isinstance(done, Fault | ApiFault):
            return self._count(request, self._failed(request.id, done, now, used), done)
        values = values_in_micros(done.values) if self._micros else done.values
        return self._count(request, Answer(render_result(self._api, request, values, used), done.before))

    def _claim(self, api_key: ApiKey, now: Micros) -> Verdict:
        """Whose connection this is shows with the first API key."""
        claimed = self._parts.limiter.claim(self._opening, api_key, now)
        self.proven = claimed.fault is None
        return claimed

    def _admit(self, name: str, weight: int, api_key: ApiKey | None, now: Micros) -> Verdict:
        call = Call(self._dialect, name, self._api.pools, weight, self._address, api_key)
        return self._parts.limiter.admit(call, now)

    def _used(self, request: ApiRequest | None, verdict: Verdict) -> tuple[Used, ...] | None:
        wanted = None if request is None else request.wants_limits
        if not (self._tells_limits if wanted is None else wanted):
            return None
        return tuple(Used(limit, count) for limit, count in verdict.used)

    def _failed(
        self, request_id: bytes, fault: Fault | ApiFault, now: Micros, used: tuple[Used, ...] | None
    ) -> Answer:
        text = render_api_fault(self._api, self._dialect, request_id, fault, now, used)
        return Answer(text, ends=fault.kind in {"banned", "too_many_connections"})

    def _count(self, request: ApiRequest, answer: Answer, fault: Fault | ApiFault | None = None) -> Answer:
        status = 200 if fault is None else status_of(self._dialect, self._api, fault)
        self._parts.metrics.requests[self._dialect.name, request.method.kind, status] += 1
        return answer

    # Subscriptions ----------------------------------------------------------------------------------

    def ended(self, subscription: Subscription) -> bytes | None:
        """The frame that tells of a subscription's end, when what it hung on is gone."""
        return self._methods.ended(subscription)

    def expire(self, now: Micros) -> list[bytes]:
        """End subscriptions whose time is over; the frames that tell of it."""
        return self._methods.expire(now)

    def next_expiry(self) -> Micros | None:
        """When the next subscription ends by itself, by the service's clock."""
        return self._methods.session.next_expiry()

    def goodbye(self, now: Micros) -> str:
        """What the peer is told before the server ends; empty where the venue says nothing."""
        return render_shutdown(self._api, now)
