"""Limits of sockets, over real ones: how often, how many, how old."""

import asyncio

import pytest
import websockets
from msgspec.structs import replace

from listenkey.config import DialectSettings, Streams
from listenkey.config.settings import Heartbeat
from tests.edge.gate import BINGX, SPOT, frame, handshake, until
from tests.edge.test_api_socket import FUTURES, ask, by_secret, code
from tests.edge.test_api_socket import SPOT as SPOT_API

HOUR = 3600
PING, PONG = 9, 10
LIMITS = ["account", "venue", "off"]


def few(connections=2, **more):
    """Settings with so few attempts for spot."""
    limits = {"connections": connections, "api-connections": connections}
    return {"dialect": {"binance-spot": DialectSettings(limits=limits)}, **more}


class TestAttempts:
    async def test_one_attempt_too_many_is_a_429_that_says_when(self, make_gate):
        """The venue's window is the clock's five minutes; then the bot may come back."""
        async with make_gate(**few(limits="account")) as gate:
            gate.clock.advance(-gate.gateway.clock.now() % (300 * 10**6))
            key = await gate.listen_key(await gate.api_key(), SPOT)
            for _ in range(2):
                await gate.dial(f"/ws/{key}")
            gate.advance(60)
            refused = await gate.refusal(f"/ws/{key}")
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "240")
            assert refused.headers["Content-Type"] == "application/json"
            assert b'"code":-1034' in refused.body
            assert b"current limit is 2 per '5 MINUTE'" in refused.body
            gate.advance(240)
            await gate.dial(f"/ws/{key}")

    @pytest.mark.parametrize("limits,expected", [("account", 101), ("venue", 429), ("off", 101)])
    async def test_whom_a_bots_attempts_hurt(self, make_gate, limits, expected):
        """As at the venue everybody behind its address; otherwise nobody but itself."""
        async with make_gate(**few(limits=limits)) as gate:
            first = await gate.listen_key(await gate.api_key(), SPOT)
            for _ in range(2):
                await gate.dial(f"/ws/{first}")
            other = await gate.listen_key(await gate.api_key("bob"), SPOT)
            if expected == 101:
                await gate.dial(f"/ws/{other}")
            else:
                assert (await gate.refusal(f"/ws/{other}")).status_code == expected

    async def test_going_on_is_a_418(self, make_gate):
        """Who does not stop is shut out for longer, from the streams alone."""
        async with make_gate(**few(limits="venue")) as gate:
            key = await gate.api_key()
            path = f"/ws/{await gate.listen_key(key, SPOT)}"
            for _ in range(2):
                await gate.dial(path)
            answers = [(await gate.refusal(path)).status_code for _ in range(22)]
            assert answers == [429] * 20 + [418] * 2
            assert (await gate.refusal(path)).headers["Retry-After"] == "120"
            assert (await gate.venue_call("PUT", SPOT, key)).status_code == 400, "it is answered, not refused"
            (ban,) = (await gate.call("GET", "/v1/bans")).json()["items"]
            await gate.call("DELETE", f"/v1/bans/{ban['id']}")
            assert (await gate.refusal(path)).status_code == 429

    async def test_products_that_document_no_limit_have_none(self, make_gate):
        """A futures bot connects as often as it likes, on spot's paths too."""
        async with make_gate(**few(limits="venue", connections=1)) as gate:
            key = await gate.listen_key(await gate.api_key())
            for _ in range(3):
                await gate.dial(f"/ws/{key}")
            for _ in range(3):
                await gate.dial("/ws")
            await gate.dial("/binance-spot/ws")
            assert (await gate.refusal("/binance-spot/ws")).status_code == 429

    async def test_no_socket_opens_before_its_count_is_durable(self, make_gate, monkeypatch):
        """I6: kill -9 right after the 101 must not make room for one more. Who speaks too early is heard."""
        async with make_gate(**few(limits="account")) as gate:
            held = []
            real = gate.gateway.store.reserve

            def hold(reservations, now):
                future = asyncio.get_running_loop().create_future()
                held.append((reservations, now, future))
                return future

            monkeypatch.setattr(gate.gateway.store, "reserve", hold)
            early = await gate.raw(handshake("/binance-spot/ws") + frame(PING, b"early"))
            await until(lambda: held)
            assert not gate.gateway.connections.all()
            for reservations, now, future in held:
                await real(reservations, now)
                future.set_result(None)
            assert (await early.head()).startswith(b"HTTP/1.1 101 ")
            assert await early.frame() == (PONG, b"early")


