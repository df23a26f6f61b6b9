import asyncio
import contextlib
import json

import pytest

from listenkey.config import Http
from tests.edge.gate import SPOT, USDM, frame, handshake, until

REQUEST = b"GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n"


async def still_served(gate):
    """Somebody else's call goes through as ever."""
    assert (await gate.venue_call("GET", "/fapi/v1/ping")).status_code == 200


async def sent_until_cut(raw, piece, pause=0.0):
    """Send the same again and again until the server cuts the connection; how many bytes that took."""
    sent = 0
    with contextlib.suppress(ConnectionError, TimeoutError):
        while sent < 1 << 31:
            await raw.send(piece)
            sent += len(piece)
            await asyncio.sleep(pause)
    return sent


@pytest.fixture
def tracebacks(caplog):
    """What the HTTP library and the loop complain of."""
    return caplog.records


class TestHeads:
    @pytest.mark.parametrize(
        "data",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET ws://[bad HTTP/1.1\r\nHost: x\r\n\r\n",
            b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
            b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            b"\r\n\r\n\r\n\r\nnonsense\r\n\r\n",
        ],
    )
    async def test_what_is_no_request_gets_a_400_and_the_end(self, gate, data):
        """Malformed bytes are answered in HTTP or cut, never with a 5xx, and nobody else notices."""
        raw = await gate.raw(data)
        answer = await raw.rest()
        assert answer.startswith(b"HTTP/1.1 4"), answer[:100]
        await still_served(gate)

    async def test_a_head_may_be_slow_but_not_endless(self, make_gate):
        """A head that drips in over its time gets 408; one that comes in pieces within it is served."""
        async with make_gate(http=Http(head_seconds=3)) as gate:
            patient = await gate.raw()
            for byte in (REQUEST + b"\r\n")[:-1]:
                await patient.send(bytes((byte,)))
            await patient.send(b"\n")
            assert (await patient.answer())[0] == 200
            slow = await gate.raw(REQUEST)
            assert (await slow.rest()).startswith(b"HTTP/1.1 408 ")

    async def test_a_connection_that_says_nothing_is_closed(self, make_gate):
        """An idle connection before its first request holds nothing for long."""
        async with make_gate(http=Http(head_seconds=1)) as gate:
            silent = await gate.raw()
            assert await silent.rest() == b""

    async def test_an_idle_keep_alive_connection_is_closed(self, make_gate):
        """After its time, and not while requests come."""
        async with make_gate(http=Http(keep_alive_seconds=1)) as gate:
            raw = await gate.raw(REQUEST + b"\r\n")
            assert (await raw.answer())[0] == 200
            await raw.send(REQUEST + b"\r\n")
            assert (await raw.answer())[0] == 200
            assert await raw.rest() == b""

    @pytest.mark.parametrize(
        "head",
        [
            REQUEST + b"X: " + b"x" * 40_000,
            REQUEST + b"X: " + b"x" * 40_000 + b"\r\n\r\n",
            REQUEST + b"x: y\r\n" * 8_000 + b"\r\n",
            b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n",
            b"GET /" + b"x" * 40_000,
        ],
    )
    async def test_an_oversized_head_gets_431(self, gate, head):
        """32 KiB of head, whether it ends or not; what is over is not kept in memory."""
        raw = await gate.raw(head)
        assert (await raw.rest()).startswith(b"HTTP/1.1 431 ")
        await still_served(gate)

    async def test_an_endless_head_is_cut_in_the_middle(self, gate):
        """A peer that never stops sending its head is stopped soon after the bound."""
        raw = await gate.raw(REQUEST + b"X: ")
        assert await sent_until_cut(raw, b"x" * 65_536) < 100 * 65_536
        await still_served(gate)

    async def test_a_head_within_the_bound_is_served(self, gate):
        """Clients with long signed queries and cookies are below the bound and must not be refused."""
        raw = await gate.raw(REQUEST + b"X: " + b"x" * 30_000 + b"\r\n\r\n")
        assert (await raw.answer())[0] == 200

    async def test_many_requests_on_one_connection_are_many_heads(self, gate):
        """The bound is a request's, not a connection's; pipelined requests are answered in order."""
        count = 60
        raw = await gate.raw((REQUEST + b"X: " + b"x" * 1_000 + b"\r\n\r\n") * count)
        assert [(await raw.answer())[0] for _ in range(count)] == [200] * count

    async def test_requests_without_end_and_answers_never_read(self, make_gate):
        """Pipelined without end, nothing ever read: few requests are taken up, and the connection is cut in
        time."""
        async with make_gate(http=Http(body_seconds=1)) as gate:
            raw = await gate.raw()
            raw.writer.transport.pause_reading()
            served = gate.gateway.metrics.requests
            await sent_until_cut(raw, (REQUEST + b"\r\n") * 50)
            assert served.total() < 50_000
            await until(lambda: not gate.listeners._venues[0]._state.connections - {None})
            await still_served(gate)

    async def test_a_flood_of_pipelined_requests_is_refused(self, gate):
        """Thousands of requests in one piece cost no more than the few that may wait. Those are answered,
        and no other is carried out: what the client is not told has not happened."""
        key = await gate.api_key()
        create = f"POST {SPOT} HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {key}\r\nContent-Length: 0\r\n\r\n"
        raw = await gate.raw(create.encode() * 2000)
        answers = await raw.rest()
        assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200 ")
        assert 1 < answers.count(b'{"listenKey":') == gate.gateway.metrics.requests.total() < 200
        await still_served(gate)

    @pytest.mark.parametrize("after", [b"nonsense\r\n\r\n", handshake("/ws"), b"GET / HTTP/1.1\r\nX"])
    async def test_what_comes_before_nonsense_is_answered_first(self, make_gate, after, tracebacks):
        """In its order: an answer before its turn would be taken for another request's."""
        async with make_gate(http=Http(head_seconds=1)) as gate:
            raw = await gate.raw((REQUEST + b"\r\n") * 20 + after)
            answers = await raw.rest()
            first, *rest = answers.split(b"HTTP/1.1 ")[1:]
            assert first.startswith(b"200 ")
            assert [each[:4] for each in rest] == [b"200 "] * 19 + [rest[-1][:4]]
            assert rest[-1].startswith(b"4")
        assert tracebacks == []

    async def test_a_fault_of_ours_is_counted_and_answered(self, gate, monkeypatch):
        """An operator sees it in the metrics; the caller gets an answer, and the next one is served."""

        async def fail(*_):
            raise ZeroDivisionError

        with monkeypatch.context() as broken:
            broken.setattr(gate.gateway.calls, "handle", fail)
            assert (await gate.venue_call("GET", "/fapi/v1/ping")).status_code == 500
        assert gate.gateway.metrics.internal_errors == 1
        await still_served(gate)

    async def test_blanks_about_a_value_are_not_part_of_it(self, gate):
        """RFC 9110 section 5.5: a key that was pasted with a space after it is the key."""
        key = (await gate.api_key()).encode()
        raw = await gate.raw(
            b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: \t " + key + b" \t\r\n\r\n"
        )
        assert (await raw.answer())[0] == 200

    async def test_odd_but_whole_requests_are_the_venues_to_answer(self, gate):
        """`OPTIONS *` is HTTP; it gets a venue's 404."""
        raw = await gate.raw(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
        assert 400 <= (await raw.answer())[0] < 500


class TestBodies:
    async def test_an_oversized_body_gets_the_venues_own_error(self, gate):
        """64 KiB: an error of the dialect, which the client gets to read although it is still sending."""
        chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        for framing in (
            b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000,
            b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 20,
        ):
            raw = await gate.raw(b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\n" + framing)
            status, _, body = await raw.answer()
            assert 400 <= status < 500
            assert "code" in json.loads(body)
            await raw.send(b"" if framing.startswith(b"Content") else b"0\r\n\r\n")
            await raw.send(REQUEST + b"\r\n")
            assert (await raw.answer())[0] == 200
        await still_served(gate)

    @pytest.mark.parametrize("part", [b"", b"abc"])
    async def test_a_body_that_does_not_come_is_not_waited_for(self, make_gate, part):
        """The venue's error after the time for bodies, whether a part of it came or nothing."""
        async with make_gate(http=Http(body_seconds=1)) as gate:
            raw = await gate.raw(
                b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n" + part
            )
            status, _, body = await raw.answer()
            assert 400 <= status < 500
            assert "code" in json.loads(body)
            assert await raw.rest() == b""

    async def test_a_body_after_the_answer_does_not_hold_the_connection(self, make_gate):
        """Whoever is refused before its body is over cannot go on sending it forever."""
        async with make_gate(http=Http(body_seconds=1)) as gate:
            raw = await gate.raw(
                b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", admin=True
            )
            assert (await raw.answer())[0] in {401, 403}
            assert await sent_until_cut(raw, b"x", pause=0.05) < 100

    async def test_bodies_and_types_that_mean_nothing_are_tolerated(self, gate):
        """Clients send odd content types and empty bodies; a create must not fail over it."""
        key = await gate.api_key()
        for headers, content in (
            ({"content-type": "application/json"}, b""),
            ({"content-type": "application/json"}, b"{}"),
            ({"content-type": "application/octet-stream"}, b""),
            ({"content-type": "*/*"}, b"\x00\xff"),
            ({}, b"not=a&form"),
        ):
            response = await gate.venue_call("POST", USDM, key, headers=headers, content=content)
            assert response.status_code == 200, (headers, response.text)

    async def test_expect_100_is_answered(self, gate):
        """Clients that ask before they send a body get their go-ahead."""
        raw = await gate.raw(
            b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\n"
            b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert (await raw.head()).startswith(b"HTTP/1.1 100 ")
        await raw.send(b"{}")
        assert (await raw.answer())[0] in {400, 401}

    async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind(self, gate):
        """No task, no connection."""
        raw = await gate.raw(b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        await asyncio.sleep(0.02)
        raw.writer.transport.abort()
        states = [listener._state for listener in gate.listeners._venues]
        await until(lambda: all(not state.tasks and not state.connections for state in states))

    async def test_half_a_body_is_not_acted_on(self, gate):
        """A client that vanishes in the middle of a call has made no call."""
        key = await gate.api_key()
        head = f"POST {USDM} HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {key}\r\nContent-Length: 10\r\n\r\n"
        raw = await gate.raw(head.encode() + b"abc")
        (listener,) = gate.listeners._venues
        await until(lambda: listener._state.tasks)
        raw.writer.transport.abort()
        await until(lambda: not listener._state.tasks)
        assert (await gate.call("GET", "/v1/listen-keys")).json()["items"] == []


class TestUpgrades:
    async def test_an_offer_of_http2_is_answered_in_http1(self, gate):
        """Java's client offers h2c on every first request; the request and those after it are served as they
        are."""
        offer = (
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        )
        raw = await gate.raw(REQUEST + offer)
        assert (await raw.answer())[0] == 200
        await raw.send(REQUEST + b"\r\n")
        assert (await raw.answer())[0] == 200
        both = await gate.raw(REQUEST + offer + REQUEST + b"\r\n")
        assert [(await both.answer())[0], (await both.answer())[0]] == [200, 200]

    @pytest.mark.parametrize(
        "change,status",
        [
            (("GET ", "POST "), 405),
            (("HTTP/1.1", "HTTP/1.0"), 400),
            (("GET /ws", "GET /w\xff"), 400),
            (("GET /ws", "GET ws://[bad"), 400),
            (("Version: 13", "Version: 8"), 426),
            (("Sec-WebSocket-Version: 13\r\n", ""), 426),
            (("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400),
            (("dGhlIHNhbXBsZSBub25jZQ==", "not base 64 at all!!"), 400),
            (("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400),
        ],
    )
    async def test_a_wrong_handshake_gets_an_http_error(self, gate, change, status):
        """RFC 6455 section 4.2; nothing is upgraded, and the connection ends."""
        raw = await gate.raw(handshake("/ws").decode().replace(*change).encode("latin-1"))
        assert (await raw.rest()).startswith(b"HTTP/1.1 %d " % status)
        assert len(gate.gateway.connections) == 0

    async def test_the_proof_is_right_and_nothing_else_is_agreed_to(self, gate):
        """The RFC's own example key; subprotocols and extensions that nobody here has are passed over."""
        raw = await gate.raw(
            handshake("/ws", "Sec-WebSocket-Extensions: bbf-usp-protocol", "Sec-WebSocket-Protocol: chat")
        )
        head = (await raw.head()).lower()
        assert b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in head
        assert b"sec-websocket-extensions" not in head
        assert b"sec-websocket-protocol" not in head
        assert b"server:" not in head

    async def test_frames_sent_with_the_handshake_are_not_lost(self, gate):
        """A client that does not wait for the 101 with its first frame gets its answer all the same."""
        raw = await gate.raw(handshake("/ws") + frame(9, b"early"))
        await raw.head()
        assert await raw.frame() == (10, b"early")

    async def test_a_handshake_behind_an_unanswered_request_is_refused(self, gate):
        """Pipelining does not mix an HTTP answer into a WebSocket."""
        raw = await gate.raw(REQUEST + b"\r\n" + handshake("/ws"))
        answer = await raw.rest()
        assert b" 101 " not in answer

    async def test_the_admin_listener_has_no_websockets(self, gate):
        """There, an upgrade is a request like any other."""
        raw = await gate.raw(handshake("/health/live"), admin=True)
        assert (await raw.answer())[0] == 200


class TestAnswers:
    async def test_every_answer_has_a_date_and_no_server(self, gate):
        """Clients set their clocks by `Date`; what software this is is nobody's business."""
        for response in (
            await gate.venue_call("GET", "/fapi/v1/time"),
            await gate.http.get(gate.admin + "/health/live"),
        ):
            assert response.headers["date"].endswith("GMT")
            assert "server" not in response.headers

    async def test_an_unexpected_fault_is_the_venues_own_and_tells_nothing(self, gate, monkeypatch):
        """I8: a fault of ours is -1000 with status 500, without a traceback, and the next call works."""

        def fail(*arguments):
            raise RuntimeError("secret detail")

        monkeypatch.setattr(gate.gateway.credentials, "find", fail)
        response = await gate.venue_call("POST", USDM, "a" * 64)
        assert response.json()["code"] == -1000
        assert "secret" not in response.text
        monkeypatch.undo()
        await still_served(gate)
