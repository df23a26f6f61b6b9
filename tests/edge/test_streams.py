import gzip
import json

import pytest

from listenkey.base.errors import StoreError
from listenkey.config import Heartbeat, Streams
from tests.edge.gate import BINGX, SPOT, USDM, frame, until

TRADE = {"e": "ORDER_TRADE_UPDATE", "E": 1}
ACCOUNT = {"e": "ACCOUNT_UPDATE", "E": 2}
FILL = {"e": "executionReport", "E": 3}


class TestBinancePaths:
    @pytest.mark.parametrize(
        "path,wrapped",
        [
            ("/ws/{key}", False),
            ("/stream?streams={key}", True),
            ("/private/ws/{key}", False),
            ("/private/ws?listenKey={key}", False),
            ("/private/stream?listenKey={key}", True),
            ("/private/stream?streams={key}", True),
            ("/binance-usdm/ws/{key}", False),
        ],
    )
    async def test_each_path_delivers_its_form(self, gate, path, wrapped):
        """Every way in which clients open the stream gets the events, wrapped exactly where the venue
        wraps."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(path.format(key=key))
        await gate.publish(TRADE)
        expected = {"stream": key, "data": TRADE} if wrapped else TRADE
        assert await socket.json() == expected

    @pytest.mark.parametrize("path,wrapped", [("/ws", False), ("/stream", True), ("/stream?streams=", True),
                                              ("/private/ws", False), ("/private/stream", True)])  # fmt: skip
    async def test_a_key_that_is_subscribed_later_is_served(self, gate, path, wrapped):
        """Open first, SUBSCRIBE then: the answer carries the id as sent, and the events follow."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(path)
        for request_id in ("text", 0, 7):
            assert await socket.ask({"method": "SUBSCRIBE", "params": [key], "id": request_id}) == {
                "result": None, "id": request_id,
            }  # fmt: skip
        await gate.publish(TRADE)
        assert await socket.json() == ({"stream": key, "data": TRADE} if wrapped else TRADE)
        assert await socket.ask({"method": "UNSUBSCRIBE", "params": [key], "id": 1}) == {
            "result": None,
            "id": 1,
        }
        await gate.publish(TRADE)
        await socket.silent()

    async def test_properties_and_lists(self, gate):
        """LIST_SUBSCRIPTIONS and `combined` answer as the venue does, and `combined` re-wraps what comes
        after."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/ws/{key}")
        assert await socket.ask({"method": "LIST_SUBSCRIPTIONS", "id": 3}) == {"result": [key], "id": 3}
        assert await socket.ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 2}) == {
            "result": False,
            "id": 2,
        }
        request = {"method": "SET_PROPERTY", "params": ["combined", True], "id": 5}
        assert await socket.ask(request) == {"result": None, "id": 5}
        await gate.publish(TRADE)
        assert await socket.json() == {"stream": key, "data": TRADE}
        assert (await socket.ask("{"))["code"] == 3
        assert (await socket.ask({"method": "SING", "id": 1}))["code"] == 2

    async def test_every_socket_of_spot_is_told_before_the_server_ends(self, gate):
        """Bare or wrapped as the socket has its events, with or without a key, and journaled nowhere."""
        key = await gate.listen_key(await gate.api_key(), "/api/v3/userDataStream")
        bare, keyless = await gate.dial(f"/ws/{key}"), await gate.dial("/binance-spot/ws")
        combined = await gate.dial(f"/stream?streams={key}")
        published = gate.gateway.metrics.events_published
        gate.gateway.connections.close_all("shutdown")
        told = {"e": "serverShutdown", "E": gate.gateway.clock.now() // 1000}
        assert [await socket.json() for socket in (bare, keyless)] == [told, told]
        assert await combined.json() == {"stream": "!serverShutdown", "data": told}
        assert [(await socket.closed())[0] for socket in (bare, keyless, combined)] == [1001] * 3
        assert gate.gateway.metrics.events_published == published

    async def test_where_the_venue_announces_no_end_the_socket_only_closes(self, gate):
        """A client of USD-M is sent nothing that its venue never sends."""
        socket = await gate.dial("/binance-usdm/ws")
        gate.gateway.connections.close_all("shutdown")
        assert (await socket.closed())[0] == 1001

    async def test_events_filter_by_type(self, gate):
        """`events=` on `/private`: only the named types come, for each key its own."""
        alice, bob = await gate.api_key("alice"), await gate.api_key("bob")
        a, b = await gate.listen_key(alice), await gate.listen_key(bob)
        socket = await gate.dial(
            f"/private/stream?listenKey={a}&events=ACCOUNT_UPDATE&listenKey={b}&events=X/ORDER_TRADE_UPDATE"
        )
        for account in ("alice", "bob"):
            await gate.publish(TRADE, ACCOUNT, account=account)
        assert [await socket.json(), await socket.json()] == [
            {"stream": a, "data": ACCOUNT}, {"stream": b, "data": TRADE},
        ]  # fmt: skip
        await socket.silent()

    async def test_keys_of_several_products_share_a_socket(self, gate):
        """On the shared paths the key decides the product; one socket may carry both."""
        key = await gate.api_key()
        spot, usdm = await gate.listen_key(key, SPOT), await gate.listen_key(key, USDM)
        socket = await gate.dial(f"/stream?streams={spot}/{usdm}")
        await gate.publish(FILL, stream="binance-spot")
        await gate.publish(TRADE, stream="binance-usdm")
        assert await socket.json() == {"stream": spot, "data": FILL}
        assert await socket.json() == {"stream": usdm, "data": TRADE}

    async def test_several_sockets_share_a_key_and_nobody_elses_events_come(self, gate):
        """I3: each socket gets its own account's stream and no other's."""
        key = await gate.listen_key(await gate.api_key("alice"))
        other = await gate.listen_key(await gate.api_key("bob"))
        first, second, third = [await gate.dial(f"/ws/{name}") for name in (key, key, other)]
        await gate.publish(TRADE, account="alice")
        assert await first.json() == await second.json() == TRADE
        await third.silent()

    async def test_events_keep_their_bytes(self, gate):
        """The event's bytes are the publisher's, spaces and number formats included."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/ws/{key}")
        event = '{ "e":"ORDER_TRADE_UPDATE",  "p":"1.50", "q":1.0e3, "i":9007199254740993, "s":"\\u00e9é" }'
        line = f'{{"account":"alice","stream":"binance-usdm","event":{event}}}'
        await gate.call("POST", "/v1/publish", content=line.encode())
        assert await socket.text() == event

    async def test_market_sockets_stay_open_and_quiet(self, gate):
        """New SDKs open `/public` and `/market` beside `/private`, and fail where these are refused or
        closed."""
        for path in ("/public/stream", "/market/stream", "/public/ws", "/market/ws"):
            socket = await gate.dial(path)
            assert await socket.ask({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}) == {
                "result": None,
                "id": 1,
            }
            gate.advance(3600)
            await socket.silent()