class TestBingx:
    @pytest.mark.parametrize(
        "limits,own,others", [("account", 429, 101), ("venue", 429, 429), ("off", 101, 101)]
    )
    async def test_sockets_of_an_address(self, make_gate, limits, own, others):
        """Sixty a stream: as at the venue for all behind an address, by default for each API key. What a
        socket leaves, another can have; each stream counts by itself."""
        gate = make_gate(limits=limits)
        bingx = gate.dialects["bingx"]
        gate.dialects["bingx"] = replace(bingx, frames=replace(bingx.frames, sockets_per_address=2))
        async with gate:
            first, second = [await gate.listen_key(await gate.api_key(name), BINGX) for name in ("a", "b")]
            sockets = [await gate.dial(f"/swap-market?listenKey={first}") for _ in range(2)]
            assert await answered(gate, f"/swap-market?listenKey={first}") == own
            assert await answered(gate, f"/swap-market?listenKey={second}") == others
            await gate.dial(f"/market?listenKey={first}")
            if own == 429:
                refused = await gate.refusal(f"/swap-market?listenKey={first}")
                assert b'"code":100419' in refused.body
                assert gate.gateway.metrics.refused_by_limit["too_many_connections"] >= 2
                await sockets[0].socket.close()
                await until(lambda: len(gate.gateway.connections.all()) < 3 + (others == 101))
                await gate.dial(f"/swap-market?listenKey={first}")


async def answered(gate, path):
    """How a handshake is answered."""
    try:
        await gate.dial(path)
    except websockets.InvalidStatus as refused:
        return refused.response.status_code
    return 101


class TestApiSockets:
    async def test_sockets_that_show_no_key_are_bounded(self, make_gate):
        """One program that opens sockets and forgets them does not fill the gateway; one that shows a key
        makes room, and so does one that leaves."""
        async with make_gate(streams=Streams(no_key_sockets_per_address=2)) as gate:
            signer = await by_secret(gate)
            sockets = [await gate.dial(SPOT_API), await gate.dial(FUTURES)]
            assert (await gate.refusal(SPOT_API)).status_code == 429
            await ask(sockets[0], "userDataStream.subscribe.signature", **signer.params())
            sockets.append(await gate.dial(SPOT_API))
            assert (await gate.refusal(FUTURES)).status_code == 429
            await ask(sockets[1], "userDataStream.start", apiKey="nobody-s")
            assert (await gate.refusal(FUTURES)).status_code == 429, "a key that nobody has is none"
            await sockets[1].socket.close()
            await until(lambda: len(gate.gateway.connections.all()) == 2)
            await gate.dial(SPOT_API)

    async def test_attempts_of_bots_that_show_their_keys_do_not_add_up(self, make_gate):
        """A farm of bots behind one address starts all at once; one in a loop runs into its own limit."""
        async with make_gate(**few(limits="account")) as gate:
            for name in ("alice", "bob", "carol"):
                socket = await gate.dial(SPOT_API)
                signer = await by_secret(gate, name)
                answer = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
                assert answer["status"] == 200
            socket = await gate.dial(SPOT_API)
            assert (await ask(socket, "session.status"))["status"] == 200
            await ask(socket, "userDataStream.subscribe.signature", **signer.params())
            socket = await gate.dial(SPOT_API)
            answer = await ask(socket, "userDataStream.subscribe.signature", **signer.params())
            assert (answer["status"], code(answer)) == (429, -1034)
            assert answer["error"]["data"]["retryAfter"] > answer["error"]["data"]["serverTime"]
            assert (await socket.closed())[0] == 1008

    async def test_as_the_venue_attempts_count_by_address(self, make_gate):
        """Two of two, whoever they are; a connection that is refused says when to come back."""
        async with make_gate(**few(limits="venue")) as gate:
            signer = await by_secret(gate)
            for _ in range(2):
                socket = await gate.dial(SPOT_API)
                await ask(socket, "userDataStream.subscribe.signature", **signer.params())
            refused = await gate.refusal(SPOT_API)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["Retry-After"]) <= 300

    async def test_a_connection_and_its_requests_weigh_on_the_host_of_the_rest_calls(self, make_gate):
        """2 to connect, 2 for a request, 1 for a REST call: all in one count, which each answer tells."""
        async with make_gate(limits="venue") as gate:
            key = await gate.api_key()
            socket = await gate.dial(SPOT_API)
            told = (await ask(socket, "session.status"))["rateLimits"]
            assert told == [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000,
                 "count": 4}
            ]  # fmt: skip
            time = await gate.venue_call("GET", "/api/v3/time", key)
            assert time.headers["x-mbx-used-weight-1m"] == "5"
            futures = await gate.dial(FUTURES)
            assert (await ask(futures, "ping"))["rateLimits"][0]["count"] == 6

    @pytest.mark.parametrize("limits", ["account", "venue"])
    async def test_as_the_venue_a_ban_ends_the_connections_of_its_address(self, make_gate, limits):
        """Those to the host that was asked too often; by default another key's sockets are left alone."""
        small = DialectSettings(limits={"weight": 30})
        async with make_gate(limits=limits, dialect={"binance-spot": small}) as gate:
            signer = await by_secret(gate, "bob")
            socket, futures = await gate.dial(SPOT_API), await gate.dial(FUTURES)
            await ask(socket, "userDataStream.subscribe.signature", **signer.params())
            key = await gate.api_key()
            answers = [(await gate.venue_call("PUT", SPOT, key)).status_code for _ in range(40)]
            assert answers[-1] == 418
            assert (await ask(futures, "ping"))["status"] == 200
            if limits == "venue":
                assert (await socket.closed())[0] == 1008
            else:
                assert (await ask(socket, "ping"))["status"] == 200

    async def test_who_brings_about_the_ban_is_told_of_it_before_the_end(self, make_gate):
        """418 with the time of its end, as documented; then the connection closes."""
        small = DialectSettings(limits={"weight": 30})
        async with make_gate(limits="venue", dialect={"binance-spot": small}) as gate:
            socket = await gate.dial(SPOT_API)
            answers = [await ask(socket, "ping") for _ in range(28 + 21)]
            assert [each["status"] for each in answers] == [200] * 28 + [429] * 20 + [418]
            assert code(answers[-1]) == -1003
            assert answers[-1]["error"]["data"]["retryAfter"] > answers[-1]["error"]["data"]["serverTime"]
            assert (await socket.closed())[0] == 1008
            refused = await gate.refusal(SPOT_API)
            assert (refused.status_code, refused.headers["Retry-After"]) == (418, "120")

    @pytest.mark.parametrize("opcode", [PING, PONG])
    async def test_pings_and_pongs_of_the_futures_are_five_a_second(self, make_gate, opcode):
        """More end the connection. Answers to the gateway's Pings do not count, and spot's host does not."""
        for path, limits, ends in (
            (FUTURES, "account", True),
            (FUTURES, "off", False),
            (SPOT_API, "venue", False),
        ):
            async with make_gate(limits=limits) as gate:
                raw = await gate.raw_socket(path)
                await raw.send(frame(opcode, b"x") * 6 + frame(1, b'{"id":7,"method":"ping"}'))
                if ends:
                    assert await raw.close_code() == 1008
                    continue
                while (got := await raw.frame())[0] == PONG:
                    pass
                assert b'"id":7' in got[1]


