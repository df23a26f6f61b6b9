import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listenkey.base.errors import StoreError, StoreFull
from listenkey.core.records import StreamId
from listenkey.service.publish import Problem
from listenkey.store.base import Appended
from tests.service.house import USDM

GOOD = b'{"account":"alice","stream":"binance-usdm","event":{"e":"x","n":1}}'


def line(account="alice", stream="binance-usdm", event=b'{"e":"x"}', **more):
    """A line as bytes, with the event's bytes as they are."""
    head = json.dumps({"account": account, "stream": stream, **more})[:-1].encode()
    return head + b',"event":' + event + b"}"


async def answers_to(house, *lines):
    return [json.loads(answer) for answer in await house.gateway.publisher.publish_lines(b"\n".join(lines))]


def code_of(answer):
    return answer.get("error", {}).get("code", "done")


async def codes(house, *lines):
    return [code_of(answer) for answer in await answers_to(house, *lines)]


def journal(house, stream="binance-usdm"):
    """The payloads that are kept."""
    stream_id = StreamId(1, stream)
    view = house.store.read_journal(stream_id)
    return [event.payload for event in house.store.read_events(stream_id, view.epoch, 0, 10_000)]


# What is kept ------------------------------------------------------------------------------------------


async def test_an_answer_says_where_the_event_went(house):
    """Epoch and offset, from 1 on, a line a line."""
    await house.account()
    answers = await answers_to(house, GOOD, GOOD)
    assert [answer["offset"] for answer in answers] == [1, 2]
    assert (
        answers[0]["epoch"]
        == answers[1]["epoch"]
        == house.store.read_journal(StreamId(1, "binance-usdm")).epoch
    )


@pytest.mark.parametrize(
    "event",
    [
        b"{}",
        b'{ "e" : "x" }',
        b'{"n":1,"n":2}',
        b'{"price":0.10000000000000000001,"n":123456789012345678901234567890}',
        b'{"text":"\\u00e9 \xc3\xa9 \\/ \\ud83d\\ude00"}',
        b'{"deep":[[[[{"a":[1,2,{"b":null}]}]]]]}',
        b'{\t"tabs"\t:\ttrue}',
        b'{"carriage":\r1}',
    ],
)
async def test_an_event_s_bytes_are_kept(house, event):
    """Numbers, spacing, escapes and the order of fields reach the socket as they were published."""
    watcher = house.watch(await house.create(USDM, await house.account()))
    assert await codes(house, line(event=event)) == ["done"]
    assert journal(house) == [event]
    assert watcher.got == [event]


async def test_an_acked_event_outlasts_a_crash(house):
    """I3: what was answered is in the journal after kill -9."""
    await house.account()
    for number in range(5):
        await answers_to(house, line(event=b'{"n":%d}' % number))
    await house.crash()
    assert journal(house) == [b'{"n":%d}' % number for number in range(5)]


async def test_each_stream_counts_for_itself(house):
    """Offsets are contiguous within a stream, whatever else is in the same body."""
    await house.account("alice")
    await house.account("bob")
    answers = await answers_to(
        house,
        line(),
        line(stream="binance-spot"),
        line("bob"),
        line(),
        line("bob"),
        line(stream="binance-spot"),
    )
    assert [answer["offset"] for answer in answers] == [1, 1, 1, 2, 2, 2]


