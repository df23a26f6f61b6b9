import json

import pytest

from listenkey.config import Http, Publish
from tests.edge.gate import until

TRADE = {"e": "ORDER_TRADE_UPDATE", "E": 1}


def error_code(response):
    """The code of an error answer."""
    return response.json()["error"]["code"]


class TestPublish:
    async def test_each_line_is_answered_by_itself(self, gate):
        """Bad lines cost the good ones nothing; empty lines have no answer; the order is the request's."""
        await gate.api_key()
        good = json.dumps({"account": "alice", "stream": "binance-usdm", "event": TRADE})
        event = '{"account":"alice","stream":"binance-usdm","event":%s}'
        lines = [good, "", "   ", "{", '{"account":"alice"}', good.replace("alice", "bob")]
        lines += [
            good.replace("usdm", "none"),
            event % "[1]",
            event % '{"e":"listenKeyExpired"}',
            "\x00",
            good,
        ]
        response = await gate.call("POST", "/v1/publish", content="\r\n".join(lines))
        assert response.status_code == 200
        answers = [json.loads(line) for line in response.text.splitlines()]
        shown = [answer["error"]["code"] if "error" in answer else answer["offset"] for answer in answers]
        bad = ["bad_line", "bad_line", "unknown_account", "unknown_stream", "bad_line", "notice", "bad_line"]
        assert shown == [1, *bad, 2]
        assert all(set(answer) in ({"epoch", "offset"}, {"error"}) for answer in answers)

    async def test_the_same_id_is_journaled_once(self, gate):
        """And with another payload refused."""
        await gate.api_key()

        async def publish(event, event_id):
            line = {"account": "alice", "stream": "binance-usdm", "event": event, "id": event_id}
            return (await gate.call("POST", "/v1/publish", line)).json()

        first = await publish(TRADE, "one")
        assert await publish(TRADE, "one") == first
        assert (await publish({"e": "other"}, "one"))["error"]["code"] == "id_conflict"
        assert (await publish(TRADE, "two"))["offset"] == 2

    async def test_lines_cut_anywhere_by_the_network_are_whole_again(self, gate):
        """A streamed body: pieces of every size, no newline at the end."""
        await gate.api_key()
        body = "\n".join(
            json.dumps({"account": "alice", "stream": "binance-usdm", "event": {"e": "X", "n": n}})
            for n in range(200)
        ).encode()
        for size in (1, 7, 1000, len(body)):
            pieces = [body[start : start + size] for start in range(0, len(body), size)]

            async def stream(pieces=pieces):
                for piece in pieces:
                    yield piece

            response = await gate.call("POST", "/v1/publish", content=stream())
            assert [("offset" in json.loads(line)) for line in response.text.splitlines()] == [True] * 200
        journal = (await gate.call("GET", "/v1/journal/alice/binance-usdm")).text.splitlines()
        assert [json.loads(line)["event"]["n"] for line in journal[:-1]] == list(range(200)) * 4

    async def test_too_much_is_refused_in_its_place(self, make_gate):
        """An event over its bound is an error of its line; a body over its bound is refused as a whole."""
        async with make_gate(http=Http(event_bytes=1_000, publish_body_bytes=400_000)) as gate:
            await gate.api_key()

            def line(size):
                event = {"e": "X", "fill": "x" * (size - len('{"e":"X","fill":""}'))}
                encoded = json.dumps(event, separators=(",", ":"))
                return f'{{"account":"alice","stream":"binance-usdm","event":{encoded}}}'

            lines = [line(1_000), line(1_001), line(100_000), line(10)]
            response = await gate.call("POST", "/v1/publish", content="\n".join(lines))
            shown = [json.loads(each) for each in response.text.splitlines()]
            assert [each.get("offset") or each["error"]["code"] for each in shown] == [
                1,
                "too_large",
                "too_large",
                2,
            ]

            async def stream():
                for _ in range(500):
                    yield line(900).encode() + b"\n"

            for content in ((line(900) + "\n") * 500, stream()):
                response = await gate.call("POST", "/v1/publish", content=content)
                assert (response.status_code, error_code(response)) == (413, "too_large")

    async def test_a_line_without_end_is_refused_and_the_next_is_read(self, make_gate):
        """It is not kept in memory: the answer comes in its place, and the lines around it are journaled."""
        async with make_gate(http=Http(event_bytes=1_000)) as gate:
            await gate.api_key()
            good = json.dumps({"account": "alice", "stream": "binance-usdm", "event": TRADE}).encode()

            async def stream():
                yield good + b"\n"
                for _ in range(10):
                    yield b"x" * 50_000
                yield b"\n" + good + b"\n"

            response = await gate.call("POST", "/v1/publish", content=stream())
            shown = [json.loads(line) for line in response.text.splitlines()]
            assert [each.get("offset") or each["error"]["code"] for each in shown] == [1, "too_large", 2]

    async def test_half_a_line_of_a_publisher_that_left_is_not_journaled(self, gate):
        """Whole lines are, although nobody is there to be told."""
        await gate.api_key()
        line = json.dumps({"account": "alice", "stream": "binance-usdm", "event": TRADE}).encode()
        head = (
            f"POST /v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gate.token}\r\n"
            "Content-Length: 100000\r\n\r\n"
        )
        raw = await gate.raw(head.encode() + line + b"\n" + line[:-5], admin=True)
        await until(lambda: gate.gateway.metrics.events_published == 1)
        raw.writer.transport.abort()
        await until(lambda: not gate.listeners._admin._state.tasks)
        assert (gate.gateway.metrics.events_published, gate.gateway.metrics.events_refused) == (1, 0)

    async def test_an_answer_is_taken_in_time_or_not_at_all(self, make_gate):
        """A publisher that pauses gets all of its answer; one that never reads it is cut."""
        async with make_gate(http=Http(body_seconds=1)) as gate:
            lines = b"?\n" * 60_000
            head = (
                f"POST /v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gate.token}\r\n"
                f"Content-Length: {len(lines)}\r\n\r\n"
            )
            for patient in (True, False):
                raw = await gate.raw(admin=True)
                raw.writer.transport.pause_reading()
                await raw.send(head.encode() + lines)
                connections = gate.listeners._admin._state.connections
                await until(lambda: any(each.flow.write_paused for each in tuple(connections)))  # noqa: B023
                if patient:
                    raw.writer.transport.resume_reading()
                    _, _, body = await raw.answer()
                    assert body.count(b"bad_line") == 60_000
                    await until(lambda: not any(each.flow.write_paused for each in tuple(connections)))  # noqa: B023
                else:
                    await until(lambda: not any(each.flow.write_paused for each in tuple(connections)))  # noqa: B023

    async def test_nothing_in_nothing_out(self, gate):
        """An empty body is 200 with no line."""
        for body in (b"", b"\n\n", b"  \n"):
            response = await gate.call("POST", "/v1/publish", content=body)
            assert (response.status_code, response.text) == (200, "")


