"""Ask the wire as a service does: route, credential, arguments, and the answer's bytes."""

from dataclasses import dataclass, field

from listenkey.base.clock import MILLISECOND
from listenkey.dialect.model import Dialect
from listenkey.dialect.registry import load_dialects
from listenkey.wire.rest import (
    Arguments,
    Fault,
    NoContent,
    Reply,
    Request,
    check_signature,
    read_api_key,
    read_arguments,
    render_fault,
    render_no_content,
    render_success,
)
from listenkey.wire.routes import OperationRoute, RouteTable, build_routes

DIALECTS = load_dialects()
ROUTES: RouteTable = build_routes(DIALECTS, {})
NOW = 1_732_180_000_000 * MILLISECOND
KEY = "a8ea75681542e66f1a50a1616dd06ed77dab61baa0c296bca03a9b13ee5f2dd7"
HEADER = {"binance": b"x-mbx-apikey", "bingx": b"x-bx-apikey"}


@dataclass
class Ask:
    """One venue call with a good API key, unless said otherwise."""

    method: str
    path: str
    query: bytes = b""
    body: bytes = b""
    api_key: bytes | None = b"demo-key"
    headers: dict[bytes, bytes] = field(default_factory=dict)
    secret: bytes = b"demo-secret"
    signature: str | None = None
    now: int = NOW

    @property
    def dialect(self) -> Dialect:
        return ROUTES.rest("", "", self.method, self.path).dialect

    def request(self) -> Request:
        headers = dict(self.headers)
        if self.api_key is not None:
            headers[self.dialect.auth.header.lower().encode()] = self.api_key
        return Request(self.method, self.path, self.query, headers, self.body)

    def read(self) -> Arguments | Fault | NoContent:
        """What the request is understood as."""
        route = ROUTES.rest("", "", self.method, self.path)
        assert isinstance(route, OperationRoute)
        policy = self.signature or route.dialect.auth.signature
        return read_arguments(route.dialect, route.operation, self.request(), signature=policy, now=self.now)

    def reply(self) -> Reply:
        """The answer, as if every key that is offered were live."""
        route = ROUTES.rest("", "", self.method, self.path)
        request, dialect = self.request(), route.dialect
        if not isinstance(route, OperationRoute):
            return render_fault(dialect, Fault(route.kind), request=request, now=self.now)
        key = read_api_key(dialect, request)
        if isinstance(key, Fault):
            return render_fault(dialect, key, request=request, now=self.now)
        asked = self.read()
        if isinstance(asked, Fault):
            return render_fault(dialect, asked, request=request, now=self.now)
        wrong = check_signature(dialect, asked.signed, self.secret, "") if asked.signed else None
        if wrong is not None:
            return render_fault(dialect, wrong, request=request, now=self.now)
        if isinstance(asked, NoContent):
            return render_no_content()
        return render_success(route.operation, listen_key=KEY, expires_at=self.now, now=self.now)

    def answer(self) -> tuple[int, bytes]:
        """Status and body of the answer."""
        reply = self.reply()
        return reply.status, reply.body
