"""A venue's REST call from request to reply: limits, credential, arguments, key life, answer."""

import structlog

from listenkey.base.clock import Micros
from listenkey.base.errors import Refused, StoreError
from listenkey.core.records import ApiKey
from listenkey.dialect.api import TokenCall
from listenkey.dialect.model import Dialect, Operation
from listenkey.service.clock import ServiceClock
from listenkey.service.credentials import Credentials, is_unproven, refusal
from listenkey.service.keys import Held, Keys
from listenkey.service.limits import Call, Limiter, Verdict, settle
from listenkey.service.listen_tokens import ListenTokens
from listenkey.service.metrics import Metrics
from listenkey.service.names import StreamNames
from listenkey.wire.rest import (
    Arguments,
    Fault,
    NoContent,
    Reply,
    Request,
    Signed,
    check_signature,
    error_code,
    read_api_key,
    read_arguments,
    render_fault,
    render_no_content,
    render_public,
    render_success,
)
from listenkey.wire.routes import OperationRoute, PublicRoute, Route, TokenRoute, UnknownRoute
from listenkey.wire.times import read_time_unit
from listenkey.wire.tokens import read_token_request, render_token

_log = structlog.get_logger(__name__)


class VenueCalls:
    """Answers venue REST calls, each exactly as its dialect says."""

    def __init__(
        self,
        clock: ServiceClock,
        keys: Keys,
        credentials: Credentials,
        limiter: Limiter,
        metrics: Metrics,
        symbols: dict[str, frozenset[str]],
        names: StreamNames,
        tokens: ListenTokens,
    ) -> None:
        """`symbols`: by dialect, the symbols that exist; a dialect that is not in it takes any well-formed
        one."""
        self._clock = clock
        self._keys = keys
        self._credentials = credentials
        self._limiter = limiter
        self._metrics = metrics
        self._symbols = symbols
        self._names = names
        self._tokens = tokens

    async def handle(self, route: Route, request: Request, address: str) -> Reply:
        """The reply to a request. Never raises: a fault of ours is the dialect's own internal error."""
        now = self._clock.now()
        dialect = route.dialect
        try:
            reply = await self._answer(route, request, address, now)
        except Exception:  # noqa: BLE001 - whatever goes wrong, the caller gets the venue's own answer
            _log.exception("request_failed", dialect=dialect.name, method=request.method)
            self._metrics.internal_errors += 1
            reply = render_fault(dialect, Fault("internal", {}), request=request, now=now)
        kind = route.operation.kind if isinstance(route, OperationRoute) else "other"
        self._metrics.requests[dialect.name, kind, reply.status] += 1
        return reply

    async def _answer(self, route: Route, request: Request, address: str, now: Micros) -> Reply:
        if isinstance(route, OperationRoute):
            return await self._operate(route.dialect, route.operation, request, address, now)
        if isinstance(route, TokenRoute):
            return await self._operate(route.dialect, route.call, request, address, now)
        dialect = route.dialect
        if isinstance(route, PublicRoute):
            call = Call(
                dialect,
                f"{route.call.method} {route.call.path}",
                route.call.pools,
                route.call.weight,
                address,
                None,
            )
        else:
            pools = tuple(each.name for each in dialect.limits.buckets if each.counts != "connections")
            call = Call(dialect, "", pools, 1, address, None)
        verdict = self._limiter.admit(call, now)
        if verdict.fault is not None:
            return await self._fail(call, verdict.fault, verdict, request, now)
        if isinstance(route, UnknownRoute):
            return await self._fail(call, Fault(route.kind, {}), verdict, request, now)
        micros = read_time_unit(dialect, request)
        if isinstance(micros, Fault):
            return await self._fail(call, micros, verdict, request, now)
        await settle(verdict.durable)
        return _with_headers(render_public(route.call, now, micros=micros), verdict)

    async def _operate(
        self,
        dialect: Dialect,
        operation: Operation | TokenCall,
        request: Request,
        address: str,
        now: Micros,
    ) -> Reply:
        given = read_api_key(dialect, request)
        api_key = None if isinstance(given, Fault) else self._credentials.find(given)
        call = Call(
            dialect,
            f"{operation.method} {operation.path}",
            operation.pools,
            operation.weight,
            address,
            api_key,
        )
        verdict = self._limiter.admit(call, now)
        fault = verdict.fault
        if fault is None and isinstance(given, Fault):
            fault = given
        if fault is None:
            fault = refusal(api_key, address)
        if fault is not None or api_key is None:
            return await self._fail(call, fault or Fault("api_key_unknown", {}), verdict, request, now)
        if isinstance(operation, TokenCall):
            done = self._make_token(operation, request, api_key, now)
        else:
            done = await self._perform(dialect, operation, request, api_key, now, address)
        if isinstance(done, Fault):
            return await self._fail(call, done, verdict, request, now)
        await settle(verdict.durable)
        return _with_headers(done, verdict)

    def _make_token(self, call: TokenCall, request: Request, api_key: ApiKey, now: Micros) -> Reply | Fault:
        wanted = read_token_request(call, request)
        if isinstance(wanted, Fault):
            return wanted
        if not self._names.is_stream(wanted.stream):
            return Fault("symbol_unknown", {"parameter": call.symbol_parameter})
        expires_at = now + wanted.validity
        token = self._tokens.mint(api_key, wanted.stream, expires_at)
        return render_token(call, token, expires_at)

    async def _perform(
        self,
        dialect: Dialect,
        operation: Operation,
        request: Request,
        api_key: ApiKey,
        now: Micros,
        address: str,
    ) -> Reply | Fault:
        unit = read_time_unit(dialect, request)
        if isinstance(unit, Fault):
            return unit
        arguments = read_arguments(dialect, operation, request, signature=dialect.auth.signature, now=now)
        if isinstance(arguments, Fault):
            return arguments
        fault = self._check_signature(dialect, arguments.signed, api_key)
        if fault is not None:
            return fault
        if isinstance(arguments, NoContent):
            return render_no_content()
        known = self._symbols.get(dialect.name)
        if arguments.scope and known is not None and arguments.scope not in known:
            return Fault("symbol_unknown", {})
        try:
            held = await self._change(dialect, operation, arguments, api_key, now, address)
        except Refused:  # the API key or its account went while the call was on its way
            return Fault("api_key_unknown", {})
        except StoreError as error:
            _log.error("key_not_changed", error=error.message)
            return Fault("internal", {})
        if isinstance(held, Fault):
            return held
        return render_success(operation, listen_key=held.string, expires_at=held.key.expires_at, now=now)

    def _check_signature(self, dialect: Dialect, signed: Signed | None, api_key: ApiKey) -> Fault | None:
        if signed is None or is_unproven(api_key):
            return None
        return check_signature(dialect, signed, self._credentials.secret(api_key), api_key.public_key)

    async def _change(
        self,
        dialect: Dialect,
        operation: Operation,
        arguments: Arguments,
        api_key: ApiKey,
        now: Micros,
        address: str,
    ) -> Held | Fault:
        scope, string = arguments.scope, arguments.listen_key
        if operation.kind == "create":
            held = await self._keys.create(dialect, scope, api_key, now, address)
            return held or Fault("rate_limited", {})
        unknown = Fault("listen_key_unknown", {})
        if operation.kind == "extend":
            return await self._keys.extend(dialect, scope, string, api_key, now, address) or unknown
        return await self._keys.close(dialect, scope, string, api_key, now) or unknown

    async def _fail(self, call: Call, fault: Fault, verdict: Verdict, request: Request, now: Micros) -> Reply:
        if verdict.fault is None:
            tripped = self._limiter.count_error(call, error_code(call.dialect, fault.kind), now)
            if tripped is not None and tripped.fault is not None:
                await settle(tripped.durable)
                fault = tripped.fault
        await settle(verdict.durable)
        return _with_headers(render_fault(call.dialect, fault, request=request, now=now), verdict)


def _with_headers(reply: Reply, verdict: Verdict) -> Reply:
    reply.headers.extend(verdict.headers)
    return reply
