"""Lint of sockets, control requests, heartbeats, notices and close codes."""

from collections.abc import Iterator
from typing import Final, get_args

from listenkey.dialect.lint.common import compiles, json_template, own_path, twice
from listenkey.dialect.model import CloseKind, Control, Dialect, Heartbeat, SocketPath

_PLACES_OF_CONTROL: Final = frozenset({"id", "name", "reason", "line", "column", "now_ms"})


def check_sockets(dialect: Dialect) -> Iterator[str]:
    """Socket paths, and that each stream has one."""
    streams = {stream.name for stream in dialect.streams}
    yield from twice("sockets", (f"{path.path} {path.stream}" for path in dialect.sockets))
    yield from twice("sockets", (path.path for path in dialect.sockets if path.root))
    for path in dialect.sockets:
        where = f"sockets {path.path}"
        yield from _socket(where, path)
        if path.stream and path.stream not in streams:
            yield f"{where}: there is no stream called {path.stream}"
        if path.heartbeat not in dialect.heartbeats:
            yield f"{where}: there is no heartbeat called {path.heartbeat}"
        if path.control != "none" and all(row.stream not in {path.stream, ""} for row in dialect.controls):
            yield f"{where}: no row of controls holds for it"
    for stream in sorted(streams - {path.stream for path in dialect.sockets}):
        yield f"streams.{stream}: no socket carries it"


def _socket(where: str, path: SocketPath) -> Iterator[str]:
    yield from own_path(where, path.path)
    if path.path.endswith("/{names}") != (path.names_in == "path") or "{" in path.path.removesuffix(
        "{names}"
    ):
        yield f'{where}: /{{names}} ends the path where names_in is "path", and nowhere else'
    if bool(path.names_parameters) != (path.names_in == "query"):
        yield f'{where}: names_parameters stand with names_in = "query"'
    if path.events_parameter and path.names_in != "query":
        yield f'{where}: events_parameter stands with names_in = "query"'


def check_controls(dialect: Dialect) -> Iterator[str]:
    """Answers to control requests."""
    streams = {"", *(stream.name for stream in dialect.streams)}
    yield from twice("controls", (row.stream for row in dialect.controls))
    for row in dialect.controls:
        where = f"controls.{row.stream}" if row.stream else "controls"
        if row.stream not in streams:
            yield f"{where}: there is no stream of this name"
        yield from _control(where, row)


def _control(where: str, row: Control) -> Iterator[str]:
    yield from json_template(f"{where}.ack", row.ack, {"id", "result", "now_ms"})
    yield from twice(f"{where}.errors", (error.kind for error in row.errors))
    for error in row.errors:
        yield from json_template(f"{where}.errors.{error.kind}", error.body, _PLACES_OF_CONTROL)
    if not compiles(row.market_topic_pattern):
        yield f"{where}.market_topic_pattern: is no pattern"


def check_heartbeats(dialect: Dialect) -> Iterator[str]:
    """Heartbeats."""
    for name, heartbeat in dialect.heartbeats.items():
        yield from _heartbeat(f"heartbeats.{name}", heartbeat)
        if heartbeat.kind == "protocol_ping" and dialect.frames.receipts == "empty":
            yield f"heartbeats.{name}: its Pongs cannot be told from empty receipts, so receipts must be echo"


def _heartbeat(where: str, heartbeat: Heartbeat) -> Iterator[str]:
    if heartbeat.period_ms < 1 or heartbeat.grace_ms < 1:
        yield f"{where}: period_ms and grace_ms are at least 1"
    if bool(heartbeat.send) != (heartbeat.kind != "protocol_ping"):
        yield f"{where}.send: a word and a JSON object are sent, a protocol Ping has none"
    if heartbeat.kind == "json":
        yield from json_template(
            f"{where}.send", heartbeat.send, {"id", "iso_time", "now_ms"}, quoted_id=True
        )


def check_endings(dialect: Dialect) -> Iterator[str]:
    """Notices and close codes."""
    streams = {stream.name for stream in dialect.streams}
    for notice in dialect.notices:
        for stream in sorted(set(notice.streams) - streams):
            yield f"notices: there is no stream called {stream}"
        yield from json_template("notices", notice.body, {"now_ms", "listen_key"})
    if dialect.frames.shutdown:
        yield from json_template("frames.shutdown", dialect.frames.shutdown, {"now_ms"})
    if bool(dialect.frames.shutdown) != bool(dialect.frames.shutdown_name):
        yield "frames.shutdown_name: stands with shutdown"
    kinds = [row.kind for row in dialect.closes]
    yield from twice("closes", kinds)
    ages = bool(dialect.frames.longest_s) or any(api.longest_s for api in dialect.apis)
    for kind in sorted(set(get_args(CloseKind)) - set(kinds) - (set() if ages else {"aged"})):
        yield f"closes: {kind} has no row"
    for row in dialect.closes:
        # 1004, 1005 and 1015 never travel; 1006 stands for an end without a close frame.
        if not (1000 <= row.code <= 1003 or 1006 <= row.code <= 1014 or 3000 <= row.code <= 4999):
            yield f"closes.{row.kind}.code: {row.code} is no close code"
        if len(row.reason.encode()) > 123:
            yield f"closes.{row.kind}.reason: is longer than 123 bytes"
