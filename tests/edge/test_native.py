import asyncio
import contextlib
import json

import pytest

from listenkey.config import Streams
from listenkey.core.position import Missing
from tests.edge.gate import BINGX, SPOT, USDM, WAIT, frame, until

TRADE = {"e": "ORDER_TRADE_UPDATE", "E": 1}
USDM_STREAM = "/lk/v1/stream?stream=binance-usdm"


def bearer(credential):
    return {"authorization": f"Bearer {credential}"}


class Reader:
    """A reader of the native stream: the same messages, by one transport or the other."""

    def __init__(self, receive):
        self._receive = receive

    async def next(self):
        """The next message."""
        return await asyncio.wait_for(self._receive(), WAIT)

    async def ends(self):
        """The server has closed, having said nothing more."""
        with pytest.raises(EOFError):
            await self.next()


@pytest.fixture(params=["socket", "events"])
async def read(gate, request):
    """Opens readers."""
    async with contextlib.AsyncExitStack() as stack:

        async def by_socket(path, credential="", **headers):
            socket = await gate.dial(
                path, additional_headers=(bearer(credential) if credential else {}) | headers
            )

            async def receive():
                try:
                    return json.loads(await socket.socket.recv())
                except Exception as error:
                    raise EOFError from error

            return Reader(receive)

        async def by_events(path, credential="", **headers):
            headers = {"accept": "text/event-stream"} | (bearer(credential) if credential else {}) | headers
            response = await stack.enter_async_context(
                gate.http.stream("GET", gate.venue + path, headers=headers)
            )
            assert response.status_code == 200, await response.aread()
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = response.aiter_lines()

            async def receive():
                fields = {}
                async for line in lines:
                    if not line:
                        message = json.loads(fields["data"])
                        kind = fields["event"]
                        assert kind in message or kind == "event" or kind == "position"
                        return message
                    name, _, value = line.partition(": ")
                    fields[name] = value
                raise EOFError

            return Reader(receive)

        yield by_socket if request.param == "socket" else by_events


async def published(gate, *numbers):
    """Publish numbered events; the epoch."""
    answers = await gate.publish(*({"e": "X", "n": number} for number in numbers))
    return answers[-1]["epoch"]


def gap(epoch, offset, **known):
    """What is said of one."""
    return {"epoch": epoch, "from": offset, "to": offset, "reason": "upstream", **known}


def numbers(messages):
    return [message["event"]["n"] for message in messages]