class TestBadKeys:
    @pytest.mark.parametrize(
        "path", ["/ws/{}", "/stream?streams={}", "/private/ws?listenKey={}", "/lk/v1/stream?listenKey={}"]
    )
    async def test_the_handshake_is_refused(self, gate, path):
        """401 before the 101, so that a client knows at once that its key is gone; the key is not
        repeated."""
        response = await gate.refusal(path.format("x" * 64))
        assert response.status_code == 401
        assert b"xxxx" not in response.body
        assert gate.gateway.metrics.bad_keys == 1

    async def test_a_closed_key_is_a_bad_key(self, gate):
        """I2: a closed key string is never accepted again."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        await gate.venue_call("DELETE", USDM, api_key)
        assert (await gate.refusal(f"/ws/{key}")).status_code == 401

    async def test_after_subscribe_the_ack_and_then_the_close(self, gate):
        """The client gets its answer, then 1008."""
        socket = await gate.dial("/ws")
        assert await socket.ask({"method": "SUBSCRIBE", "params": ["dead"], "id": 1}) == {
            "result": None,
            "id": 1,
        }
        code, reason = await socket.closed()
        assert code == 1008
        assert reason

    async def test_a_live_key_keeps_the_socket(self, gate):
        """A dead name beside a live one costs nothing."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/stream?streams=dead/{key}")
        await socket.ask({"method": "SUBSCRIBE", "params": ["dead too"], "id": 1})
        await gate.publish(TRADE)
        assert (await socket.json())["data"] == TRADE

    async def test_silent_policy(self, make_gate):
        """As the venues: accepted, acknowledged, silent."""
        async with make_gate(streams=Streams(bad_key="silent")) as gate:
            socket = await gate.dial("/ws/dead")
            assert await socket.ask({"method": "SUBSCRIBE", "params": ["dead"], "id": 1}) == {
                "result": None,
                "id": 1,
            }
            await socket.silent()

    async def test_a_key_may_be_used_only_from_where_its_api_keys_may(self, make_gate):
        """IP allow-lists hold for sockets too, by the address behind a trusted proxy."""
        async with make_gate(trusted_proxies=("127.0.0.0/8",)) as gate:
            api_key = await gate.api_key(ip_allow=["192.0.2.0/24"])
            near, far = ({"x-forwarded-for": address} for address in ("192.0.2.9", "198.51.100.1"))
            made = await gate.venue_call("POST", USDM, api_key, headers=near)
            key = made.json()["listenKey"]
            assert (await gate.venue_call("PUT", USDM, api_key, headers=far)).status_code != 200
            assert (await gate.refusal(f"/ws/{key}", additional_headers=far)).status_code == 401
            socket = await gate.dial(f"/ws/{key}", additional_headers=near)
            await gate.publish(TRADE)
            assert await socket.json() == TRADE

    async def test_unknown_paths_get_the_venues_own_404(self, gate):
        """A WebSocket to nowhere is refused before the 101."""
        assert (await gate.refusal("/nowhere")).status_code == 404


