"""`listenkey tail`: a stream on standard output."""

import asyncio
import contextlib
import sys
from pathlib import Path

import click
import msgspec

from listenkey.base.errors import Refused
from listenkey.client.credentials import KEY_VARIABLE, SECRET_VARIABLE, found, read_file
from listenkey.client.items import Event, Gap, Item
from listenkey.client.stream import Stream, open_stream
from listenkey.core.position import Position


@click.command()
@click.argument("stream")
@click.option("--gateway", metavar="URL", help="Read the native stream of a gateway, with positions.")
@click.option("--base-url", metavar="URL", default="", help="Speak the venue's protocol with this address.")
@click.option("--ws-url", metavar="URL", default="", help="The same for sockets; else it follows from it.")
@click.option("--since", metavar="EPOCH:OFFSET", help="Go on after this position; of a gateway.")
@click.option("--until-idle", is_flag=True, help="End when nothing later is there; of a gateway.")
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
    api_key_file: Path | None,
    api_secret_file: Path | None,
) -> None:
    """Print a stream's events as they come.

    Standard output gets NDJSON: `{"event":{…}}` for each event, of a gateway with `offset` and `epoch`, and
    `{"gap":{…}}` where something is missing or may be. Standard error tells how the stream is. Without
    --gateway the stream is read at the venue, by its own protocol.
    """
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
    if until_idle and gateway is None:
        raise Refused("a venue's stream does not say when nothing more is there", "give --gateway")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_print(opened, until_idle=until_idle))


def _secret(file: Path | None, variable: str) -> str:
    return found(variable) if file is None else read_file(file)


async def _print(stream: Stream, *, until_idle: bool) -> None:
    async with stream:
        printing = asyncio.create_task(_print_all(stream))
        if not until_idle:
            await printing
            return
        idle = asyncio.create_task(stream.caught_up())
        await asyncio.wait((printing, idle), return_when=asyncio.FIRST_COMPLETED)
        if printing.done():
            await printing
        while (item := stream.waiting_item()) is not None:
            _show(item)
        printing.cancel()


async def _print_all(stream: Stream) -> None:
    async for item in stream:
        _show(item)


def _show(item: Item) -> None:
    if isinstance(item, Event):
        place = (
            b""
            if item.position is None
            else b'"offset":%d,"epoch":"%b",'
            % (
                item.position.offset,
                item.position.epoch.encode(),
            )
        )
        raw = msgspec.json.format(item.raw, indent=-1) if b"\n" in item.raw else item.raw
        _write(b'{%b"event":%b}' % (place, raw))
    elif isinstance(item, Gap):
        _write(msgspec.json.encode({"gap": _gap(item)}))
    else:
        click.echo(f"{item.state} {item.reason}".strip(), err=True)


def _gap(gap: Gap) -> dict[str, object]:
    told: dict[str, object] = {"reason": gap.reason}
    told |= {name: _place(place) for name in ("first", "last") if (place := getattr(gap, name)) is not None}
    if gap.since_ms:
        told |= {"since": gap.since_ms, "until": gap.until_ms}
    return told


def _place(position: Position) -> str:
    return str(position)


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
