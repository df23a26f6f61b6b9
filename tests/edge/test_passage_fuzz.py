"""Calls of all shapes, cut into pieces anywhere: each end hears exactly what the other said, or that it broke
off."""

import asyncio
import contextlib
import random

import pytest

from listenkey.config import PassageSettings
from tests.edge.gate import WAIT
from tests.edge.standin import StandIn

ROUNDS = 150
METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE")
STATUSES = (200, 201, 400, 418, 429, 500, 503)


class Said:
    """One side of a call: headers, a body, and how the body is framed."""

    def __init__(self, dice: random.Random, framings: tuple[str, ...], most: int) -> None:
        self.headers = [(self._name(dice), self._value(dice)) for _ in range(dice.randint(0, 6))]
        self.framing = dice.choice(framings)
        self.body = dice.randbytes(dice.choice((0, 1, 10, 5_000, most))) if self.framing != "none" else b""
        self.framed = self._chunks(dice) if self.framing == "chunked" else self.body

    @staticmethod
    def _name(dice: random.Random) -> bytes:
        return b"X-" + bytes(dice.choice(b"AbCdXyZ_") for _ in range(dice.randint(1, 8)))

    @staticmethod
    def _value(dice: random.Random) -> bytes:
        return dice.randbytes(dice.randint(0, 12)).translate(None, bytes(range(32)) + b"\x7f").strip()

    def _chunks(self, dice: random.Random) -> bytes:
        rest, out = self.body, b""
        while rest:
            size = dice.randint(1, len(rest))
            out += b"%x%s\r\n" % (size, dice.choice((b"", b";a=b"))) + rest[:size] + b"\r\n"
            rest = rest[size:]
        return out + b"0\r\n" + dice.choice((b"", b"X-Trailer: 1\r\n")) + b"\r\n"

    def head(self, first: bytes) -> bytes:
        """First line and headers."""
        more = {
            "chunked": b"Transfer-Encoding: chunked\r\n",
            "length": b"Content-Length: %d\r\n" % len(self.body),
        }
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in self.headers)
        return first + b"\r\n" + lines + more.get(self.framing, b"") + b"\r\n"

    @property
    def lines(self) -> list[bytes]:
        """The headers as lines."""
        return [name + b": " + value for name, value in self.headers]


async def read_framed(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """The body that a head announces. Errors: `IncompleteReadError` where it is not whole."""
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in lower:
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return body
    _, found, rest = lower.partition(b"\r\ncontent-length: ")
    return await reader.readexactly(int(rest.partition(b"\r\n")[0])) if found else b""


async def in_pieces(dice: random.Random, data: bytes, send) -> None:
    """Say something in pieces, cut anywhere."""
    while data:
        size = dice.randint(1, len(data))
        await send(data[:size])
        data = data[size:]
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(2))
async def test_each_end_hears_what_the_other_said(make_gate, seed):
    """To the byte; and an answer that the venue broke off never looks whole."""
    dice = random.Random(seed)
    heard, answer, ends = [], b"", False

    async def script(call):
        heard.append((call, await read_framed(call.reader, call.head)))
        await in_pieces(dice, answer, call.say)
        if ends:
            call.writer.close()

    async with StandIn(script) as venue:
        given = {"binance-usdm": PassageSettings(rest=venue.url, sockets="", api="")}
        async with make_gate(passage=given) as gate:
            for number in range(ROUNDS):
                method = dice.choice(METHODS)
                asked = Said(
                    dice, ("none",) if method in METHODS[:2] else ("none", "length", "chunked"), 70_000
                )
                told = Said(dice, ("length",) if method == b"HEAD" else ("length", "chunked", "end"), 150_000)
                status, is_cut = dice.choice(STATUSES), method != b"HEAD" and dice.random() < 0.3
                answer = told.head(b"HTTP/1.1 %d Told" % status) + (b"" if method == b"HEAD" else told.framed)
                if is_cut:
                    answer = answer[: dice.randint(0, len(answer) - 1)]
                ends = is_cut or told.framing == "end"
                line = method + b" /fapi/v1/%d?a=%%41&b=c+d HTTP/1.1" % number
                raw = await gate.raw()
                await in_pieces(dice, asked.head(line + b"\r\nHost: gateway") + asked.framed, raw.send)
                head, body = await raw.head(), None
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    async with asyncio.timeout(WAIT):
                        body = b"" if method == b"HEAD" else await read_framed(raw.reader, head)
                raw.writer.close()
                [(call, got)] = heard
                heard.clear()
                assert (call.line, call.headers[1 : 1 + len(asked.lines)], got) == (
                    line,
                    asked.lines,
                    asked.body,
                )
                passed = head.startswith(b"HTTP/1.1 %d " % status) and b"application/json" not in head
                if not is_cut:
                    assert passed
                    assert body == (b"" if method == b"HEAD" else told.body)
                    assert all(shown in head.split(b"\r\n") for shown in told.lines)
                elif passed and told.framing != "end":
                    assert body is None or body == told.body
                else:
                    assert passed or head.startswith(b"HTTP/1.1 502 ")
            assert gate.gateway.metrics.internal_errors == 0