class TestFaults:
    async def test_a_store_that_cannot_be_read_is_the_venues_own_fault(self, gate, monkeypatch):
        """The handshake gets an error of the dialect's, a SUBSCRIBE 1011; other sockets and later ones are
        served."""
        key = await gate.listen_key(await gate.api_key())
        good, asking = await gate.dial(f"/ws/{key}"), await gate.dial("/ws")

        def fail(digest):
            raise StoreError("the disk is gone", "get another")

        with monkeypatch.context() as broken:
            broken.setattr(gate.gateway.store, "find_key", fail)
            response = await gate.refusal(f"/ws/{key}")
            assert (response.status_code, json.loads(response.body)["code"]) == (500, -1000)
            await asking.socket.send(json.dumps({"method": "SUBSCRIBE", "params": [key], "id": 1}))
            assert (await asking.closed())[0] == 1011
        await gate.publish(TRADE)
        assert await good.json() == TRADE
        await gate.dial(f"/ws/{key}")

    async def test_a_fault_while_subscribing_ends_that_socket_alone(self, gate, monkeypatch):
        """After the 101 there is no HTTP error any more: 1011, and nothing of the socket is left."""
        key = await gate.listen_key(await gate.api_key())

        def fail(*arguments):
            raise RuntimeError("a bug")

        with monkeypatch.context() as broken:
            broken.setattr(gate.gateway.streams, "subscribe", fail)
            socket = await gate.dial(f"/ws/{key}")
            assert (await socket.closed())[0] == 1011
        await until(lambda: not gate.gateway.connections.all())
        assert gate.gateway.metrics.internal_errors == 1


