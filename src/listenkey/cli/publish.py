"""`listenkey publish`: events into a journal."""

import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

import click
import msgspec

from listenkey.base.errors import Refused
from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.files import STDIN, open_input
from listenkey.cli.output import listing, plural

CHUNK_BYTES: Final = 1_048_576
CHUNK_LINES: Final = 5_000
LONGEST_LINE: Final = 64 * 1_048_576
_READ_BYTES: Final = 262_144


@click.command()
@click.argument("account")
@click.argument("stream")
@click.argument("file", default=STDIN)
@calls_admin
def command(client: AdminClient, account: str, stream: str, file: str) -> None:
    """Publish events to a stream of an account.

    The input is NDJSON, one event a line, as the venue would send it bare. Without FILE it is standard input,
    and what is there is published without waiting for more. Ends with a line `published N`. Lines that are
    refused do not stop the others; the exit status then is 1.
    """
    run = _Run(client, account, stream)
    try:
        with open_input(file) as opened:
            for batch in batches(opened):
                run.send(batch)
    finally:
        run.show_progress(done=True)
        click.echo(f"published {run.published}")
    run.check()


Batch = list[tuple[int, bytes]]


def batches(source: BinaryIO) -> Iterator[Batch]:
    """Numbered lines that are not empty, in batches of what a read brought: a slow writer waits for nobody.
    Errors: `Refused("too_large")` at a line that no gateway would take."""
    number = 0
    begun: list[bytes] = []
    while chunk := source.read(_READ_BYTES):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            lines = b"".join((*begun, head)).split(b"\n")
            yield from _cut(number, lines)
            number += len(lines)
            begun = []
        begun.append(tail)
        if sum(map(len, begun)) > LONGEST_LINE:
            what = f"line {number + 1} has no end"
            raise Refused(what, "put one event on each line", code="too_large")
    yield from _cut(number, [b"".join(begun)])


def _cut(number: int, lines: list[bytes]) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for place, line in enumerate(lines, number + 1):
        if not line.strip():
            continue
        if batch and (len(batch) == CHUNK_LINES or size + len(line) > CHUNK_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((place, line))
        size += len(line)
    if batch:
        yield batch


class _Run:
    """What was sent, and what became of it."""

    def __init__(self, client: AdminClient, account: str, stream: str) -> None:
        self.published = 0
        self._client = client
        # The event goes between the two untouched: its bytes are what readers get.
        self._head = msgspec.json.encode({"account": account, "stream": stream})[:-1] + b',"event":'
        self._refused: dict[int, str] = {}
        self._lines = 0
        self._on_terminal = sys.stderr.isatty()

    def send(self, batch: Batch) -> None:
        """Publish a batch and note the answers."""
        self._lines += len(batch)
        good: Batch = []
        for number, line in batch:
            if is_object(line):
                good.append((number, line))
            else:
                self._refused[number] = "bad_line, it is no JSON object"
        if good:
            answers = self._client.publish([self._head + line.strip() + b"}" for _, line in good])
            for (number, _), answer in zip(good, answers, strict=True):
                error = answer.get("error")
                if error is None:
                    self.published += 1
                else:
                    self._refused[number] = f"{error['code']}, {error['message']}"
        self.show_progress()

    def show_progress(self, *, done: bool = False) -> None:
        """How far it is, where somebody watches."""
        if self._on_terminal:
            click.echo("\r\x1b[K" if done else f"\r{self.published} published", nl=False, err=True)

    def check(self) -> None:
        """Errors: `Refused("not_published")` when a line was refused."""
        if not self._refused:
            return
        first = next(iter(self._refused))
        others = [number for number in self._refused if number != first]
        also = f"; also {'line' if len(others) == 1 else 'lines'} {listing(others)}" if others else ""
        what = f"{len(self._refused)} of {plural(self._lines, 'line')} not published: line {first}: "
        remedy = "publish those again once mended; the others are journaled"
        raise Refused(what + self._refused[first] + also, remedy, code="not_published")


def is_object(line: bytes) -> bool:
    """Whether a line is one JSON object and nothing after it, so that it can be put into another."""
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
        line.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
