"""The page of what runs, behind a login with an admin token."""

import asyncio
import hmac
import secrets
from base64 import b64encode
from collections import deque
from hashlib import sha256
from html import escape
from importlib import resources
from importlib.metadata import version
from string import Template
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from listenkey.base.clock import HOUR, SECOND, Micros
from listenkey.base.errors import Refused
from listenkey.edge.admin.call import Answer, Call
from listenkey.edge.admin.recent import recent_errors
from listenkey.edge.admin.upstreams import upstream_rows
from listenkey.edge.asgi import BodyTooLarge, BodyTooSlow, read_body
from listenkey.edge.bounds import Bounds
from listenkey.service.gateway import Gateway

_COOKIE: Final = "listenkey_session"
_LIFETIME: Final[Micros] = 12 * HOUR
_MOST_SESSIONS: Final = 100
_FORM_BYTES: Final = 4096
_MOST_COUNTED: Final = 10_000
_RATE_SECONDS: Final = 5
_POLICY: Final = (
    b"default-src 'none'; style-src 'sha256-%b'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class _Session(msgspec.Struct):
    token_id: str
    csrf: str
    until: Micros


class _Rate:
    """Events a second over the last few seconds."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque(maxlen=_RATE_SECONDS + 1)

    def read(self, at: float, count: int) -> None:
        """Take a reading."""
        self._readings.append((at, count))

    def a_second(self) -> float:
        """Mean over the readings."""
        if len(self._readings) < 2:
            return 0.0
        (since, first), (until, last) = self._readings[0], self._readings[-1]
        return (last - first) / (until - since) if until > since else 0.0


class Page:
    """Login, logout and the page itself. Sessions live in memory and end with the process, their token, or in
    time."""

    def __init__(self, gateway: Gateway, bounds: Bounds, *, secure: bool) -> None:
        self._gateway = gateway
        self._bounds = bounds
        self._secure = secure
        self._sessions: dict[str, _Session] = {}
        self._urls: list[str] = []
        self._published, self._sent = _Rate(), _Rate()
        self._watch: asyncio.Task[None] | None = None
        self._templates = {name: _template(name) for name in ("frame", "login", "status")}
        style = _read("style.css")
        self._style = style
        self._policy = _POLICY % _digest(style)

    def start(self, urls: list[str]) -> None:
        """Begin to watch rates. `urls`: what to show as listeners."""
        self._urls = urls
        self._watch = asyncio.ensure_future(self._watch_rates())

    def stop(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()

    async def _watch_rates(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            metrics = self._gateway.metrics
            self._published.read(loop.time(), metrics.events_published)
            self._sent.read(loop.time(), metrics.events_sent)
            await asyncio.sleep(1)

    # Calls ------------------------------------------------------------------------------------------

    async def show(self, call: Call) -> Answer:
        """`GET /`: the page, or the login."""
        session = self._session(call)
        if session is None:
            return self._html("Sign in", "login", {"problem": ""})
        return self._html("What runs", "status", {**self._facts(), "csrf": session.csrf}, refresh=True)

    async def login(self, call: Call) -> Answer:
        """`POST /login` with the form field `token`."""
        form = await _form(call, self._bounds.body_seconds)
        token = self._gateway.tokens.find(form.get("token", ""))
        if token is None or not self._gateway.tokens.allows(form["token"], "read"):
            return self._html(
                "Sign in", "login", {"problem": "That token is not good, or may not read."}, status=401
            )
        now = self._gateway.clock.now()
        self._sessions = {name: each for name, each in self._sessions.items() if now < each.until}
        while len(self._sessions) >= _MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        name = secrets.token_urlsafe(32)
        self._sessions[name] = _Session(token.id, secrets.token_urlsafe(32), now + _LIFETIME)
        return self._back_home(f"{_COOKIE}={name}; Max-Age={_LIFETIME // SECOND}")

    async def logout(self, call: Call) -> Answer:
        """`POST /logout` with the form field `csrf`. Errors: `forbidden`."""
        form = await _form(call, self._bounds.body_seconds)
        session = self._session(call)
        if session is None or not hmac.compare_digest(session.csrf.encode(), form.get("csrf", "").encode()):
            raise Refused("the form is not of this session", "open the page anew", code="forbidden")
        self._sessions = {name: each for name, each in self._sessions.items() if each is not session}
        return self._back_home(f"{_COOKIE}=; Max-Age=0")

    def _session(self, call: Call) -> _Session | None:
        for part in call.headers.get(b"cookie", b"").decode("latin-1").split(";"):
            name, _, value = part.strip().partition("=")
            session = self._sessions.get(value) if name == _COOKIE else None
            if session is None or self._gateway.clock.now() >= session.until:
                continue
            if any(token.id == session.token_id for token in self._gateway.tokens.all()):
                return session
        return None

    # Answers ----------------------------------------------------------------------------------------

    def _back_home(self, cookie: str) -> Answer:
        secure = "; Secure" if self._secure else ""
        value = f"{cookie}; Path=/; HttpOnly; SameSite=Strict{secure}".encode()
        return Answer(
            303, b"", [(b"location", b"/"), (b"set-cookie", value), (b"cache-control", b"no-store")]
        )

    def _html(
        self, title: str, template: str, places: dict[str, str], *, refresh: bool = False, status: int = 200
    ) -> Answer:
        """A page. Values are escaped unless their name ends in `_rows`."""
        shown = {name: value if name.endswith("_rows") else escape(value) for name, value in places.items()}
        content = self._templates[template].substitute(shown)
        body = self._templates["frame"].substitute(
            title=escape(title),
            style=self._style,
            content=content,
            refresh='<meta http-equiv="refresh" content="5">' if refresh else "",
        )
        return Answer(status, body.encode(), [
            (b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", self._policy),
            (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), (b"referrer-policy",
            b"same-origin"),
        ])  # fmt: skip

    def _facts(self) -> dict[str, str]:
        gateway = self._gateway
        keys = gateway.store.count_keys()
        metrics = gateway.metrics
        return {
            "version": version("listenkey"),
            "listeners_rows": "".join(f"<li><code>{escape(url)}</code></li>" for url in self._urls),
            "accounts": _count_accounts(gateway),
            "active": str(keys.get("active", 0)),
            "closed": str(keys.get("closed", 0)),
            "expired": str(keys.get("expired", 0)),
            "sockets": str(len(gateway.connections)),
            "published": f"{self._published.a_second():,.1f}",
            "sent": f"{self._sent.a_second():,.1f}",
            "queued": f"{sum(outlet.queued_bytes() for outlet in gateway.connections.all()):,}",
            "faults": str(metrics.internal_errors),
            "slow": str(metrics.sockets_slow),
            "errors_rows": _error_rows(),
            "upstreams_rows": upstream_rows(gateway.upstreams, gateway.clock.now()),
        }


def _count_accounts(gateway: Gateway) -> str:
    found = len(gateway.store.read_accounts("", _MOST_COUNTED + 1))
    return str(found) if found <= _MOST_COUNTED else f"over {_MOST_COUNTED}"


def _error_rows() -> str:
    errors = recent_errors.newest_first()
    if not errors:
        return "<tr><td colspan=3>None since the start.</td></tr>"
    return "".join(
        f"<tr><td><time>{escape(each.when)}</time></td><td><code>{escape(each.event)}</code></td>"
        f"<td>{escape(each.detail)}</td></tr>"
        for each in errors
    )


async def _form(call: Call, seconds: float) -> dict[str, str]:
    try:
        body = await read_body(call.receive, call.headers, _FORM_BYTES, seconds)
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=10))
    except (BodyTooLarge, BodyTooSlow, ValueError):
        raise Refused("the form is not what was sent out", "open the page anew", code="bad_form") from None


def _read(name: str) -> str:
    return (resources.files("listenkey.edge") / "pages" / name).read_text(encoding="utf-8")


def _template(name: str) -> Template:
    return Template(_read(f"{name}.html"))


def _digest(style: str) -> bytes:
    return b64encode(sha256(style.encode()).digest())