class TestMessages:
    async def test_a_position_first_and_then_live_events(self, gate, read):
        """Without `since` the stream starts at the head; what was before is not sent."""
        api_key = await gate.api_key()
        epoch = await published(gate, 1, 2)
        reader = await read(USDM_STREAM, api_key)
        first = await reader.next()
        assert (first["position"], first["epoch"]) == (2, epoch)
        assert first["time"] == gate.clock.wall() // 1000
        await published(gate, 3)
        event = await reader.next()
        assert event == {"offset": 3, "epoch": epoch, "time": event["time"], "event": {"e": "X", "n": 3}}

    async def test_since_gives_everything_after_it(self, gate, read):
        """I4: resuming from `epoch:offset` gives every later event, then the live ones, without a seam."""
        api_key = await gate.api_key()
        epoch = await published(gate, *range(1, 2001))
        reader = await read(f"{USDM_STREAM}&since={epoch}:500", api_key)
        assert (await reader.next())["position"] == 500
        history = [await reader.next() for _ in range(1500)]
        await published(gate, 2001)
        assert [message["offset"] for message in history] == list(range(501, 2001))
        assert (await reader.next())["offset"] == 2001

    async def test_a_gap_of_the_source_is_told_in_its_place(self, gate, read):
        """To who reads along and to who comes later, with what is known of it; the next event has the offset
        after it, and a position counts it as had."""
        api_key = await gate.api_key()
        epoch = await published(gate, 1)
        along = await read(USDM_STREAM, api_key)
        assert (await along.next())["position"] == 1
        missing = Missing("disconnected", 5, 9, ("BTCUSDT",))
        rows = [(missing, None), (b'{"e":"X","n":2}', None), (missing, None)]
        await gate.gateway.publisher.publish_all("alice", "binance-usdm", rows)
        later = await read(f"{USDM_STREAM}&since={epoch}:0", api_key)
        assert [(await later.next())[name] for name in ("position", "offset")] == [0, 1]
        known = {"cause": "disconnected", "since": 5, "until": 9, "symbols": ["BTCUSDT"]}
        for reader in (along, later):
            gaps_and_event = [await reader.next() for _ in range(3)]
            assert gaps_and_event[0] == {"gap": gap(epoch, 2, **known)}
            assert (gaps_and_event[1]["offset"], gaps_and_event[1]["event"]["n"]) == (3, 2)
            assert gaps_and_event[2] == {"gap": gap(epoch, 4, **known)}
            heard = asyncio.ensure_future(reader.next())
            await until(lambda heard=heard: gate.advance(5) or heard.done())
            assert (await heard)["position"] == 4
        text = (await gate.call("GET", "/v1/journal/alice/binance-usdm?limit=2")).text
        read_over = [json.loads(line) for line in text.splitlines()]
        assert [next(iter(each)) for each in read_over] == ["offset", "gap", "offset", "position"]
        assert read_over[1] == {"gap": gap(epoch, 2, **known)}

    async def test_history_beyond_all_buffers_arrives_whole(self, gate, read):
        """Read as slowly as the reader takes it: nothing is lost, nothing is hoarded, nobody is called
        slow."""
        api_key = await gate.api_key()
        for start in range(0, 6000, 1000):
            await gate.publish(*({"e": "X", "n": n, "fill": "x" * 2000} for n in range(start, start + 1000)))
        (event,) = await gate.publish({"e": "X", "n": 6000})
        reader = await read(f"{USDM_STREAM}&since={event['epoch']}:0", api_key)
        await asyncio.sleep(0.2)
        (outlet,) = gate.gateway.connections.all()
        assert outlet.queued_bytes() < 4_000_000
        assert (await reader.next())["position"] == 0
        assert numbers([await reader.next() for _ in range(6001)]) == list(range(6001))
        assert gate.gateway.metrics.sockets_slow == 0

    async def test_positions_come_every_few_seconds_and_prove_a_quiet_stream_complete(self, gate, read):
        """The committed head after all up to it was queued here; none while nothing can be said."""
        api_key = await gate.api_key()
        reader = await read(USDM_STREAM, api_key)
        assert (await reader.next())["position"] == 0
        await published(gate, 1, 2, 3)
        assert numbers([await reader.next() for _ in range(3)]) == [1, 2, 3]
        for _ in range(3):
            gate.advance(5)
            assert (await reader.next())["position"] == 3

    async def test_last_event_id_beats_since(self, gate, read):
        """A browser's reconnect sends it; the address still has the old `since`."""
        api_key = await gate.api_key()
        epoch = await published(gate, 1, 2, 3)
        reader = await read(f"{USDM_STREAM}&since={epoch}:0", api_key, **{"last-event-id": f"{epoch}:2"})
        assert (await reader.next())["position"] == 2
        assert (await reader.next())["offset"] == 3

    async def test_another_epoch_is_a_gap_and_then_the_stream_from_its_start(self, gate, read):
        """The gap names where it goes on, and the next event is exactly that."""
        api_key = await gate.api_key()
        epoch = await published(gate, 1)
        reader = await read(f"{USDM_STREAM}&since=0ther:7", api_key)
        assert (await reader.next())["position"] == 7
        assert await reader.next() == {
            "gap": {
                "epoch": "0ther",
                "from": 8,
                "to": None,
                "next": {"epoch": epoch, "offset": 1},
                "reason": "epoch",
            }
        }
        assert (await reader.next())["offset"] == 1

    async def test_ahead_of_the_head_is_a_gap(self, gate, read):
        """A reader that knows more than the journal is told so, not left waiting for offsets that come
        again."""
        api_key = await gate.api_key()
        epoch = await published(gate, 1)
        reader = await read(f"{USDM_STREAM}&since={epoch}:23", api_key)
        assert (await reader.next())["position"] == 23
        gap = (await reader.next())["gap"]
        assert gap == {
            "epoch": epoch,
            "from": 2,
            "to": None,
            "next": {"epoch": epoch, "offset": 2},
            "reason": "ahead",
        }
        await published(gate, 2)
        assert (await reader.next())["offset"] == 2

    async def test_forgotten_events_are_a_gap(self, gate, read):
        """Retention is said with its range, and the next event is `to` + 1."""
        api_key = await gate.api_key()
        epoch = await published(gate, *range(1, 11))
        await gate.gateway.store.trim_journals(0, 4, gate.gateway.clock.now())
        reader = await read(f"{USDM_STREAM}&since={epoch}:2", api_key)
        assert (await reader.next())["position"] == 2
        gap = (await reader.next())["gap"]
        assert (gap["from"], gap["reason"]) == (3, "retention")
        assert (await reader.next())["offset"] == gap["to"] + 1

    @pytest.mark.parametrize(
        "how,reason",
        [("close", "closed"), ("expire", "expired"), ("revoke", "revoked"), ("disconnect", "closed")],
    )
    async def test_the_end_of_the_key_is_the_end_of_the_stream(self, gate, read, how, reason):
        """`end` with its reason, and then the server closes."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        reader = await read(f"/lk/v1/stream?stream=binance-usdm&listenKey={key}")
        assert "position" in await reader.next()
        if how == "close":
            await gate.venue_call("DELETE", USDM, api_key)
        elif how == "expire":
            gate.clock.advance(3600 * 10**6)
            await gate.gateway.keys.expire_due()
        elif how == "disconnect":
            (item,) = (await gate.call("GET", "/v1/connections")).json()["items"]
            await gate.call("DELETE", f"/v1/connections/{item['id']}")
        else:
            (item,) = (await gate.call("GET", "/v1/api-keys")).json()["items"]
            await gate.call("DELETE", f"/v1/api-keys/{item['id']}")
        assert await reader.next() == {"end": {"reason": reason}}
        await reader.ends()

    async def test_revoking_the_api_key_ends_its_own_readers(self, gate, read):
        """A reader by API key does not expire, and ends with the key."""
        api_key = await gate.api_key()
        reader = await read(USDM_STREAM, api_key)
        await reader.next()
        (item,) = (await gate.call("GET", "/v1/api-keys")).json()["items"]
        await gate.call("DELETE", f"/v1/api-keys/{item['id']}")
        assert await reader.next() == {"end": {"reason": "revoked"}}
        await reader.ends()

    async def test_shutdown_is_said(self, gate, read):
        """A client can tell a restart from a lost key."""
        reader = await read(USDM_STREAM, await gate.api_key())
        await reader.next()
        draining = asyncio.ensure_future(gate.listeners.drain(2))
        assert await reader.next() == {"end": {"reason": "shutdown"}}
        await reader.ends()
        await draining


class TestWhoMayRead:
    @pytest.mark.parametrize(
        "path,status,code",
        [
            ("/lk/v1/stream?stream=binance-usdm", 401, "no_credential"),
            ("/lk/v1/stream?stream=binance-usdm&listenKey=dead", 401, "bad_credential"),
            ("/lk/v1/elsewhere", 404, "unknown_path"),
        ],
    )
    async def test_without_a_good_credential_there_is_a_json_error(self, gate, path, status, code):
        """The same over both transports, before any 101."""
        by_events = await gate.http.get(gate.venue + path, headers={"accept": "text/event-stream"})
        by_socket = await gate.refusal(path)
        for response, body in ((by_events, by_events.content), (by_socket, by_socket.body)):
            error = json.loads(body)["error"]
            assert (response.status_code, error["code"]) == (status, code)
            assert all(error[part] for part in ("message", "remedy"))
            assert b"dead" not in body

    @pytest.mark.parametrize(
        "query,code",
        [
            ("", "no_stream"),
            ("stream=", "no_stream"),
            ("stream=nothing", "unknown_stream"),
            ("stream=binance-margin-isolated", "unknown_stream"),
            ("stream=binance-usdm&since=5", "bad_since"),
            ("stream=binance-usdm&since=", "bad_since"),
            ("stream=binance-usdm&since=x:-1", "bad_since"),
            ("stream=binance-usdm&since=X:1", "bad_since"),
            ("stream=binance-usdm&since=x:99999999999999999999", "bad_since"),
        ],
    )
    async def test_what_makes_no_sense_is_400(self, gate, query, code):
        """Never a stream from somewhere else than was asked for."""
        headers = bearer(await gate.api_key()) | {"accept": "text/event-stream"}
        response = await gate.http.get(f"{gate.venue}/lk/v1/stream?{query}", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (400, code)

    async def test_a_listen_key_opens_its_key_spaces_streams(self, gate):
        """Its only stream needs no name; of several one has to be chosen; others' are refused."""
        api_key = await gate.api_key()
        spot, usdm, bingx = [await gate.listen_key(api_key, path) for path in (SPOT, USDM, BINGX)]
        socket = await gate.dial(f"/lk/v1/stream?listenKey={spot}")
        await gate.publish(TRADE, stream="binance-spot")
        assert "position" in await socket.json()
        assert (await socket.json())["event"] == TRADE
        for stream in ("binance-usdm", "binance-pm-pro"):
            await gate.dial(f"/lk/v1/stream?stream={stream}", additional_headers=bearer(usdm))
        assert (await gate.refusal(f"/lk/v1/stream?listenKey={bingx}")).status_code == 400
        assert (await gate.refusal(f"/lk/v1/stream?stream=bingx-swap&listenKey={usdm}")).status_code == 400

    async def test_isolated_margin_streams_go_by_symbol(self, gate):
        """A key of one symbol opens that symbol's stream alone."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key, "/sapi/v1/userDataStream/isolated?symbol=btcusdt")
        socket = await gate.dial(f"/lk/v1/stream?listenKey={key}")
        await socket.json()
        venue = await gate.dial(f"/ws/{key}")
        await gate.publish(TRADE, stream="binance-margin-isolated:ETHUSDT")
        await gate.publish(TRADE, stream="binance-margin-isolated:BTCUSDT")
        assert (await socket.json())["offset"] == 1
        assert await venue.json() == TRADE
        await venue.silent()
        path = f"/lk/v1/stream?stream=binance-margin-isolated:ETHUSDT&listenKey={key}"
        assert (await gate.refusal(path)).status_code == 400

    async def test_an_api_key_needs_permission_and_address(self, make_gate):
        """`read`, and its allow-list."""
        async with make_gate(trusted_proxies=("127.0.0.1",)) as gate:
            trader = await gate.api_key(permissions=["trade"])
            bound = await gate.api_key(ip_allow=["192.0.2.1"])
            path = "/lk/v1/stream?stream=binance-usdm"
            assert (await gate.refusal(path, additional_headers=bearer(trader))).status_code == 403
            here, there = ({"x-forwarded-for": address} for address in ("192.0.2.1", "192.0.2.2"))
            assert (await gate.refusal(path, additional_headers=bearer(bound) | there)).status_code == 403
            await gate.dial(path, additional_headers=bearer(bound) | here)

    async def test_a_plain_request_is_told_how_to_ask(self, gate):
        """406 with the remedy, not an endless download."""
        response = await gate.http.get(gate.venue + USDM_STREAM, headers=bearer(await gate.api_key()))
        assert response.status_code == 406
        assert "text/event-stream" in response.json()["error"]["remedy"]
        posted = await gate.http.post(gate.venue + USDM_STREAM, headers={"accept": "text/event-stream"})
        assert posted.status_code == 405


class TestSocket:
    async def test_what_a_reader_says_changes_nothing(self, gate):
        """There is nothing to ask for; messages and Pongs are let through, a flood is not."""
        raw = await gate.raw_socket(f"{USDM_STREAM}&listenKey={await gate.listen_key(await gate.api_key())}")
        await raw.frame()
        await raw.send(frame(1, b"hello") + frame(10) + frame(10, b"x") + frame(9, b"still there?"))
        assert await raw.frame() == (10, b"still there?")
        await raw.send(frame(1, b"x") * 2_000)
        assert await raw.close_code() == 1008

    async def test_a_slow_reader_is_told_and_closed(self, make_gate):
        """`end` with the reason, which says to come back with the last offset; 1013."""
        async with make_gate(streams=Streams(queue_bytes=65_536)) as gate:
            raw = await gate.raw_socket(
                f"{USDM_STREAM}&listenKey={await gate.listen_key(await gate.api_key())}"
            )
            raw.writer.transport.pause_reading()

            async def until_slow():
                while not gate.gateway.metrics.sockets_slow:
                    await gate.publish(*[{"e": "X", "fill": "x" * 50_000}] * 20)

            await asyncio.wait_for(until_slow(), 4 * WAIT)
            raw.writer.transport.resume_reading()
            offsets, last = [], None
            while True:
                opcode, payload = await raw.frame()
                if opcode == 8:
                    break
                last = json.loads(payload)
                offsets += [last["offset"]] if "offset" in last else []
            assert last == {"end": {"reason": "slow"}}
            assert int.from_bytes(payload[:2], "big") == 1013
            assert offsets == list(range(1, len(offsets) + 1))


class TestServerSentEvents:
    async def test_ids_are_positions(self, gate):
        """What a browser sends back as Last-Event-ID resumes exactly behind what it had."""
        api_key = await gate.api_key()
        epoch = await published(gate, 1, 2)
        headers = bearer(api_key) | {"accept": "text/event-stream"}
        async with gate.http.stream(
            "GET", f"{gate.venue}{USDM_STREAM}&since={epoch}:0", headers=headers
        ) as response:
            text = ""
            async for piece in response.aiter_text():
                text += piece
                if text.count("\n\n") == 3:
                    break
        assert response.headers["cache-control"] == "no-store"
        blocks = [
            dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block
        ]
        assert [(block["id"], block["event"]) for block in blocks] == [
            (f"{epoch}:0", "position"), (f"{epoch}:1", "event"), (f"{epoch}:2", "event"),
        ]  # fmt: skip

    async def test_a_slow_reader_is_ended(self, make_gate):
        """Bounded like a socket: what does not fit ends the response, and its connection, in time."""
        async with make_gate(streams=Streams(queue_bytes=65_536)) as gate:
            api_key = await gate.api_key()
            request = (
                f"GET {USDM_STREAM} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
                f"Authorization: Bearer {api_key}\r\n\r\n"
            )
            raw = await gate.raw(request.encode())
            await raw.head()
            raw.writer.transport.pause_reading()

            async def until_slow():
                while not gate.gateway.metrics.sockets_slow:
                    await gate.publish(*[{"e": "X", "fill": "x" * 50_000}] * 20)

            await asyncio.wait_for(until_slow(), 4 * WAIT)
            gate.advance(3.1)
            await until(lambda: not gate.gateway.connections.all())

    async def test_a_reader_that_left_is_forgotten(self, gate):
        """A closed tab frees its subscription at once."""
        headers = bearer(await gate.api_key()) | {"accept": "text/event-stream"}
        async with gate.http.stream("GET", gate.venue + USDM_STREAM, headers=headers):
            await until(lambda: len(gate.gateway.connections) == 1)
        await until(lambda: not gate.gateway.connections.all())
        assert not gate.gateway.streams._live
