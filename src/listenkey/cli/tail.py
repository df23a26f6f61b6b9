"""`listenkey tail`: a stream on standard output."""

import asyncio
import contextlib
import sys
from pathlib import Path

import click
import msgspec

from listenkey.base.errors import Refused
from listenkey.cli.recording import Recording
from listenkey.client.credentials import KEY_VARIABLE, SECRET_VARIABLE, found, read_file
from listenkey.client.items import Event, Gap, Item
from listenkey.client.record import event_json, told
from listenkey.client.stream import Stream, open_stream


@click.command()
@click.argument("stream")
@click.option("--gateway", metavar="URL", help="Read the native stream of a gateway, with positions.")
@click.option("--base-url", metavar="URL", default="", help="Speak the venue's protocol with this address.")
@click.option("--ws-url", metavar="URL", default="", help="The same for sockets; else it follows from it.")
@click.option(
    "--since", metavar="PLACE", help="Go on after EPOCH:OFFSET of a gateway, or a venue's moment in ms."
)
@click.option("--until-idle", is_flag=True, help="End when nothing later is there; of a gateway.")
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the stream down in this file, for `[[replay]]`; it goes on at the file's end.",
)
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Else ${KEY_VARIABLE}, else a prompt.",
)
@click.option(
    "--api-secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Else ${SECRET_VARIABLE}, else none.",
)
def command(
    stream: str,
    gateway: str | None,
    base_url: str,
    ws_url: str,
    since: str | None,
    until_idle: bool,
    record: Path | None,
    api_key_file: Path | None,
    api_secret_file: Path | None,
) -> None:
    """Print a stream's events as they come.

    Standard output gets NDJSON: `{"event":{…}}` for each event, of a gateway with `offset` and `epoch`, and
    `{"gap":{…}}` where something is missing or may be. Standard error tells how the stream is. Without
    --gateway the stream is read at the venue, by its own protocol.
    """
    if until_idle and gateway is None:
        raise Refused("a venue's stream does not say when nothing more is there", "give --gateway")
    api_key = _secret(api_key_file, KEY_VARIABLE) or click.prompt("API key", hide_input=True, err=True)
    opened = open_stream(
        stream,
        api_key=api_key,
        api_secret=_secret(api_secret_file, SECRET_VARIABLE),
        base_url=base_url,
        ws_url=ws_url,
        gateway=gateway or "",
        since=since,
    )
    recording = None if record is None else Recording(record, stream)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_print(opened, Printer(recording), until_idle=until_idle))
    finally:
        if recording is not None:
            recording.close()


def _secret(file: Path | None, variable: str) -> str:
    return found(variable) if file is None else read_file(file)


class Printer:
    """Where the items go."""

    def __init__(self, recording: Recording | None) -> None:
        self._recording = recording

    def show(self, item: Item) -> None:
        """Write an item down, and then print it: what was printed is in the record."""
        if self._recording is not None:
            self._recording.add(item)
        if isinstance(item, Event):
            _write(event_json(item))
        elif isinstance(item, Gap):
            _write(msgspec.json.encode({"gap": told(item)}))
        else:
            click.echo(f"{item.state} {item.reason}".strip(), err=True)


async def _print(stream: Stream, printer: Printer, *, until_idle: bool) -> None:
    async with stream:
        printing = asyncio.create_task(_print_all(stream, printer))
        if not until_idle:
            await printing
            return
        idle = asyncio.create_task(stream.caught_up())
        await asyncio.wait((printing, idle), return_when=asyncio.FIRST_COMPLETED)
        if printing.done():
            idle.cancel()
            await printing
        while (item := stream.waiting_item()) is not None:
            printer.show(item)
        printing.cancel()


async def _print_all(stream: Stream, printer: Printer) -> None:
    async for item in stream:
        printer.show(item)


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
