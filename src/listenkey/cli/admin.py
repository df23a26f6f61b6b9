"""Calls of a gateway's admin listener, and the options that say where it is."""

import functools
import json
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlsplit

import click
import msgspec

from listenkey.base.errors import ListenKeyError, Refused

if TYPE_CHECKING:
    import httpx

PAGE: Final = 1000
TOKEN_FILE: Final = "admin-token"  # noqa: S105
DEMO_DATA: Final = "listenkey-data-demo"
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 120.0


class Place(msgspec.Struct, frozen=True):
    """Where the admin listener is and what opens it, as the command line and the environment say."""

    admin: str | None = None
    token: str | None = None
    ca: Path | None = None
    data: str | None = None
    config: Path | None = None


class Unreachable(ListenKeyError):
    """Nobody answers there, or nobody who speaks as an admin listener does."""

    code = "unreachable"


def calls_admin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an admin call, and as its first argument the client they lead to."""

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        place = Place(**{name: given.pop(name) for name in Place.__struct_fields__})
        with AdminClient(place) as client:
            return function(client, **given)

    options = (
        click.option("--admin", metavar="URL", envvar="LISTENKEY_ADMIN", help="The admin listener."),
        click.option("--token", metavar="TOKEN", envvar="LISTENKEY_TOKEN", help="Token that opens it."),
        click.option(
            "--ca", metavar="FILE", envvar="LISTENKEY_CA", type=click.Path(path_type=Path),
            help="Certificate to trust, for an admin listener with a certificate of one's own.",
        ),
        click.option("--data", metavar="DIR", help="Data folder whose admin-token is used without --token."),
        click.option(
            "--config", metavar="FILE", envvar="LISTENKEY_CONFIG", type=click.Path(path_type=Path),
            help="Configuration file to take the address and the data folder from.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


class AdminClient:
    """One connection to the admin listener, with the errors that a person can act on."""

    def __init__(self, place: Place) -> None:
        import httpx

        self.url, self._data = _locate(place)
        headers = {"Authorization": f"Bearer {_checked(place.token or read_token(self._data))}"}
        verify: ssl.SSLContext | bool = _trust(place.ca) if self.url.startswith("https:") else False
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        # A proxy of the environment has no business with the token.
        self._http = httpx.Client(
            base_url=self.url, headers=headers, verify=verify, timeout=timeout, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: object = None, *, patient: bool = False) -> Any:
        """The decoded answer. `patient` waits for as long as it takes. Errors: `Refused`, `Unreachable`."""
        request: dict[str, Any] = {} if body is None else {"json": body}
        if patient:
            request["timeout"] = None
        answer = self._send(method, path, **request)
        return self._decoded(answer) if answer.content else None

    @staticmethod
    def path(*parts: str) -> str:
        """A path, each part after the first escaped."""
        return "/".join((parts[0], *(quote(part, safe="") for part in parts[1:])))

    def items(self, path: str, **filters: str | None) -> list[dict[str, Any]]:
        """All items of a list, over all its pages."""
        params = {name: value for name, value in filters.items() if value is not None} | {"limit": str(PAGE)}
        items: list[dict[str, Any]] = []
        while True:
            page = self._decoded(self._send("GET", path, params=params))
            items += page["items"]
            if page["next"] is None:
                return items
            params["cursor"] = page["next"]

    def publish(self, lines: list[bytes]) -> list[dict[str, Any]]:
        """Publish NDJSON lines; an answer each, in order."""
        answer = self._send(
            "POST", "/v1/publish", content=b"\n".join(lines) + b"\n",
            headers={"Content-Type": "application/x-ndjson"},
        )  # fmt: skip
        answers = [self._json(line) for line in answer.content.splitlines() if line]
        if len(answers) != len(lines):
            raise Unreachable(
                f"{self.url} answered {len(answers)} of {len(lines)} lines", "look into the gateway's log"
            )
        return answers

    def lines(self, path: str, params: dict[str, str]) -> Iterator[bytes]:
        """The lines of an NDJSON answer, as they come."""
        import httpx

        try:
            with self._http.stream("GET", path, params=params) as answer:
                if not answer.is_success:
                    answer.read()
                    self._refuse(answer)
                left = b""
                for chunk in answer.iter_bytes():
                    *whole, left = (left + chunk).split(b"\n")
                    yield from filter(None, whole)
                if left:
                    yield left
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def _send(self, method: str, path: str, **request: Any) -> "httpx.Response":
        import httpx

        try:
            answer = self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if not answer.is_success:
            self._refuse(answer)
        return answer

    def _unreachable(self, error: Exception) -> Unreachable:
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            why = f"no admin listener answers at {self.url} ({str(error) or 'timed out'})"
            return Unreachable(why, "start `listenkey serve`, or name the right address with --admin")
        kind = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "broke off"
        return Unreachable(f"the admin listener at {self.url} {kind}", "look whether the gateway still runs")

    def _refuse(self, answer: "httpx.Response") -> None:
        try:
            error = self._decoded(answer)["error"]
            raise Refused(error["message"], error.get("remedy", ""), code=error["code"])
        except (KeyError, TypeError):
            raise self._stranger() from None

    def _decoded(self, answer: "httpx.Response") -> Any:
        return self._json(answer.content)

    def _json(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise self._stranger() from None

    def _stranger(self) -> Unreachable:
        return Unreachable(
            f"{self.url} does not answer as an admin listener does", "name another with --admin"
        )


def _checked(token: str) -> str:
    if not token.isascii() or not token.isprintable():
        what = "the token has characters that no token has"
        raise Refused(what, "copy it anew; `listenkey token add` makes another", code="bad_token")
    return token


def read_token(data: Path) -> str:
    """The admin token of a data folder. Errors: `Refused("no_token")`."""
    file = data / TOKEN_FILE
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        remedy = "name the gateway's data folder with --data, or give a token with --token or LISTENKEY_TOKEN"
        raise Refused(f"no admin token: {file} cannot be read ({why})", remedy, code="no_token") from None


def _locate(place: Place) -> tuple[str, Path]:
    """Address of the admin listener, and the data folder. Reads the configuration only where it must."""
    if place.admin and (place.token or place.data):
        return _as_url(place.admin), Path(place.data or "")
    from listenkey.config import load

    settings = load(place.config, os.environ).settings
    listener = settings.admin_listener()
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(listener.host, str(listener).rpartition(":")[0])  # noqa: S104
    own = f"{'https' if settings.tls.cert else 'http'}://{host}:{listener.port}"
    return _as_url(place.admin) if place.admin else own, _data_folder(place, Path(settings.data))


def _data_folder(place: Place, configured: Path) -> Path:
    if place.data:
        return Path(place.data)
    demo = Path(DEMO_DATA)
    # Beside a `serve --demo` and nothing else, the demo is what is meant.
    is_demo = not (configured / TOKEN_FILE).exists() and (demo / TOKEN_FILE).exists()
    return demo if is_demo else configured


def _as_url(text: str) -> str:
    url = text.rstrip("/") if "://" in text else f"http://{text}"
    if not url.startswith(("http://", "https://")) or not _has_host(url):
        what = f"{text} is no address of an admin listener"
        raise Refused(what, "write http://HOST:PORT or https://HOST:PORT", code="bad_admin")
    return url


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Refused(
            f"{ca} cannot be read as a certificate ({error})", "name a PEM file with --ca"
        ) from None