class TestJournal:
    async def test_what_is_kept_is_read_from_the_oldest(self, gate):
        """The native stream's messages, ended by a position."""
        await gate.api_key()
        answers = await gate.publish(*({"e": "X", "n": n} for n in range(1500)))
        response = await gate.call("GET", "/v1/journal/alice/binance-usdm")
        *events, last = [json.loads(line) for line in response.text.splitlines()]
        assert [event["offset"] for event in events] == list(range(1, 1501))
        assert events[7]["event"] == {"e": "X", "n": 7}
        assert (last["position"], last["epoch"]) == (1500, answers[0]["epoch"])

    async def test_an_event_over_several_lines_is_one_line(self, gate):
        """Whatever blanks a venue sends about it and in it: who reads line by line reads the event."""
        await gate.api_key()
        said = b' {\n  "e": "ORDER_TRADE_UPDATE",\r\n  "o": {"t": 1}\n}\n'
        await gate.gateway.publisher.publish("alice", "binance-usdm", said)
        response = await gate.call("GET", "/v1/journal/alice/binance-usdm")
        event, position, end = response.text.split("\n")
        assert json.loads(event)["event"] == json.loads(said)
        assert ("position" in json.loads(position), end) == (True, "")

    async def test_since_and_limit_page_through(self, gate):
        """`limit` counts events; the position says where the next page begins."""
        await gate.api_key()
        epoch = (await gate.publish(*({"e": "X", "n": n} for n in range(10))))[0]["epoch"]
        found, since = [], f"{epoch}:0"
        for _ in range(5):
            path = f"/v1/journal/alice/binance-usdm?since={since}&limit=4"
            *events, last = [json.loads(line) for line in (await gate.call("GET", path)).text.splitlines()]
            assert len(events) <= 4
            found += [event["offset"] for event in events]
            since = f"{last['epoch']}:{last['position']}"
        assert found == list(range(1, 11))

    async def test_gaps_are_said(self, gate):
        """Retention, another epoch, and ahead of the head."""
        await gate.api_key()
        epoch = (await gate.publish(*({"e": "X", "n": n} for n in range(10))))[0]["epoch"]
        await gate.gateway.store.trim_journals(0, 4, gate.gateway.clock.now())
        for since, reason in ((f"{epoch}:1", "retention"), ("0ther:3", "epoch"), (f"{epoch}:99", "ahead")):
            response = await gate.call("GET", f"/v1/journal/alice/binance-usdm?since={since}")
            first, *_, last = [json.loads(line) for line in response.text.splitlines()]
            assert first["gap"]["reason"] == reason
            assert last["position"] == 10

    async def test_an_empty_journal_is_a_position(self, gate):
        """Nothing was published, and that is what is said."""
        await gate.api_key()
        (line,) = (
            await gate.call("GET", "/v1/journal/alice/binance-margin-isolated%3ABTCUSDT")
        ).text.splitlines()
        assert json.loads(line)["position"] == 0

    @pytest.mark.parametrize(
        "path,status,code",
        [
            ("nobody/binance-usdm", 404, "unknown_account"),
            ("alice/nothing", 404, "unknown_stream"),
            ("alice/binance-usdm?since=5", 400, "bad_since"),
            ("alice/binance-usdm?limit=x", 400, "bad_limit"),
            ("alice/binance-usdm?limit=-1", 400, "bad_limit"),
            ("alice", 404, "not_found"),
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, gate, path, status, code):
        """Before a line is written."""
        await gate.api_key()
        response = await gate.call("GET", f"/v1/journal/{path}")
        assert (response.status_code, error_code(response)) == (status, code)


async def test_strict_publishing_refuses_what_the_catalogue_does_not_have(make_gate):
    """`publish.check = "strict"`: the wrong line alone is refused, and says which field it is."""
    good = {"e": "TRADE_LITE", "E": 1, "T": 1, "s": "BTCUSDT", "q": "1", "p": "0", "m": False, "c": "x"}
    good |= {"S": "BUY", "L": "1", "l": "1", "t": 1, "i": 1}
    async with make_gate(publish=Publish(check="strict")) as gate:
        await gate.api_key()
        first, second, third = await gate.publish(good, good | {"L": "much"}, good)
        assert (first["offset"], third["offset"]) == (1, 2)
        said = "no TRADE_LITE as the catalogue has it: L: is not of the kind decimal"
        assert second["error"] == {"code": "bad_line", "message": said}
