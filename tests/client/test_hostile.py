"""What no venue should answer: a typed error or another try, never a hang, a dead task or a silent stop.

Each case is answered once, by a server of its own; after it that is well, and an event has to arrive.
"""

import asyncio
import contextlib
import gzip
import resource
import zlib

import pytest

import listenkey
from listenkey.client import calls, native, socket
from listenkey.client.items import Event, Gap, State
from tests.client.hostile import EVENT, Hostile, Upgrade, answer, frame, once, stay, without_end

WAIT = 40
OK = "200 OK"
ELSEWHERE = "Location: http://127.0.0.1:{port}/elsewhere"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def bomb(wbits):
    """Two hundred megabytes of spaces, packed; nobody needs so much memory to make them."""
    pack, much = zlib.compressobj(9, wbits=wbits), b" " * (1 << 20)
    return b"".join(pack.compress(much) for _ in range(200)) + pack.flush()


BOMB = bomb(31)
NESTED = gzip.compress(BOMB)

CALLS = {
    "html": answer(b"<html><body>502</body></html>"),
    "html of an error": answer(b"<html></html>", "502 Bad Gateway"),
    "an empty body": answer(),
    "nothing at all": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "no HTTP": b"\x00\xff" * 100,
    "a list": answer(b"[]"),
    "a number": answer(b"7"),
    "a key that is a number": answer(b'{"listenKey":7}'),
    "a key that is null": answer(b'{"listenKey":null}'),
    "a key that is nothing": answer(b'{"listenKey":""}'),
    "a code that is a list": answer(b'{"code":[],"msg":{}}', "400 Bad Request"),
    "no JSON": answer(b'{"listenKey":"abc'),
    "no UTF-8": answer(b'{"listenKey":"\xff\xfe"}'),
    "nesting without measure": answer(b"[" * 100_000),
    "a redirect": answer(b"", "302 Found", "Location: /elsewhere"),
    "a permanent redirect": answer(b"", "308 Permanent Redirect", "Location: /elsewhere"),
    "a status that is none": answer(b"{}", "999 What"),
    "a Retry-After that is none": answer(b"{}", "503 Later", "Retry-After: -5"),
    "a day that is none": answer(b"{}", "503 Later", "Retry-After: Wed, 99 Foo 9999 99:99:99 GMT"),
    "a clock that lies": answer(
        b'{"code":-1021,"msg":"Timestamp"}', "400 Bad Request", "Date: Fri, 31 Dec 9999 23:59:59 GMT"
    ),
    "a clock that cannot be read": answer(b'{"code":-1021,"msg":""}', "400 Bad Request", "Date: soon"),
    "gzip rubbish": answer(b"\x1f\x8b rubbish", OK, "Content-Encoding: gzip"),
    "half of gzip": answer(gzip.compress(b'{"listenKey":"abc"}')[:-9], OK, "Content-Encoding: gzip"),
    "a zip bomb": answer(BOMB, OK, "Content-Encoding: gzip"),
    "a zip bomb of zlib": answer(bomb(15), OK, "Content-Encoding: deflate"),
    "a bomb in a bomb": answer(NESTED, OK, "Content-Encoding: gzip, gzip"),
    "an encoding that is none": answer(b"{}", OK, "Content-Encoding: rot13"),
    "ten megabytes of nothing": answer(b" " * (10 << 20)),
    "an endless head": without_end(b"X-More: of the same\r\n", b"HTTP/1.1 200 OK\r\n"),
    "an endless line": without_end(b"x" * 10_000),
    "an endless body": without_end(b"1000\r\n" + b" " * 4096 + b"\r\n", CHUNKED),
    "an answer that never ends": once(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "an answer that never begins": stay,
}  # fmt: skip
SOCKETS = {
    "html": answer(b"<html></html>"),
    "nothing at all": b"",
    "a redirect": answer(b"", "302 Found", "Location: /elsewhere"),
    "a redirect to another scheme": answer(b"", "302 Found", "Location: http://127.0.0.1:1/elsewhere"),
    "a wrong accept": answer(b"", "101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"),
    "an endless head": without_end(b"X-More: of the same\r\n", b"HTTP/1.1 200 OK\r\n"),
    "an endless line": without_end(b"x" * 10_000),
    "an answer that never begins": stay,
    "a body without an end": without_end(b" " * 4096, b"HTTP/1.1 200 OK\r\n\r\n"),
    "closed at once": Upgrade(),
    "half a frame": Upgrade(frame(EVENT)[:-5]),
    "a masked frame": Upgrade(b"\x81\x85\x00\x00\x00\x00hello", stay),
    "reserved bits": Upgrade(frame(b"{}", 0xF1), stay),
    "a reserved kind": Upgrade(frame(b"{}", 0x83), stay),
    "a continuation of nothing": Upgrade(b"\x00" * (10 << 20), stay),
    "a frame in another's middle": Upgrade(frame(b"{", 0x01) + frame(b"{}"), stay),
    "a frame beyond measure": Upgrade(b"\x81\x7f" + (1 << 62).to_bytes(8), stay),
    "a message without an end": Upgrade(frame(b"{", 0x01), without_end(frame(b" " * 60_000, 0x00))),
    "a long Ping": Upgrade(frame(b" " * 126, 0x89), stay),
    "a close of one byte": Upgrade(frame(b"\x03", 0x88), stay),
    "a close with a code that is none": Upgrade(frame(b"\x00\x01", 0x88), stay),
    "a close, and the connection left open": Upgrade(frame(b"\x03\xe8", 0x88), stay),
}
PASSED_OVER = {
    "pings": frame(b"x", 0x89) * 5000,
    "pongs that nobody asked for": frame(b"x", 0x8A) * 5000,
    "a message in a thousand pieces": frame(b"[", 0x01) + frame(b"", 0x00) * 1000 + frame(b"]", 0x80),
    "an answer to nothing": frame(b'{"result":null,"id":1}'),
    "a number": frame(b"7"),
    "lists without measure": frame(b"[" * 100_000),
    "a kind that is a number": frame(b'{"e":7}'),
}
UNREADABLE = {
    "half an event": frame(b'{"e":"ORDER_TRADE_UPDATE","o":{'),
    "html": frame(b"<html></html>"),
    "no UTF-8": frame(b'{"e":"ORDER_TRADE_UPDATE","s":"\xff"}'),
    "gzip": frame(gzip.compress(EVENT)[:-9], 0x82),
    "a zip bomb": frame(BOMB, 0x82),
    "ten megabytes of nothing": frame(b" " * (10 << 20)),
    "nothing": frame(b""),
    "nesting without measure": frame(b'{"e":' * 100_000),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What would take ten seconds takes one, and half a minute three."""
    monkeypatch.setattr(calls, "_CALL_TIMEOUT", 1.0)
    monkeypatch.setattr(socket, "_OPEN_TIMEOUT", 1.0)
    monkeypatch.setattr(socket, "_CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(native, "_SILENT", 3.0)


async def until_well(server):
    """Everything up to the event of a server that is well."""
    address = f"http://127.0.0.1:{server.port}"
    items = []
    async with listenkey.open_stream(
        "binance-usdm", api_key="key", api_secret="secret", base_url=address, recover=False
    ) as stream:
        while not items or not isinstance(items[-1], Event):
            item = await asyncio.wait_for(stream.next_item(), WAIT)
            assert item is not None, items
            items.append(item)
    assert items[-1].raw == EVENT
    return items


def states(items):
    """The states among them."""
    return [item.state for item in items if isinstance(item, State)]


async def all_of(cases, check):
    """Each case at once with all others; which of them went wrong."""
    results = await asyncio.gather(*map(check, cases.values()), return_exceptions=True)
    assert not {
        name: result for name, result in zip(cases, results, strict=True) if isinstance(result, BaseException)
    }


async def test_odd_answers_to_calls():
    """The next one makes the key; no credential goes where a redirect points, and no bomb goes off."""

    async def check(case):
        async with Hostile(calls=[case]) as server:
            items = await until_well(server)
            assert server.elsewhere == 0
        assert states(items)[-1] == "open"

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await all_of(CALLS, check)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 << 10, "kibibytes"


async def test_odd_answers_to_handshakes_and_odd_frames():
    """The next socket delivers; that events may be missing is said wherever one was open."""

    async def check(case):
        async with Hostile(sockets=[case]) as server:
            items = await until_well(server)
            assert server.elsewhere == 0
        told = states(items)
        assert told[-1] == "open"
        assert told.count("open") == 1 or any(isinstance(item, Gap) for item in items)

    await all_of(SOCKETS, check)


async def test_an_extension_of_another_key_than_ours_is_none():
    """Where a call names no key, it prolongs whichever lives; one that somebody else made since delivers to
    him, and our socket would be silent for ever."""
    other = answer(b'{"listenKey":"of somebody else"}')
    calls = [answer(b'{"listenKey":"ours"}'), other]
    async with Hostile(calls, [Upgrade(frame(EVENT))]) as server:
        stream = listenkey.open_stream(
            "binance-usdm", api_key="demo", base_url=f"http://127.0.0.1:{server.port}", recover=False
        )
        opens = []
        async with stream:
            while "key" not in opens:
                item = await asyncio.wait_for(stream.next_item(), WAIT)
                opens += [item.reason] if isinstance(item, State) and item.state == "open" else []
    assert opens == ["start", "lost", "key"]


async def test_what_hides_no_event_is_passed_over():
    """The connection stays, and nothing is called missing."""

    async def check(case):
        async with Hostile(sockets=[Upgrade(case + frame(EVENT), stay)]) as server:
            items = await until_well(server)
        assert states(items) == ["connecting", "open"]
        assert not any(isinstance(item, Gap) for item in items)

    await all_of(PASSED_OVER, check)


async def test_what_may_have_been_an_event_is_a_gap():
    """And the connection stays."""

    async def check(case):
        async with Hostile(sockets=[Upgrade(case + frame(EVENT), stay)]) as server:
            items = await until_well(server)
        assert states(items) == ["connecting", "open"]
        assert [item.reason for item in items if isinstance(item, Gap)] == ["unreadable"]

    await all_of(UNREADABLE, check)


async def test_a_gateway_that_speaks_nonsense_is_asked_again():
    """The native stream too."""
    odd = {name: Upgrade(data, stay) for name, data in UNREADABLE.items() if len(data) < 1 << 20}
    await all_of(SOCKETS | odd, until_the_gateway_is_well)


async def until_the_gateway_is_well(case):
    """One bad answer, and then a position and an event."""
    good = frame(b'{"position":1,"epoch":"a","time":1}') + frame(
        b'{"offset":2,"epoch":"a","time":1,"event":%b}' % EVENT
    )
    async with Hostile(sockets=[case, Upgrade(good, stay)]) as server:
        address = f"http://127.0.0.1:{server.port}"
        async with listenkey.open_stream("binance-usdm", api_key="key", gateway=address) as stream:
            while not isinstance(item := await asyncio.wait_for(stream.next_item(), WAIT), Event):
                assert item is not None, case
            assert item.raw == EVENT


LEFT_OUT = {
    "an event": b'{"offset":5,"epoch":"a","time":1,"event":{"e":"x"}}',
    "all up to a position": b'{"position":4,"epoch":"a","time":1}',
    "all of an epoch": b'{"offset":1,"epoch":"b","time":1,"event":{"e":"x"}}',
}


@pytest.mark.parametrize("later", LEFT_OUT.values(), ids=LEFT_OUT)
async def test_what_a_gateway_leaves_out_is_asked_for_again(later):
    """A broken proxy in between must not make a hole that nobody hears of."""
    start = frame(b'{"position":1,"epoch":"a","time":1}')
    whole = b"".join(
        frame(b'{"offset":%d,"epoch":"a","time":1,"event":{"e":"x"}}' % offset) for offset in (2, 2, 3)
    )
    async with Hostile(sockets=[Upgrade(start + frame(later), stay), Upgrade(start + whole, stay)]) as server:
        items = await of_a_gateway(server, 2)
    assert [item.position.offset for item in items if isinstance(item, Event)] == [2, 3]
    assert not any(isinstance(item, Gap) for item in items)


@pytest.mark.parametrize("later", LEFT_OUT.values(), ids=LEFT_OUT)
async def test_what_a_gateway_leaves_out_again_is_named(later):
    """And the stream goes on."""
    start = frame(b'{"position":1,"epoch":"a","time":1}')
    odd = Upgrade(start + frame(later) + frame(b'{"offset":5,"epoch":"a","time":1,"event":{"e":"x"}}'), stay)
    async with Hostile(sockets=[odd, odd]) as server:
        items = await of_a_gateway(server, 1)
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert (gap.reason, gap.first.offset) == ("left_out", 2)


async def of_a_gateway(server, events):
    """The items up to so many events."""
    items = []
    address = f"http://127.0.0.1:{server.port}"
    async with listenkey.open_stream("binance-usdm", api_key="key", gateway=address) as stream:
        while sum(isinstance(item, Event) for item in items) < events:
            items.append(await asyncio.wait_for(stream.next_item(), WAIT))
    return items


async def test_a_venue_that_never_says_anything_sensible_is_asked_ever_more_seldom():
    """For ever; not in a loop that burns the machine, and never in silence."""
    async with Hostile(calls=[CALLS["html"]] * 1000) as server:
        stream = listenkey.open_stream(
            "binance-usdm", api_key="key", base_url=f"http://127.0.0.1:{server.port}", recover=False
        )
        async with stream:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    items = [item async for item in stream]
                    raise AssertionError(items)
        assert 980 < len(server._calls) < 1000
