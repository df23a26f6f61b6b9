"""The methods of a WebSocket API, by kind: session, listen keys, subscriptions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
import structlog

from listenkey.base.clock import Micros, to_millis
from listenkey.base.errors import Refused, StoreError
from listenkey.core.api_session import ApiSession, Means, Subscribed
from listenkey.core.position import Gap
from listenkey.core.records import ApiKey, StreamId
from listenkey.dialect.api import ApiMethodKind, WebSocketApi
from listenkey.dialect.model import Dialect
from listenkey.service.clock import ServiceClock
from listenkey.service.credentials import Credentials, refusal
from listenkey.service.keys import Held, Keys
from listenkey.service.left import Left
from listenkey.service.limits import Limiter
from listenkey.service.listen_tokens import ListenTokens
from listenkey.service.metrics import Metrics
from listenkey.service.outlet import Outlet, Subscription
from listenkey.service.passed_over import pass_over
from listenkey.service.streams import Streams
from listenkey.store.base import Store
from listenkey.wire.api import ApiFault, ApiRequest, SubscriptionEvents, quoted, render_terminated
from listenkey.wire.frames import Variant
from listenkey.wire.messages import Fault
from listenkey.wire.rest import check_api_key, check_listen_key
from listenkey.wire.signature import check_signature, kind_of_key
from listenkey.wire.signed import payload_by_name, read_signed
from listenkey.wire.times import InMicros

_API_KEY: Final = "apiKey"
_TOKEN: Final = "listenToken"  # noqa: S105 - the name of a parameter
_SUBSCRIPTION: Final = "subscriptionId"
_log = structlog.get_logger(__name__)


class ApiParts(msgspec.Struct, frozen=True):
    """What all connections share."""

    store: Store
    clock: ServiceClock
    keys: Keys
    credentials: Credentials
    limiter: Limiter
    metrics: Metrics
    streams: Streams
    tokens: ListenTokens
    dialects: Mapping[str, Dialect]


class Done(msgspec.Struct, frozen=True):
    """What fills the places of a result, and the frames that go out before it."""

    values: Mapping[str, object] = {}
    before: Sequence[bytes] = ()


Outcome = Done | Fault | ApiFault


class ApiMethods:
    """What one connection may ask for."""

    def __init__(
        self,
        parts: ApiParts,
        dialect: Dialect,
        api: WebSocketApi,
        outlet: Outlet,
        *,
        tells_limits: bool,
        micros: bool,
    ) -> None:
        """`micros`: events go out with their times in microseconds."""
        self.session = ApiSession(
            parts.clock.now(), most=api.max_subscriptions, most_ids=api.max_subscription_ids
        )
        self._parts = parts
        self._dialect = dialect
        self._api = api
        self._outlet = outlet
        self._tells_limits = tells_limits
        self._micros = micros
        self._sent: dict[int, Subscription] = {}
        self._left = Left()
        """What this connection was sent by subscriptions that are over; it is told nothing twice."""
        self._by_kind: dict[
            ApiMethodKind, Callable[[ApiRequest, ApiKey | None, Micros], Awaitable[Outcome]]
        ] = {
            "ping": self._ping,
            "time": self._ping,
            "logon": self._log_on,
            "status": self._status,
            "logout": self._log_out,
            "subscriptions": self._list,
            "create": self._change_key,
            "extend": self._change_key,
            "close": self._change_key,
            "subscribe": self._subscribe,
            "subscribe_signature": self._subscribe_signed,
            "subscribe_token": self._subscribe_by_token,
            "unsubscribe": self._unsubscribe,
        }

    async def perform(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        """Do what a request asks for. `api_key`: its own, or the one that is logged on."""
        return await self._by_kind[request.method.kind](request, api_key, now)

    def api_key_of(self, request: ApiRequest) -> ApiKey | Fault | None:
        """The API key that a request names, else the one that is logged on."""
        given = request.parameters.get(_API_KEY)
        if given is None:
            return self.session.api_key
        if fault := check_api_key(self._dialect, given):
            return fault
        return self._parts.credentials.find(given) or Fault("api_key_unknown")

    def lost_logon(self) -> bool:
        """Whether the API key that is logged on was revoked meanwhile; from then on nobody is logged on."""
        held = self.session.api_key
        if held is None:
            return False
        if not self._is_gone(held):
            return False
        self.session.log_out()
        return True

    def _is_gone(self, held: ApiKey) -> bool:
        found = self._parts.credentials.find(held.key)
        return found is None or found.id != held.id

    # Session ----------------------------------------------------------------------------------------

    async def _ping(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        return Done({"now_ms": to_millis(now)})

    async def _log_on(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        proven = self._prove(request, now)
        if not isinstance(proven, ApiKey):
            return proven
        if kind_of_key(proven.public_key) not in self._api.logon_keys:
            return ApiFault("logon_key_kind")
        self.session.log_on(proven, now)
        return self._session_now(now)

    async def _status(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        return self._session_now(now)

    async def _log_out(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        ended = self._end(self.session.log_out())
        return Done(self._session_now(now).values, ended)

    def _session_now(self, now: Micros) -> Done:
        session, api_key = self.session, self.session.api_key
        since = None if api_key is None else to_millis(session.authorized_at)
        return Done(
            {
                "api_key": quoted(None if api_key is None else api_key.key),
                "authorized_since_ms": quoted(since),
                "connected_since_ms": to_millis(session.connected_at),
                "returns_limits": self._tells_limits,
                "now_ms": to_millis(now),
                "subscribed": bool(session.active),
            }
        )

    def _prove(self, request: ApiRequest, now: Micros) -> ApiKey | Fault:
        """The API key that a request was signed with."""
        auth, given = self._dialect.auth, request.parameters
        if _API_KEY not in given:
            return Fault("api_key_missing")
        api_key = self.api_key_of(request)
        if isinstance(api_key, Fault):
            return api_key
        if fault := refusal(api_key, self._outlet.address):
            return fault
        assert api_key is not None
        signed = read_signed(auth, given, lambda: (payload_by_name(auth, given),), "required", now)
        if isinstance(signed, Fault):
            return signed
        assert signed is not None
        secret = self._parts.credentials.secret(api_key)
        return check_signature(self._dialect, signed, secret, api_key.public_key) or api_key

    # Listen keys ------------------------------------------------------------------------------------

    async def _change_key(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        if api_key is None:
            return Fault("api_key_missing")
        if fault := refusal(api_key, self._outlet.address):
            return fault
        string = None
        if request.method.kind != "create" and request.method.key_in == "parameter":
            given = check_listen_key(self._dialect, request.parameters.get("listenKey"), "listenKey")
            if isinstance(given, Fault):
                return given
            string = given
        try:
            held = await self._change(request, string, api_key, now)
        except Refused:  # the API key or its account went while the call was on its way
            return Fault("api_key_unknown")
        except StoreError as error:
            _log.error("key_not_changed", error=error.message)
            return Fault("internal")
        return Fault("listen_key_unknown") if held is None else Done({"listen_key": held.string})

    async def _change(
        self, request: ApiRequest, string: str | None, api_key: ApiKey, now: Micros
    ) -> Held | None:
        keys, dialect, address = self._parts.keys, self._dialect, self._outlet.address
        if request.method.kind == "create":
            return await keys.create(dialect, "", api_key, now, address)
        if request.method.kind == "extend":
            return await keys.extend(dialect, "", string, api_key, now, address)
        return await keys.close(dialect, "", string, api_key, now)

    # Subscriptions ----------------------------------------------------------------------------------

    async def _subscribe(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        logged_on = self.session.api_key
        if logged_on is None:
            return ApiFault("not_logged_on")
        if fault := refusal(logged_on, self._outlet.address):
            return fault
        return await self._begin(logged_on, self._own_stream(logged_on), "logon")

    async def _subscribe_signed(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        proven = self._prove(request, now)
        if isinstance(proven, Fault):
            return proven
        return await self._begin(proven, self._own_stream(proven), "signature")

    async def _subscribe_by_token(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        token = request.parameters.get(_TOKEN)
        if not token:
            return ApiFault("parameter_missing", {"parameter": _TOKEN})
        grant = self._parts.tokens.read(token, self._outlet.address, now)
        if grant is None:
            return ApiFault("listen_token_unknown")
        return await self._begin(grant.api_key, grant.stream, "token", grant.expires_at)

    def _own_stream(self, api_key: ApiKey) -> StreamId:
        return StreamId(api_key.account_id, self._api.stream)

    async def _begin(
        self, api_key: ApiKey, stream: StreamId, means: Means, expires_at: Micros = 0
    ) -> Outcome:
        """Nothing may be awaited once the subscription is there: no event is to overtake the answer."""
        if await self._parts.streams.prepare(self._outlet, api_key, stream) and self._is_gone(api_key):
            return Fault("api_key_unknown")
        began = self.session.subscribe(stream, means, expires_at)
        if not isinstance(began, Subscribed):
            return ApiFault(began, {"limit": self._api.max_subscriptions})
        if began.id not in self._sent:
            try:
                self._sent[began.id] = self._send(began, api_key)
            except BaseException:
                # Else the next try would hear that there is one already, and get no event.
                self.session.unsubscribe(began.id)
                raise
        return Done({"subscription": began.id, "expires_at_us": began.expires_at})

    def _send(self, subscribed: Subscribed, api_key: ApiKey) -> Subscription:
        variant: Variant = SubscriptionEvents(self._api, subscribed.id)
        if self._micros:
            name = subscribed.stream.stream.partition(":")[0]
            variant = InMicros(variant, self._parts.dialects.values(), name)
        return self._parts.streams.subscribe_as(
            self._outlet,
            api_key,
            subscribed.stream,
            variant,
            name=str(subscribed.id),
            on_gap=partial(self._note_gap, api_key, subscribed.stream),
            left=self._left,
        )

    def _note_gap(self, api_key: ApiKey, stream: StreamId, gap: Gap) -> None:
        if gap.last is None:
            return
        pass_over(
            self._parts.metrics,
            gap.epoch,
            gap.first,
            gap.last,
            reason=gap.reason,
            account=api_key.account,
            stream=stream.stream,
            api_key=api_key.id,
        )

    async def _unsubscribe(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        text = request.parameters.get(_SUBSCRIPTION)
        if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
            return ApiFault("parameter_missing", {"parameter": _SUBSCRIPTION})
        ended = self.session.unsubscribe(None if text is None else int(text))
        return ApiFault("subscription_inactive") if ended is None else Done(before=self._end(ended))

    async def _list(self, request: ApiRequest, api_key: ApiKey | None, now: Micros) -> Outcome:
        return Done({"subscriptions": quoted([{_SUBSCRIPTION: each.id} for each in self.session.active])})

    # Ends -------------------------------------------------------------------------------------------

    def expire(self, now: Micros) -> list[bytes]:
        """End subscriptions whose time is over; the frames that tell of it."""
        return self._end(self.session.expire(now))

    def ended(self, subscription: Subscription) -> bytes | None:
        """The frame that tells of the end of a subscription whose API key was revoked."""
        ended = self.session.unsubscribe(int(subscription.name))
        return self._farewell(ended[0]) if ended else None

    def _end(self, ended: Sequence[Subscribed]) -> list[bytes]:
        return [self._farewell(each) for each in ended]

    def _farewell(self, subscribed: Subscribed) -> bytes:
        subscription = self._sent.pop(subscribed.id)
        self._parts.streams.cancel(subscription)
        self._left.note(subscription)
        return subscription.variant.wrap(render_terminated(self._api, self._parts.clock.now()))