class TestKeysEnd:
    async def test_a_closed_key_is_told_and_then_silent(self, gate):
        """`listenKeyExpired`, then nothing: the socket stays, no later event comes."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        bare, wrapped = await gate.dial(f"/ws/{key}"), await gate.dial(f"/stream?streams={key}")
        await gate.venue_call("DELETE", USDM, api_key)
        notice = await bare.json()
        assert (notice["e"], notice["listenKey"]) == ("listenKeyExpired", key)
        assert await wrapped.json() == {"stream": key, "data": notice}
        await gate.publish(TRADE)
        await bare.silent()
        await wrapped.silent()

    async def test_an_expired_key_is_told(self, gate):
        """After an hour without extension; an extension puts it off."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        socket = await gate.dial(f"/ws/{key}")
        gate.clock.advance(50 * 60 * 10**6)
        await gate.venue_call("PUT", USDM, api_key)
        gate.clock.advance(50 * 60 * 10**6)
        await gate.gateway.keys.expire_due()
        await socket.silent()
        gate.clock.advance(11 * 60 * 10**6)
        await gate.gateway.keys.expire_due()
        assert (await socket.json())["e"] == "listenKeyExpired"

    async def test_the_notice_passes_the_filter_like_any_event(self, gate):
        """With `events=` the notice comes only where it is named, as measured at the venue."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        deaf = await gate.dial(f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE")
        told = await gate.dial(f"/private/ws?listenKey={key}&events=listenKeyExpired")
        await gate.venue_call("DELETE", USDM, api_key)
        assert (await told.json())["e"] == "listenKeyExpired"
        await deaf.silent()

    async def test_revoking_the_api_key_closes_the_sockets_before_the_answer(self, gate):
        """Whoever lost the API key hears nothing more from that moment on."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/ws/{key}")
        (item,) = (await gate.call("GET", "/v1/api-keys")).json()["items"]
        assert (await gate.call("DELETE", f"/v1/api-keys/{item['id']}")).status_code == 200
        (listed,) = (await gate.call("GET", "/v1/listen-keys")).json()["items"]
        assert listed["state"] == "closed"
        code, _ = await socket.closed()
        assert code == 1008
        assert (await gate.refusal(f"/ws/{key}")).status_code == 401

    async def test_removing_the_account_closes_its_sockets_and_no_others(self, gate):
        """The other account's stream goes on."""
        socket = await gate.dial(f"/ws/{await gate.listen_key(await gate.api_key('alice'))}")
        other = await gate.dial(f"/ws/{await gate.listen_key(await gate.api_key('bob'))}")
        assert (await gate.call("DELETE", "/v1/accounts/alice")).status_code == 200
        assert (await socket.closed())[0] == 1008
        await gate.publish(TRADE, account="bob")
        assert await other.json() == TRADE


