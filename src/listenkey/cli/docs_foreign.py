"""`listenkey docs import` and `docs explain`: what somebody's requests are, and what is wrong with them."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from listenkey.base.errors import Refused
from listenkey.cli.files import open_input
from listenkey.cli.output import json_option, plural, print_json

if TYPE_CHECKING:
    from listenkey.reference.foreign import Explanation
    from listenkey.reference.foreign.request import Foreign

_config = click.option(
    "--config", "config", metavar="FILE", envvar="LISTENKEY_CONFIG", type=click.Path(path_type=Path),
    help="Configuration file that names dialect files of your own.",
)  # fmt: skip


@click.command("import")
@click.argument("file")
@_config
@json_option
def import_(file: str, config: Path | None, as_json: bool) -> None:
    """Explain the requests of a Postman file.

    FILE is an exported collection or item (v2.0 or v2.1), or - for standard input. For each request: which
    call of which dialect it is, whether the venue still has it, what replaces it, and what is wrong with it.
    Scripts in the file are not run, and nothing is sent.
    """
    from listenkey.reference.foreign import LARGEST, read_collection, tell

    collection = read_collection(_read(file, LARGEST + 1))
    explained = _explained(collection.requests, config)
    if as_json:
        requests = [_plain(each) for each in explained]
        print_json({"name": collection.name, "remarks": [*collection.remarks], "requests": requests})
        return
    click.echo(f"{collection.name or file}: {plural(len(explained), 'request')}")
    for remark in collection.remarks:
        click.echo(remark)
    click.echo("")
    for line in tell(explained):
        click.echo(line)


@click.command()
@click.argument("line")
@_config
@json_option
def explain(line: str, config: Path | None, as_json: bool) -> None:
    """Explain a curl line, or an address.

    LINE is a whole line for curl, wscat or websocat between quotes, an address with its method before it, a
    request as HTTP writes it, or - for standard input. Nothing of it is run or sent, and no key in it is
    printed.
    """
    from listenkey.reference.foreign import read_line, tell
    from listenkey.reference.foreign.shell import LONGEST

    text = _read(line, 4 * LONGEST).decode("utf-8", "replace") if line == "-" else line
    explained = _explained(read_line(text), config)
    if as_json:
        print_json([_plain(each) for each in explained])
        return
    for told in tell(explained):
        click.echo(told)


def _explained(requests: "Iterable[Foreign]", config: Path | None) -> "list[Explanation]":
    from listenkey.config import load
    from listenkey.dialect.registry import load_dialects
    from listenkey.reference.foreign import explain as explain_all

    dialects = load_dialects(load(config, os.environ).settings.dialects.files)
    today = datetime.now(UTC).date().isoformat()
    return explain_all(requests, dialects, today)


def _plain(explanation: "Explanation") -> Any:
    return msgspec.to_builtins(explanation)


def _read(file: str, most: int) -> bytes:
    """All of a file, or its first `most` bytes. Errors: `Refused("bad_file")`."""
    content = bytearray()
    try:
        with open_input(file) as opened:
            while len(content) < most and (piece := opened.read(most - len(content))):
                content += piece
    except OSError as error:
        what = f"{file}: {error.strerror or error}"
        raise Refused(what, "name a file that can be read", code="bad_file") from None
    return bytes(content)