# One by one --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, code",
    [
        (b"{", "bad_line"),
        (b"nonsense", "bad_line"),
        (b"[]", "bad_line"),
        (b"null", "bad_line"),
        (b"{}", "bad_line"),
        (b'{"account":"alice","stream":"binance-usdm"}', "bad_line"),
        (b'{"account":"alice","event":{}}', "bad_line"),
        (b'{"stream":"binance-usdm","event":{}}', "bad_line"),
        (b'{"account":1,"stream":"binance-usdm","event":{}}', "bad_line"),
        (b'{"account":null,"stream":"binance-usdm","event":{}}', "bad_line"),
        (line(event=b"1"), "bad_line"),
        (line(event=b"null"), "bad_line"),
        (line(event=b'"text"'), "bad_line"),
        (line(event=b"[{}]"), "bad_line"),
        (line(event=b'{"e":"x"'), "bad_line"),
        (line(event=b'{"e":"x"}}'), "bad_line"),
        (line(event=b'{"e":x}'), "bad_line"),
        (line(event=b'{"e":"x",}'), "bad_line"),
        (line(event=b"{'e':'x'}"), "bad_line"),
        (line(event=b'{"e":01}'), "bad_line"),
        (line(event=b'{"e":NaN}'), "bad_line"),
        (line(event=b'{"e":"\\x"}'), "bad_line"),
        (line(event=b'{"e":"\x01"}'), "bad_line"),
        (line(event=b'{"e":"\xff"}'), "bad_line"),
        (line(event=b'{"e":"\xc3"}'), "bad_line"),
        (line(event=b'{"e":"\xed\xa0\x80"}'), "bad_line"),
        (b"\xff\xfe", "bad_line"),
        (b"\xef\xbb\xbf" + GOOD, "bad_line"),
        (b"\x00", "bad_line"),
        (line(id=""), "bad_line"),
        (line(id="x" * 257), "bad_line"),
        (line(id=7), "bad_line"),
        (line(event=b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "bad_line"),
        (line(event=b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "bad_line"),
        (b"[" * 100_000, "bad_line"),
        (b'{"a":' * 100_000, "bad_line"),
        (line(account="bob"), "unknown_account"),
        (line(account=""), "unknown_account"),
        (line(account="ALICE"), "unknown_account"),
        (line(account="alice\x00"), "unknown_account"),
        (line(stream=""), "unknown_stream"),
        (line(stream="binance"), "unknown_stream"),
        (line(stream="binance-usdm:BTCUSDT"), "unknown_stream"),
        (line(stream="binance-margin-isolated"), "unknown_stream"),
        (line(stream="binance-margin-isolated:"), "unknown_stream"),
        (line(stream="binance-margin-isolated:btcusdt"), "unknown_stream"),
        (line(stream="binance-margin-isolated:BTC:USDT"), "unknown_stream"),
        (line(event=b'{"e":"x","pad":"' + b"x" * (1 << 20) + b'"}'), "too_large"),
        (line(event=b'{"e":"listenKeyExpired"}'), "notice"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:60]),
)
async def test_a_bad_line_is_answered_by_itself(house, bad, code):
    """I8: its neighbours are journaled, its answer is in its place, and nobody is told of it as an event."""
    watcher = house.watch(await house.create(USDM, await house.account()))
    assert await codes(house, GOOD, bad, GOOD) == ["done", code, "done"]
    assert len(journal(house)) == len(watcher.got) == 2


async def test_an_event_of_the_largest_size_is_kept(house):
    """The bound is inclusive."""
    await house.account()
    frame = len(b'{"pad":""}')
    assert await codes(house, line(event=b'{"pad":"' + b"x" * ((1 << 20) - frame) + b'"}')) == ["done"]


async def test_empty_lines_have_no_answer(house):
    """Blank lines, spaces and carriage returns between lines are nothing; an empty body has no answers."""
    await house.account()
    assert await codes(house, b"", GOOD, b"  ", b"\r", GOOD + b"\r", b"\t") == ["done", "done"]
    assert await house.gateway.publisher.publish_lines(b"") == []


async def test_answers_come_in_the_order_of_the_lines(house):
    """Whatever is good or bad among a thousand."""
    await house.account()
    lines = [line(event=b'{"n":%d}' % number) if number % 3 else b"bad" for number in range(1500)]
    answers = await answers_to(house, *lines)
    assert [code_of(answer) for answer in answers] == [
        "done" if number % 3 else "bad_line" for number in range(1500)
    ]
    assert [answer["offset"] for answer in answers if "offset" in answer] == list(range(1, 1001))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.just(GOOD), st.text(max_size=30).map(str.encode)), max_size=8
    )
)
def test_any_body_is_answered_line_by_line(parser, body):
    """I8: whatever the bytes, every line that is not empty is an event or a documented error."""
    lines = [item for part in body for item in part.split(b"\n") if item.strip()]
    parsed = [parser(item) for item in lines]
    for outcome in parsed:
        assert not isinstance(outcome, Problem) or outcome.code in {
            "bad_line",
            "unknown_account",
            "unknown_stream",
            "notice",
            "too_large",
        }


@pytest.fixture
async def parser(house):
    """The publisher's reading of one line, over a house with an account."""
    await house.account()
    return house.gateway.publisher._read


# Ids ---------------------------------------------------------------------------------------------------


async def test_publishing_again_under_the_same_id_is_done_once(house):
    """A publisher that does not know whether it was heard repeats itself, and gets the first answer again."""
    watcher = house.watch(await house.create(USDM, await house.account()))
    (first,) = await answers_to(house, line(id="a"))
    assert await answers_to(house, line(id="a"), line(id="b"), line(id="a")) == [
        first,
        {"epoch": first["epoch"], "offset": 2},
        first,
    ]
    await house.crash()
    assert await answers_to(house, line(id="a")) == [first]
    assert len(watcher.got) == 2
    assert len(journal(house)) == 2
    assert house.gateway.metrics.events_repeated == 1


async def test_an_id_for_another_payload_is_a_conflict(house):
    """The second event is not passed off as the first."""
    await house.account()
    await answers_to(house, line(id="a"))
    assert await codes(house, line(id="a", event=b'{"e":"y"}'), line(id="a")) == ["id_conflict", "done"]
    assert len(journal(house)) == 1