class TestHeartbeats:
    async def test_pings_come_at_the_products_pace_and_any_pong_will_do(self, gate):
        """Spot is pinged after 20 s; a client that answers with an empty Pong, or one too many, lives on."""
        raw = await gate.raw_socket(f"/ws/{await gate.listen_key(await gate.api_key(), SPOT)}")
        for _ in range(5):
            gate.advance(20)
            opcode, payload = await raw.frame()
            assert opcode == 9
            assert payload.isdigit()
            await raw.send(frame(10) + frame(10, b"never asked for") + frame(9))
            assert await raw.frame() == (10, b"")

    async def test_a_socket_that_never_answers_is_cut(self, gate):
        """1008 `Pong timeout`, a minute after the first ping that went unanswered, and not before."""
        raw = await gate.raw_socket(f"/ws/{await gate.listen_key(await gate.api_key(), SPOT)}")
        for seconds in (20, 20, 20, 19.9):
            gate.advance(seconds)
        assert len(gate.gateway.connections) == 1
        gate.advance(0.1)
        assert await raw.close_code() == 1008

    async def test_futures_are_given_their_time(self, gate):
        """USD-M: a ping every 3 minutes, 10 to answer."""
        raw = await gate.raw_socket(f"/private/ws/{await gate.listen_key(await gate.api_key())}")
        gate.advance(179)
        gate.advance(1)
        assert (await raw.frame())[0] == 9
        for _ in range(59):
            gate.advance(10)
        assert len(gate.gateway.connections) == 1
        gate.advance(10)
        assert await raw.close_code() == 1008

    async def test_pings_of_the_client_are_answered(self, gate):
        """With the payload that was sent."""
        raw = await gate.raw_socket(f"/ws/{await gate.listen_key(await gate.api_key())}")
        await raw.send(frame(9, b"are you there"))
        assert await raw.frame() == (10, b"are you there")

    async def test_a_socket_that_binds_no_key_is_closed_after_a_minute(self, gate):
        """And not before; a key that comes in time keeps it."""
        key = await gate.listen_key(await gate.api_key())
        idle, used = await gate.dial("/ws"), await gate.dial("/ws")
        await used.ask({"method": "SUBSCRIBE", "params": [key], "id": 1})
        gate.advance(59)
        await idle.silent()
        gate.advance(1)
        assert (await idle.closed())[0] == 1008
        await gate.publish(TRADE)
        assert await used.json() == TRADE

    async def test_sockets_without_a_key_are_capped_by_address(self, make_gate):
        """One address cannot fill the gateway with empty sockets; those that bind or go make room."""
        async with make_gate(streams=Streams(no_key_sockets_per_address=2)) as gate:
            key = await gate.listen_key(await gate.api_key())
            first, second = await gate.dial("/ws"), await gate.dial("/ws")
            assert (await gate.refusal("/ws")).status_code == 429
            await gate.dial(f"/ws/{key}")
            await gate.dial("/public/ws")
            await first.ask({"method": "SUBSCRIBE", "params": [key], "id": 1})
            await gate.dial("/ws")
            assert (await gate.refusal("/ws")).status_code == 429
            await second.socket.close()
            await gate.dial("/ws")

    async def test_sockets_of_market_data_are_capped_by_address_and_in_all(self, make_gate):
        """They stay open and quiet for ever, so one peer could take every file descriptor that there is."""
        proxied = {"trusted_proxies": ("127.0.0.1",)}
        streams = Streams(market_sockets_per_address=2, market_sockets=3)
        async with make_gate(streams=streams, **proxied) as gate:

            def from_(address):
                return {"additional_headers": {"X-Forwarded-For": address}}

            first = await gate.dial("/public/ws", **from_("10.0.0.1"))
            await gate.dial("/market/stream", **from_("10.0.0.1"))
            assert (await gate.refusal("/public/stream", **from_("10.0.0.1"))).status_code == 429
            await gate.dial("/public/ws", **from_("10.0.0.2"))
            assert (await gate.refusal("/market/ws", **from_("10.0.0.2"))).status_code == 429
            await gate.dial("/ws", **from_("10.0.0.1"))
            gate.advance(3600)
            await first.socket.close()
            await until(lambda: len(gate.gateway.connections) == 2)
            await gate.dial("/public/ws", **from_("10.0.0.1"))


