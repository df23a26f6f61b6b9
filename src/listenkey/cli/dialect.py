"""`listenkey dialect`: the protocols that the gateway speaks."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from listenkey.base.errors import Refused
from listenkey.cli.output import json_option, print_items, print_json, print_rows

if TYPE_CHECKING:
    from listenkey.dialect.model import Dialect, Event

_file = click.option(
    "--config", "file", metavar="FILE", envvar="LISTENKEY_CONFIG", type=click.Path(path_type=Path),
    help="Configuration file that names dialect files of your own.",
)  # fmt: skip


@click.group()
def command() -> None:
    """List, show and check dialects.

    A dialect is the listen-key protocol of one venue's product family, written down as data.
    """


@command.command("list")
@_file
@json_option
def list_(file: Path | None, as_json: bool) -> None:
    """List the dialects at hand."""
    items = [
        {
            "name": dialect.name,
            "venue": dialect.venue,
            "title": dialect.title,
            "streams": [stream.name for stream in dialect.streams],
        }
        for dialect in _dialects(file).values()
    ]
    print_items(items, ("name", "venue", "title", "streams"), as_json=as_json)


@command.command()
@click.argument("name")
@_file
@json_option
def show(name: str, file: Path | None, as_json: bool) -> None:
    """Show a dialect: its calls, sockets, limits and failures."""
    dialects = _dialects(file)
    if name not in dialects:
        what, remedy = f"there is no dialect {name}", f"choose one of {', '.join(dialects)}"
        raise Refused(what, remedy, code="unknown_dialect")
    if as_json:
        print_json(msgspec.to_builtins(dialects[name]))
        return
    for title, rows in _chapters(dialects[name]):
        if rows:
            click.echo(f"\n{title}" if title else "", nl=bool(title))
            print_rows([[f"  {row[0]}", *row[1:]] if title else row for row in rows])


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a dialect file of your own.

    It is held to all rules of the built-in ones, and may not take a name of theirs.
    """
    from listenkey.dialect.registry import load_dialects

    before = load_dialects(())
    added = [name for name in load_dialects((str(file),)) if name not in before]
    click.echo(f"ok, {', '.join(added)}")


def _dialects(file: Path | None) -> "dict[str, Dialect]":
    from listenkey.config import load
    from listenkey.dialect.registry import load_dialects

    return load_dialects(load(file, os.environ).settings.dialects.files)


def _chapters(dialect: "Dialect") -> Iterator[tuple[str, list[list[str]]]]:
    space = dialect.key_space
    yield (
        "",
        [
            ["name", dialect.name],
            ["title", dialect.title],
            ["documented at", dialect.documentation],
            ["API key in", dialect.auth.header],
            ["signature", dialect.auth.signature.replace("_", " ")],
            [
                "listen key",
                f"{space.length} characters, {space.lifetime_s} s, {space.issue.replace('_', ' ')}",
            ],
            ["streams", ", ".join(stream.name for stream in dialect.streams)],
        ],
    )
    yield "calls", [[each.kind, each.method, each.path] for each in dialect.operations]
    yield "public calls", [[each.method, each.path] for each in dialect.public_calls]
    yield "sockets", [[each.path, each.stream or "no user data", each.control] for each in dialect.sockets]
    yield (
        "limits",
        [
            [each.name, each.dimension, f"{each.limit} {each.counts}", f"in {each.window_ms / 1000:g} s"]
            for each in dialect.limits.buckets
        ],
    )
    yield (
        "failures",
        [
            [each.kind, str(each.status), "" if each.code is None else str(each.code), each.msg]
            for each in dialect.failures
        ],
    )
    yield (
        "events",
        [
            [each.type, ", ".join(each.streams), "state" if _is_state(dialect, each) else "fact", each.title]
            for each in dialect.events
        ],
    )
    yield "removed at the venue", [[each.since, each.title, ", ".join(each.removes)] for each in dialect.eras]
    yield "close codes", [[each.kind, str(each.code), each.reason] for each in dialect.closes]


def _is_state(dialect: "Dialect", event: "Event") -> bool:
    return any(
        event.type in stream.state_events for stream in dialect.streams if stream.name in event.streams
    )