class TestAge:
    @pytest.mark.parametrize("limits", LIMITS)
    async def test_a_streams_socket_ends_after_a_day_as_at_the_venue_only(self, make_gate, limits):
        """Without a close frame, as was seen; under `account` and `off` it goes on as long as it likes."""
        async with make_gate(limits=limits) as gate:
            key = await gate.api_key()
            raw = await gate.raw_socket(f"/private/ws/{await gate.listen_key(key)}")
            for _ in range(24 * 60 // 3 - 1):
                gate.advance(180)
                await answer_ping(raw)
                await gate.venue_call("PUT", "/fapi/v1/listenKey", key)
            gate.advance(179.9)
            gate.advance(0.2)
            if limits == "venue":
                assert await raw.rest() == b"", "no close frame"
            else:
                await answer_ping(raw)
                assert len(gate.gateway.connections.all()) == 1

    async def test_an_api_socket_is_told_ten_minutes_before(self, make_gate):
        """`serverShutdown` on spot's WebSocket API, once; then the end of the day."""
        async with make_gate(limits="venue", heartbeat=Heartbeat(enforce=False)) as gate:
            socket = await gate.dial(SPOT_API)
            gate.advance(24 * HOUR - 601)
            await socket.silent()
            gate.advance(1.1)
            assert (await socket.json())["event"]["e"] == "serverShutdown"
            gate.advance(590)
            await socket.silent()
            gate.advance(10)
            assert (await socket.closed())[0] == 1006


async def answer_ping(raw):
    """Answer the Ping that comes next."""
    opcode, payload = await raw.frame()
    assert opcode == PING
    await raw.send(frame(PONG, payload))


async def test_a_handshake_with_more_names_than_a_socket_may_have_is_refused(gate):
    """1,024 by the path, as by SUBSCRIBE; a bot learns it at once."""
    names = "/".join(f"s{number}@x" for number in range(1025))
    refused = await gate.refusal(f"/ws/{names}")
    assert (refused.status_code, b'"code":-1100' in refused.body) == (400, True)
    await gate.dial(f"/stream?streams={names.removeprefix('s0@x/')}")
