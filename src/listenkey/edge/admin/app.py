"""The admin listener's application: who may do what, which call is meant, and how it is answered."""

import re
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote

import msgspec
import structlog

from listenkey.base.errors import ListenKeyError, Refused
from listenkey.core.records import Scope as TokenScope
from listenkey.edge.admin import accounts, operations
from listenkey.edge.admin.call import Answer, Call, MethodNotAllowed, failure, json
from listenkey.edge.admin.docs import Docs, SiteMaker
from listenkey.edge.admin.guard import check_origin
from listenkey.edge.admin.journal import read_journal
from listenkey.edge.admin.page import Page
from listenkey.edge.admin.publish import publish
from listenkey.edge.asgi import ClientGone, Receive, Scope, Send, send_reply
from listenkey.edge.bounds import Bounds
from listenkey.service.gateway import Gateway
from listenkey.wire.messages import Reply

Handler: TypeAlias = Callable[[Call], Awaitable[Answer | None]]
"""Answers a call; None where it has written its answer itself."""
_log = structlog.get_logger(__name__)
_BUILTIN: Final = {
    ("POST", "/v1/accounts"): ("admin", accounts.add_account),
    ("GET", "/v1/accounts"): ("read", accounts.list_accounts),
    ("DELETE", "/v1/accounts/*"): ("admin", accounts.remove_account),
    ("POST", "/v1/accounts/*/api-keys"): ("admin", accounts.add_api_key),
    ("GET", "/v1/api-keys"): ("read", accounts.list_api_keys),
    ("DELETE", "/v1/api-keys/*"): ("admin", accounts.revoke_api_key),
    ("GET", "/v1/listen-keys"): ("read", accounts.list_listen_keys),
    ("DELETE", "/v1/listen-keys/*"): ("admin", accounts.close_listen_key),
    ("GET", "/v1/connections"): ("read", operations.list_connections),
    ("DELETE", "/v1/connections/*"): ("admin", operations.close_connection),
    ("POST", "/v1/tokens"): ("admin", accounts.add_token),
    ("GET", "/v1/tokens"): ("read", accounts.list_tokens),
    ("DELETE", "/v1/tokens/*"): ("admin", accounts.revoke_token),
    ("GET", "/v1/bans"): ("read", accounts.list_bans),
    ("DELETE", "/v1/bans/*"): ("admin", accounts.lift_ban),
    ("POST", "/v1/store/backup"): ("admin", operations.backup),
    ("GET", "/health/live"): ("", operations.live),
    ("GET", "/health/ready"): ("", operations.ready),
}


class _Route(msgspec.Struct):
    pattern: re.Pattern[str]
    methods: dict[str, tuple[TokenScope | Literal[""], Handler]] = {}


class Admin:
    """ASGI application of the admin listener."""

    def __init__(
        self, gateway: Gateway, bounds: Bounds, *, loopback: bool, secure: bool, docs: SiteMaker | None = None
    ) -> None:
        """`loopback`: whether only this machine can reach it; then a Host that is a name of elsewhere is
        refused. `secure`: whether it speaks TLS. `docs`: makes the reference, where there is one."""
        self._gateway = gateway
        self._bounds = bounds
        self._loopback = loopback
        self._metrics_page = gateway.metrics_page()
        self._page = Page(gateway, bounds, secure=secure)
        self._routes: dict[str, _Route] = {}
        for (method, path), (scope, handler) in _BUILTIN.items():
            self._add(method, path, scope, _with_gateway(gateway, handler))
        self._add("GET", "/v1/journal/*/*", "read", self._journal)
        self._add("POST", "/v1/publish", "publish", self._publish)
        self._add("GET", "/metrics", "", self._metrics)
        shown = Docs(docs)
        self._add("GET", "/docs", "", shown.enter)
        self._add("GET", "/docs/**", "", shown.show)
        self._add("GET", "/", "", self._page.show)
        self._add("POST", "/login", "", self._page.login)
        self._add("POST", "/logout", "", self._page.logout)

    def _add(self, method: str, path: str, scope: str, handler: Handler) -> None:
        pattern = re.compile(re.escape(path).replace(r"\*\*", "(.*)").replace(r"\*", "([^/]+)"))
        route = self._routes.setdefault(path, _Route(pattern))
        route.methods[method] = msgspec.convert(scope, Literal["", "admin", "publish", "read"]), handler

    def start(self, venue_urls: list[str], admin_url: str) -> None:
        """The listeners are up: begin to watch rates, and know what to show."""
        self._page.start([*venue_urls, admin_url])

    def stop(self) -> None:
        """Watch no more."""
        self._page.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        method: str = scope["method"]
        try:
            answer = await self._answer(method, scope, headers, receive, send)
        except ClientGone:
            return
        except ListenKeyError as error:
            answer = failure(error)
        except Exception:  # noqa: BLE001 - whatever went wrong, the caller gets an answer
            _log.exception("admin_call_failed", method=method)
            self._gateway.metrics.internal_errors += 1
            answer = json(
                {"error": {"code": "internal", "message": "a fault of the gateway", "remedy": "see its log"}},
                500,
            )
        if answer is not None:
            reply = Reply(answer.status, [*answer.headers], answer.body)
            await send_reply(send, reply, close=answer.status == 408)

    async def _answer(
        self, method: str, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> Answer | None:
        check_origin(headers, loopback=self._loopback, secure=scope["scheme"] == "https")
        parts, needed, handler = self._find(method, scope["raw_path"].decode("ascii"))
        self._authorize(headers, needed)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return await handler(Call(parts, query, headers, receive, send, self._bounds.body_seconds))

    def _find(self, method: str, path: str) -> tuple[list[str], str, Handler]:
        for route in self._routes.values():
            match = route.pattern.fullmatch(path)
            if match is None:
                continue
            found = route.methods.get("GET" if method == "HEAD" else method)
            if found is None:
                raise MethodNotAllowed(method, tuple(route.methods))
            return [unquote(part) for part in match.groups()], *found
        raise Refused("there is nothing here", "the reference lists what there is", code="not_found")

    def _authorize(self, headers: dict[bytes, bytes], needed: str) -> None:
        if not needed:
            return
        scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        tokens = self._gateway.tokens
        token = tokens.find(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise Refused("no good token", "send Authorization: Bearer TOKEN", code="unauthorized")
        if not tokens.allows(text.strip(), msgspec.convert(needed, TokenScope)):
            raise Refused(
                f"the token's scope {token.scope} does not allow this",
                f"use a token with scope {needed}",
                code="forbidden",
            )

    async def _journal(self, call: Call) -> None:
        await read_journal(self._gateway, call)

    async def _publish(self, call: Call) -> Answer:
        return await publish(self._gateway, call, self._bounds.publish_body_bytes, self._bounds.event_bytes)

    async def _metrics(self, call: Call) -> Answer:
        kind = b"text/plain; version=0.0.4; charset=utf-8"
        return Answer(200, self._metrics_page.render(), [(b"content-type", kind)])


def _with_gateway(gateway: Gateway, handler: Callable[[Gateway, Call], Awaitable[Answer]]) -> Handler:
    async def answer(call: Call) -> Answer:
        return await handler(gateway, call)

    return answer
