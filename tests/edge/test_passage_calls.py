"""Calls that are passed to the venue: what it hears, what the client hears, and what becomes of both when one
of them fails."""

import asyncio
import contextlib
import json

import pytest

from listenkey.config import PassageSettings
from listenkey.dialect.registry import load_dialects
from tests.edge.gate import WAIT, until
from tests.edge.standin import StandIn

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
ORDER = (
    b"POST /fapi/v1/order?symbol=BTCUSDT&a=%41+b HTTP/1.1\r\nHost: gateway\r\nX-MBX-APIKEY: " + KEY.encode()
)


@contextlib.asynccontextmanager
async def passing(make_gate, venue, names=("binance-usdm",), **settings):
    """A gateway that passes to this venue."""
    given = {"rest": venue.url, "sockets": "", "api": "", **settings}
    gate = make_gate(passage={name: PassageSettings(**given) for name in names})
    async with gate:
        yield gate


@pytest.fixture
async def venue():
    """A venue that answers each call with `{}`."""
    async with StandIn() as venue:
        yield venue


@pytest.fixture
async def gate(make_gate, venue):
    """A gateway that passes USD-M's calls to it."""
    async with passing(make_gate, venue) as gate:
        yield gate


async def exchange(gate, request):
    """One request on a connection of its own; status, headers, body."""
    return await (await gate.raw(request)).answer()


# What passes --------------------------------------------------------------------------------------------


async def test_the_venue_hears_what_the_client_said(gate, venue):
    """Headers in their order, case and number, the query to the byte; only `Host` is the venue's."""
    status, _, body = await exchange(
        gate,
        ORDER
        + b"\r\nX-b: 1\r\nx-B: 2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
        b"TE: trailers\r\nUpgrade: h2c\r\nAccept-Encoding: gzip\r\nContent-Length: 3\r\n\r\nq=1",
    )
    assert (status, body) == (200, b"{}")
    [call] = venue.calls
    assert call.line == b"POST /fapi/v1/order?symbol=BTCUSDT&a=%41+b HTTP/1.1"
    assert call.headers == [
        b"Host: " + venue.authority.encode(), b"X-MBX-APIKEY: " + KEY.encode(), b"X-b: 1", b"x-B: 2",
        b"Accept-Encoding: gzip", b"Content-Length: 3",
    ]  # fmt: skip
    assert await call.reader.readexactly(3) == b"q=1"


async def test_the_client_hears_what_the_venue_said(make_gate):
    """Limits and bans as they come, an encoding that nobody undoes, one `Date`, nothing of the connection."""

    async def banned(call):
        await call.say(
            b"HTTP/1.1 418 I'm a teapot\r\nDate: then\r\nRetry-After: 120\r\nX-MBX-Used-Weight: 7\r\n"
            b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Encoding: gzip\r\nConnection: close, X-Hop\r\n"
            b"X-Hop: 1\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\x01"
        )

    async with StandIn(banned) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\n\r\n")
        head = await raw.head()
        assert head == (
            b"HTTP/1.1 418 I'm a Teapot\r\nDate: then\r\nRetry-After: 120\r\nX-MBX-Used-Weight: 7\r\n"
            b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Encoding: gzip\r\ncontent-length: 4\r\n\r\n"
        )
        assert await raw.reader.readexactly(4) == b"\x1f\x8b\x00\x01"
        assert "Retry-After" not in str(await exchange_own(gate))


