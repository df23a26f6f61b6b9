"""What commands print: aligned tables, or JSON, and single values."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

Row = Mapping[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])
GAP: Final = "  "

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_items(items: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """A table with these columns, or the whole items as a JSON array."""
    if as_json:
        print_json([*items])
        return
    rows = [[column.removesuffix("_at").replace("_", " ") for column in columns]]
    rows += [[_cell(column, item.get(column)) for column in columns] for item in items]
    print_rows(rows)


def print_made(made: Row, *, as_json: bool) -> None:
    """One thing that was made, a field a line."""
    if as_json:
        print_json(made)
        return
    print_rows([[name, _cell(name, value)] for name, value in made.items() if value not in (None, "")])


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Cells in columns as wide as their widest; nothing after the last one."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo(GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """A value as JSON, for people as much as for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """A remark that is no part of the output: to standard error."""
    click.echo(text, err=True)


def _cell(column: str, value: object) -> str:
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.endswith("_at") or column in ("since", "until"):
        return moment(value)
    if isinstance(value, list):
        return ",".join(map(str, value))
    return _plain(str(value))


def moment(millis: object) -> str:
    """Milliseconds since the Unix epoch as UTC, to the second; anything else as it is."""
    if not isinstance(millis, int):
        return _plain(str(millis))
    return f"{datetime.fromtimestamp(millis / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(text: str) -> str:
    # What another machine sends must not move the cursor of this terminal.
    return "".join(character if character.isprintable() else "?" for character in text)


def plural(count: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listing(items: Iterable[object], most: int = 10) -> str:
    """Items by comma, and how many more."""
    shown = [str(item) for item in items]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
