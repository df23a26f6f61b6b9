"""Lint of what a dialect says about the venue itself: its hosts, and what it took away."""

from collections.abc import Iterator
from typing import Final

from listenkey.dialect.era import is_day
from listenkey.dialect.lint.common import twice
from listenkey.dialect.model import Dialect, Era, Operation

_SCHEMES: Final = {"rest": ("https://", "http://"), "sockets": ("wss://", "ws://")}


def check_hosts(dialect: Dialect) -> Iterator[str]:
    """Addresses without a path, at most one row a stream."""
    streams = {"", *(stream.name for stream in dialect.streams)}
    yield from twice("hosts", (host.stream for host in dialect.hosts))
    for host in dialect.hosts:
        if host.stream not in streams:
            yield f"hosts: there is no stream called {host.stream}"
        for field, schemes in _SCHEMES.items():
            address = getattr(host, field)
            if not address.startswith(schemes) or "/" in address.partition("://")[2]:
                yield f"hosts.{field}: {address} is no {schemes[0]} address without a path"


def check_eras(dialect: Dialect) -> Iterator[str]:
    """Each era removes what is there, and says how a removed call is answered."""
    yield from twice("eras", (era.name for era in dialect.eras))
    yield from twice("eras.removes", (what for era in dialect.eras for what in era.removes))
    calls = {f"{row.method} {row.path}" for row in dialect.operations}
    others = {row.path for row in dialect.sockets}
    others |= {method.name for api in dialect.apis for method in api.methods}
    for era in dialect.eras:
        where = f"eras.{era.name}"
        for what in era.removes:
            if what not in calls | others:
                yield f"{where}.removes: there is no {what}"
        for stream in sorted(set(era.streams) - {row.name for row in dialect.streams}):
            yield f"{where}.streams: there is no stream called {stream}"
        gone = [row for row in dialect.operations if f"{row.method} {row.path}" in era.removes]
        yield from _answer(where, era, removes_calls=bool(gone))
        if gone and not era.status:
            yield from _unknown(where, gone, dialect)


def _unknown(where: str, gone: list[Operation], dialect: Dialect) -> Iterator[str]:
    """Without a status, the dialect's answer to unknown paths has to reach them."""
    for call in gone:
        if not any(call.path.startswith(row.prefix) for row in dialect.unknown_paths):
            yield f"{where}.status: without one, {call.path} is to be among unknown_paths"


def _answer(where: str, era: Era, *, removes_calls: bool) -> Iterator[str]:
    if not is_day(era.since):
        yield f"{where}.since: {era.since} is no day as 2026-02-20"
    if (era.status and not removes_calls) or (era.status and not 400 <= era.status <= 599):
        yield f"{where}.status: is from 400 to 599 where calls are removed, and 0 elsewhere"
    if "$" in era.body:
        yield f"{where}.body: has no places"
