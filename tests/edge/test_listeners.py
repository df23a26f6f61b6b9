import asyncio
import json
import ssl
import time
from pathlib import Path

import httpx
import pytest

from listenkey.base.errors import ConfigError
from listenkey.config import DialectSettings, Http, Tls
from tests.edge.gate import SPOT, USDM, WAIT, Gate, handshake, until

TRADE = {"e": "ORDER_TRADE_UPDATE", "E": 1}


def contents(files):
    """What a certificate and its key are made of."""
    return Path(files.cert).read_bytes(), Path(files.key).read_bytes()


def overwrite(files, cert, key):
    """Put something else into a certificate's files."""
    Path(files.cert).write_bytes(cert)
    Path(files.key).write_bytes(key)


class TestTls:
    async def test_calls_and_streams_go_over_tls(self, make_gate, certificate):
        """https and wss on the same port, on both listeners."""
        async with make_gate(tls=certificate) as gate:
            assert gate.venue.startswith("https://")
            assert gate.admin.startswith("https://")
            key = await gate.listen_key(await gate.api_key())
            trusting = ssl.create_default_context(cafile=certificate.cert)
            trusting.check_hostname = False
            socket = await gate.dial(f"/ws/{key}", ssl=trusting)
            await gate.publish(TRADE)
            assert await socket.json() == TRADE
            await socket.socket.close()
            assert socket.socket.close_code == 1000

    async def test_new_connections_get_the_new_certificate(self, make_gate, make_certificate):
        """A reload changes nothing for those that are there, and a broken file changes nothing at all."""
        first = make_certificate("first")
        async with make_gate(tls=first) as gate:
            host, port = gate.venue.rpartition("/")[2].split(":")

            def shown():
                return ssl.get_server_certificate((host, int(port)))

            before = await asyncio.to_thread(shown)
            overwrite(first, b"broken", b"broken")
            with pytest.raises(ConfigError):
                gate.listeners.reload_tls()
            assert await asyncio.to_thread(shown) == before
            second = make_certificate("second")
            overwrite(first, *contents(second))
            gate.listeners.reload_tls()
            assert await asyncio.to_thread(shown) != before

    async def test_idle_connections_do_not_hold_up_the_end(self, make_gate, certificate):
        """A client that keeps its connection and does not say goodbye in TLS costs a drain no more than a
        moment."""
        async with make_gate(tls=certificate) as gate:
            host, port = gate.venue.rpartition("/")[2].split(":")
            trusting = ssl.create_default_context(cafile=certificate.cert)
            reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting)
            writer.write(b"GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.pause_reading()
            began = time.perf_counter()
            await gate.listeners.drain(60)
            assert time.perf_counter() - began < 30
            writer.transport.abort()

    async def test_a_tls_handshake_may_not_take_for_ever(self, make_gate, certificate):
        """A peer that opens the port and is silent is cut as one that sends no head."""
        async with make_gate(tls=certificate, http=Http(head_seconds=1)) as gate:
            raw = await gate.raw(b"\x16\x03\x01")
            assert await raw.rest() == b""

    async def test_a_certificate_that_cannot_be_used_stops_the_start(self, make_gate, tmp_path):
        """With a word on which setting is wrong."""
        with pytest.raises(ConfigError, match=r"tls\.cert"):
            async with make_gate(tls=Tls(cert=str(tmp_path / "none"), key=str(tmp_path / "none"))):
                pass

    async def test_plain_http_on_a_tls_port_harms_nobody(self, make_gate, certificate):
        """The handshake fails; the listener goes on."""
        async with make_gate(tls=certificate) as gate:
            raw = await gate.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises((ConnectionError, AssertionError)):
                assert (await raw.rest()).startswith(b"HTTP/1.1 2")
            assert (await gate.venue_call("GET", "/fapi/v1/ping")).status_code == 200


class TestAddresses:
    async def test_an_address_that_is_taken_stops_the_start(self, gate, tmp_path):
        """With a word on which."""
        taken = gate.venue.rpartition("/")[2]
        with pytest.raises(ConfigError, match=taken):
            async with Gate(tmp_path / "other", listen=(taken,)):
                pass

    async def test_ipv6_works_and_is_shown_with_brackets(self, make_gate):
        """The URL can be used as it is printed."""
        async with make_gate(listen=("[::1]:0",)) as gate:
            assert gate.venue.startswith("http://[::1]:")
            assert (await gate.venue_call("GET", "/fapi/v1/ping")).status_code == 200

    @pytest.mark.parametrize(
        "forwarded,shown",
        [
            ("203.0.113.5", "203.0.113.5"),
            ("203.0.113.5, 10.0.0.1", "203.0.113.5"),
            ("1.1.1.1, 203.0.113.5, 10.0.0.1", "203.0.113.5"),
            ("2001:db8::5", "2001:db8::5"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
            ("garbage", "127.0.0.1"),
            ("203.0.113.5, garbage", "127.0.0.1"),
            ("", "127.0.0.1"),
        ],
    )
    async def test_a_trusted_proxy_says_where_a_client_is(self, make_gate, forwarded, shown):
        """The last hop that is no proxy of ours; what a client made up before that does not count."""
        async with make_gate(trusted_proxies=("127.0.0.1", "10.0.0.0/8")) as gate:
            await gate.dial("/public/ws", additional_headers={"x-forwarded-for": forwarded})
            (item,) = (await gate.call("GET", "/v1/connections")).json()["items"]
            assert item["address"] == shown

    async def test_hops_on_several_lines_are_one_list(self, make_gate):
        """Some proxies add a line of their own instead of appending to the last."""
        async with make_gate(trusted_proxies=("127.0.0.1", "10.0.0.0/8")) as gate:
            raw = await gate.raw(
                handshake("/public/ws", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 10.0.0.1")
            )
            await raw.head()
            (item,) = (await gate.call("GET", "/v1/connections")).json()["items"]
            assert item["address"] == "203.0.113.5"

    async def test_without_trust_the_header_is_worth_nothing(self, gate):
        """Anybody can write it."""
        await gate.dial("/public/ws", additional_headers={"x-forwarded-for": "203.0.113.5"})
        (item,) = (await gate.call("GET", "/v1/connections")).json()["items"]
        assert item["address"] == "127.0.0.1"


class TestRouting:
    async def test_a_listener_of_one_dialect_serves_that_alone(self, make_gate):
        """`--listen HOST:PORT=NAME`."""
        async with make_gate(listen=("127.0.0.1:0", "127.0.0.1:0=binance-spot")) as gate:
            key = await gate.api_key()
            gate.venue = gate.venues[1]
            assert (await gate.venue_call("POST", SPOT, key)).status_code == 200
            assert (await gate.venue_call("POST", USDM, key)).status_code == 404

    async def test_the_host_header_can_decide(self, make_gate):
        """Where it is configured, and only there."""
        async with make_gate(dialect={"binance-spot": DialectSettings(hosts=("Stream.Example",))}) as gate:
            key = await gate.api_key()
            at_spot = {"host": "stream.example:443"}
            assert (await gate.venue_call("POST", USDM, key, headers=at_spot)).status_code == 404
            assert (await gate.venue_call("POST", USDM, key)).status_code == 200

    async def test_unknown_paths_get_the_venues_own_error(self, gate):
        """Spot's page only to who accepts it; futures' JSON with path and method."""
        html = await gate.venue_call("GET", "/api/v3/nothing", headers={"accept": "text/html"})
        assert (html.status_code, html.text) == (404, "<html><body><h2>404 Not found</h2></body></html>")
        assert (await gate.venue_call("GET", "/api/v3/nothing", headers={"accept": "*/*"})).text == ""
        futures = await gate.venue_call("POST", "/fapi/v1/nothing")
        assert (futures.status_code, futures.json()["code"]) == (404, -5000)

    async def test_percent_encoded_paths_are_the_same_paths(self, gate):
        """Clients encode more than they need to."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/w%73/{key}")
        await gate.publish(TRADE)
        assert await socket.json() == TRADE


class TestDrain:
    async def test_sockets_are_told_and_new_connections_refused(self, gate):
        """The dialect's code for a shutdown; nobody waits longer than it takes."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/ws/{key}")
        began = time.perf_counter()
        draining = asyncio.ensure_future(gate.listeners.drain(60))
        assert (await socket.closed())[0] == 1001
        await draining
        assert time.perf_counter() - began < 30
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.get(gate.venue + "/fapi/v1/ping")

    async def test_a_request_under_way_is_finished(self, gate):
        """What was taken up is answered, although nothing new is accepted."""
        await gate.api_key()
        line = json.dumps({"account": "alice", "stream": "binance-usdm", "event": TRADE}).encode()
        head = (
            f"POST /v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gate.token}\r\n"
            f"Content-Length: {len(line)}\r\n\r\n"
        )
        raw = await gate.raw(head.encode() + line[:10], admin=True)
        await until(lambda: gate.listeners._admin._state.tasks)
        draining = asyncio.ensure_future(gate.listeners.drain(60))
        await asyncio.sleep(0.05)
        await raw.send(line[10:])
        status, headers, body = await raw.answer()
        assert (status, json.loads(body)["offset"], headers["connection"]) == (200, 1, "close")
        await draining

    async def test_a_peer_that_does_nothing_does_not_hold_up_the_end(self, gate):
        """Idle connections, half a request, a socket that answers no close: all are cut in time."""
        key = await gate.listen_key(await gate.api_key())
        await gate.raw()
        await gate.raw(b"POST /fapi/v1/listenKey HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        await gate.raw_socket(f"/ws/{key}")
        await asyncio.wait_for(gate.listeners.drain(1.5), WAIT)
        await asyncio.sleep(0)
        assert not gate.listeners._venues[0]._state.connections
        await until(lambda: not gate.gateway.connections.all())