class TestBingx:
    async def test_swap_events_come_at_once_as_gzip_and_nothing_else(self, gate):
        """Every frame from the server is binary, one gzip member; junk and protocol pings are survived."""
        key = await gate.listen_key(await gate.api_key(), BINGX)
        socket = await gate.dial(f"/swap-market?listenKey={key}")
        await gate.publish(TRADE, stream="bingx-swap")
        assert isinstance(message := await socket.text(), bytes)
        assert json.loads(gzip.decompress(message)) == TRADE
        await socket.socket.send("hello")
        await socket.silent()

    async def test_swap_heartbeat_is_a_word_and_silence_is_tolerated(self, gate):
        """`Ping` every five seconds; a client that never answers keeps its stream by default."""
        key = await gate.listen_key(await gate.api_key(), BINGX)
        socket = await gate.dial(f"/swap-market?listenKey={key}")
        for _ in range(12):
            gate.advance(5)
            assert gzip.decompress(await socket.text()) == b"Ping"
        await gate.publish(TRADE, stream="bingx-swap")
        assert await socket.json() == TRADE

    @pytest.mark.parametrize("answer", ["Pong", '{{"pong":"{ping}","time":"{time}"}}'])
    async def test_enforced_heartbeats_take_every_form_of_answer(self, make_gate, answer):
        """Spot sends JSON; the word and the JSON keep a socket alive, nothing loses it, without a Close
        frame."""
        async with make_gate(heartbeat=Heartbeat(enforce=True)) as gate:
            key = await gate.listen_key(await gate.api_key(), BINGX)
            alive, mute = (
                await gate.dial(f"/market?listenKey={key}"),
                await gate.dial(f"/market?listenKey={key}"),
            )
            for _ in range(12):
                gate.advance(5)
                beat = await alive.json()
                assert len(beat["ping"]) == 32
                await alive.socket.send(answer.format(**beat))
                await alive.silent()
            assert await mute.closed() == (1006, "")

    async def test_spot_topics_are_subscribed_acknowledged_and_wrapped(self, gate):
        """Nothing before `sub`; then what came since the key, executionReport wrapped and ACCOUNT_UPDATE
        bare; after `unsub` nothing."""
        key = await gate.listen_key(await gate.api_key(), BINGX)
        socket = await gate.dial(f"/market?listenKey={key}")
        await gate.publish(FILL, ACCOUNT, stream="bingx-spot")
        await socket.silent()
        wrapped = {"code": 0, "dataType": "spot.executionReport", "data": FILL}
        for topic, first in (("spot.executionReport", wrapped), ("ACCOUNT_UPDATE", ACCOUNT)):
            ack = await socket.ask({"id": "one", "reqType": "sub", "dataType": topic})
            assert (ack["code"], ack["id"]) == (0, "one")
            assert await socket.json() == first
        await gate.publish(FILL, ACCOUNT, stream="bingx-spot")
        assert [await socket.json(), await socket.json()] == [wrapped, ACCOUNT]
        await socket.ask({"id": "two", "reqType": "unsub", "dataType": "ACCOUNT_UPDATE"})
        await gate.publish(ACCOUNT, stream="bingx-spot")
        await socket.silent()
        assert (await socket.ask({"id": "x", "reqType": "sub", "dataType": "nothing"}))["code"] == 100400

    async def test_swap_requests_are_acknowledged(self, gate):
        """Clients subscribe although nothing hangs on it; what makes no sense gets the venue's error."""
        key = await gate.listen_key(await gate.api_key(), BINGX)
        socket = await gate.dial(f"/swap-market?listenKey={key}")
        ack = await socket.ask({"id": "one", "reqType": "sub", "dataType": "ACCOUNT_UPDATE"})
        assert (ack["code"], ack["id"]) == (0, "one")
        assert (await socket.ask("{}"))["code"] == 80014

    async def test_coin_m_has_a_place_of_its_own(self, make_gate):
        """The same path as spot at the venue: by prefix, and by a listener of its own."""
        async with make_gate(listen=("127.0.0.1:0", "127.0.0.1:0=bingx-coinm")) as gate:
            key = await gate.listen_key(await gate.api_key(), BINGX)
            by_prefix = await gate.dial(f"/bingx-coinm/market?listenKey={key}")
            gate.venue = gate.venues[1]
            by_listener = await gate.dial(f"/market?listenKey={key}")
            await gate.publish(TRADE, stream="bingx-coinm")
            assert await by_prefix.json() == await by_listener.json() == TRADE
