"""What must hold between settings, beyond each one's own type."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from msgspec import structs

from listenkey.base.errors import ConfigError
from listenkey.config.convert import UnfitError, from_value
from listenkey.config.fields import all_fields
from listenkey.config.listener import parse_listener
from listenkey.config.problem import Problem
from listenkey.config.settings import Settings

SHORTEST_SECRET: Final = 16
"""Characters that a master secret has at least."""
_LONGEST_LIFETIME: Final = 36_500 * 86_400
_TOO_SHORT: Final = f"has fewer than {SHORTEST_SECRET} characters"
_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")


def problems_of(settings: Settings, origins: Mapping[str, str]) -> Iterator[Problem]:
    """Everything that is wrong between the settings, and with the files they name."""
    for check in (
        _listeners,
        _remote_admin,
        _tls,
        _store,
        _proxies,
        _secrets,
        _eras,
        _hosts,
        _streams,
        _lifetimes,
        _sizes,
    ):
        for problem in check(settings):
            origin = origins.get(problem.where)
            # A variable or an option names its setting already; a file has many.
            is_file = origin not in (None, "command line") and not str(origin).startswith("LISTENKEY_")
            where = f"{origin}: {problem.where}" if is_file else problem.where
            yield Problem(where, problem.what, problem.remedy)


def check_demo(settings: Settings) -> None:
    """Refuse to show a demo, whose key everybody knows, to other machines. Errors: `ConfigError`."""
    for listener in (*settings.listeners(), settings.admin_listener()):
        if not listener.is_loopback:
            what = f"--demo serves loopback only, not {listener}"
            raise ConfigError(what, "listen on 127.0.0.1, or leave --demo out")


def _listeners(settings: Settings) -> Iterator[Problem]:
    seen: set[str] = set()
    venue = [("listen", text) for text in settings.listen]
    for name, text in (*venue, ("admin.listen", settings.admin.listen)):
        try:
            listener = parse_listener(text)
        except ConfigError as error:
            yield Problem(name, error.message, error.remedy)
            continue
        address = str(listener).partition("=")[0]
        if listener.port and address in seen:
            yield Problem(name, f"{address} is listened on twice", "give each listener a port of its own")
        if name == "admin.listen" and listener.name:
            yield Problem(name, "the admin listener serves no dialect", f"write {address}")
        seen.add(address)


def _remote_admin(settings: Settings) -> Iterator[Problem]:
    try:
        listener = settings.admin_listener()
    except ConfigError:
        return  # said already
    if not (listener.is_loopback or settings.tls.cert or settings.admin.allow_remote):
        yield Problem(
            "admin.listen",
            f"{listener} is reachable from other machines, and its tokens would travel in clear",
            "set tls.cert and tls.key, or admin.allow_remote = true where the network is yours alone",
        )


def _tls(settings: Settings) -> Iterator[Problem]:
    for name, own, other in (("cert", settings.tls.cert, "key"), ("key", settings.tls.key, "cert")):
        if not own:
            continue
        if not getattr(settings.tls, other):
            yield Problem(f"tls.{name}", f"is set without tls.{other}", "set both or none")
        yield from _readable(f"tls.{name}", own)


def _store(settings: Settings) -> Iterator[Problem]:
    if settings.store != "sqlite:":
        yield Problem("store", f'"{settings.store}" is no store that there is', 'write "sqlite:"')


def _proxies(settings: Settings) -> Iterator[Problem]:
    for proxy in settings.trusted_proxies:
        try:
            ip_network(proxy)
        except ValueError:
            yield Problem("trusted_proxies", f'"{proxy}" is no address or network', "write it as 10.0.0.0/8")


def _secrets(settings: Settings) -> Iterator[Problem]:
    if settings.master_secret and settings.master_secret_file:
        yield Problem("master_secret_file", "is set beside master_secret", "set one of them")
    if settings.master_secret and len(settings.master_secret.encode()) < SHORTEST_SECRET:
        yield Problem("master_secret", _TOO_SHORT, "give a longer one")
    if settings.master_secret_file:
        yield from _secret_file(settings.master_secret_file)


def _secret_file(file: str) -> Iterator[Problem]:
    unreadable = list(_readable("master_secret_file", file))
    yield from unreadable
    if not unreadable and len(Path(file).read_bytes().strip()) < SHORTEST_SECRET:
        yield Problem("master_secret_file", _TOO_SHORT, f"put a longer one into {file}")


def _eras(settings: Settings) -> Iterator[Problem]:
    named = {f"dialect.{name}.era": own.era for name, own in settings.dialect.items()}
    for where, era in {"era": settings.era, **named}.items():
        if era not in {"all", None} and not _is_day(str(era)):
            yield Problem(where, f'is "{era}", must be "all" or a day', "write a day as 2026-02-20")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _hosts(settings: Settings) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, own in settings.dialect.items():
        for host in own.hosts:
            if not _HOST.fullmatch(host):
                what = f'"{host}" is no name of a host'
                yield Problem(
                    f"dialect.{name}.hosts", what, "write it as api.example.com, without port or path"
                )
            other = owners.setdefault(host.lower(), name)
            if other != name:
                what = f"{host} means {other} already"
                yield Problem(f"dialect.{name}.hosts", what, "give each host one meaning")


def _streams(settings: Settings) -> Iterator[Problem]:
    """What one stream may be given is what all may."""
    common = {field.path[1]: field for field in all_fields() if field.path[0] == "streams"}
    for name, own in settings.stream.items():
        for setting, value in structs.asdict(own).items():
            try:
                from_value(common[setting], common[setting].default if value is None else value)
            except UnfitError as error:
                yield Problem(f"stream.{name}.{setting}", str(error), error.remedy)


def _lifetimes(settings: Settings) -> Iterator[Problem]:
    for name, own in settings.dialect.items():
        lifetime = 1 if own.lifetime_seconds is None else own.lifetime_seconds
        if not 1 <= lifetime <= _LONGEST_LIFETIME:
            where, what = f"dialect.{name}.lifetime_seconds", f"is not within 1 and {_LONGEST_LIFETIME}"
            yield Problem(where, what, "write it in seconds, a hundred years at most")


def _sizes(settings: Settings) -> Iterator[Problem]:
    if settings.http.event_bytes > settings.http.publish_body_bytes:
        what = "is more than http.publish_body_bytes"
        yield Problem("http.event_bytes", what, "an event has to fit a request")


def _readable(name: str, file: str) -> Iterator[Problem]:
    try:
        with Path(file).open("rb") as opened:
            opened.read(1)
    except OSError as error:
        yield Problem(name, f"{file} cannot be read: {error.strerror}", "check the path and its permissions")