async def test_an_id_is_of_its_account_and_stream(house):
    """Others may use the same."""
    await house.account("alice")
    await house.account("bob")
    answers = await answers_to(house, line(id="a"), line("bob", id="a"), line(stream="binance-spot", id="a"))
    assert [answer["offset"] for answer in answers] == [1, 1, 1]


async def test_an_id_twice_in_one_body_is_done_once(house):
    """Also where both are in the same commit."""
    await house.account()
    answers = await answers_to(house, line(id="a"), line(id="a"))
    assert answers[0] == answers[1]
    assert len(journal(house)) == 1


# Notices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        b'{"e":"listenKeyExpired"}',
        b'{"E":1,"e":"listenKeyExpired","listenKey":"x"}',
        b'{"e":"listenKey\\u0045xpired"}',
        b'{"\\u0065":"listenKeyExpired"}',
        b'{"\\u0065":"\\u006cistenKeyExpired"}',
        b'{"e":"eventStreamTerminated"}',
        b'{"e":"serverShutdown","E":1}',
    ],
)
async def test_notices_are_the_gateway_s_alone(house, event):
    """No publisher tells a client that its key is over, however it spells that."""
    await house.account()
    assert await codes(house, line(event=event)) == ["notice"]


@pytest.mark.parametrize(
    "event",
    [
        b'{"e":"x","of":"listenKeyExpired"}',
        b'{"data":{"e":"listenKeyExpired"}}',
        b'{"e":["listenKeyExpired"]}',
        b'{"E":"listenKeyExpired"}',
        b'{"e":"x\\u0045"}',
    ],
)
async def test_what_only_mentions_a_notice_is_none(house, event):
    """The event's own type decides."""
    await house.account()
    assert await codes(house, line(event=event)) == ["done"]


# Around it ---------------------------------------------------------------------------------------------


async def test_a_source_inside_the_process_publishes_by_the_same_rules(house):
    """One event, checked like a line."""
    await house.account()
    publish = house.gateway.publisher.publish
    assert await publish("alice", "binance-usdm", b'{"e":"x"}') == Appended(
        house.store.read_journal(StreamId(1, "binance-usdm")).epoch, 1
    )
    assert (await publish("bob", "binance-usdm", b"{}")).code == "unknown_account"
    assert (await publish("alice", "binance-usdm", b"[]")).code == "bad_line"


async def test_a_strict_catalogue_does_not_keep_a_source_out(make_house):
    """A field that a venue added overnight must not cost its fills."""
    house = await make_house(check="strict")
    await house.account()
    odd = b'{"e":"listStatus","brandnew":1}'
    assert await codes(house, line(stream="binance-spot", event=odd)) == ["bad_line"]
    publish = house.gateway.publisher.publish
    assert isinstance(await publish("alice", "binance-spot", odd), Appended)


@pytest.mark.parametrize("error", [StoreFull("no room"), StoreError("gone")])
async def test_a_failing_store_is_answered_line_by_line(house, monkeypatch, error):
    """Nothing is acked that was not kept; bad lines have their own answers still. Publishers know one code
    for a store that takes nothing now, the message says why."""
    await house.account()

    def failing(*_):
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    monkeypatch.setattr(house.store, "append", failing)
    assert await codes(house, GOOD, b"bad", GOOD) == ["store_full", "bad_line", "store_full"]
    (answer,) = await answers_to(house, GOOD)
    assert answer["error"]["message"] == error.message


@pytest.mark.parametrize(
    "event",
    [
        b'{"e":"x","e":"x"}',
        b'{"e":"listenKeyExpired","n":1,"e":"x"}',
        b'{"\\u0065":"x","e":"y"}',
        b'{"e":"x","o":{"e":1},"e":"y"}',
    ],
)
async def test_an_event_of_two_types_is_refused(house, event):
    """Clients differ in which one they take, and so would filters and the check for notices."""
    await house.account()
    assert await codes(house, line(event=event)) == ["bad_line"]


async def test_fields_of_the_same_name_within_are_no_second_type(house):
    """Orders within an event have fields named `e` too."""
    await house.account()
    assert await codes(house, line(event=b'{"e":"x","o":{"e":1},"p":[{"e":2}]}')) == ["done"]


async def test_counts_of_what_was_published(house):
    """The metrics tell journaled, repeated and refused lines apart."""
    await house.account()
    await answers_to(house, GOOD, line(id="a"), line(id="a"), b"bad")
    metrics = house.gateway.metrics
    assert (metrics.events_published, metrics.events_repeated, metrics.events_refused) == (2, 1, 1)


async def test_names_that_are_remembered_are_bounded(house, monkeypatch):
    """Publishing to more streams than are remembered works all the same."""
    monkeypatch.setattr("listenkey.service.publish._REMEMBERED", 2)
    await house.account()
    streams = ["binance-usdm", "binance-spot", "bingx-swap", "binance-usdm"]
    assert await codes(house, *(line(stream=stream) for stream in streams)) == ["done"] * 4
    assert len(house.gateway.publisher._streams) == 2
