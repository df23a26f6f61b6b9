"""`listenkey journal`: what is kept of a stream."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from listenkey.base.errors import Refused
from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.files import new_file
from listenkey.cli.offline import offline_settings, require_server, with_data
from listenkey.cli.output import plural

PAGE: Final = 10_000
FOLLOW_SECONDS: Final = 0.5


@click.group()
def command() -> None:
    """Read, verify and export journals."""


@command.command()
@click.argument("account")
@click.argument("stream")
@click.option(
    "--since", metavar="E:O", help="Start after this position, EPOCH:OFFSET; else with the oldest kept."
)
@click.option("--follow", is_flag=True, help="Go on with what is published from now on.")
@calls_admin
def read(client: AdminClient, account: str, stream: str, since: str | None, follow: bool) -> None:
    """Print a journal as NDJSON.

    The lines are the messages of the native stream: events, gaps, and at the end the position.
    """
    for line in messages(client, account, stream, since, follow=follow):
        click.echo(line)


@command.command()
@click.argument("account")
@click.argument("stream")
@click.argument("file", type=click.Path(path_type=Path))
@calls_admin
def export(client: AdminClient, account: str, stream: str, file: Path) -> None:
    """Write a whole journal to a new file.

    The lines are those that `journal read` prints.
    """
    events = 0
    with new_file(file) as opened:
        for line in messages(client, account, stream, None):
            opened.write(line + b"\n")
            events += line.startswith(b'{"offset"')
    click.echo(f"exported {plural(events, 'event')}")


@command.command()
@with_data
def verify(data: str | None, config: Path | None) -> None:
    """Check the integrity of the store.

    Every journal is looked at for holes. The gateway has to be stopped.
    """
    require_server("journal verify")
    from listenkey.app.offline import offline_store

    settings = offline_settings(data, config)
    if not Path(settings.data).is_dir():
        raise Refused(f"there is no data folder {settings.data}", "name it with --data", code="no_data")
    store = offline_store(settings)
    wrong = 0
    try:
        for line in store.verify():
            click.echo(line)
            wrong += 1
    finally:
        asyncio.run(store.close())
    if wrong:
        remedy = "restore a backup: `listenkey store restore FILE`"
        raise Refused(f"{plural(wrong, 'thing')} wrong in {settings.data}", remedy, code="store_damaged")
    click.echo("nothing wrong")


class _Here(msgspec.Struct):
    """What of a message says where the reader is."""

    epoch: str | None = None
    position: int | None = None


def messages(
    client: AdminClient, account: str, stream: str, since: str | None, *, follow: bool = False
) -> Iterator[bytes]:
    """The messages of a journal over all its pages; for ever with `follow`."""
    path = client.path("/v1/journal", account, stream)
    decode = msgspec.json.Decoder(_Here).decode
    at, said, position = since, since, b""
    while True:
        brought = False
        for line in client.lines(path, {"limit": str(PAGE)} | ({"since": at} if at else {})):
            here = decode(line)
            if here.position is None:
                brought = True
                yield line
            else:
                at, position = f"{here.epoch}:{here.position}", line
        if brought:
            continue  # there may be more than one page holds
        if position and at != said:
            yield position
            said = at
        if not follow:
            return
        time.sleep(FOLLOW_SECONDS)
