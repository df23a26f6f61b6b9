"""Where faithful and useful differ on BingX's sockets, each choice both ways."""

import gzip

import pytest

from listenkey.config import Heartbeat, Streams
from tests.edge.gate import BINGX

PATHS = ("/market", "/swap-market", "/bingx-coinm/market")
NOBODYS = "b" * 64


class TestBadKeys:
    @pytest.mark.parametrize("path", PATHS)
    async def test_refused_or_accepted_in_silence(self, make_gate, path):
        """`reject` tells a bot at the handshake that its key is dead; `silent` lets it wait, as a key of
        another environment does at the venue: heartbeats, and nothing else."""
        async with make_gate() as gate:
            refused = await gate.refusal(f"{path}?listenKey={NOBODYS}")
            assert refused.status_code == 401
        async with make_gate(streams=Streams(bad_key="silent")) as gate:
            socket = await gate.dial(f"{path}?listenKey={NOBODYS}")
            await gate.api_key()
            await gate.publish({"e": "ORDER_TRADE_UPDATE"}, stream="bingx-swap")
            await socket.silent()
            gate.advance(5)
            assert b"ing" in gzip.decompress(await socket.text())


class TestHeartbeats:
    @pytest.mark.parametrize("path", PATHS)
    async def test_a_mute_client_is_cut_or_tolerated(self, make_gate, path):
        """Two published clients never answer and keep their streams, unless the venue's rule is asked for:
        cut after 30 seconds, without a Close frame."""
        for enforce in (True, False):
            async with make_gate(heartbeat=Heartbeat(enforce=enforce)) as gate:
                key = await gate.listen_key(await gate.api_key(), BINGX)
                socket = await gate.dial(f"{path}?listenKey={key}")
                for _ in range(6):
                    gate.advance(5)
                    assert b"ing" in gzip.decompress(await socket.text())
                gate.advance(1)
                if enforce:
                    assert await socket.closed() == (1006, "")
                else:
                    await socket.silent()


class TestEndedKeys:
    async def test_the_socket_stays_open_and_quiet_unless_it_is_to_end(self, make_gate):
        """`silence`: as the venue, the notice and nothing more. `close`: the notice, then the end, for
        clients that only reconnect on one. So for a deleted key and for one that ran out."""
        for policy in ("silence", "close"):
            async with make_gate(streams=Streams(ended_key=policy)) as gate:
                for stream, path in (("bingx-swap", "/swap-market"), ("binance-usdm", "/private/ws")):
                    calls = BINGX if stream == "bingx-swap" else "/fapi/v1/listenKey"
                    api_key = await gate.api_key(stream.replace("-", "."))
                    key = await gate.listen_key(api_key, calls)
                    socket = await gate.dial(f"{path}?listenKey={key}")
                    await gate.venue_call("DELETE", f"{calls}?listenKey={key}", api_key)
                    assert (await socket.json())["e"] == "listenKeyExpired"
                    if policy == "close":
                        assert await socket.closed() == (1008, "Invalid listenKey")
                    else:
                        await socket.silent()

    async def test_a_socket_with_another_live_key_goes_on(self, make_gate):
        """One of two bots' keys that share a socket may end without the other one's stream."""
        async with make_gate(streams=Streams(ended_key="close")) as gate:
            api_keys = [await gate.api_key(name) for name in "ab"]
            keys = [await gate.listen_key(api_key, "/fapi/v1/listenKey") for api_key in api_keys]
            socket = await gate.dial(f"/private/ws?listenKey={keys[0]}&listenKey={keys[1]}")
            await gate.venue_call("DELETE", "/fapi/v1/listenKey", api_keys[0])
            assert (await socket.json())["listenKey"] == keys[0]
            await socket.silent()