async def exchange_own(gate):
    """A call of listen keys, which no ban at the venue concerns."""
    return (await gate.venue_call("POST", "/fapi/v1/listenKey", await gate.api_key())).headers


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n",
            b"\r\nLocation: http://x/\r\n",
        ),
        (
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
        ),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\n"),
    ],
)
async def test_answers_without_a_body(make_gate, answer, wanted):
    """They are whole with their head, and redirects are the client's to follow."""

    async def play(call):
        await call.say(answer)

    async with StandIn(play) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(b"GET /fapi/v1/order HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        for _ in range(2):
            assert wanted in b"\r\n" + await raw.head() or wanted in await raw.head()
        assert len(venue.calls) == 2


async def test_head_has_a_length_and_no_body(gate):
    """As the venue says."""
    raw = await gate.raw(b"HEAD /fapi/v1/order HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    for _ in range(2):
        assert b"content-length: 2\r\n" in await raw.head()


async def test_bodies_of_any_length_stream_both_ways(make_gate):
    """Chunks up, chunks down, each piece as it comes, and what follows a body is dropped."""

    async def echo(call):
        await call.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await call.reader.readuntil(b"\r\n"), 16):
            data = await call.reader.readexactly(size + 2)
            await call.say(b"%x;ext=1\r\n" % size + data)
        assert await call.reader.readexactly(2) == b"\r\n"
        await call.say(b"0\r\nX-Trailer: 1\r\n\r\n")

    async with StandIn(echo) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert b"\r\ntransfer-encoding: chunked\r\n" in await raw.head()
        assert await raw.reader.readexactly(8) == b"3\r\none\r\n"
        await raw.send(b"3\r\ntwo\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert await raw.reader.readuntil(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"
        assert b"Trailer" not in venue.calls[0].head


async def test_a_go_ahead_is_the_venues_to_give(make_gate):
    """A client that asks before it sends its body hears the venue's answer, be it yes or no."""

    async def script(call):
        assert b"Expect: 100-continue" in call.headers
        if b"dear" in call.line:
            await call.say(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
            return
        await call.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await call.answer(await call.reader.readexactly(3))

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        rest = b" HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        raw = await gate.raw(b"POST /fapi/v1/order" + rest)
        assert await raw.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await raw.send(b"abc")
        assert (await raw.answer())[2] == b"abc"
        refused = await gate.raw(b"POST /fapi/v1/dear" + rest)
        assert (await refused.head()).startswith(b"HTTP/1.1 417 ")


async def test_a_venue_that_gives_no_go_ahead_gets_the_body_after_a_while(make_gate):
    """Many servers never say 100."""

    async def script(call):
        await call.answer(await call.reader.readexactly(3))

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert await raw.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await raw.send(b"abc")
        assert (await raw.answer())[2] == b"abc"


# Whose calls --------------------------------------------------------------------------------------------


async def test_listen_keys_stay_and_the_rest_goes(gate, venue):
    """One base address does for both; what clients ask first is the venue's to say, too."""
    key = await gate.listen_key(await gate.api_key())
    assert key
    assert not venue.calls
    for path in ("/fapi/v1/exchangeInfo", "/fapi/v1/order", "/binance-usdm/fapi/v2/balance"):
        assert (await exchange(gate, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))[0] == 200
    lines = [call.line for call in venue.calls]
    assert lines == [b"GET %s HTTP/1.1" % path for path in (
        b"/fapi/v1/exchangeInfo", b"/fapi/v1/order", b"/fapi/v2/balance",
    )]  # fmt: skip


async def test_what_is_asked_first_passes_with_any_method(gate, venue):
    """A HEAD that looks whether the venue is there is answered by the venue; paths of listen keys stay."""
    raw = await gate.raw(b"HEAD /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await raw.head()).startswith(b"HTTP/1.1 200 ")
    assert [call.line for call in venue.calls] == [b"HEAD /fapi/v1/ping HTTP/1.1"]
    raw = await gate.raw(b"PATCH /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not (await raw.head()).startswith(b"HTTP/1.1 200 ")
    assert len(venue.calls) == 1


async def test_a_dialect_goes_along_with_the_one_of_its_host(make_gate, venue):
    """Margin's calls are at spot's host, so a bot of spot has them; another family's stay unknown here."""
    async with passing(make_gate, venue, ("binance-spot",)) as gate:
        for path, status in (("/api/v3/order", 200), ("/sapi/v1/margin/order", 200), ("/fapi/v1/order", 404)):
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            assert (await exchange(gate, request))[0] == status, path


async def test_what_a_venue_has_removed_is_said_here(make_gate, venue):
    """A gateway that plays a venue of some day answers for it, whatever else passes."""
    given = {"binance-spot": PassageSettings(rest=venue.url, sockets="", api="")}
    async with make_gate(passage=given, era="2026-03-01") as gate:
        raw = await gate.raw(b"POST /api/v3/userDataStream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await raw.answer())[0] == 410
        assert not venue.calls


TRICKS = [
    "/fapi//v1/order", "/fapi/v1/../v1/listenKey", "/fapi/./v1/order", "/fapi/v1/%2e%2e/order",
    "/fapi/v1%2forder", "/fapi/v1%5Corder", "/fapi/v1/order%00", "/fapi/v1/%252e", "/fapi\\v1\\order",
    "//lk/v1/stream", "/lk/v1/nothing", "/LK/v1/stream", "/%6Ck%2Fv1/stream", "/binance-spot/lk/v1/stream",
    "/v1/accounts", "/binance-spot/v1/publish", "/metrics", "/health/live", "/docs/", "/...", "*",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
async def test_paths_that_might_be_read_otherwise_never_leave(make_gate, venue, path):
    """Nor do the gateway's own, which carry credentials of the gateway: no token ends up at a venue."""
    names = ("binance-spot", "binance-usdm", "bingx")
    async with passing(make_gate, venue, names) as gate:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n\r\n"
        status, _, _ = await exchange(gate, request.encode())
        assert status >= 400 or status == 200  # BingX says 404 in its body
        assert not venue.calls


@pytest.mark.parametrize("line", [b"GET http://elsewhere:1/fapi/v1/order", b"GET /fapi/v1/order"])
async def test_a_client_cannot_say_where_to(gate, venue, line):
    """Neither by an absolute address nor by `Host` or a prefix."""
    request = line + b" HTTP/1.1\r\nHost: elsewhere:1\r\nX-Forwarded-Host: elsewhere\r\n\r\n"
    assert (await exchange(gate, request))[0] == 200
    assert venue.calls[0].line == b"GET /fapi/v1/order HTTP/1.1"
    assert venue.calls[0].headers[0] == b"Host: " + venue.authority.encode()


@pytest.mark.parametrize(
    "request_",
    [
        b"CONNECT elsewhere:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"TRACE /fapi/v1/order HTTP/1.1\r\nHost: x\r\n\r\n",
        ORDER + b"\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ORDER + b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        ORDER + b"\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        ORDER + b"\r\nX-A: 1\x00\r\n\r\n",
        ORDER + b"\r\nX-A : 1\r\n\r\n",
        b"GET /fapi/v1/order?a=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_two_servers_might_read_in_two_ways_is_refused(gate, venue, request_):
    """No request hides another one from the gateway."""
    raw = await gate.raw(request_)
    assert int((await raw.head()).split()[1]) >= 400
    assert not venue.calls


async def test_the_gateways_limits_are_not_the_venues(make_gate, venue):
    """A thousand orders a minute are between the bot and its venue."""
    async with passing(make_gate, venue) as gate:
        gate.gateway.limiter._mode = "account"
        for _ in range(60):
            raw = await gate.raw(ORDER + b"\r\n\r\n")
            assert (await raw.answer())[0] == 200
        assert len(venue.calls) == 60


# Once and no more ---------------------------------------------------------------------------------------


async def test_a_connection_serves_many_calls(gate, venue):
    """One after the other, each whole."""
    for number in range(5):
        raw = await gate.raw(ORDER + b"\r\nContent-Length: 0\r\n\r\n")
        assert (await raw.answer())[0] == 200
        assert venue.calls[-1].connection == 1, number


async def test_many_calls_run_at_one_time(make_gate):
    """Each has a connection of its own, and none waits for another; one too many is refused at once."""
    open_ = asyncio.Event()

    async def script(call):
        await open_.wait()
        await call.answer(call.line)

    async with StandIn(script) as venue, passing(make_gate, venue, connections=50) as gate:
        raws = [await gate.raw(b"GET /fapi/v1/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n) for n in range(50)]
        await venue.heard(50)
        status, _, body = await exchange(gate, ORDER + b"\r\n\r\n")
        assert (status, json.loads(body)["code"]) == (502, -1001)
        open_.set()
        for number, raw in enumerate(raws):
            assert (await raw.answer())[2] == b"GET /fapi/v1/%d HTTP/1.1" % number


@pytest.mark.parametrize("method", [b"POST", b"GET", b"DELETE"])
async def test_a_call_on_a_connection_that_dies_is_never_sent_again(make_gate, method):
    """Whatever it was: the client hears that nobody knows, and asks."""

    async def script(call):
        if len(venue.calls) == 2:
            call.reset()
            return
        await call.answer()

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        request = method + b" /fapi/v1/order HTTP/1.1\r\nHost: x\r\n\r\n"
        assert (await exchange(gate, request))[0] == 200
        status, _, body = await exchange(gate, request)
        assert (status, json.loads(body)["code"]) == (502, -1006)
        assert [call.connection for call in venue.calls] == [1, 1]
        assert (await exchange(gate, request))[0] == 200
        assert [call.connection for call in venue.calls] == [1, 1, 2]


@pytest.mark.parametrize(
    "more", [b"Connection: close\r\n", b"X: 1\r\n"], ids=["closed by word", "closed without a word"]
)
async def test_a_connection_that_the_venue_ends_is_not_used_again(make_gate, more):
    """The next call opens one of its own and succeeds."""

    async def script(call):
        await call.answer(head=b"HTTP/1.1 200 OK\r\n" + more)
        call.writer.close()

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        passage = gate.listeners._beyond
        links = passage._callers["binance-usdm"].links
        for number in range(3):
            assert (await exchange(gate, ORDER + b"\r\n\r\n"))[0] == 200
            await until(lambda: not any(link.is_usable() for link in links._free))
            assert venue.opened == number + 1


async def test_what_a_venue_says_unasked_is_nobodys_answer(make_gate):
    """Bytes behind an answer spoil the connection, not the next client's call."""

    async def script(call):
        await call.answer(b"{}")
        await call.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        for _ in range(5):
            assert (await exchange(gate, ORDER + b"\r\n\r\n"))[2] == b"{}"


async def test_a_client_that_leaves_takes_its_call_along(make_gate):
    """The venue's connection is cut, whether it answers already or not."""

    left = []

    async def script(call):
        if b"slow" not in call.line:
            await call.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        with contextlib.suppress(ConnectionError):
            assert await call.reader.read() == b""
        left.append(call.line)

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        for number, path in enumerate((b"slow", b"streaming"), 1):
            raw = await gate.raw(b"GET /fapi/v1/%s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
            await venue.heard(number)
            raw.writer.close()
            await until(lambda number=number: len(left) == number)
        assert not gate.gateway.metrics.passage_failures


# A venue that misbehaves --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"HTTP/1.1 200 OK\r\n", b"<html>\r\n\r\n", b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_said_in_the_venues_form(make_gate, answer):
    """With the code that tells the bot to look before it orders again."""

    async def script(call):
        await call.say(answer)
        call.writer.close()

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        status, headers, body = await exchange(gate, ORDER + b"\r\n\r\n")
        assert (status, json.loads(body)["code"]) == (502, -1006)
        assert headers["content-type"] == "application/json"
        assert gate.gateway.metrics.passage_failures == {("binance-usdm", "venue_garbled"): 1}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n",
    ],
)
@pytest.mark.parametrize("end", ["finish", "reset"])
async def test_half_an_answer_never_looks_whole(make_gate, answer, end):
    """The client's connection breaks off where the venue's did."""
    go = asyncio.Event()

    async def script(call):
        await call.say(answer)
        await go.wait()
        call.reset() if end == "reset" else call.writer.close()

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\n\r\n")
        await raw.head()
        go.set()
        rest = b""
        with contextlib.suppress(ConnectionError):
            rest = await raw.rest()
        assert b"12345" in rest or rest == b""
        assert not rest.endswith(b"0\r\n\r\n")
        assert gate.gateway.metrics.passage_failures == {("binance-usdm", "venue_cut"): 1}


@pytest.mark.parametrize("length", [b"3", b"30"])
async def test_an_answer_with_two_lengths_has_that_of_its_chunks(make_gate, length):
    """RFC 9112 section 6.3: the other one may be a lie, and neither cuts the answer nor adds to it."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % length

    async def script(call):
        await call.say(said + b"5\r\nhello\r\n0\r\n\r\n")

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\n\r\n")
        assert b"ontent-" not in await raw.head()
        assert await raw.reader.readuntil(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"
        assert gate.gateway.metrics.internal_errors == 0


async def test_an_answer_that_ends_with_its_connection_is_whole(make_gate):
    """As servers of old do it."""

    async def script(call):
        await call.say(b"HTTP/1.0 200 OK\r\n\r\n12345")
        call.writer.close()

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\n\r\n")
        await raw.head()
        assert await raw.reader.readuntil(b"0\r\n\r\n") == b"5\r\n12345\r\n0\r\n\r\n"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 3])
async def test_a_venue_that_takes_too_long_is_a_timeout_in_its_own_words(make_gate, said):
    """504 and the code of a timeout; the call is not sent a second time."""

    async def script(call):
        await call.say(said)
        await call.reader.read()

    async with StandIn(script) as venue, passing(make_gate, venue, answer_seconds=1) as gate:
        status, _, body = await exchange(gate, ORDER + b"\r\n\r\n")
        assert (status, json.loads(body)["code"]) == (504, -1007)
        assert len(venue.calls) == 1


async def test_an_answer_that_stops_is_cut(make_gate):
    """A body that does not go on is given up, and does not look whole."""

    async def script(call):
        await call.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        await call.reader.read()

    async with StandIn(script) as venue, passing(make_gate, venue, answer_seconds=1) as gate:
        raw = await gate.raw(ORDER + b"\r\n\r\n")
        await raw.head()
        with contextlib.suppress(ConnectionError):
            assert await raw.rest() == b"12345"


async def test_a_long_answer_passes_with_little_memory(make_gate):
    """A client that reads slowly holds the venue up, not the gateway's memory."""
    size, sent = 64 << 20, 0  # the system's own buffers take some ten

    async def script(call):
        nonlocal sent
        await call.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            await call.say(b"x" * 65536)
            sent += 65536

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\n\r\n")
        await raw.head()
        last = -1
        while sent != last:  # until nothing moves any more
            last = sent
            await asyncio.sleep(0.2)
        assert sent < size - (16 << 20)
        assert len(await asyncio.wait_for(raw.reader.readexactly(size), WAIT)) == size


async def test_a_long_body_waits_for_a_venue_that_does_not_take_it(make_gate):
    """The client is held up, not the gateway's memory; what was sent arrives whole."""
    go, size, got = asyncio.Event(), 64 << 20, 0

    async def script(call):
        nonlocal got
        await go.wait()
        got = len(await call.reader.readexactly(size))
        await call.answer()

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        raw = await gate.raw(ORDER + b"\r\nContent-Length: %d\r\n\r\n" % size)
        await venue.heard()
        sender = asyncio.ensure_future(raw.send(b"x" * size))
        done, _ = await asyncio.wait([sender], timeout=0.5)
        assert not done
        go.set()
        await sender
        assert (await raw.answer())[0] == 200
        assert got == size


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n", b"<html>blocked</html>"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", b""),
        (b"HTTP/1.1 503 Service Unavailable\r\n", b"\x00\xff" * 1000),
    ],
)
async def test_a_body_is_the_venues_to_choose(make_gate, head, body):
    """HTML of a firewall, nothing at all, rubbish: the client sees what a client of the venue sees."""

    async def script(call):
        await call.answer(body, head)

    async with StandIn(script) as venue, passing(make_gate, venue) as gate:
        status, _, told = await exchange(gate, ORDER + b"\r\n\r\n")
        assert (status, told) == (int(head.split()[1]), body)


@pytest.mark.parametrize("name", sorted(load_dialects()))
async def test_each_dialect_has_words_for_a_venue_that_is_not_there(make_gate, name):
    """Nothing was sent, so that trying again is safe; and the other two ways that a call ends in nothing."""

    async def script(call):
        if b"cut" in call.line:
            call.reset()
        else:
            await call.reader.read()

    async with StandIn(script) as venue, passing(make_gate, venue, (name,), answer_seconds=1) as gate:
        binance = name != "bingx"
        told = {}
        for path in ("cut", "slow"):
            request = f"POST /{name}/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            status, _, body = await exchange(gate, request)
            told[path] = status, json.loads(body)["code"]
        venue._server.close()
        await venue._server.wait_closed()
        status, _, body = await exchange(gate, f"GET /{name}/x HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert told == {
            "cut": (502, -1006 if binance else 100500), "slow": (504, -1007 if binance else 100500),
        }  # fmt: skip
        assert (status, json.loads(body)["code"]) == (502, -1001 if binance else 100503)


async def test_metrics_tell_what_passed(gate, venue):
    """By dialect and status, without a key or an account."""
    assert (await exchange(gate, ORDER + b"\r\n\r\n"))[0] == 200
    await venue.__aexit__()
    links = gate.listeners._beyond._callers["binance-usdm"].links
    await until(lambda: not any(link.is_usable() for link in links._free))
    assert (await exchange(gate, ORDER + b"\r\n\r\n"))[0] == 502
    page = (await gate.http.get(gate.admin + "/metrics")).text
    assert 'listenkey_passed_calls_total{dialect="binance-usdm",status="200"} 1.0' in page
    assert 'listenkey_passage_failures_total{dialect="binance-usdm",failure="venue_unreachable"} 1.0' in page
    assert KEY not in page
